//! Do two models compute the same, and if not, where does the difference begin?
//!
//! Both run on the same inputs. Outputs are compared by name, and by place where they were renamed; then values in between
//! that both models have, in the order in which the first computes them, until one differs.

use edgesmith_exec::compare::{Comparison, compare};
use edgesmith_exec::{Engine, EngineError, Request, Session, Value, Values};
use edgesmith_ir::id::EntityId;
use edgesmith_ir::{Dim, Graph, Model, Name, OpId, ValueId};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Failure;
use crate::diff::matching::{GraphPair, Matching, match_models, names_agree};
use crate::diff::{Operator, Renamed, describe_operator};

/// How two models are compared.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// The largest difference that passes, relative to the largest magnitude of the value.
    pub tolerance: f64,
    /// Look for the first difference also where every output is within the tolerance.
    pub locate: bool,
}

/// What a comparison of two models found.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Verification {
    /// What ran the models.
    pub engine: String,
    /// What was allowed.
    pub tolerance: f64,
    /// Whether every output is within the tolerance.
    pub same: bool,
    /// Every output on every input.
    pub outputs: Vec<OutputRow>,
    /// Inputs and outputs that were compared by place, because the second model calls them otherwise.
    pub renamed: Vec<Renamed>,
    /// Where the difference begins, where that was looked for.
    pub divergence: Option<Divergence>,
}

/// How far two values are apart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct Distance {
    /// Why the two cannot be compared.
    pub unlike: Option<String>,
    /// Whether all bits are equal.
    pub bit_equal: bool,
    /// The largest absolute difference.
    pub largest_absolute: f64,
    /// The same over the largest magnitude of the first.
    pub largest_relative: f64,
    /// Signal to noise in decibels; absent when nothing differs.
    pub sqnr_db: Option<f64>,
    /// Elements that differ.
    pub differing: u64,
    /// Elements compared.
    pub elements: u64,
}

/// One output on one input.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct OutputRow {
    /// Its name in the first model.
    pub output: String,
    /// Which input, from 0.
    pub input: usize,
    /// How far the two are apart.
    #[serde(flatten)]
    pub distance: Distance,
}

/// Where two models part.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct Divergence {
    /// Values in between that both models have.
    pub in_common: u64,
    /// How many of them, from the inputs on, are equal bit by bit.
    pub equal: u64,
    /// The first that is not.
    pub begins: Option<Meeting>,
    /// The first that differs by more than is allowed; absent when it is the same one, or when only outputs do.
    pub exceeds: Option<Meeting>,
    /// Why values could not be compared.
    pub failure: Option<String>,
}

/// A value that both models have, with what computes it.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Meeting {
    /// Its name in the first model.
    pub value: String,
    /// Its name in the second.
    pub value_after: String,
    /// What computes it in the first model.
    pub operator: Operator,
    /// What computes it in the second.
    pub operator_after: Operator,
    /// How far the two are apart.
    pub distance: Distance,
    /// What differs between the two operators or right before them.
    pub reasons: Vec<String>,
}

impl Distance {
    /// Compares two values.
    pub fn between(reference: &Value, found: &Value) -> Self {
        match compare(reference, found) {
            Comparison::Unlike(why) => Self { unlike: Some(why), ..Self::default() },
            Comparison::Compared(difference) => Self {
                unlike: None,
                bit_equal: difference.exact,
                largest_absolute: difference.absolute,
                largest_relative: difference.relative,
                sqnr_db: difference.sqnr.is_finite().then_some(difference.sqnr),
                differing: difference.differing,
                elements: difference.elements,
            },
        }
    }
    /// Whether the difference is allowed.
    pub fn passes(&self, tolerance: f64) -> bool {
        self.unlike.is_none() && self.largest_relative <= tolerance
    }
}

impl Verification {
    /// The output that says most clearly that the models differ, if they do.
    pub fn worst(&self) -> Option<&OutputRow> {
        let measure =
            |row: &OutputRow| if row.distance.unlike.is_some() { f64::INFINITY } else { row.distance.largest_relative };
        let failed = self.outputs.iter().filter(|row| !row.distance.passes(self.tolerance));
        failed.max_by(|a, b| measure(a).total_cmp(&measure(b)))
    }
}

