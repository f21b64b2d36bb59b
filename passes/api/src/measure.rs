//! Measuring: two models run on the same data, compared output by output and layer by layer, a few batches at a time.
//!
//! A layer's own loss needs its new weights on its old inputs. So the model before gets a twin of every changed operator,
//! with the new weights and the old inputs, and one run gives both results.

use std::sync::{Mutex, PoisonError};

use edgesmith_exec::{Batch, Calibration, Effort, Engine, Labelled, Prepared, Request, Session, Value, Values};
use edgesmith_ir::{GraphId, Model, Name, NewOp, OpId, Tensor, ValueId};
use edgesmith_rewrite::Names;
use rayon::prelude::*;

use crate::loss::{Decibels, Figures, LayerLoss, LossReport, OutputLoss, Top1};
use crate::scope::scope_of;

/// What there is to measure with.
#[derive(Clone, Default)]
pub struct Measuring<'a> {
    /// Engines in the order in which they are tried.
    pub engines: Vec<&'a dyn Engine>,
    /// Data to compare outputs and layers on.
    pub calibration: Option<&'a dyn Calibration>,
    /// Data to measure accuracy on.
    pub labelled: Option<&'a Labelled>,
}

/// Why nothing is known where no data were given.
pub(crate) const NO_CALIBRATION: &str =
    "outputs and layers: no calibration data; give --calibration PATH or [calibration]";
const NO_LABELLED: &str = "top-1: no labelled data; give --labelled FILE or [labelled]";

impl Measuring<'_> {
    /// What the model after lost against the model before, in its outputs and, where asked for, layer by layer and in
    /// accuracy. What cannot be measured is said in the report.
    pub fn loss(&self, before: &Model, after: &Model, layers: bool) -> LossReport {
        let mut report = LossReport::default();
        match self.calibration {
            None => report.not_measured.push(NO_CALIBRATION.into()),
            Some(data) => {
                let changed = if layers { changed_layers(before, after, &mut report.not_measured) } else { Vec::new() };
                let mut failures: Vec<String> = Vec::new();
                for engine in &self.engines {
                    match compare_on(data, *engine, before, after, &changed) {
                        Ok(mut found) => {
                            found.not_measured.append(&mut report.not_measured);
                            report = found;
                            failures.clear();
                            break;
                        }
                        Err(error) => failures.push(format!("{}: {error}", engine.name())),
                    }
                }
                if self.engines.is_empty() {
                    failures.push("there is no engine".into());
                }
                if !failures.is_empty() {
                    report.not_measured.push(format!("outputs and layers: {}", failures.join("; ")));
                }
            }
        }
        report
    }

    /// The class that the model tells for each labelled sample; `None` without labelled data.
    pub fn predictions(&self, model: &Model) -> Option<Result<Vec<i64>, String>> {
        let labelled = self.labelled?;
        let mut failures: Vec<String> = Vec::new();
        for engine in &self.engines {
            match predict(labelled.data.as_ref(), *engine, model) {
                Ok(classes) if classes.len() == labelled.labels.len() => return Some(Ok(classes)),
                Ok(classes) => {
                    let (samples, labels) = (classes.len(), labelled.labels.len());
                    failures.push(format!("{samples} samples came with {labels} labels"));
                    break;
                }
                Err(error) => failures.push(format!("{}: {error}", engine.name())),
            }
        }
        Some(Err(failures.join("; ")))
    }

    /// Adds accuracy to a report, from the predictions before and after.
    pub fn add_top1(
        &self,
        report: &mut LossReport,
        before: Option<&Result<Vec<i64>, String>>,
        after: Option<&Result<Vec<i64>, String>>,
    ) {
        let (Some(labelled), Some(before), Some(after)) = (self.labelled, before, after) else {
            report.not_measured.push(NO_LABELLED.into());
            return;
        };
        match (before, after) {
            (Ok(before), Ok(after)) => report.top1 = Some(top1(&labelled.labels, before, after)),
            (Err(error), _) | (_, Err(error)) => report.not_measured.push(format!("top-1: {error}")),
        }
    }
}

fn top1(labels: &[i64], before: &[i64], after: &[i64]) -> Top1 {
    let mut top1 = Top1 { samples: labels.len() as u64, before: 0, after: 0, lost: 0, won: 0, agree: 0 };
    for ((label, before), after) in labels.iter().zip(before).zip(after) {
        let (was, is) = (before == label, after == label);
        top1.before += u64::from(was);
        top1.after += u64::from(is);
        top1.lost += u64::from(was && !is);
        top1.won += u64::from(!was && is);
        top1.agree += u64::from(before == after);
    }
    top1
}

