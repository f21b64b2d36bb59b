//! `edgesmith verify`: do two models compute the same?

use edgesmith_exec::compare::{Comparison, compare_all};
use edgesmith_exec::{EngineError, Request, Session, Values};
use edgesmith_ir::Model;
use serde::Serialize;

use edgesmith_pass::Registry;

use super::{engine_name, import_options, say};
use crate::args::VerifyArgs;
use crate::model_file::{ModelFile, bind_dims};
use crate::render::table;
use crate::{Failure, end_to_end_inputs, engine, fit_inputs, read_npz};

pub(super) fn run(args: &VerifyArgs, registry: &Registry) -> Result<(), Failure> {
    let options = import_options(&args.engine.read, registry);
    let (mut before, mut after) = (ModelFile::read(&args.before, &options)?, ModelFile::read(&args.after, &options)?);
    bind_dims(&mut before.model, &args.engine.dims)?;
    // The second may have had its dims bound already.
    let known = crate::symbols(&after.model);
    let dims: Vec<_> = args.engine.dims.iter().filter(|dim| known.contains(&dim.name)).cloned().collect();
    bind_dims(&mut after.model, &dims)?;
    let groups = match &args.inputs {
        Some(path) => {
            let inputs = read_npz(path)?;
            fit_inputs(&before.model, &inputs)?;
            vec![vec![inputs]]
        }
        None => end_to_end_inputs(&before.model),
    };
    let name = engine_name(&args.engine);
    let rows = compare_models(name, &before.model, &after.model, &groups)?;
    if args.json {
        let json = Json {
            engine: name,
            tolerance: args.tolerance,
            same: worst(&rows, args.tolerance).is_none(),
            outputs: &rows,
        };
        say(&serde_json::to_string_pretty(&json).map_err(|error| Failure::internal(error.to_string()))?);
    } else {
        print(&rows, name, args.tolerance);
    }
    if let Some(worst) = worst(&rows, args.tolerance) {
        let how = match &worst.unlike {
            Some(why) => why.clone(),
            None => format!(
                "differs by {:.1e} of its largest magnitude, and {:.0e} is allowed",
                worst.largest_relative, args.tolerance
            ),
        };
        return Err(Failure::check(format!(
            "{} does not compute what {} computes: output '{}' {how}",
            args.after.display(),
            args.before.display(),
            worst.output
        )));
    }
    Ok(())
}

#[derive(Serialize)]
struct Json<'a> {
    engine: &'a str,
    tolerance: f64,
    same: bool,
    outputs: &'a [Row],
}

/// One output on one input.
#[derive(Serialize)]
struct Row {
    output: String,
    input: usize,
    /// Why the two cannot be compared.
    unlike: Option<String>,
    bit_equal: bool,
    largest_absolute: f64,
    largest_relative: f64,
    /// Signal to quantisation-noise ratio in decibels; absent when nothing differs.
    sqnr_db: Option<f64>,
    differing: u64,
    elements: u64,
}

impl Row {
    fn passes(&self, tolerance: f64) -> bool {
        self.unlike.is_none() && self.largest_relative <= tolerance
    }
}

/// The row that says most clearly that the models differ, if they do.
fn worst(rows: &[Row], tolerance: f64) -> Option<&Row> {
    let measure = |row: &Row| if row.unlike.is_some() { f64::INFINITY } else { row.largest_relative };
    rows.iter().filter(|row| !row.passes(tolerance)).max_by(|a, b| measure(a).total_cmp(&measure(b)))
}

fn compare_models(
    engine_name: &str,
    before: &Model,
    after: &Model,
    groups: &[Vec<Values>],
) -> Result<Vec<Row>, Failure> {
    let engine = engine(engine_name)?;
    let session = |model: &Model, which: &str| -> Result<Box<dyn Session>, Failure> {
        let failed = |error: EngineError| {
            Failure::model(format!("the {which} model cannot run: {error}")).with_help("--engine reference may run it")
        };
        engine.prepare(model, &Request::default()).map_err(failed)?.session().map_err(failed)
    };
    let (mut old, mut new) = (session(before, "first")?, session(after, "second")?);
    let mut failure = None;
    for group in groups {
        let mut rows = Vec::new();
        for (index, inputs) in group.iter().enumerate() {
            let expected = match old.run(inputs) {
                Ok(expected) => expected,
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            };
            let found = new
                .run(inputs)
                .map_err(|error| Failure::check(format!("the second model fails where the first runs: {error}")))?;
            rows.extend(
                compare_all(&expected, &found).into_iter().map(|(name, comparison)| row(&name, index, comparison)),
            );
        }
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    let why = failure.map_or_else(|| "no inputs could be made for it".to_owned(), |error| error.to_string());
    Err(Failure::model(format!("the first model does not run: {why}")).with_help("--inputs x.npz gives it inputs"))
}

fn row(name: &str, input: usize, comparison: Comparison) -> Row {
    let mut row = Row {
        output: name.to_owned(),
        input,
        unlike: None,
        bit_equal: false,
        largest_absolute: 0.0,
        largest_relative: 0.0,
        sqnr_db: None,
        differing: 0,
        elements: 0,
    };
    match comparison {
        Comparison::Unlike(why) => row.unlike = Some(why),
        Comparison::Compared(difference) => {
            row.bit_equal = difference.exact;
            row.largest_absolute = difference.absolute;
            row.largest_relative = difference.relative;
            row.sqnr_db = difference.sqnr.is_finite().then_some(difference.sqnr);
            row.differing = difference.differing;
            row.elements = difference.elements;
        }
    }
    row
}

fn print(rows: &[Row], engine: &str, tolerance: f64) {
    let cells = rows.iter().map(|row| {
        let verdict = match (&row.unlike, row.bit_equal) {
            (Some(why), _) => why.clone(),
            (None, true) => "bit-equal".to_owned(),
            (None, false) if row.passes(tolerance) => "within tolerance".to_owned(),
            (None, false) => format!("DIFFERS ({} of {})", row.differing, row.elements),
        };
        vec![
            row.output.clone(),
            (row.input + 1).to_string(),
            format!("{:.1e}", row.largest_absolute),
            format!("{:.1e}", row.largest_relative),
            row.sqnr_db.map_or_else(|| "-".to_owned(), |db| format!("{db:.1} dB")),
            verdict,
        ]
    });
    say(&table(&["output", "input", "absolute", "relative", "SQNR", "verdict"], cells.collect()));
    say(&format!("(run by {engine}; relative to the largest magnitude of the output, tolerance {tolerance:.0e})"));
}
