//! The local check: what a patch replaces is evaluated before and after on seeded values, by the reference evaluator.
//!
//! What is evaluated is the cone that the patch replaces: the operators that it leaves without readers and those that the
//! rule looked at. Values that enter the cone from outside get seeded elements that agree with what is known of them
//! (types, symbolic contents); symbolic dims are bound to small numbers. Large static extents are made smaller first:
//! two equal computations are equal on a smaller plane too. Should the two sides differ there, the full extents decide.

use edgesmith_exec::compare::{Comparison, compare};
use edgesmith_exec::seeded::{Spread, Stream};
use edgesmith_exec::{EvalError, EvalOptions, Value, evaluate_op};
use edgesmith_ir::{DType, Def, Dim, Extents, Fact, Graph, Item, Model, Name, Op, OpId, Tensor, ValueId, ValueType};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::body::{Failure, Work, constant_fact, evaluate, evaluate_composite, is_plain, measure};
use crate::{Fidelity, Patch, Wire};

/// What a local check found.
#[derive(Clone, PartialEq, Debug)]
pub enum LocalVerdict {
    /// Both sides agree within the fidelity; the largest difference relative to the largest magnitude.
    Checked {
        /// The largest difference.
        difference: f64,
    },
    /// The check could not run.
    NotChecked {
        /// Why.
        reason: String,
    },
    /// The two sides differ: the patch is wrong.
    Failed {
        /// Where and by how much.
        detail: String,
    },
}

/// At most so many operators are evaluated; what lies behind is taken as given.
const CONE_LIMIT: usize = 64;
/// Products above which extents are made smaller first.
const SMALL_WORK: u64 = 2_000_000;
/// Products above which the check does not run.
const LARGE_WORK: u64 = 400_000_000;
/// Bytes of constants and results above which the check does not run.
const LARGE_BYTES: u64 = 128 << 20;
/// Every check starts from the same seed; each value has a stream of its own.
const SEED: u64 = 1;
/// What an extent of a plane is made smaller to.
const SMALL_EXTENT: u64 = 8;

/// Evaluates what a patch replaces, before and after, and compares.
pub fn check_patch(model: &Model, patch: &Patch, fidelity: Fidelity) -> LocalVerdict {
    let not_checked = |reason: &str| LocalVerdict::NotChecked { reason: reason.to_owned() };
    if !patch.inlined.is_empty() {
        return not_checked("a region moves");
    }
    let cone = Cone::of(model, patch);
    // Calls are looked into.
    let touches = |op: &Op| op.is_random() && !matches!(op, Op::Dropout(_) | Op::Call(_));
    if !cone.ops.iter().all(|op| is_plain(model, cone.graph.op(*op), 0)) {
        return not_checked("it holds control flow");
    }
    if cone.ops.iter().any(|op| touches(cone.graph.op(*op).op())) || patch.ops.iter().any(|op| touches(&op.op)) {
        return not_checked("it holds an operator that cannot be evaluated");
    }
    let mut smaller = None;
    for shrink in [true, false] {
        let leaves = match cone.seed(model, shrink) {
            Ok(leaves) => leaves,
            Err(reason) => return LocalVerdict::NotChecked { reason },
        };
        let work = cone.work(model, &leaves);
        if shrink && work.work <= SMALL_WORK && work.bytes <= LARGE_BYTES {
            continue;
        }
        if work.work > LARGE_WORK || work.bytes > LARGE_BYTES {
            return smaller.unwrap_or_else(|| not_checked("it is too large to evaluate"));
        }
        match compare_sides(model, patch, &cone, &leaves, fidelity) {
            checked @ LocalVerdict::Checked { .. } => return checked,
            other if shrink => smaller = matches!(other, LocalVerdict::NotChecked { .. }).then_some(other),
            other => return other,
        }
    }
    not_checked("it could not be evaluated")
}

/// The operators that are evaluated before, in order, and what enters them.
struct Cone<'m> {
    graph: &'m Graph,
    ops: Vec<OpId>,
    leaves: Vec<ValueId>,
    redefined: Vec<ValueId>,
}