/// Runs both models on inputs of the first, in groups of which the first that it runs on counts.
pub fn verify(
    engine: &dyn Engine,
    a: &Model,
    b: &Model,
    groups: &[Vec<Values>],
    options: VerifyOptions,
) -> Result<Verification, Failure> {
    let matching = match_models(a, b);
    let (Some(ga), Some(gb)) = (a.main_graph(), b.main_graph()) else {
        return Err(Failure::model("a model without a graph computes nothing"));
    };
    let ports = Ports { ga, gb, matching: &matching };
    ports.fit()?;
    let (mut first, mut second) = (session(engine, a, "first", Vec::new())?, session(engine, b, "second", Vec::new())?);
    let mut failure = None;
    let mut found: Vec<(OutputRow, &Values)> = Vec::new();
    for group in groups {
        for (index, inputs) in group.iter().enumerate() {
            let expected = match first.run(inputs) {
                Ok(expected) => expected,
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            };
            let other = second
                .run(&ports.inputs(inputs))
                .map_err(|error| Failure::check(format!("the second model fails where the first runs: {error}")))?;
            let rows = ports.compare(&expected, &other);
            found.extend(
                rows.into_iter().map(|(output, distance)| (OutputRow { output, input: index, distance }, inputs)),
            );
        }
        if !found.is_empty() {
            break;
        }
    }
    if found.is_empty() && !ga.outputs().is_empty() {
        let why = failure.map_or_else(|| "no inputs could be made for it".to_owned(), |error| error.to_string());
        return Err(
            Failure::model(format!("the first model does not run: {why}")).with_help("--inputs x.npz gives it inputs")
        );
    }
    let differing = found.iter().filter(|(row, _)| !row.distance.passes(options.tolerance)).collect::<Vec<_>>();
    let unequal = found.iter().find(|(row, _)| options.locate && !row.distance.bit_equal);
    let looked_at = differing.first().copied().or(unequal);
    let divergence = looked_at.map(|(_, inputs)| {
        let search = Search { engine, a, b, ga, gb, matching: &matching, tolerance: options.tolerance };
        let mut divergence = Divergence::default();
        if let Err(error) = search.run(inputs, &ports.inputs(inputs), &mut divergence) {
            divergence.failure = Some(error.to_string());
        }
        divergence
    });
    Ok(Verification {
        engine: engine.name().to_owned(),
        tolerance: options.tolerance,
        same: differing.is_empty(),
        renamed: ports.renamed(),
        divergence,
        outputs: found.into_iter().map(|(row, _)| row).collect(),
    })
}

fn session(engine: &dyn Engine, model: &Model, which: &str, taps: Vec<Name>) -> Result<Box<dyn Session>, Failure> {
    let failed = |error: EngineError| {
        Failure::model(format!("the {which} model cannot run: {error}")).with_help("--engine reference may run it")
    };
    engine.prepare(model, &Request { taps, ..Request::default() }).map_err(failed)?.session().map_err(failed)
}

/// Inputs and outputs of both models.
struct Ports<'a> {
    ga: &'a Graph,
    gb: &'a Graph,
    matching: &'a Matching,
}