/// An operator that both models have, with other constants.
struct Changed {
    before: OpId,
    /// The result that is compared, and its name in both models.
    result: Name,
    slot: usize,
    /// The operands of the model after that are constant, by slot; the others are as they were.
    constants: Vec<(usize, Tensor)>,
    op: edgesmith_ir::Op,
    /// Whether the operands that are not constant are the same values: only then is there a loss of the layer alone.
    same_inputs: bool,
    loss: LayerLoss,
}

/// The operators of the main graph that only differ in constants. Those of other graphs cannot be tapped, and are named.
fn changed_layers(before: &Model, after: &Model, not_measured: &mut Vec<String>) -> Vec<Changed> {
    let (Some(main_before), Some(main_after)) = (before.main(), after.main()) else { return Vec::new() };
    let old = before.graph(main_before);
    let by_name: rustc_hash::FxHashMap<&Name, ValueId> = old.values().map(|(id, row)| (row.name(), id)).collect();
    let graph = after.graph(main_after);
    let mut changed = Vec::new();
    for (op, data) in graph.ops() {
        let Some((slot, result)) = data.results().iter().enumerate().find_map(|(k, v)| Some((k, (*v)?))) else {
            continue;
        };
        let result = graph.value(result).name();
        let Some(twin) = by_name.get(result).and_then(|value| old.producer(*value)) else { continue };
        let was = old.op(twin);
        if was.op().kind() != data.op().kind() || !data.regions().is_empty() {
            continue;
        }
        let mut constants = Vec::new();
        let (mut differs, mut same_inputs) = (false, was.operands().len() == data.operands().len());
        for (slot, operand) in data.operands().iter().enumerate() {
            let (new, old_value) = (*operand, was.operand(slot));
            let tensor = new.and_then(|v| after.constant_of(main_after, v));
            let old_tensor = old_value.and_then(|v| before.constant_of(main_before, v));
            match (tensor, old_tensor) {
                (Some(tensor), Some(old_tensor)) => {
                    differs |= !tensor.same_content(old_tensor);
                    constants.push((slot, tensor.clone()));
                }
                _ => {
                    same_inputs &= match (new, old_value) {
                        (Some(a), Some(b)) => graph.value(a).name() == old.value(b).name(),
                        (a, b) => a.is_none() && b.is_none(),
                    };
                }
            }
        }
        if differs {
            changed.push(Changed {
                before: twin,
                result: result.clone(),
                slot,
                constants,
                op: data.op().clone(),
                same_inputs,
                loss: LayerLoss {
                    layer: after.op_label(main_after, op).to_string(),
                    kind: data.op().name().to_owned(),
                    scope: scope_of(after, main_after, op).map(|scope| scope.to_string()),
                    isolated: None,
                    accumulated: None,
                },
            });
        }
    }
    inner_changes(before, after, not_measured);
    changed
}

/// Says of the graphs inside operators whether their constants changed.
fn inner_changes(before: &Model, after: &Model, not_measured: &mut Vec<String>) {
    let tensors = |model: &Model, graph: GraphId| -> Vec<(Name, Tensor)> {
        let g = model.graph(graph);
        g.values()
            .filter_map(|(_, row)| match row.def() {
                edgesmith_ir::Def::Constant(id) => Some((row.name().clone(), model.tensor(id).clone())),
                _ => None,
            })
            .collect()
    };
    let (old, new) = (before.live_graphs(), after.live_graphs());
    for (a, b) in old.iter().zip(&new).skip(1) {
        let (a, b) = (tensors(before, *a), tensors(after, *b));
        let differing = a.iter().zip(&b).filter(|(x, y)| x.0 == y.0 && !x.1.same_content(&y.1)).count();
        if differing > 0 {
            not_measured.push(format!(
                "{differing} weight(s) such as '{}' inside a subgraph: its values cannot be tapped, the outputs show their loss",
                b.iter().zip(&a).find(|(y, x)| !x.1.same_content(&y.1)).map_or("", |(y, _)| y.0.as_str())
            ));
        }
    }
}