impl<'m> Cone<'m> {
    fn of(model: &'m Model, patch: &Patch) -> Self {
        let graph = model.graph(patch.graph);
        let redefined: Vec<ValueId> = patch.redefinitions.iter().map(|(old, _)| *old).collect();
        let members = members(graph, patch, &redefined);
        // Depth first from the redefined values, members only, in an order in which every operator follows its producers.
        let mut ops = Vec::new();
        let mut done: FxHashSet<OpId> = FxHashSet::default();
        let mut stack: Vec<(OpId, bool)> =
            redefined.iter().filter_map(|v| graph.producer(*v)).map(|op| (op, false)).collect();
        while let Some((op, expanded)) = stack.pop() {
            if expanded {
                if done.insert(op) {
                    ops.push(op);
                }
                continue;
            }
            if done.contains(&op) || !members.contains(&op) {
                continue;
            }
            stack.push((op, true));
            stack.extend(
                graph.op(op).operands().iter().flatten().filter_map(|v| graph.producer(*v)).map(|op| (op, false)),
            );
        }
        let inside: FxHashSet<ValueId> =
            ops.iter().flat_map(|op| graph.op(*op).results().iter().flatten().copied()).collect();
        let taps = patch
            .ops
            .iter()
            .flat_map(|op| op.operands.iter().flatten())
            .chain(patch.redefinitions.iter().map(|(_, by)| by));
        let taps = taps.filter_map(|wire| match wire {
            Wire::Value(value) => Some(*value),
            _ => None,
        });
        let mut leaves: Vec<ValueId> = Vec::new();
        let mut seen = FxHashSet::default();
        for value in ops
            .iter()
            .flat_map(|op| graph.op(*op).operands().iter().flatten().copied())
            .chain(taps)
            .chain(redefined.iter().copied())
        {
            if !inside.contains(&value) && graph.constant(value).is_none() && seen.insert(value) {
                leaves.push(value);
            }
        }
        Self { graph, ops, leaves, redefined }
    }

    /// Seeded elements for everything that enters the cone.
    fn seed(&self, model: &Model, shrink: bool) -> Result<FxHashMap<ValueId, Tensor>, String> {
        // Small, different numbers, so that a batch is not taken for a width.
        let mut entered: FxHashMap<Name, i64> = FxHashMap::default();
        for value in &self.leaves {
            let row = self.graph.value(*value);
            let mut enter = |name: &Name| {
                let next = entered.len() as i64;
                entered.entry(name.clone()).or_insert_with(|| {
                    let facts = model.symbols.facts(name);
                    let wanted = (2 + next % 3).max(facts.min);
                    let rounded = (wanted + facts.divisor - 1) / facts.divisor.max(1) * facts.divisor.max(1);
                    facts.max.map_or(rounded, |max| rounded.min(max))
                });
            };
            for dim in row.ty().dims().unwrap_or_default() {
                dim.visit_symbols(&mut enter);
            }
            for item in row.contents().map(edgesmith_ir::Contents::items).unwrap_or_default() {
                item.dim().visit_symbols(&mut enter);
            }
        }
        let symbols = entered;
        let bind = |dim: &Dim| dim.substitute(&|name| symbols.get(name).map(|n| Dim::Known(*n)));
        let mut leaves = FxHashMap::default();
        for value in &self.leaves {
            let row = self.graph.value(*value);
            let ValueType::Tensor(ty) = row.ty() else {
                return Err(format!("the type of '{}' is not known", row.name()));
            };
            let Some(dims) = ty.shape.dims() else { return Err(format!("the rank of '{}' is not known", row.name())) };
            let mut extents: SmallVec<[u64; 4]> = SmallVec::new();
            for (axis, dim) in dims.iter().enumerate() {
                let extent = match bind(dim) {
                    Dim::Known(n) => u64::try_from(n).map_err(|_| format!("'{}' has a negative extent", row.name()))?,
                    _ => 2,
                };
                let is_plane = axis >= 2 && dims.len() >= 3 && row.contents().is_none();
                extents.push(if shrink && is_plane { extent.min(SMALL_EXTENT) } else { extent });
            }
            let count = edgesmith_ir::element_count(&extents).map_err(|error| error.to_string())?;
            if count > 64 << 20 {
                return Err("it is too large to evaluate".into());
            }
            let known: Option<Vec<Item>> = row.contents().map(|contents| {
                let bound = |item: &Item| match item {
                    Item::Int(dim) => Item::from(bind(dim)),
                    other => other.clone(),
                };
                contents.items().iter().map(bound).collect()
            });
            let mut stream = Stream::new(SEED, row.name());
            leaves.insert(*value, seeded(&mut stream, ty.dtype, extents, known.as_deref())?);
        }
        Ok(leaves)
    }

