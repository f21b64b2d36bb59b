//! Running a case: the pass, and everything that holds for every case.

use edgesmith_exec::compare::Difference;
use edgesmith_ir::Model;
use edgesmith_ir_text::{NoWeights, PrintOptions, parse_model, print_model};
use edgesmith_pass::{CheckMode, Measuring, Pipeline, Registry, RunOptions, run_pipeline};
use edgesmith_rewrite::{Fidelity, Severity};
use indexmap::IndexMap;

use crate::case::{Case, Outcome, Outcomes};
use crate::diff::diff;
use crate::equivalence::{Objection, equivalence};
use crate::onnx::through_onnx;

/// What came of a case.
pub(crate) struct Ran {
    /// The texts for its blocks.
    pub outcomes: Outcomes,
    /// The rules and steps that did something.
    pub fired: Vec<String>,
}

/// Runs a case and checks what holds for every case. What the page says came of it is not looked at.
pub(crate) fn run(case: &Case, registry: &Registry) -> Result<Ran, String> {
    let before = read(&case.before)?;
    let mut outcomes = Outcomes::default();
    let pipeline = match pipeline(case, registry)? {
        Ok(pipeline) => pipeline,
        Err(message) => {
            outcomes[Outcome::Error as usize] = Some(message + "\n");
            return Ok(Ran { outcomes, fired: Vec::new() });
        }
    };
    let applied = match apply(&before, &pipeline)? {
        Ok(applied) => applied,
        Err(message) => {
            outcomes[Outcome::Error as usize] = Some(message + "\n");
            return Ok(Ran { outcomes, fired: Vec::new() });
        }
    };
    let after = &applied.model;
    after.verify().map_err(|errors| format!("the result does not verify: {}", errors[0]))?;
    well_typed(after).map_err(|why| format!("the result is not well typed: {why}"))?;
    is_deterministic(&before, &pipeline, &applied)?;
    if applied.fidelity != Fidelity::Approximate {
        is_idempotent(after, &pipeline)?;
    }
    same_text("ONNX and back", &through_onnx(&before).map_err(|why| format!("the model before: {why}"))?, &before)?;
    same_text("ONNX and back", &through_onnx(after).map_err(|why| format!("the result: {why}"))?, after)?;
    match equivalence(&before, after, applied.fidelity) {
        Ok(found) if applied.fidelity == Fidelity::Approximate => {
            outcomes[Outcome::Loss as usize] = Some(found.outputs.iter().map(|(name, d)| loss(name, d)).collect());
        }
        Ok(_) => {}
        Err(Objection::NotRun(reason)) => outcomes[Outcome::Unchecked as usize] = Some(reason + "\n"),
        Err(objection) => return Err(format!("the result computes something else: {objection}")),
    }
    let source = shown(&before, &IndexMap::new());
    let text = shown(after, &written_weights(&case.before, &before));
    if shown(after, &IndexMap::new()) != source {
        outcomes[Outcome::After as usize] = Some(without_usual_header(&text, &source));
    }
    if !applied.remarks.is_empty() {
        outcomes[Outcome::Remarks as usize] = Some(applied.remarks.iter().map(|line| format!("{line}\n")).collect());
    }
    Ok(Ran { outcomes, fired: applied.fired })
}

/// What differs between what the page says and what came, as text; `None` when nothing does.
pub(crate) fn disagreement(case: &Case, found: &Outcomes) -> Option<String> {
    let mut text = String::new();
    for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
        let (said, came) = (&case.expected[index], &found[index]);
        if said == came {
            continue;
        }
        let what = match (outcome, said, came) {
            (Outcome::After, None, _) => "the model must stay as it is (there is no second block of 'ir'), but becomes",
            (Outcome::After, _, None) => "the model stays as it is, but must become",
            (Outcome::After, ..) => "another model comes of it",
            (Outcome::Remarks, ..) => "other remarks",
            (Outcome::Loss, ..) => "another loss",
            (Outcome::Unchecked, ..) => "another reason why the numbers were not compared",
            (Outcome::Error, ..) => "another error",
        };
        let difference = diff(said.as_deref().unwrap_or_default(), came.as_deref().unwrap_or_default());
        text.push_str(&format!("{what}:\n{difference}"));
    }
    (!text.is_empty()).then_some(text)
}

fn read(text: &str) -> Result<Model, String> {
    let model = parse_model(text, &NoWeights).map_err(|error| format!("the model before cannot be read: {error}"))?;
    model.verify().map_err(|errors| format!("the model before does not verify: {}", errors[0]))?;
    well_typed(&model).map_err(|why| format!("the model before is not well typed: {why}"))?;
    Ok(model)
}

/// Whether the rules of inference, run from nothing, agree with the model.
fn well_typed(model: &Model) -> Result<(), String> {
    let mut fresh = model.clone();
    let report = fresh.infer_afresh();
    match (report.errors.first(), report.conflicts.first()) {
        (Some(error), _) => Err(format!("{error:?}")),
        (_, Some(conflict)) => Err(format!("{conflict:?}")),
        _ => Ok(()),
    }
}

