//! Reading the embedded table. Its format is described at the head of `schema_table.txt`.

use crate::{AttributeType, DataType};

use super::{AttributeDefault, AttributeSchema, Formal, FormalKind, Schema, TypeSet};

/// The table, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The newest opset.
    pub latest: i64,
    /// Operators ordered by name.
    pub operators: Vec<Operator>,
}

/// An operator with all its versions.
#[derive(Debug)]
pub(super) struct Operator {
    /// Name.
    pub name: &'static str,
    /// Versions, oldest first.
    pub versions: Vec<Schema>,
}

/// A line of the table that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the schema table cannot be read: {text}; run tools/make_schema_table.py again")]
pub(super) struct TableFault {
    line: usize,
    text: &'static str,
}

impl Table {
    /// Reads the table.
    pub fn parse(text: &'static str) -> Result<Self, TableFault> {
        let mut table = Self { latest: 0, operators: Vec::with_capacity(256) };
        let mut sets = Vec::with_capacity(128);
        for (index, line) in text.lines().enumerate() {
            table.line(line, &mut sets).ok_or(TableFault { line: index + 1, text: line })?;
        }
        Ok(table)
    }

    /// The versions of an operator.
    pub fn versions(&self, name: &str) -> &[Schema] {
        let found = self.operators.binary_search_by(|operator| operator.name.cmp(name)).ok();
        found.and_then(|index| self.operators.get(index)).map_or(&[], |operator| &operator.versions)
    }

    fn line(&mut self, line: &'static str, sets: &mut Vec<TypeSet>) -> Option<()> {
        match line.split_once(' ') {
            Some(("#", _)) => {}
            None if line == "#" => {}
            Some(("opset", rest)) => self.latest = rest.split(' ').next()?.parse().ok()?,
            Some(("types", rest)) => sets.push(type_set(rest)?),
            Some(("op", name)) => {
                // The search relies on the order.
                if self.operators.last().is_some_and(|last| last.name >= name) {
                    return None;
                }
                self.operators.push(Operator { name, versions: Vec::new() });
            }
            _ => {
                let operator = self.operators.last_mut()?;
                let schema = version(operator.name, line, sets)?;
                if operator.versions.last().is_some_and(|last| last.since_version >= schema.since_version) {
                    return None;
                }
                operator.versions.push(schema);
            }
        }
        Some(())
    }
}

fn type_set(text: &str) -> Option<TypeSet> {
    let mut types = TypeSet::default();
    for word in text.split(' ') {
        let digits = word.find(|letter: char| letter.is_ascii_digit())?;
        let (wrapper, number) = word.split_at_checked(digits)?;
        let data_type = DataType::from_number(number.parse().ok()?)?;
        let set = match wrapper {
            "" => &mut types.tensors,
            "s" => &mut types.sequences,
            "o" => &mut types.optionals,
            "os" => &mut types.optional_sequences,
            _ => return None,
        };
        *set = set.with(data_type);
    }
    Some(types)
}