    /// What evaluating the cone on these leaves costs.
    fn work(&self, model: &Model, leaves: &FxHashMap<ValueId, Tensor>) -> Work {
        let mut facts: FxHashMap<ValueId, Fact> = leaves.iter().map(|(v, t)| (*v, constant_fact(t))).collect();
        let mut total = Work::default();
        measure(model, self.graph, &self.ops, &mut facts, &mut total);
        total
    }
}

/// The operators that the patch leaves without readers, and those that the rule looked at.
fn members(graph: &Graph, patch: &Patch, redefined: &[ValueId]) -> FxHashSet<OpId> {
    let mut members: FxHashSet<OpId> = patch.looked_at.iter().copied().collect();
    let mut queue: std::collections::VecDeque<OpId> = redefined.iter().filter_map(|v| graph.producer(*v)).collect();
    members.extend(queue.iter().copied());
    let mut erased: FxHashSet<OpId> = FxHashSet::default();
    while let Some(op) = queue.pop_front() {
        if members.len() >= CONE_LIMIT {
            break;
        }
        let dies = graph.op(op).results().iter().flatten().all(|v| {
            redefined.contains(v)
                || graph.value(*v).uses().iter().all(|u| match u.user {
                    edgesmith_ir::User::Op(reader) => erased.contains(&reader),
                    edgesmith_ir::User::Output => false,
                })
        });
        if dies && erased.insert(op) {
            members.insert(op);
            queue.extend(graph.op(op).operands().iter().flatten().filter_map(|v| graph.producer(*v)));
        }
    }
    members
}

fn compare_sides(
    model: &Model,
    patch: &Patch,
    cone: &Cone<'_>,
    leaves: &FxHashMap<ValueId, Tensor>,
    fidelity: Fidelity,
) -> LocalVerdict {
    let before = match evaluate_cone(model, cone, leaves) {
        Ok(before) => before,
        Err((label, error)) => {
            return LocalVerdict::NotChecked { reason: format!("{label} on seeded values: {error}") };
        }
    };
    let after = match evaluate_patch(model, patch, &before) {
        Ok(after) => after,
        Err((label, error @ (EvalError::Unsupported(_) | EvalError::TooLarge { .. }))) => {
            return LocalVerdict::NotChecked { reason: format!("{label}: {error}") };
        }
        Err((label, error)) => {
            return LocalVerdict::Failed {
                detail: format!("the new {label} fails where the old operators did not: {error}"),
            };
        }
    };
    let mut largest = 0.0_f64;
    let mut any_finite = false;
    for (old, new) in cone.redefined.iter().zip(after) {
        let name = cone.graph.value(*old).name();
        let Some(was) = before.get(old) else {
            return LocalVerdict::NotChecked { reason: format!("'{name}' could not be evaluated") };
        };
        match compare_within(was, &new, fidelity) {
            Ok(Some(difference)) => {
                any_finite = true;
                largest = largest.max(difference);
            }
            Ok(None) => {}
            Err(detail) => return LocalVerdict::Failed { detail: format!("'{name}': {detail}") },
        }
    }
    if any_finite {
        LocalVerdict::Checked { difference: largest }
    } else {
        LocalVerdict::NotChecked { reason: "no seeded value gave a finite result".into() }
    }
}

fn evaluate_cone(
    model: &Model,
    cone: &Cone<'_>,
    leaves: &FxHashMap<ValueId, Tensor>,
) -> Result<FxHashMap<ValueId, Value>, Failure> {
    let mut values: FxHashMap<ValueId, Value> = leaves.iter().map(|(v, t)| (*v, Value::Tensor(t.clone()))).collect();
    evaluate(model, cone.graph, &cone.ops, &mut values, &options())?;
    Ok(values)
}