impl Ports<'_> {
    fn names(graph: &Graph, values: &[ValueId]) -> Vec<Name> {
        values.iter().map(|value| graph.value(*value).name().clone()).collect()
    }
    /// The second model takes no input that the first does not.
    fn fit(&self) -> Result<(), Failure> {
        let met: Vec<usize> = self.matching.inputs.iter().flatten().copied().collect();
        for (position, value) in self.gb.inputs().iter().enumerate().filter(|(position, _)| !met.contains(position)) {
            let row = self.gb.value(*value);
            if let edgesmith_ir::Def::Input { default: None } = row.def() {
                return Err(Failure::check(format!(
                    "the second model takes '{}' ({}) as input {}, and the first has no such input",
                    row.name(),
                    row.ty(),
                    position + 1
                )));
            }
        }
        Ok(())
    }
    /// Inputs of the first model under the names of the second; those that it lacks are left out.
    fn inputs(&self, inputs: &Values) -> Values {
        let names = Self::names(self.ga, self.ga.inputs());
        let places: FxHashMap<&Name, usize> = names.iter().enumerate().map(|(k, name)| (name, k)).collect();
        let others = Self::names(self.gb, self.gb.inputs());
        let renamed = inputs.iter().filter_map(|(name, value)| {
            let other = self.matching.inputs[*places.get(name)?]?;
            Some((others.get(other)?.clone(), value.clone()))
        });
        renamed.collect()
    }
    fn compare(&self, expected: &Values, found: &Values) -> Vec<(String, Distance)> {
        let (first, second) = (Self::names(self.ga, self.ga.outputs()), Self::names(self.gb, self.gb.outputs()));
        let unlike = |why: &str| Distance { unlike: Some(why.to_owned()), ..Distance::default() };
        let mut rows = Vec::new();
        for (name, other) in first.iter().zip(&self.matching.outputs) {
            let pair = other.and_then(|other| Some((expected.get(name)?, found.get(&second[other])?)));
            let distance =
                pair.map_or_else(|| unlike("is missing in the second model"), |(x, y)| Distance::between(x, y));
            rows.push((name.to_string(), distance));
        }
        let met: Vec<usize> = self.matching.outputs.iter().flatten().copied().collect();
        for (_, name) in second.iter().enumerate().filter(|(position, _)| !met.contains(position)) {
            rows.push((name.to_string(), unlike("is missing in the first model")));
        }
        rows
    }
    fn renamed(&self) -> Vec<Renamed> {
        let sides = [
            (self.ga.inputs(), self.gb.inputs(), &self.matching.inputs),
            (self.ga.outputs(), self.gb.outputs(), &self.matching.outputs),
        ];
        let mut all = Vec::new();
        for (first, second, pairs) in sides {
            for (value, other) in first.iter().zip(pairs) {
                let Some(other) = other.map(|other| second[other]) else { continue };
                let (before, after) = (self.ga.value(*value).name(), self.gb.value(other).name());
                if before != after {
                    all.push(Renamed { before: before.to_string(), after: after.to_string() });
                }
            }
        }
        all
    }
}

/// So many values are looked at in one run,
const VALUES: usize = 256;
/// as long as they take no more bytes than this.
const BYTES: u64 = 256 << 20;

/// The search for the first difference.
struct Search<'a> {
    engine: &'a dyn Engine,
    a: &'a Model,
    b: &'a Model,
    ga: &'a Graph,
    gb: &'a Graph,
    matching: &'a Matching,
    tolerance: f64,
}

