//! The registry: which passes there are. Registration is explicit; a crate that is linked but not registered is a mistake
//! that link-time registries hide.

use std::collections::BTreeMap;

use edgesmith_ir::{CompositeOperator, Operators};
use edgesmith_rewrite::RuleInfo;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::pipeline::Spot;
use crate::{Pass, PassInfo, PassSpec};

/// A pass made from a table of options, with its options written out in full.
pub struct Built {
    /// The pass.
    pub pass: Box<dyn Pass>,
    /// Every option with its value, defaults included, as TOML.
    pub options: toml::Table,
}

type Build = fn(DeTable<'_>, std::ops::Range<usize>) -> Result<Built, OptionError>;

/// An option that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// What is wrong.
    pub message: String,
    /// Where in the text.
    pub spot: Option<Spot>,
}

/// One registered pass.
pub struct Entry {
    /// Its card.
    pub info: PassInfo,
    /// Its rules with default options.
    pub rules: Vec<RuleInfo>,
    /// Its option names with their defaults.
    pub defaults: toml::Table,
    /// The JSON schema of its options.
    pub schema: schemars::Schema,
    build: Build,
}

/// All passes and presets, and the operators from outside, by name.
#[derive(Default)]
pub struct Registry {
    passes: BTreeMap<&'static str, Entry>,
    presets: BTreeMap<&'static str, &'static str>,
    operators: Operators,
}

impl Registry {
    /// Nothing registered.
    pub fn new() -> Self {
        Self::default()
    }
    /// Registers a pass. Of two passes with one name the later wins: a binary may replace a built-in one.
    pub fn pass<P: PassSpec>(&mut self) -> &mut Self {
        let defaults = toml::Table::try_from(P::Options::default()).unwrap_or_default();
        let entry = Entry {
            info: P::INFO,
            rules: P::new(P::Options::default()).rules(),
            defaults,
            schema: schemars::schema_for!(P::Options),
            build: build::<P>,
        };
        self.passes.insert(P::INFO.name, entry);
        self
    }
    /// Registers a preset: a pipeline in TOML that ships inside the binary.
    pub fn preset(&mut self, name: &'static str, toml: &'static str) -> &mut Self {
        self.presets.insert(name, toml);
        self
    }
    /// Registers an operator from outside: models that are read afterwards have it typed.
    pub fn operator<T: CompositeOperator>(&mut self) -> &mut Self {
        self.operators.register::<T>();
        self
    }
    /// The operators from outside.
    pub fn operators(&self) -> &Operators {
        &self.operators
    }
    /// A pass by name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.passes.get(name)
    }
    /// All passes in alphabetical order.
    pub fn passes(&self) -> impl Iterator<Item = &Entry> {
        self.passes.values()
    }
    /// The text of a preset.
    pub fn preset_text(&self, name: &str) -> Option<&'static str> {
        self.presets.get(name).copied()
    }
    /// All presets in alphabetical order.
    pub fn presets(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.presets.iter().map(|(name, text)| (*name, *text))
    }
    /// Makes a pass from a table of options (the `use` key taken out); `span` is the table's place in the text.
    pub fn build(
        &self,
        name: &str,
        options: DeTable<'_>,
        span: std::ops::Range<usize>,
    ) -> Option<Result<Built, OptionError>> {
        self.passes.get(name).map(|entry| (entry.build)(options, span))
    }
}

fn build<P: PassSpec>(options: DeTable<'_>, span: std::ops::Range<usize>) -> Result<Built, OptionError> {
    let value = toml::Spanned::new(span, DeValue::Table(options));
    let deserializer = toml::de::ValueDeserializer::from(value);
    let options = P::Options::deserialize(deserializer)
        .map_err(|error| OptionError { message: error.message().to_owned(), spot: error.span().map(Spot::from) })?;
    let written = toml::Table::try_from(&options).unwrap_or_default();
    Ok(Built { pass: Box::new(P::new(options)), options: written })
}
