//! What a frontend found odd but not wrong, with the place.

use std::fmt;

use edgesmith_ir::Name;

/// How much a diagnostic matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing; the model means what its author thinks it means.
    Remark,
    /// Probably not what the author meant, or something that the output will lack.
    Warning,
}

/// What a diagnostic is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// The model as a whole.
    Model,
    /// An operator: its name (or that of its first result) and what the file calls it.
    Node {
        /// Name.
        name: Name,
        /// Operator.
        operator: Name,
    },
    /// A value.
    Value(Name),
    /// A tensor.
    Tensor(Name),
    /// A function of the model.
    Function(Name),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Model => f.write_str("model"),
            Subject::Node { name, operator } => write!(f, "{} '{}'", shown(operator), shown(name)),
            Subject::Value(name) => write!(f, "value '{}'", shown(name)),
            Subject::Tensor(name) => write!(f, "tensor '{}'", shown(name)),
            Subject::Function(name) => write!(f, "function '{}'", shown(name)),
        }
    }
}

/// Something odd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// A stable code for the kind, such as `edgesmith::onnx::unsorted-nodes`.
    pub code: &'static str,
    /// What it is about; of several of one kind, the first.
    pub subject: Subject,
    /// What was found, and what follows from it.
    pub message: String,
    /// How many others of this kind there are that were not recorded one by one.
    pub more: u64,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Model => f.write_str(&self.message)?,
            _ => write!(f, "{}: {}", self.subject, self.message)?,
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// So many diagnostics of one kind are recorded one by one; of the rest only the number is kept.
const EACH: usize = 8;

/// The diagnostics of one import, in the order in which they were found; bounded however odd the file is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    /// Code, number recorded, index of the last recorded.
    kinds: Vec<(&'static str, usize, usize)>,
}

impl Diagnostics {
    /// Adds a diagnostic. `message` is asked only when it is recorded.
    pub fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        subject: impl FnOnce() -> Subject,
        message: impl FnOnce() -> String,
    ) {
        let index = self.kinds.iter().position(|(kind, ..)| *kind == code).unwrap_or_else(|| {
            self.kinds.push((code, 0, 0));
            self.kinds.len() - 1
        });
        let (_, recorded, last) = &mut self.kinds[index];
        if *recorded == EACH {
            self.items[*last].more += 1;
            return;
        }
        *recorded += 1;
        *last = self.items.len();
        self.items.push(Diagnostic { severity, code, subject: subject(), message: message(), more: 0 });
    }
    /// Adds a remark.
    pub fn remark(&mut self, code: &'static str, subject: impl FnOnce() -> Subject, message: impl FnOnce() -> String) {
        self.add(Severity::Remark, code, subject, message);
    }
    /// Adds a warning.
    pub fn warning(&mut self, code: &'static str, subject: impl FnOnce() -> Subject, message: impl FnOnce() -> String) {
        self.add(Severity::Warning, code, subject, message);
    }
    /// All diagnostics.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }
    /// The number of diagnostics that are recorded.
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// Whether nothing was odd.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A name from a file as messages show it: control characters escaped, the middle of a long one left out.
pub fn shown(name: &str) -> String {
    const HEAD: usize = 60;
    const TAIL: usize = 30;
    let escape = |part: &str| -> String {
        part.chars()
            .flat_map(|c| {
                let escaped = c.is_control().then(|| c.escape_default());
                let plain = (!c.is_control()).then_some(c);
                escaped.into_iter().flatten().chain(plain)
            })
            .collect()
    };
    if name.len() <= HEAD + TAIL + 3 {
        return escape(name);
    }
    let (head, tail) = (name.floor_char_boundary(HEAD), name.ceil_char_boundary(name.len() - TAIL));
    format!("{}...{}", escape(&name[..head]), escape(&name[tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_counted_after_the_first_few() {
        let mut diagnostics = Diagnostics::default();
        for index in 0..100 {
            diagnostics.remark("a", || Subject::Value(format!("v{index}").into()), || "odd".into());
        }
        diagnostics.warning("b", || Subject::Model, || "bad".into());
        assert_eq!(diagnostics.len(), EACH + 1);
        let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "value 'v0': odd");
        assert_eq!(shown[EACH - 1], "value 'v7': odd (and 92 more)");
        assert_eq!(shown[EACH], "bad");
    }

    #[test]
    fn names_are_shown_short_and_without_control_characters() {
        assert_eq!(shown("a\nb"), "a\\nb");
        let long = "é".repeat(500);
        assert!(shown(&long).chars().count() < 60);
        assert_eq!(shown("straße"), "straße");
    }
}