/// The model before with a twin of every changed operator; for each the name of the twin's result.
fn with_twins(before: &Model, changed: &[Changed]) -> (Model, Vec<Option<Name>>) {
    let mut model = before.clone();
    let Some(main) = model.main() else { return (model, Vec::new()) };
    let mut names = Names::default();
    let mut results = Vec::new();
    for layer in changed {
        if !layer.same_inputs {
            results.push(None);
            continue;
        }
        let mut operands: smallvec::SmallVec<[Option<ValueId>; 4]> =
            model.graph(main).op(layer.before).operands().into();
        for (slot, tensor) in &layer.constants {
            let same =
                operands[*slot].and_then(|v| model.constant_of(main, v)).is_some_and(|old| old.same_content(tensor));
            if !same {
                let name = names.fresh(&model, main, &Name::from(format!("{}_weight_after", layer.result)));
                operands[*slot] = Some(model.add_constant(main, name, tensor.clone()));
            }
        }
        let name = names.fresh(&model, main, &Name::from(format!("{}_with_weights_after", layer.result)));
        let row = model.graph(main).op(layer.before);
        let (wanted, origin) = (row.results().len(), row.origin());
        let ty = row.result(layer.slot).map(|value| model.graph(main).value(value).ty().clone());
        let op = model.graph_mut(main).add_op(NewOp {
            op: layer.op.clone(),
            operands,
            captures: 0,
            regions: smallvec::SmallVec::new(),
            results: (0..wanted).map(|slot| (slot == layer.slot).then(|| name.clone())).collect(),
            name: Name::default(),
            origin,
        });
        if let (Some(value), Some(ty)) = (model.graph(main).op(op).result(layer.slot), ty) {
            model.graph_mut(main).set_type(value, ty);
        }
        results.push(Some(name));
    }
    (model, results)
}

/// Runs both models over the data.
fn compare_on(
    data: &dyn Calibration,
    engine: &dyn Engine,
    before: &Model,
    after: &Model,
    changed: &[Changed],
) -> Result<LossReport, String> {
    let (probe, twins) = with_twins(before, changed);
    let taps: Vec<Name> = changed.iter().map(|layer| layer.result.clone()).collect();
    let request = |taps: Vec<Name>| Request { effort: Effort::Many, taps, ..Request::default() };
    let outputs: Vec<Name> = before
        .main_graph()
        .map(|graph| graph.outputs().iter().map(|value| graph.value(*value).name().clone()).collect())
        .unwrap_or_default();
    let old =
        Pool::new(engine, &probe, &request(taps.iter().cloned().chain(twins.iter().flatten().cloned()).collect()))?;
    let new = Pool::new(engine, after, &request(taps))?;
    let mut totals = vec![Sums::default(); outputs.len()];
    let (mut isolated, mut accumulated) = (vec![Sums::default(); changed.len()], vec![Sums::default(); changed.len()]);
    let (mut samples, mut unlike) = (0, Vec::new());
    walk(
        data,
        |batch| {
            let expected = old.run(&batch.values)?;
            let found = new.run(&batch.values)?;
            let pair = |a: &Values, x: &Name, b: &Values, y: &Name| Sums::of(a.get(x), b.get(y));
            let outputs: Vec<_> = outputs.iter().map(|name| pair(&expected, name, &found, name)).collect();
            let layers: Vec<_> = changed
                .iter()
                .zip(&twins)
                .map(|(layer, twin)| {
                    let isolated = twin.as_ref().map(|twin| pair(&expected, &layer.result, &expected, twin));
                    (isolated, pair(&expected, &layer.result, &found, &layer.result))
                })
                .collect();
            Ok((outputs, layers, batch.samples))
        },
        |(found, layers, count)| {
            samples += count;
            for (at, sums) in found.into_iter().enumerate() {
                match sums {
                    Ok(sums) => totals[at].add(&sums),
                    Err(why) if totals[at].elements == 0 => unlike.push((at, why)),
                    Err(why) => return Err(format!("output '{}': {why}", outputs[at])),
                }
            }
            for (at, (alone, together)) in layers.into_iter().enumerate() {
                let add = |to: &mut Sums, sums: Result<Sums, String>| {
                    if let Ok(sums) = sums {
                        to.add(&sums);
                    }
                };
                if let Some(alone) = alone {
                    add(&mut isolated[at], alone);
                }
                add(&mut accumulated[at], together);
            }
            Ok(())
        },
    )?;
    if samples == 0 {
        return Err(format!("{} hold no sample", data.describe()));
    }
    let mut report = LossReport {
        data: Some(data.describe()),
        samples,
        engine: Some(engine.name().to_owned()),
        ..LossReport::default()
    };
    for (name, sums) in outputs.iter().zip(&totals) {
        if let Some(figures) = sums.figures() {
            report.outputs.push(OutputLoss { output: name.to_string(), figures });
        }
    }
    unlike.dedup_by_key(|(at, _)| *at);
    report.not_measured.extend(unlike.into_iter().map(|(at, why)| format!("output '{}': {why}", outputs[at])));
    report.layers = changed
        .iter()
        .zip(isolated.iter().zip(&accumulated))
        .map(|(layer, (alone, together))| LayerLoss {
            isolated: alone.figures(),
            accumulated: together.figures(),
            ..layer.loss.clone()
        })
        .collect();
    // Stable: layers of equal loss stay in the order of the graph.
    let key = |layer: &LayerLoss| layer.isolated.or(layer.accumulated).map_or(f64::INFINITY, |figures| figures.sqnr.0);
    report.layers.sort_by(|a, b| key(a).total_cmp(&key(b)));
    Ok(report)
}

