//! Pipelines in TOML: which passes run, with which options, and what is written.
//!
//! Options are read through the parsed document, so that every error points into the user's text.

use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::registry::OptionError;
use crate::{Pass, PassInfo, Registry};

/// A piece of the pipeline's text: byte offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Spot {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl Spot {
    /// Line and column of the first byte, both from one; columns count characters.
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }
}

/// Something wrong with a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}{}", place(.line_column), .help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct PipelineError {
    /// What is wrong.
    pub message: String,
    /// Where in the text.
    pub spot: Option<Spot>,
    /// Line and column, from one.
    pub line_column: Option<(usize, usize)>,
    /// What to do.
    pub help: Option<String>,
}

fn place(line_column: &Option<(usize, usize)>) -> String {
    line_column.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default()
}

/// One pass of a pipeline.
pub struct Step {
    /// The pass's card.
    pub info: PassInfo,
    /// The pass.
    pub pass: Box<dyn Pass>,
    /// Its options in full.
    pub options: toml::Table,
}

/// One file to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emit {
    /// The backend.
    pub backend: String,
    /// Where to; derived from the model's name when absent.
    pub output: Option<String>,
}

/// A pipeline, ready to run.
#[derive(Default)]
pub struct Pipeline {
    /// The passes in order.
    pub steps: Vec<Step>,
    /// The model that the file names; the command line wins.
    pub input: Option<String>,
    /// What the file wants written.
    pub emits: Vec<Emit>,
}

/// Presets may name presets; deeper than this is a circle.
const MAX_DEPTH: usize = 16;

impl Pipeline {
    /// Reads a pipeline.
    pub fn parse(text: &str, registry: &Registry) -> Result<Self, PipelineError> {
        let mut pipeline = Pipeline::default();
        Reader { text, registry, depth: 0 }.read(&mut pipeline)?;
        Ok(pipeline)
    }

    /// The pipeline with every option written out, as TOML that reads back the same.
    pub fn effective(&self) -> String {
        self.effective_from(0)
    }

    /// The same from one step on: what a reproducer runs.
    pub fn effective_from(&self, first: usize) -> String {
        let mut text = String::new();
        for step in self.steps.iter().skip(first) {
            let mut table = toml::Table::new();
            table.insert("use".into(), step.info.name.into());
            let body =
                toml::to_string(&table).unwrap_or_default() + &toml::to_string(&step.options).unwrap_or_default();
            text.push_str("[[pass]]\n");
            text.push_str(&body);
            text.push('\n');
        }
        for emit in &self.emits {
            text.push_str("[[emit]]\n");
            text.push_str(&format!("backend = {}\n", toml::Value::from(emit.backend.clone())));
            if let Some(output) = &emit.output {
                text.push_str(&format!("output = {}\n", toml::Value::from(output.clone())));
            }
            text.push('\n');
        }
        text
    }
}

struct Reader<'a> {
    text: &'a str,
    registry: &'a Registry,
    depth: usize,
}

