//! What was lost, in tables for people.

use edgesmith_pass::{BudgetOutcome, BudgetReport, Cell, Figures, LossReport, PassReport, PassTable};

use crate::render::{bytes, count, table};

/// So many rows of a table are shown unless all are asked for.
const ROWS: usize = 12;

/// Everything that a pass has to say beside its rules: its own tables, its loss, its budget.
pub(crate) fn pass_text(pass: &PassReport, all: bool) -> Option<String> {
    let mut parts: Vec<String> = pass.tables.iter().map(|table| own_table(table, all)).collect();
    parts.extend(pass.loss.as_ref().map(|loss| loss_text(&pass.name, loss, all)));
    parts.extend(pass.budget.as_ref().map(|budget| budget_text(&pass.name, budget)));
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

fn own_table(own: &PassTable, all: bool) -> String {
    let header: Vec<&str> = own.columns.iter().map(String::as_str).collect();
    // The last row is often the sum.
    let shown = |index: usize| all || index < ROWS || index + 1 == own.rows.len();
    let rows: Vec<Vec<String>> = own
        .rows
        .iter()
        .enumerate()
        .filter(|(index, _)| shown(*index))
        .map(|(_, row)| {
            row.iter().map(cell).enumerate().map(|(k, text)| if k == 0 { format!("  {text}") } else { text }).collect()
        })
        .collect();
    let mut text = format!("{}\n{}", own.title, table(&header, rows.clone()));
    text.push_str(&more(own.rows.len(), rows.len()));
    for note in &own.notes {
        text.push_str(&format!("\n  {note}"));
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Count(n) => count(*n),
        Cell::Share(share) => format!("{:.1} %", share * 100.0),
        Cell::Bytes(0) => "nothing".into(),
        Cell::Bytes(n) if *n < 0 => format!("-{}", bytes(n.unsigned_abs())),
        Cell::Bytes(n) => bytes(n.unsigned_abs()),
    }
}

fn more(total: usize, shown: usize) -> String {
    match total - shown {
        0 => String::new(),
        hidden => format!("\n  and {hidden} more; --verbose prints them"),
    }
}

fn loss_text(pass: &str, loss: &LossReport, all: bool) -> String {
    let on = match (&loss.data, &loss.engine) {
        (Some(data), Some(engine)) => format!(" on {data} ({engine})"),
        _ => String::new(),
    };
    let mut text = format!("loss of '{pass}'{on}");
    if !loss.layers.is_empty() {
        let figures = |figures: &Option<Figures>| match figures {
            Some(figures) => (figures.sqnr.to_string(), format!("{:.6}", figures.cosine)),
            None => ("?".into(), "?".into()),
        };
        let rows: Vec<Vec<String>> = loss
            .layers
            .iter()
            .take(if all { usize::MAX } else { ROWS })
            .map(|layer| {
                let (alone, together) = (figures(&layer.isolated), figures(&layer.accumulated));
                vec![format!("  {}", layer.layer), layer.kind.clone(), alone.0, alone.1, together.0, together.1]
            })
            .collect();
        let shown = rows.len();
        text.push('\n');
        text.push_str(&table(&["", "kind", "SQNR alone", "cosine", "SQNR in the model", "cosine"], rows));
        text.push_str(&more(loss.layers.len(), shown));
        text.push_str(
            "\n  worst first; alone: on the inputs of the layer before; in the model: with what earlier layers lost",
        );
    }
    for output in &loss.outputs {
        let figures = output.figures;
        text.push_str(&format!("\n  output '{}': SQNR {}, cosine {:.6}", output.output, figures.sqnr, figures.cosine));
    }
    if let Some(top1) = &loss.top1 {
        let (before, after) = top1.percent();
        text.push_str(&format!(
            "\n  top-1 {before:.2} % → {after:.2} % on {} samples: {} lost, {} won, {} as before",
            top1.samples, top1.lost, top1.won, top1.agree
        ));
    }
    for what in &loss.not_measured {
        text.push_str(&format!("\n  not measured: {what}"));
    }
    text
}

fn budget_text(pass: &str, budget: &BudgetReport) -> String {
    let outcome = match budget.outcome {
        BudgetOutcome::Kept => "kept",
        BudgetOutcome::Eased => "kept after the pass was eased",
        BudgetOutcome::RolledBack => "broken by every form of the pass: the model is as it was before it",
        BudgetOutcome::Unchanged => "not needed: the pass changed nothing",
    };
    let mut text = format!("budget of '{pass}': {outcome}");
    for attempt in &budget.attempts {
        let mut found: Vec<String> = Vec::new();
        found.extend(attempt.cosine.map(|cosine| format!("cosine {cosine:.5}")));
        found.extend(attempt.sqnr.map(|sqnr| format!("SQNR {sqnr}")));
        found.extend(attempt.top1_drop.map(|drop| format!("top-1 drop {drop:.2} points")));
        let why = if attempt.broken.is_empty() { "kept".to_owned() } else { attempt.broken.join(", ") };
        text.push_str(&format!("\n  {}: {}: {why}", attempt.setting, found.join(", ")));
    }
    text
}
