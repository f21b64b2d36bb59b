//! `edgesmith diff`: what differs between two models.

use std::path::PathBuf;

use clap::Args;
use edgesmith_ir::Dim;

use edgesmith_pass::Registry;

use super::{import_options, say};
use crate::Failure;
use crate::args::ReadArgs;
use crate::diff::{Change, InterfaceChange, ModelDiff, Operator, Port, Renamed, Weight, WeightChange, diff};
use crate::model_file::ModelFile;
use crate::render::{at_one, bytes, count, is_symbolic, table};

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The first model, an .onnx file
    before: PathBuf,
    /// The second model
    after: PathBuf,
    /// List everything, not only the first of each kind of difference
    #[arg(long, short)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

pub(super) fn run(args: &DiffArgs, registry: &Registry) -> Result<(), Failure> {
    let options = import_options(&args.read, registry);
    let (before, after) = (ModelFile::read(&args.before, &options)?, ModelFile::read(&args.after, &options)?);
    let found = diff(&before.model, &after.model);
    if args.json {
        say(&serde_json::to_string_pretty(&found).map_err(|error| Failure::internal(error.to_string()))?);
    } else {
        let limit = if args.verbose { usize::MAX } else { 12 };
        say(&Text { diff: &found, limit }.whole());
    }
    // Everything there is to say was said: only the exit code is left.
    if found.same { Ok(()) } else { Err(Failure::check("")) }
}

struct Text<'a> {
    diff: &'a ModelDiff,
    limit: usize,
}

impl Text<'_> {
    fn whole(&self) -> String {
        let diff = self.diff;
        let mut parts = Vec::new();
        self.section(&mut parts, "header", diff.header.iter().map(change).collect());
        self.section(&mut parts, "interface", diff.interface.iter().map(interface).collect());
        self.section(&mut parts, "functions", diff.functions.iter().map(change).collect());
        self.operators(&mut parts);
        self.weights(&mut parts);
        self.section(&mut parts, "renamed values", diff.renamed_values.iter().map(renamed).collect());
        self.section(&mut parts, "renamed operators", diff.operators.renamed.iter().map(renamed).collect());
        self.cost(&mut parts);
        parts.push(self.summary());
        parts.join("\n\n")
    }

    /// A section with its first rows; nothing when there are none.
    fn section(&self, parts: &mut Vec<String>, title: &str, rows: Vec<String>) {
        if rows.is_empty() {
            return;
        }
        let mut lines = vec![format!("{title} ({})", rows.len())];
        let more = rows.len().saturating_sub(self.limit);
        lines.extend(rows.into_iter().take(self.limit).map(|row| format!("  {row}")));
        if more > 0 {
            lines.push(format!("  … and {more} more (--verbose)"));
        }
        parts.push(lines.join("\n"));
    }

    fn operators(&self, parts: &mut Vec<String>) {
        let operators = &self.diff.operators;
        let mut rows: Vec<String> = operators.removed.iter().map(|op| format!("- {}", operator(op))).collect();
        self.section(parts, "operators removed", rows);
        rows = operators.added.iter().map(|op| format!("+ {}", operator(op))).collect();
        self.section(parts, "operators added", rows);
        rows = operators
            .changed
            .iter()
            .map(|op| {
                let changes: Vec<String> = op.changes.iter().map(change).collect();
                format!("{}: {}", operator(&op.operator), changes.join("; "))
            })
            .collect();
        self.section(parts, "operators changed", rows);
        self.section(parts, "outputs that come from elsewhere", operators.rewired_outputs.iter().map(change).collect());
    }

    fn weights(&self, parts: &mut Vec<String>) {
        let weights = &self.diff.weights;
        if !weights.changed.is_empty() {
            let shown = weights.changed.iter().take(self.limit);
            let mut text = format!("weights changed ({})\n", weights.changed.len());
            let header = ["  weight", "type", "differing", "absolute", "relative", "SQNR"];
            text.push_str(&table(&header, shown.map(weight_row).collect()));
            if let Some(more) = weights.changed.len().checked_sub(self.limit).filter(|more| *more > 0) {
                text.push_str(&format!("\n  … and {more} more (--verbose)"));
            }
            parts.push(text);
        }
        let row = |sign: char, w: &Weight| format!("{sign} '{}' {} ({})", w.name, w.ty, bytes(w.bytes));
        self.section(parts, "weights removed", weights.removed.iter().map(|w| row('-', w)).collect());
        self.section(parts, "weights added", weights.added.iter().map(|w| row('+', w)).collect());
        self.section(parts, "renamed weights", weights.renamed.iter().map(renamed).collect());
    }

    fn cost(&self, parts: &mut Vec<String>) {
        let diff = self.diff;
        let (a, b) = (&diff.cost.before, &diff.cost.after);
        let peaks = [&diff.cost.peak_activation_bytes_before, &diff.cost.peak_activation_bytes_after];
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut row = |what: &str, x: String, y: String| {
            if x != y {
                rows.push(vec![format!("  {what}"), x, y]);
            }
        };
        row("operators", count(a.operators), count(b.operators));
        for kind in &diff.by_kind {
            row(&format!("  {}", kind.kind), count(kind.before), count(kind.after));
        }
        row("MACs", amount(&a.macs, count), amount(&b.macs, count));
        row("parameters", count(a.parameters), count(b.parameters));
        row("weights", bytes(a.weight_bytes), bytes(b.weight_bytes));
        row("peak activations", amount(peaks[0], bytes), amount(peaks[1], bytes));
        if !rows.is_empty() {
            let mut text = table(&["cost", "before", "after"], rows);
            if [&a.macs, &b.macs, peaks[0], peaks[1]].into_iter().any(|amount| symbolic(amount)) {
                text.push_str("\n  (sizes with every symbolic dim at 1)");
            }
            parts.push(text);
        }
        let scopes = diff.by_scope.iter().filter(|change| !change.scope.is_empty());
        let all: Vec<Vec<String>> = scopes
            .map(|change| {
                let side = |f: &dyn Fn(&crate::diff::Cost) -> String| {
                    let [x, y] = [&change.before, &change.after].map(|cost| cost.as_ref().map_or("-".to_owned(), f));
                    if x == y { x } else { format!("{x} → {y}") }
                };
                vec![
                    format!("  {}", change.scope),
                    side(&|cost| count(cost.operators)),
                    side(&|cost| amount(&cost.macs, count)),
                    side(&|cost| count(cost.parameters)),
                ]
            })
            .collect();
        if !all.is_empty() {
            let more = all.len().saturating_sub(self.limit);
            let shown: Vec<Vec<String>> = all.into_iter().take(self.limit).collect();
            let mut text = table(&["by scope", "operators", "MACs", "parameters"], shown);
            if more > 0 {
                text.push_str(&format!("\n  … and {more} more (--verbose)"));
            }
            parts.push(text);
        }
    }

    /// What is equal, so that silence about it is no riddle.
    fn summary(&self) -> String {
        let diff = self.diff;
        if diff.same {
            return format!(
                "the models are the same: {} operators, {} constants, names, interface and header",
                count(diff.operators.matched),
                count(diff.weights.equal)
            );
        }
        let operators = &diff.operators;
        let mut equal = vec![
            format!("{} operators", count(operators.matched - operators.changed.len() as u64)),
            format!("{} constants", count(diff.weights.equal)),
        ];
        let named = diff.renamed_values.is_empty() && operators.renamed.is_empty() && diff.weights.renamed.is_empty();
        for (what, same) in
            [("names", named), ("interface", diff.interface.is_empty()), ("header", diff.header.is_empty())]
        {
            if same {
                equal.push(what.to_owned());
            }
        }
        format!("equal: {}", equal.join(", "))
    }
}

