//! Pipelines in TOML: which passes run, with which options, and what is written.
//!
//! Options are read through the parsed document, so that every error points into the user's text.

use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::registry::OptionError;
use crate::sections::{self, DataSection, StepBudget};
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
    /// What it may lose.
    pub budget: Option<StepBudget>,
    /// Where the pass stands in the text; `None` inside a preset.
    pub spot: Option<Spot>,
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
    /// Data to measure losses on.
    pub calibration: Option<DataSection>,
    /// Data to measure accuracy on.
    pub labelled: Option<DataSection>,
    /// The text that the pipeline was read from, into which spots point.
    pub text: String,
}

/// Presets may name presets; deeper than this is a circle.
const MAX_DEPTH: usize = 16;

impl Pipeline {
    /// Reads a pipeline.
    pub fn parse(text: &str, registry: &Registry) -> Result<Self, PipelineError> {
        Self::parse_all(text, registry).map_err(|mut problems| problems.swap_remove(0))
    }

    /// Reads a pipeline, or tells everything that is wrong with it in the order of the text: at least one problem.
    pub fn parse_all(text: &str, registry: &Registry) -> Result<Self, Vec<PipelineError>> {
        let mut pipeline = Pipeline { text: text.to_owned(), ..Pipeline::default() };
        let mut problems = Vec::new();
        Reader { text, registry, depth: 0 }.read(&mut pipeline, &mut problems);
        if problems.is_empty() {
            return Ok(pipeline);
        }
        problems.sort_by_key(|problem| problem.spot.map(|spot| spot.start));
        Err(problems)
    }

    /// Fails where a pass needs data that nobody gives: a budget without something to measure it on, a pass that cannot do
    /// without calibration. Called before the run, once it is known what data there are.
    pub fn check_data(&self, calibration: bool, labelled: bool) -> Result<(), PipelineError> {
        let fail = |spot: Option<Spot>, message: String, help: &str| {
            let line_column = spot.map(|spot| spot.line_column(&self.text));
            Err(PipelineError { message, spot, line_column, help: Some(help.to_owned()) })
        };
        let unlabelled = "budget on accuracy needs labelled data; give --labelled FILE, or `data` in [labelled]";
        let unmeasured =
            "give --calibration PATH, or `data` in [calibration]: a folder of pictures, an .npz or an .npy";
        for step in &self.steps {
            let name = step.info.name;
            if step.info.needs.calibration && !calibration {
                return fail(step.spot, format!("the pass '{name}' needs calibration data"), unmeasured);
            }
            for (key, spot) in step.budget.iter().flat_map(|budget| &budget.spots) {
                let spot = step.spot.is_some().then_some(*spot);
                if *key == "top1-drop" && !labelled {
                    return fail(spot, format!("the budget of '{name}' has nothing to be measured on"), unlabelled);
                }
                if *key != "top1-drop" && !calibration {
                    return fail(spot, format!("the budget of '{name}' has nothing to be measured on"), unmeasured);
                }
            }
        }
        Ok(())
    }

    /// The pipeline with every option written out, as TOML that reads back the same.
    pub fn effective(&self) -> String {
        self.effective_from(0)
    }

    /// The same from one step on: what a reproducer runs.
    pub fn effective_from(&self, first: usize) -> String {
        let mut text = String::new();
        for (name, section) in [("calibration", &self.calibration), ("labelled", &self.labelled)] {
            if let Some(Ok(section)) = section.as_ref().map(toml::Table::try_from) {
                let table = toml::Table::from_iter([(name.to_owned(), section.into())]);
                text.push_str(&toml::to_string(&table).unwrap_or_default());
                text.push('\n');
            }
        }
        for step in self.steps.iter().skip(first) {
            let mut table = toml::Table::new();
            table.insert("use".into(), step.info.name.into());
            text.push_str("[[pass]]\n");
            text.push_str(&toml::to_string(&table).unwrap_or_default());
            if let Some(Ok(limits)) = step.budget.as_ref().map(|budget| toml::Table::try_from(budget.limits)) {
                // On one line: as a section of its own it would end the pass.
                text.push_str(&format!("max-loss = {}\n", toml::Value::Table(limits)));
            }
            text.push_str(&toml::to_string(&step.options).unwrap_or_default());
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
        Err(self.problem(spot, message, help))
    }

    fn problem(&self, spot: Option<Spot>, message: impl Into<String>, help: Option<String>) -> PipelineError {
        let line_column = spot.map(|spot| spot.line_column(self.text));
        PipelineError { message: message.into(), spot, line_column, help }
    }

    /// Reads what can be read and adds everything that is wrong to the problems.
    fn read(&self, pipeline: &mut Pipeline, problems: &mut Vec<PipelineError>) {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            let errors = errors.into_iter();
            problems.extend(errors.map(|error| self.problem(error.span().map(Spot::from), error.message(), None)));
            return;
        }
        for (key, value) in document.into_inner() {
            if let Err(problem) = self.section(&key, value, pipeline, problems) {
                problems.push(problem);
            }
        }
    }

    fn section(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: Spanned<DeValue<'_>>,
        pipeline: &mut Pipeline,
        problems: &mut Vec<PipelineError>,
    ) -> Result<(), PipelineError> {
        match key.get_ref().as_ref() {
            "pass" => {
                for table in self.tables(value, "pass")? {
                    if let Err(problem) = self.step(table, pipeline, problems) {
                        problems.push(problem);
                    }
                }
            }
            "emit" => {
                for table in self.tables(value, "emit")? {
                    if let Err(problem) = self.emit(table, pipeline) {
                        problems.push(problem);
                    }
                }
            }
            "model" => self.model(value, pipeline)?,
            "calibration" => pipeline.calibration = Some(self.part(sections::data_section(value))?),
            "labelled" => pipeline.labelled = Some(self.part(sections::data_section(value))?),
            other => {
                let help = nearest(other, ["pass", "emit", "model", "calibration", "labelled"]);
                return self.fail(Some(key.span().into()), format!("there is no section '{other}'"), help);
            }
        }
        Ok(())
    }

    fn part<T>(&self, read: Result<T, sections::Wrong>) -> Result<T, PipelineError> {
        read.or_else(|(spot, message, help)| self.fail(spot, message, help))
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
        problems: &mut Vec<PipelineError>,
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
                Reader { text, registry: self.registry, depth: self.depth + 1 }.read(pipeline, problems);
                return Ok(());
            }
            let known = self
                .registry
                .passes()
                .map(|entry| entry.info.name)
                .chain(self.registry.presets().map(|(name, _)| name));
            let help = nearest(&name, known).or_else(|| Some("`edgesmith passes` lists them".into()));
            return self.fail(Some(name_spot), format!("there is no pass '{name}'"), help);
        };
        let budget = table.remove("max-loss").map(|value| self.part(sections::budget(value))).transpose();
        // What is wrong with the options is told beside it.
        let budget = budget.unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        match self.registry.build(&name, table, span.clone()) {
            Some(Ok(built)) => {
                let spot = (self.depth == 0).then_some(name_spot);
                let (pass, options) = (built.pass, built.options);
                pipeline.steps.push(Step { info: entry.info, pass, options, budget, spot });
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