impl Search<'_> {
    fn run(&self, inputs: &Values, other: &Values, divergence: &mut Divergence) -> Result<(), Failure> {
        let Some(pair) = self.matching.graphs.iter().find(|pair| pair.path.is_empty()) else { return Ok(()) };
        let values = self.in_common(pair)?;
        divergence.in_common = values.len() as u64;
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().take(VALUES).take_while(|(value, _)| {
                bytes += self.size(*value);
                bytes <= BYTES
            });
            let (now, later) = rest.split_at(count.count().max(1));
            rest = later;
            let taps = |graph: &Graph, pick: &dyn Fn(&(ValueId, ValueId)) -> ValueId| -> Vec<Name> {
                now.iter().map(|pair| graph.value(pick(pair)).name().clone()).collect()
            };
            let (names_a, names_b) = (taps(self.ga, &|pair| pair.0), taps(self.gb, &|pair| pair.1));
            let failed = |error: EngineError| Failure::model(error.to_string());
            let found_a = session(self.engine, self.a, "first", names_a.clone())?.run(inputs).map_err(failed)?;
            let found_b = session(self.engine, self.b, "second", names_b.clone())?.run(other).map_err(failed)?;
            for ((ids, x), y) in now.iter().zip(&names_a).zip(&names_b) {
                let (Some(x), Some(y)) = (found_a.get(x), found_b.get(y)) else { continue };
                let distance = Distance::between(x, y);
                if distance.bit_equal {
                    divergence.equal += u64::from(divergence.begins.is_none());
                    continue;
                }
                let passes = distance.passes(self.tolerance);
                if divergence.begins.is_none() {
                    divergence.begins = Some(self.meeting(pair, *ids, distance));
                } else if !passes {
                    divergence.exceeds = Some(self.meeting(pair, *ids, distance));
                }
                if !passes {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Results of operators that both models have, in the order in which the first computes them. Names decide where most of
    /// what was matched has the same name on both sides: an operator that took another one up has the name of what
    /// that computed.
    fn in_common(&self, pair: &GraphPair) -> Result<Vec<(ValueId, ValueId)>, Failure> {
        let results = |graph: &Graph| -> FxHashMap<Name, ValueId> {
            let made = graph.values().filter(|(id, _)| graph.producer(*id).is_some());
            made.map(|(id, row)| (row.name().clone(), id)).collect()
        };
        let (of_a, of_b) = (results(self.ga), results(self.gb));
        let matched = |value: ValueId| pair.value(value).filter(|other| self.gb.producer(*other).is_some());
        let names = self
            .ga
            .values()
            .filter(|(id, _)| self.ga.producer(*id).is_some())
            .filter_map(|(id, row)| Some((row.name().clone(), self.gb.value(matched(id)?).name().clone())));
        let trusted = names_agree(self.ga, self.gb, names);
        let order = self.ga.topological().map_err(|error| Failure::internal(error.to_string()))?;
        let mut common = Vec::new();
        for value in order.into_iter().flat_map(|op| self.ga.op(op).results().iter().flatten().copied()) {
            let name = self.ga.value(value).name();
            let counterpart = if trusted {
                // A new name that the first model gives to something else is no renaming.
                let renamed = matched(value).filter(|other| !of_a.contains_key(self.gb.value(*other).name()));
                of_b.get(name).copied().or(renamed)
            } else {
                matched(value)
            };
            common.extend(counterpart.map(|other| (value, other)));
        }
        Ok(common)
    }

    /// Bytes of a value, by estimate.
    fn size(&self, value: ValueId) -> u64 {
        let ty = self.ga.value(value).ty();
        let elements = ty.shape().elements().substitute(&|_| Some(Dim::Known(16))).extent().unwrap_or(1 << 16);
        elements.saturating_mul(ty.dtype().and_then(|dtype| dtype.byte_len(1)).unwrap_or(8))
    }

    fn meeting(&self, pair: &GraphPair, (va, vb): (ValueId, ValueId), distance: Distance) -> Meeting {
        let name = |graph: &Graph, value: ValueId| graph.value(value).name().to_string();
        let operator = |model: &Model, graph, op: Option<OpId>| {
            let none =
                Operator { kind: String::new(), name: String::new(), scope: String::new(), graph: String::new() };
            op.map_or(none, |op| describe_operator(model, graph, op, ""))
        };
        let (x, y) = (self.ga.producer(va), self.gb.producer(vb));
        let reasons = x.zip(y).map(|(x, y)| self.reasons(pair, x, y)).unwrap_or_default();
        Meeting {
            value: name(self.ga, va),
            value_after: name(self.gb, vb),
            operator: operator(self.a, pair.a, x),
            operator_after: operator(self.b, pair.b, y),
            distance,
            reasons,
        }
    }

    /// What differs between two operators: themselves, their constants, what only one of the models has right before them.
    fn reasons(&self, pair: &GraphPair, x: OpId, y: OpId) -> Vec<String> {
        let (data_a, data_b) = (self.ga.op(x), self.gb.op(y));
        let mut reasons: Vec<String> = Vec::new();
        let alike = data_a.op().kind() == data_b.op().kind();
        if alike {
            reasons.extend(crate::diff::attribute_changes(data_a.op(), data_b.op()).into_iter().map(|change| {
                let side = |text: Option<String>| text.unwrap_or_else(|| "its default".to_owned());
                format!(
                    "attribute {} is {} in the first, {} in the second",
                    change.what,
                    side(change.before),
                    side(change.after)
                )
            }));
        }
        for slot in 0..if alike { data_a.formals().len() } else { 0 } {
            let (va, vb) = (data_a.operand(slot), data_b.operand(slot));
            let (Some(va), Some(vb)) = (va, vb) else { continue };
            if let (Some(ta), Some(tb)) = (self.ga.constant(va), self.gb.constant(vb))
                && self.matching.contents[0][ta.index()] != self.matching.contents[1][tb.index()]
            {
                reasons.push(format!("its constant '{}' differs", self.ga.value(va).name()));
            }
        }
        let lone = |model: &Model, id, graph: &Graph, op: OpId, only: &[OpId], side: &str| -> Vec<String> {
            let before = graph.op(op).operands().iter().flatten().filter_map(|value| graph.producer(*value));
            std::iter::once(op)
                .chain(before)
                .filter(|op| only.binary_search(op).is_ok())
                .map(|op| {
                    let operator = describe_operator(model, id, op, "");
                    format!("{} '{}' is in the {side} model only", operator.kind, operator.name)
                })
                .collect()
        };
        reasons.extend(lone(self.a, pair.a, self.ga, x, &pair.removed, "first"));
        reasons.extend(lone(self.b, pair.b, self.gb, y, &pair.added, "second"));
        reasons
    }
}
