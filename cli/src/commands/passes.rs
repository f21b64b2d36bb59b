//! `edgesmith passes`: what there is, and the manual of each pass and rule.

use clap::Args;
use edgesmith_pass::{Entry, PassInfo, Registry, nearest};
use edgesmith_rewrite::{Fidelity, RuleInfo};
use serde::Serialize;

use super::say;
use crate::Failure;
use crate::render::table;
use crate::schema::{OptionCard, option_cards};

#[derive(Args, Debug)]
pub(crate) struct PassesArgs {
    /// Print the manual of this pass: what it does, its options, its rules
    pub(crate) name: Option<String>,
    /// Print the page of this rule: why it is right, when it fires and when not
    pub(crate) rule: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "rule")]
    pub(crate) json: bool,
}

pub(super) fn run(args: &PassesArgs, registry: &Registry) -> Result<(), Failure> {
    let Some(name) = &args.name else {
        if args.json {
            return print_json(&registry.passes().map(card).collect::<Vec<_>>());
        }
        list(registry);
        return Ok(());
    };
    let Some(entry) = registry.get(name) else {
        let known: Vec<&str> = registry.passes().map(|entry| entry.info.name).collect();
        let failure = match registry.preset_text(name) {
            Some(_) => Failure::usage(format!("'{name}' is a preset, not a pass"))
                .with_help(format!("edgesmith pipeline --print {name} shows it")),
            None => Failure::usage(format!("there is no pass '{name}'"))
                .with_help(nearest(name, &known).unwrap_or_else(|| format!("the passes are: {}", known.join(", ")))),
        };
        return Err(failure);
    };
    match &args.rule {
        Some(rule) => page(entry, rule),
        None if args.json => print_json(&card(entry)),
        None => {
            manual(entry);
            Ok(())
        }
    }
}

fn print_json(what: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(what).map_err(|error| Failure::internal(error.to_string()))?);
    Ok(())
}

/// A pass as data.
#[derive(Serialize)]
struct Card<'a> {
    #[serde(flatten)]
    info: &'a PassInfo,
    fidelity: &'static str,
    options: Vec<OptionCard>,
    rules: Vec<RuleCard<'a>>,
}

#[derive(Serialize)]
struct RuleCard<'a> {
    name: &'a str,
    summary: &'a str,
    fidelity: &'static str,
}

fn card(entry: &Entry) -> Card<'_> {
    let rules = entry.rules.iter();
    Card {
        info: &entry.info,
        fidelity: word(&entry.info.fidelity),
        options: option_cards(entry),
        rules: rules
            .map(|rule| RuleCard { name: rule.name, summary: rule.summary, fidelity: word(&rule.fidelity) })
            .collect(),
    }
}

fn word(fidelity: &Fidelity) -> &'static str {
    match fidelity {
        Fidelity::Exact => "exact",
        Fidelity::Rounding { .. } => "rounding",
        Fidelity::Approximate => "approximate",
    }
}

fn rule_lines(rules: &[RuleInfo]) -> String {
    let line = |rule: &RuleInfo| format!("  {:<28} {:<12} {}", rule.name, word(&rule.fidelity), rule.summary);
    rules.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn list(registry: &Registry) {
    for entry in registry.passes() {
        say(&format!("{}: {}", entry.info.name, entry.info.summary));
        if !entry.rules.is_empty() {
            say(&rule_lines(&entry.rules));
        }
        say("");
    }
    say("presets");
    for (name, text) in registry.presets() {
        let about = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        say(&format!("  {name:<12} {about}"));
    }
    say("\nedgesmith passes NAME prints the manual of a pass");
}

fn manual(entry: &Entry) {
    let info = &entry.info;
    if info.docs.trim().is_empty() {
        say(&format!("# {}\n\n{}", info.name, info.summary));
    } else {
        say(info.docs.trim_end());
    }
    say(&format!("\nfidelity: {}", word(&info.fidelity)));
    let mut needs = Vec::new();
    if info.needs.calibration {
        needs.push("calibration data");
    }
    if info.needs.static_shapes {
        needs.push("a number for every dim of the inputs");
    }
    if !needs.is_empty() {
        say(&format!("needs: {}", needs.join(", ")));
    }
    let options = option_cards(entry);
    if !options.is_empty() {
        say("\noptions");
        for option in options {
            say(&format!("  {} = {}    # {}", option.name, option.default, option.values));
            if !option.about.is_empty() {
                say(&format!("      {}", option.about));
            }
        }
    }
    if !entry.rules.is_empty() {
        say(&format!("\nrules (edgesmith passes {} RULE prints the page of one)", info.name));
        say(&rule_lines(&entry.rules));
    }
}

fn page(entry: &Entry, name: &str) -> Result<(), Failure> {
    let Some(rule) = entry.rules.iter().find(|rule| rule.name == name) else {
        let known: Vec<&str> = entry.rules.iter().map(|rule| rule.name).collect();
        let help = match known.as_slice() {
            [] => format!("the pass '{}' has no rules", entry.info.name),
            known => nearest(name, known).unwrap_or_else(|| format!("its rules are: {}", known.join(", "))),
        };
        return Err(Failure::usage(format!("the pass '{}' has no rule '{name}'", entry.info.name)).with_help(help));
    };
    if rule.manual.trim().is_empty() {
        say(&table(&[], vec![vec![rule.name.to_owned(), rule.summary.to_owned()]]));
    } else {
        say(rule.manual.trim_end());
    }
    Ok(())
}