/// Whether an amount depends on symbols.
fn symbolic(text: &str) -> bool {
    is_symbolic(&Dim::parse(text).unwrap_or(Dim::Unknown))
}

/// An amount that may be an expression; with every symbol at one.
fn amount(text: &str, show: fn(u64) -> String) -> String {
    let dim = Dim::parse(text).unwrap_or(Dim::Unknown);
    at_one(&dim, show)
}

fn operator(op: &Operator) -> String {
    let mut text = format!("{} '{}'", op.kind, op.name);
    if !op.scope.is_empty() {
        text.push_str(&format!(" of {}", op.scope));
    }
    if !op.graph.is_empty() {
        text.push_str(&format!(" in {}", op.graph));
    }
    text
}

fn change(change: &Change) -> String {
    let side = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), brief);
    match (&change.before, &change.after) {
        (None, None) => format!("{} differ", change.what),
        _ => format!("{}: {} → {}", change.what, side(&change.before), side(&change.after)),
    }
}

/// A text on one line, not too long of one.
fn brief(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let head: String = line.chars().take(60).collect();
    if head.len() < text.trim().len() { format!("{head}… ({} characters)", text.chars().count()) } else { head }
}

fn renamed(renamed: &Renamed) -> String {
    format!("{} → {}", renamed.before, renamed.after)
}

fn interface(change: &InterfaceChange) -> String {
    let shown = |port: &Port| {
        let default = if port.has_default { " (with a default)" } else { "" };
        format!("'{}' {}{default}", port.name, port.ty)
    };
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            let moved = if before.position == after.position {
                String::new()
            } else {
                format!(", place {} → {}", before.position + 1, after.position + 1)
            };
            format!("{} {} → {}{moved}", change.side, shown(before), shown(after))
        }
        (Some(port), None) => format!("- {} {}", change.side, shown(port)),
        (None, Some(port)) => format!("+ {} {}", change.side, shown(port)),
        (None, None) => String::new(),
    }
}

fn weight_row(change: &WeightChange) -> Vec<String> {
    let name = if change.name == change.name_after {
        format!("  {}", change.name)
    } else {
        format!("  {} → {}", change.name, change.name_after)
    };
    let ty = change.ty.clone();
    match &change.unlike {
        Some(why) => vec![name, format!("{ty} {why}"), String::new(), String::new(), String::new(), String::new()],
        None => vec![
            name,
            ty,
            format!("{} of {}", count(change.differing), count(change.elements)),
            format!("{:.1e}", change.largest_absolute),
            format!("{:.1e}", change.largest_relative),
            change.sqnr_db.map_or_else(|| "-".to_owned(), |db| format!("{db:.1} dB")),
        ],
    }
}
