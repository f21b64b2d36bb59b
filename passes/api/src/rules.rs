//! Passes made of rules: the options that all of them have, and which rules run.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use edgesmith_rewrite::{RuleInfo, RuleSet};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pipeline::nearest;

/// A pass that applies rules.
pub trait Ruled: 'static {
    /// Its rules, in the order in which they are tried.
    fn all_rules() -> RuleSet;
    /// What it does beside its rules that can be switched off by name too; such a step counts itself under its name with
    /// [`PassCx::count`](crate::PassCx::count).
    const STEPS: &'static [RuleInfo] = &[];

    /// Rules and steps.
    fn catalogue() -> Vec<RuleInfo> {
        [Self::all_rules().infos(), Self::STEPS.to_vec()].concat()
    }
}

/// The options of a pass that applies rules. A pass with options of its own holds the two fields beside them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case", bound = "")]
#[schemars(bound = "", rename = "RuleOptions")]
pub struct RuleOptions<P: Ruled> {
    /// The only rules that run; empty: all.
    pub only: Vec<RuleOf<P>>,
    /// Rules that do not run.
    pub skip: Vec<RuleOf<P>>,
}

impl<P: Ruled> Default for RuleOptions<P> {
    fn default() -> Self {
        Self { only: Vec::new(), skip: Vec::new() }
    }
}

impl<P: Ruled> fmt::Debug for RuleOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleOptions").field("only", &self.only).field("skip", &self.skip).finish()
    }
}

impl<P: Ruled> RuleOptions<P> {
    /// Whether a rule or step runs.
    pub fn runs(&self, name: &str) -> bool {
        let names = |list: &[RuleOf<P>]| list.iter().any(|rule| rule.0 == name);
        (self.only.is_empty() || names(&self.only)) && !names(&self.skip)
    }
    /// The rules that run.
    pub fn rule_set(&self) -> RuleSet {
        P::all_rules().filtered(|name| self.runs(name))
    }
    /// The rules and steps that run.
    pub fn catalogue(&self) -> Vec<RuleInfo> {
        P::catalogue().into_iter().filter(|rule| self.runs(rule.name)).collect()
    }
}

/// The name of a rule or step of a pass. Reading any other name fails, with the nearest right one.
pub struct RuleOf<P>(String, PhantomData<fn() -> P>);

impl<P: Ruled> RuleOf<P> {
    /// A rule by name; the error says what is near.
    pub fn new(name: &str) -> Result<Self, String> {
        let known: Vec<&str> = P::catalogue().into_iter().map(|rule| rule.name).collect();
        if known.contains(&name) {
            return Ok(Self(name.to_owned(), PhantomData));
        }
        let help = nearest(name, &known).unwrap_or_else(|| format!("its rules are {}", known.join(", ")));
        Err(format!("there is no rule '{name}'; {help}"))
    }
}

impl<P> fmt::Debug for RuleOf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P> Serialize for RuleOf<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, P: Ruled> Deserialize<'de> for RuleOf<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<P: Ruled> JsonSchema for RuleOf<P> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }
    fn schema_id() -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = P::catalogue().into_iter().map(|rule| rule.name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}