/// The pipeline of the one pass that the case runs; the inner error is for its `error` block.
fn pipeline(case: &Case, registry: &Registry) -> Result<Result<Pipeline, String>, String> {
    let mut step = toml::Table::new();
    for options in &case.options {
        let table: toml::Table = options.parse().map_err(|error| format!("the options are no TOML: {error}"))?;
        step.extend(table);
    }
    if !step.contains_key("use") {
        let mut names = registry.passes().map(|entry| entry.info.name);
        match (names.next(), names.next()) {
            (Some(name), None) => step.insert("use".into(), name.into()),
            _ => return Err("several passes are registered; say which, as use = \"...\"".into()),
        };
    }
    let document: toml::Table = [("pass".to_owned(), toml::Value::Array(vec![step.into()]))].into_iter().collect();
    let text = toml::to_string(&document).map_err(|error| error.to_string())?;
    // Places in this text mean nothing to the reader of the page.
    Ok(Pipeline::parse(&text, registry).map_err(|error| match error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message,
    }))
}

/// What a run of the pass did.
struct Applied {
    model: Model,
    fidelity: Fidelity,
    remarks: Vec<String>,
    fired: Vec<String>,
}

/// Runs the pass; the inner error is for the `error` block.
fn apply(before: &Model, pipeline: &Pipeline) -> Result<Result<Applied, String>, String> {
    let mut model = before.clone();
    let options = RunOptions {
        check: CheckMode::Local,
        fuel: None,
        keep_going: false,
        engine: None,
        measuring: Measuring::default(),
        clock: &|| 0.0,
        progress: &|_, _, _| {},
    };
    let report = match run_pipeline(&mut model, pipeline, &options, &|_| None) {
        Ok(report) => report,
        Err(failure) if failure.internal => return Err(failure.to_string()),
        Err(failure) => return Ok(Err(failure.message)),
    };
    let (mut remarks, mut fired) = (Vec::new(), Vec::new());
    for pass in report.passes {
        if let Some(error) = pass.remarks.iter().find(|remark| remark.severity == Severity::Error) {
            return Err(error.to_string());
        }
        remarks.extend(pass.remarks.iter().map(ToString::to_string));
        fired.extend(pass.rules.into_keys().chain(pass.counts.into_keys()));
    }
    Ok(Ok(Applied { model, fidelity: report.fidelity, remarks, fired }))
}

fn is_deterministic(before: &Model, pipeline: &Pipeline, applied: &Applied) -> Result<(), String> {
    let Ok(again) = apply(before, pipeline)? else { return Err("the second run fails where the first did not".into()) };
    let print = |model: &Model| print_model(model, &PrintOptions::default()).text;
    let (one, other) = (print(&applied.model), print(&again.model));
    if one != other {
        return Err(format!("two runs make two models:\n{}", diff(&one, &other)));
    }
    if applied.remarks != again.remarks {
        return Err("two runs make different remarks".into());
    }
    Ok(())
}

fn is_idempotent(after: &Model, pipeline: &Pipeline) -> Result<(), String> {
    match apply(after, pipeline)? {
        Ok(again) => same_text("the pass run once more", &again.model, after),
        Err(error) => Err(format!("the pass fails on its own result: {error}")),
    }
}

fn same_text(what: &str, found: &Model, model: &Model) -> Result<(), String> {
    let (is, was) = (shown(found, &IndexMap::new()), shown(model, &IndexMap::new()));
    if is == was { Ok(()) } else { Err(format!("{what} changes the model:\n{}", diff(&was, &is))) }
}

fn loss(name: &str, difference: &Difference) -> String {
    format!("{name}: {:.1e} of the largest magnitude, {:.1} dB\n", difference.relative, difference.sqnr)
}

/// The text of a model as pages show it. Weights that `written` knows by their hash stand as the page wrote them.
fn shown(model: &Model, written: &IndexMap<String, String>) -> String {
    let mut text = print_model(model, &PrintOptions::brief()).text;
    for (hash, description) in written {
        text = text.replace(&format!("[\"hash\": \"{hash}\"]"), &format!("[\"init\": \"{description}\"]"));
    }
    text
}

/// Descriptions of synthetic weights by the hash under which they are printed.
fn written_weights(source: &str, model: &Model) -> IndexMap<String, String> {
    let printed = print_model(model, &PrintOptions::brief()).text;
    let named = |text: &str, key: &str| -> Vec<(String, String)> {
        let parts = text.match_indices(key).map(|(at, _)| {
            let name = text[..at].trim_end().trim_end_matches('=').split_whitespace().next_back().unwrap_or_default();
            let value = text[at + key.len()..].split('"').next().unwrap_or_default();
            (name.to_owned(), value.to_owned())
        });
        parts.collect()
    };
    let descriptions: IndexMap<String, String> = named(source, "[\"init\": \"").into_iter().collect();
    let hashes = named(&printed, "[\"hash\": \"");
    hashes.into_iter().filter_map(|(name, hash)| Some((hash, descriptions.get(&name)?.clone()))).collect()
}

/// A header says something only where the pass changed it.
fn without_usual_header(after: &str, before: &str) -> String {
    let header = |text: &str| text.lines().next().filter(|line| line.starts_with('<')).map(str::to_owned);
    match header(after) {
        Some(line) if header(before).as_ref() == Some(&line) => after[line.len()..].trim_start().to_owned(),
        _ => after.to_owned(),
    }
}

#[cfg(test)]
mod tests;