fn evaluate_patch(model: &Model, patch: &Patch, before: &FxHashMap<ValueId, Value>) -> Result<Vec<Value>, Failure> {
    let graph = model.graph(patch.graph);
    let mut results: Vec<Vec<Option<Value>>> = Vec::new();
    let read = |wire: Wire, results: &[Vec<Option<Value>>]| -> Option<Value> {
        match wire {
            Wire::Value(value) => match graph.value(value).def() {
                Def::Constant(tensor) => Some(Value::Tensor(model.tensor(tensor).clone())),
                _ => before.get(&value).cloned(),
            },
            Wire::Result { op, slot } => results.get(op)?.get(slot)?.clone(),
            Wire::Constant(index) => patch.constants.get(index).map(|c| Value::Tensor(c.tensor.clone())),
        }
    };
    for op in &patch.ops {
        let operands: Vec<Option<Value>> =
            op.operands.iter().map(|wire| wire.and_then(|wire| read(wire, &results))).collect();
        let evaluated = match &op.composite {
            Some(composite) => evaluate_composite(composite, operands, op.results, &options())?,
            None => evaluate_op(&op.op, &operands, &vec![true; op.results], &options())
                .map_err(|error| (op.op.name().to_owned(), error))?,
        };
        results.push(evaluated);
    }
    let missing = || ("value".to_owned(), EvalError::Unsupported("a result is missing".into()));
    patch.redefinitions.iter().map(|(_, by)| read(*by, &results).ok_or_else(missing)).collect()
}

fn options() -> EvalOptions {
    EvalOptions::running(LARGE_BYTES * 2)
}

/// The largest difference relative to the largest magnitude; `None` when nothing finite was there to compare.
fn compare_within(was: &Value, is: &Value, fidelity: Fidelity) -> Result<Option<f64>, String> {
    let difference = match compare(was, is) {
        Comparison::Unlike(message) => return Err(message),
        Comparison::Compared(difference) => difference,
    };
    let allowed = fidelity.allowance(was.as_tensor().map(Tensor::dtype));
    let same =
        if allowed == 0.0 { difference.exact || difference.differing == 0 } else { difference.relative <= allowed };
    if !same {
        let worst = difference
            .worst
            .as_ref()
            .map(|w| format!(": {} before and {} after at {:?}", w.reference, w.found, w.index));
        return Err(format!(
            "{} of {} elements differ{}",
            difference.differing,
            difference.elements,
            worst.unwrap_or_default()
        ));
    }
    let finite = was.as_tensor().is_none_or(|tensor| {
        tensor.is_empty()
            || !tensor.dtype().is_float()
            || tensor.to_f64().is_some_and(|x| x.iter().any(|v| v.is_finite()))
    });
    Ok(finite.then_some(difference.relative))
}

/// Seeded elements, but for those that are known.
fn seeded(stream: &mut Stream, dtype: DType, extents: Extents, known: Option<&[Item]>) -> Result<Tensor, String> {
    let count = edgesmith_ir::element_count(&extents).map_err(|error| error.to_string())?;
    let Some(known) = known.filter(|items| items.len() as u64 == count) else {
        return stream.tensor(dtype, extents, Spread::Ordinary, Some((0, 1)));
    };
    if dtype.is_float() {
        let elements: Vec<f64> =
            known.iter().map(|item| if let Item::Float(x) = item { *x } else { stream.normal() }).collect();
        return Tensor::from_f64(dtype, extents, &elements).ok_or_else(|| format!("no {dtype} elements could be made"));
    }
    let ints: Vec<i64> = known.iter().map(|item| item.int().unwrap_or(1)).collect();
    let source = Tensor::from_slice(extents, &ints).map_err(|error| error.to_string())?;
    if dtype == DType::I64 {
        return Ok(source);
    }
    let cast = Op::Cast(edgesmith_ir::op::Cast { to: dtype, saturate: true, round_mode: String::from("up") });
    let mut results =
        evaluate_op(&cast, &[Some(Value::Tensor(source))], &[true], &options()).map_err(|error| error.to_string())?;
    match results.pop().flatten() {
        Some(Value::Tensor(tensor)) => Ok(tensor),
        _ => Err(format!("no {dtype} elements could be made")),
    }
}