fn version(name: &'static str, line: &'static str, sets: &[TypeSet]) -> Option<Schema> {
    let mut columns = line.split('|');
    let since = columns.next()?;
    let (min_inputs, max_inputs) = limits(columns.next()?)?;
    let (min_outputs, max_outputs) = limits(columns.next()?)?;
    let schema = Schema {
        name,
        since_version: since.trim_end_matches('x').parse().ok()?,
        deprecated: since.ends_with('x'),
        min_inputs,
        max_inputs,
        min_outputs,
        max_outputs,
        inputs: words(columns.next()?).map(|word| formal(word, sets)).collect::<Option<_>>()?,
        outputs: words(columns.next()?).map(|word| formal(word, sets)).collect::<Option<_>>()?,
        attributes: words(columns.next()?).map(attribute).collect::<Option<_>>()?,
    };
    columns.next().is_none().then_some(schema)
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn limits(text: &str) -> Option<(usize, Option<usize>)> {
    let (least, most) = text.split_once('-')?;
    let most = if most == "*" { None } else { Some(most.parse().ok()?) };
    Some((least.parse().ok()?, most))
}

fn formal(word: &'static str, sets: &[TypeSet]) -> Option<Formal> {
    let (name, declared) = word.split_once(':')?;
    let (variable, set) = declared.split_once('=')?;
    let digits = set.find(['?', '*']).unwrap_or(set.len());
    let (set, suffix) = set.split_at_checked(digits)?;
    let (kind, homogeneous) = match suffix {
        "" => (FormalKind::Single, true),
        "?" => (FormalKind::Optional, true),
        "*" => (FormalKind::Variadic, true),
        "**" => (FormalKind::Variadic, false),
        _ => return None,
    };
    let types = *sets.get(set.parse::<usize>().ok()?)?;
    Some(Formal { name, kind, homogeneous, type_variable: (!variable.is_empty()).then_some(variable), types })
}

fn attribute(word: &'static str) -> Option<AttributeSchema> {
    let (name, declared) = word.split_once(':')?;
    let (declared, value) = match declared.split_once('=') {
        Some((declared, value)) => (declared, Some(value)),
        None => (declared, None),
    };
    let (kind, required) = match declared.strip_suffix('!') {
        Some(kind) => (kind, true),
        None => (declared, false),
    };
    let kind = AttributeType::from_name(kind)?;
    let default = match value {
        Some(value) => Some(default(kind, value)?),
        None => None,
    };
    Some(AttributeSchema { name, kind, required, default })
}

fn default(kind: AttributeType, text: &'static str) -> Option<AttributeDefault> {
    let items = || text.split(',').filter(|item| !item.is_empty());
    Some(match kind {
        AttributeType::Float => AttributeDefault::Float(text.parse().ok()?),
        AttributeType::Int => AttributeDefault::Int(text.parse().ok()?),
        AttributeType::String => AttributeDefault::String(text),
        AttributeType::Floats => {
            AttributeDefault::Floats(items().map(|item| item.parse().ok()).collect::<Option<_>>()?)
        }
        AttributeType::Ints => AttributeDefault::Ints(items().map(|item| item.parse().ok()).collect::<Option<_>>()?),
        AttributeType::Strings => AttributeDefault::Strings(items().collect()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_whole() {
        let table = Table::parse(include_str!("../schema_table.txt")).unwrap();
        assert_eq!(table.latest, 28);
        assert_eq!(table.operators.len(), 203);
        assert_eq!(table.operators.iter().map(|operator| operator.versions.len()).sum::<usize>(), 571);
        for schema in table.operators.iter().flat_map(|operator| &operator.versions) {
            for formals in [&schema.inputs, &schema.outputs] {
                let variadic = formals.iter().position(|formal| formal.kind == FormalKind::Variadic);
                assert!(variadic.is_none_or(|position| position + 1 == formals.len()), "{schema:?}");
                assert!(formals.iter().all(|formal| formal.types != TypeSet::default()), "{schema:?}");
            }
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let fault = |text| Table::parse(text).map(|_| ()).unwrap_err().line;
        assert_eq!(fault("opset x"), 1);
        assert_eq!(fault("# head\n7|1-1|1-1|||"), 2, "a version without an operator");
        assert_eq!(fault("types 99"), 1, "an unknown data type");
        assert_eq!(fault("op B\nop A"), 2, "operators out of order");
        assert_eq!(fault("op A\n7|0-0|0-0|||\n7|0-0|0-0|||"), 3, "versions out of order");
        assert_eq!(fault("op A\n7|1-1|0-0|x:T=0||"), 2, "an unknown set of types");
        assert_eq!(fault("op A\n7|0-0|0-0|||x:colour"), 2, "an unknown type of attribute");
        assert_eq!(fault("op A\n7|0-0|0-0||||"), 2, "a column too many");
    }
}
