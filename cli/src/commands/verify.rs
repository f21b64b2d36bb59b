//! `edgesmith verify`: do two models compute the same?

use edgesmith_pass::Registry;

use super::{engine_name, import_options, say};
use crate::args::VerifyArgs;
use crate::diff::Operator;
use crate::model_file::{ModelFile, bind_dims};
use crate::render::{count, table};
use crate::verify::{Distance, Divergence, Meeting, Verification, VerifyOptions, verify};
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
    let engine = engine(engine_name(&args.engine))?;
    let options = VerifyOptions { tolerance: args.tolerance, locate: args.locate };
    let found = verify(engine.as_ref(), &before.model, &after.model, &groups, options)?;
    if args.json {
        say(&serde_json::to_string_pretty(&found).map_err(|error| Failure::internal(error.to_string()))?);
    } else {
        print(&found);
    }
    let Some(worst) = found.worst() else { return Ok(()) };
    let how = match &worst.distance.unlike {
        Some(why) => why.clone(),
        None => format!(
            "differs by {:.1e} of its largest magnitude, and {:.0e} is allowed",
            worst.distance.largest_relative, args.tolerance
        ),
    };
    Err(Failure::check(format!(
        "{} does not compute what {} computes: output '{}' {how}",
        args.after.display(),
        args.before.display(),
        worst.output
    )))
}

fn print(found: &Verification) {
    let cells = found.outputs.iter().map(|row| {
        let distance = &row.distance;
        let verdict = match (&distance.unlike, distance.bit_equal) {
            (Some(why), _) => why.clone(),
            (None, true) => "bit-equal".to_owned(),
            (None, false) if distance.passes(found.tolerance) => "within tolerance".to_owned(),
            (None, false) => format!("DIFFERS ({} of {})", distance.differing, distance.elements),
        };
        vec![
            row.output.clone(),
            (row.input + 1).to_string(),
            format!("{:.1e}", distance.largest_absolute),
            format!("{:.1e}", distance.largest_relative),
            distance.sqnr_db.map_or_else(|| "-".to_owned(), |db| format!("{db:.1} dB")),
            verdict,
        ]
    });
    say(&table(&["output", "input", "absolute", "relative", "SQNR", "verdict"], cells.collect()));
    for renamed in &found.renamed {
        say(&format!("'{}' is called '{}' in the second model", renamed.before, renamed.after));
    }
    say(&format!(
        "(run by {}; relative to the largest magnitude of the output, tolerance {:.0e})",
        found.engine, found.tolerance
    ));
    if let Some(divergence) = &found.divergence {
        say("");
        say(&where_it_begins(divergence));
    }
}

fn where_it_begins(divergence: &Divergence) -> String {
    let mut lines = Vec::new();
    let common = count(divergence.in_common);
    match &divergence.begins {
        Some(meeting) => {
            lines.push(format!(
                "the difference begins at {}; {} of {common} values in common come before it and are bit-equal",
                at(meeting),
                count(divergence.equal)
            ));
            lines.extend(meeting.reasons.iter().map(|reason| format!("  {reason}")));
        }
        None if divergence.failure.is_none() => {
            lines.push(format!("the {common} values in between that both models have are bit-equal"));
        }
        None => {}
    }
    if let Some(meeting) = &divergence.exceeds {
        lines.push(format!("it is beyond the tolerance from {} on", at(meeting)));
        lines.extend(meeting.reasons.iter().map(|reason| format!("  {reason}")));
    }
    if let Some(failure) = &divergence.failure {
        lines.push(format!("the values in between could not be compared: {failure}"));
    }
    lines.join("\n")
}

fn at(meeting: &Meeting) -> String {
    let value = if meeting.value == meeting.value_after {
        format!("'{}'", meeting.value)
    } else {
        format!("'{}' ('{}' in the second)", meeting.value, meeting.value_after)
    };
    let operator = |op: &Operator| format!("{} '{}'", op.kind, op.name);
    let (first, second) = (operator(&meeting.operator), operator(&meeting.operator_after));
    let made = if first == second { format!("of {first}") } else { format!("of {first}, {second} in the second") };
    format!("{value} {made} ({})", far(&meeting.distance))
}

fn far(distance: &Distance) -> String {
    match &distance.unlike {
        Some(why) => why.clone(),
        None => {
            let noise = distance.sqnr_db.map(|db| format!(", SQNR {db:.1} dB")).unwrap_or_default();
            format!("absolute {:.1e}, relative {:.1e}{noise}", distance.largest_absolute, distance.largest_relative)
        }
    }
}