impl Reader<'_> {
    fn fail<T>(
        &self,
        spot: Option<Spot>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Result<T, PipelineError> {
        let line_column = spot.map(|spot| spot.line_column(self.text));
        Err(PipelineError { message: message.into(), spot, line_column, help })
    }

    fn read(&self, pipeline: &mut Pipeline) -> Result<(), PipelineError> {
        let document = match DeTable::parse(self.text) {
            Ok(document) => document.into_inner(),
            Err(error) => return self.fail(error.span().map(Spot::from), error.message(), None),
        };
        for (key, value) in document {
            let spot = Spot::from(key.span());
            match key.get_ref().as_ref() {
                "pass" => {
                    for table in self.tables(value, "pass")? {
                        self.step(table, pipeline)?;
                    }
                }
                "emit" => {
                    for table in self.tables(value, "emit")? {
                        self.emit(table, pipeline)?;
                    }
                }
                "model" => self.model(value, pipeline)?,
                other => {
                    let help = nearest(other, ["pass", "emit", "model"]);
                    return self.fail(Some(spot), format!("there is no section '{other}'"), help);
                }
            }
        }
        Ok(())
    }

    fn tables<'i>(
        &self,
        value: Spanned<DeValue<'i>>,
        name: &str,
    ) -> Result<Vec<(DeTable<'i>, std::ops::Range<usize>)>, PipelineError> {
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            return self.fail(
                Some(span.into()),
                format!("'{name}' must be a list of tables"),
                Some(format!("write [[{name}]]")),
            );
        };
        let mut tables = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => tables.push((table, span)),
                _ => {
                    return self.fail(
                        Some(span.into()),
                        format!("'{name}' must be a list of tables"),
                        Some(format!("write [[{name}]]")),
                    );
                }
            }
        }
        Ok(tables)
    }

    fn step(
        &self,
        (mut table, span): (DeTable<'_>, std::ops::Range<usize>),
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let Some(name) = table.remove("use") else {
            return self.fail(
                Some(span.into()),
                "this pass has no name",
                Some("add `use = \"...\"`; `edgesmith passes` lists them".into()),
            );
        };
        let name_spot = Spot::from(name.span());
        let Some(name) = name.get_ref().as_str().map(str::to_owned) else {
            return self.fail(Some(name_spot), "the name of a pass is a string", None);
        };
        let Some(entry) = self.registry.get(&name) else {
            if let Some(text) = self.registry.preset_text(&name) {
                if let Some((key, _)) = table.iter().next() {
                    return self.fail(Some(key.span().into()), format!("the preset '{name}' takes no options"), None);
                }
                if self.depth >= MAX_DEPTH {
                    return self.fail(Some(name_spot), format!("the preset '{name}' contains itself"), None);
                }
                return Reader { text, registry: self.registry, depth: self.depth + 1 }.read(pipeline);
            }
            let known = self
                .registry
                .passes()
                .map(|entry| entry.info.name)
                .chain(self.registry.presets().map(|(name, _)| name));
            let help = nearest(&name, known).or_else(|| Some("`edgesmith passes` lists them".into()));
            return self.fail(Some(name_spot), format!("there is no pass '{name}'"), help);
        };
        match self.registry.build(&name, table, span.clone()) {
            Some(Ok(built)) => {
                pipeline.steps.push(Step { info: entry.info, pass: built.pass, options: built.options });
                Ok(())
            }
            Some(Err(OptionError { message, spot })) => {
                let spot = spot.unwrap_or_else(|| span.into());
                let written = self.text.get(spot.start..spot.end).unwrap_or_default().trim_matches(['"', '\'']);
                let help = message
                    .starts_with("unknown field")
                    .then(|| nearest(written, option_names(&entry.schema)))
                    .flatten();
                self.fail(Some(spot), format!("in the options of '{name}': {message}"), help)
            }
            None => self.fail(Some(name_spot), format!("there is no pass '{name}'"), None),
        }
    }

    fn emit(
        &self,
        (table, span): (DeTable<'_>, std::ops::Range<usize>),
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let mut emit = Emit { backend: String::new(), output: None };
        for (key, value) in table {
            let Some(text) = value.get_ref().as_str().map(str::to_owned) else {
                return self.fail(Some(value.span().into()), format!("'{}' is a string", key.get_ref()), None);
            };
            match key.get_ref().as_ref() {
                "backend" => emit.backend = text,
                "output" => emit.output = Some(text),
                other => {
                    return self.fail(
                        Some(key.span().into()),
                        format!("an emit has no '{other}'"),
                        nearest(other, ["backend", "output"]),
                    );
                }
            }
        }
        if emit.backend.is_empty() {
            return self.fail(Some(span.into()), "this emit names no backend", Some("add `backend = \"onnx\"`".into()));
        }
        pipeline.emits.push(emit);
        Ok(())
    }

    fn model(&self, value: Spanned<DeValue<'_>>, pipeline: &mut Pipeline) -> Result<(), PipelineError> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Section {
            input: Option<String>,
        }
        let section: Result<Section, toml::de::Error> = serde::Deserialize::deserialize(value.into_deserializer());
        match section {
            Ok(section) => {
                pipeline.input = section.input;
                Ok(())
            }
            Err(error) => self.fail(error.span().map(Spot::from), error.message(), None),
        }
    }
}

fn option_names(schema: &schemars::Schema) -> Vec<String> {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    properties.map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

/// "did you mean ...", where a name is near enough.
pub fn nearest<S: AsRef<str>>(written: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    let best = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name.as_ref()), name.as_ref().to_owned()))
        .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)))?;
    (best.0 <= 2.max(written.chars().count() / 3)).then(|| format!("did you mean '{}'?", best.1))
}
