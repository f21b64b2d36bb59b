//! Tables and numbers for people.

use comfy_table::{CellAlignment, Table, presets};
use edgesmith_ir::Dim;
use edgesmith_pass::{Metrics, RunReport, Verdict};
use indexmap::IndexMap;

use crate::report::OptimizeReport;
use crate::{Latency, LatencyReport, Measured, Profile, Share};

/// A table without lines: columns aligned, numbers to the right from the second column on.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A count with thousands told apart: `1 234 567` up to a million, then `41.2 M`.
pub(crate) fn count(n: u64) -> String {
    match n {
        0..1_000_000 => grouped(n),
        1_000_000..1_000_000_000 => format!("{:.2} M", n as f64 / 1e6),
        _ => format!("{:.2} G", n as f64 / 1e9),
    }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest binary unit below them.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2} MiB", n as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", n as f64 / 1_073_741_824.0),
    }
}

/// A time in the largest unit below it.
pub(crate) fn nanoseconds(n: u64) -> String {
    match n {
        0..1000 => format!("{n} ns"),
        1000..1_000_000 => format!("{:.1} µs", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", n as f64 / 1e6),
        _ => format!("{:.2} s", n as f64 / 1e9),
    }
}

/// An amount with every symbol at one; `?` when it is not known.
pub(crate) fn at_one(dim: &Dim, show: fn(u64) -> String) -> String {
    dim.substitute(&|_| Some(Dim::Known(1))).extent().map_or_else(|| "?".to_owned(), show)
}

/// Whether an amount depends on symbols.
pub(crate) fn is_symbolic(dim: &Dim) -> bool {
    matches!(dim, Dim::Expr(_))
}

/// The before/after table of a run.
pub(crate) fn comparison(report: &RunReport, file_bytes: (u64, u64)) -> String {
    let (before, after) = (&report.before, &report.after);
    let mut rows = vec![row("operators", count(before.operators), count(after.operators))];
    for (kind, (old, new)) in kinds(before, after) {
        rows.push(row(&format!("  {kind}"), count(old), count(new)));
    }
    rows.push(row("MACs", at_one(&before.macs.0, count), at_one(&after.macs.0, count)));
    rows.push(row("parameters", count(before.parameters), count(after.parameters)));
    rows.push(row("file", bytes(file_bytes.0), bytes(file_bytes.1)));
    let peak = |metrics: &Metrics| at_one(&metrics.peak_activation_bytes.0, bytes);
    rows.push(row("peak activations", peak(before), peak(after)));
    let mut text = table(&["", "before", "after"], rows);
    if is_symbolic(&before.macs.0) || is_symbolic(&before.peak_activation_bytes.0) {
        text.push_str("\n(sizes with every symbolic dim at 1)");
    }
    text
}

/// So many scopes are listed where not all are asked for.
const SCOPES: usize = 12;

/// Latency before and after, and by scope of the source where that was measured.
pub(crate) fn latency(report: &LatencyReport, every: bool) -> String {
    let (before, after) = (&report.before, &report.after);
    let figures = |name: &str, of: fn(&Latency) -> u64| {
        vec![name.to_owned(), nanoseconds(of(&before.latency)), nanoseconds(of(&after.latency))]
    };
    let mut rows = vec![figures("p50", |latency| latency.p50_ns), figures("p95", |latency| latency.p95_ns)];
    let mut more = 0;
    if let (Some(before), Some(after)) = (&before.profile, &after.profile) {
        let scopes = by_scope(before, after, if every { usize::MAX } else { SCOPES });
        // A model without scopes has one row, which says nothing.
        if scopes.len() > 1 {
            let shown = if every { scopes.len() } else { scopes.len().min(SCOPES) };
            more = scopes.len() - shown;
            for (scope, old, new) in &scopes[..shown] {
                let name = if scope.is_empty() { "(no scope)" } else { scope };
                let time = |ns: u64| if ns == 0 { "–".to_owned() } else { nanoseconds(ns) };
                rows.push(vec![format!("  {name}"), time(*old), time(*new)]);
            }
        }
    }
    let mut text = table(&["latency", "before", "after"], rows);
    if more > 0 {
        text.push_str(&format!("\n  and {more} more scopes; --verbose prints them"));
    }
    text.push_str(&format!(
        "\n({} {}, {} runs of each in turns, one thread: {:.2} times as fast)",
        report.engine,
        report.engine_version,
        report.runs,
        report.speed()
    ));
    text
}

/// Nanoseconds by scope before and after, the slowest first. Scopes are cut to as many components as give no more rows
/// than that, where one component does: what was fused has the scope that its parts have in common.
fn by_scope(before: &Profile, after: &Profile, rows: usize) -> Vec<(String, u64, u64)> {
    let parts = |scope: &str| scope.split('.').filter(|part| !part.is_empty()).count();
    let all = || before.scopes.iter().chain(&after.scopes);
    let deepest = all().map(|share| parts(&share.name)).max().unwrap_or(0);
    let at = |depth: usize| {
        let mut scopes: IndexMap<String, (u64, u64)> = IndexMap::new();
        let name = |share: &Share| share.name.split('.').take(depth).collect::<Vec<_>>().join(".");
        before.scopes.iter().for_each(|share| scopes.entry(name(share)).or_default().0 += share.ns);
        after.scopes.iter().for_each(|share| scopes.entry(name(share)).or_default().1 += share.ns);
        scopes
    };
    let mut depth = deepest;
    let mut scopes = at(depth);
    while scopes.len() > rows && depth > 1 {
        depth -= 1;
        scopes = at(depth);
    }
    let mut sorted: Vec<_> = scopes.into_iter().map(|(name, (old, new))| (name, old, new)).collect();
    sorted.sort_by_key(|(_, old, new)| std::cmp::Reverse((*old).max(*new)));
    sorted
}

/// Several pipelines on one model, side by side.
pub(crate) fn pipelines_compared(reports: &[OptimizeReport]) -> String {
    let timed = reports.iter().any(|report| report.latency.is_some());
    let line = |name: &str, metrics: &Metrics, file: u64, latency: Option<&Measured>, verdict: &str| {
        let macs = at_one(&metrics.macs.0, count);
        let file = if file == 0 { "withheld".to_owned() } else { bytes(file) };
        let mut cells = vec![name.to_owned(), count(metrics.operators), macs, count(metrics.parameters), file];
        if timed {
            cells.push(latency.map_or_else(|| "?".to_owned(), |measured| nanoseconds(measured.latency.p50_ns)));
        }
        cells.push(verdict.to_owned());
        cells
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(first) = reports.first() {
        let latency = first.latency.as_ref().map(|latency| &latency.before);
        rows.push(line("source", &first.run.before, first.input_bytes, latency, ""));
    }
    for report in reports {
        let verdict = report.verdict_text.split_once(" (").map_or(report.verdict_text.as_str(), |(verdict, _)| verdict);
        let verdict = match &report.run.verdict {
            Verdict::Measured { loss, .. } => loss.brief(),
            _ => verdict.to_owned(),
        };
        let latency = report.latency.as_ref().map(|latency| &latency.after);
        rows.push(line(&report.pipeline, &report.run.after, report.output_bytes, latency, &verdict));
    }
    let mut heads = vec!["", "operators", "MACs", "parameters", "file", "verdict"];
    if timed {
        heads.insert(5, "latency");
    }
    table(&heads, rows)
}

fn row(what: &str, before: String, after: String) -> Vec<String> {
    vec![what.to_owned(), before, after]
}

/// So many kinds of operators are listed one by one.
const KINDS: usize = 14;

fn kinds(before: &Metrics, after: &Metrics) -> Vec<(String, (u64, u64))> {
    let mut kinds: Vec<(String, (u64, u64))> = Vec::new();
    for (kind, n) in &before.by_kind {
        kinds.push((kind.clone(), (*n, after.by_kind.get(kind).copied().unwrap_or(0))));
    }
    for (kind, n) in &after.by_kind {
        if !before.by_kind.contains_key(kind) {
            kinds.push((kind.clone(), (0, *n)));
        }
    }
    if kinds.len() > KINDS {
        let rest = kinds.split_off(KINDS - 1);
        let sum = rest.iter().fold((0, 0), |sum, (_, n)| (sum.0 + n.0, sum.1 + n.1));
        kinds.push((format!("{} other kinds", rest.len()), sum));
    }
    kinds
}