/// The class with the largest score of the first output, for every sample; of equal scores the first.
fn predict(data: &dyn Calibration, engine: &dyn Engine, model: &Model) -> Result<Vec<i64>, String> {
    let pool = Pool::new(engine, model, &Request { effort: Effort::Many, ..Request::default() })?;
    let mut classes = Vec::new();
    walk(
        data,
        |batch| {
            let outputs = pool.run(&batch.values)?;
            let scores = outputs.values().next().and_then(Value::as_tensor).and_then(Tensor::to_f64);
            let samples = batch.samples.max(1) as usize;
            let scores = scores.filter(|scores| !scores.is_empty() && scores.len() % samples == 0);
            let scores = scores.ok_or("the first output does not hold scores for every sample")?;
            let class = |row: &[f64]| {
                let best = |best: usize, k: usize| if row[k] > row[best] { k } else { best };
                (1..row.len()).fold(0, best) as i64
            };
            Ok(scores.chunks(scores.len() / samples).map(class).collect::<Vec<i64>>())
        },
        |found| {
            classes.extend(found);
            Ok(())
        },
    )?;
    Ok(classes)
}

/// Walks through the data with all workers, a few batches at a time; results are taken in the order of the data.
fn walk<T: Send>(
    data: &dyn Calibration,
    work: impl Fn(&Batch) -> Result<T, String> + Sync,
    mut take: impl FnMut(T) -> Result<(), String>,
) -> Result<(), String> {
    let mut batches = data.batches();
    loop {
        let chunk: Vec<Batch> = batches
            .by_ref()
            .take(2 * rayon::current_num_threads())
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        if chunk.is_empty() {
            return Ok(());
        }
        let results: Vec<T> = chunk.par_iter().map(&work).collect::<Result<_, _>>()?;
        results.into_iter().try_for_each(&mut take)?;
    }
}

/// A prepared model with as many sessions as ever ran at once.
struct Pool {
    prepared: Box<dyn Prepared>,
    idle: Mutex<Vec<Box<dyn Session>>>,
}

impl Pool {
    fn new(engine: &dyn Engine, model: &Model, request: &Request) -> Result<Self, String> {
        let prepared = engine.prepare(model, request).map_err(|error| error.to_string())?;
        Ok(Self { prepared, idle: Mutex::default() })
    }

    fn run(&self, inputs: &Values) -> Result<Values, String> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut session = match waiting {
            Some(session) => session,
            None => self.prepared.session().map_err(|error| error.to_string())?,
        };
        let outputs = session.run(inputs).map_err(|error| error.to_string())?;
        idle().push(session);
        Ok(outputs)
    }
}

/// Sums over pairs of elements.
#[derive(Clone, Copy, Default)]
struct Sums {
    reference: f64,
    found: f64,
    product: f64,
    noise: f64,
    elements: u64,
    /// An element that is a number in the reference is none in what was found.
    broken: bool,
}

impl Sums {
    fn of(reference: Option<&Value>, found: Option<&Value>) -> Result<Self, String> {
        let tensors = reference.and_then(Value::as_tensor).zip(found.and_then(Value::as_tensor));
        let (a, b) = tensors.ok_or("it is no tensor")?;
        if a.shape() != b.shape() {
            return Err(format!("its shape is {:?} before and {:?} after", a.shape(), b.shape()));
        }
        let (a, b) = a.to_f64().zip(b.to_f64()).ok_or("its elements are no numbers")?;
        let mut sums = Self { elements: a.len() as u64, ..Self::default() };
        for (x, y) in a.iter().zip(&b) {
            if x.is_finite() && y.is_finite() {
                sums.reference += x * x;
                sums.found += y * y;
                sums.product += x * y;
                sums.noise += (x - y) * (x - y);
            } else {
                // Both not a number, or the same infinity: nothing was lost.
                sums.broken |= x != y && !(x.is_nan() && y.is_nan());
            }
        }
        Ok(sums)
    }

    fn add(&mut self, other: &Self) {
        self.reference += other.reference;
        self.found += other.found;
        self.product += other.product;
        self.noise += other.noise;
        self.elements += other.elements;
        self.broken |= other.broken;
    }

    fn figures(&self) -> Option<Figures> {
        let ratio = if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.reference / self.noise).log10() };
        let lengths = (self.reference * self.found).sqrt();
        let cosine = if self.noise == 0.0 {
            1.0
        } else if lengths > 0.0 {
            (self.product / lengths).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        let (sqnr, cosine) = if self.broken { (f64::NEG_INFINITY, 0.0) } else { (ratio, cosine) };
        (self.elements > 0).then_some(Figures { sqnr: Decibels(sqnr), cosine, elements: self.elements })
    }
}
