//! The hybrid route: tract-onnx's own builder for one operator, run with facts that are known already.
//!
//! tract-onnx expects a whole model and infers its shapes. Here it sees one node whose operands carry concrete facts, so
//! that most builders need no inference at all, and the rest one that cannot fail on anything but this node.

use std::sync::OnceLock;

use edgesmith_ir::{Op, OpKind};
use tract_core::internal::*;
use tract_onnx::Onnx;
use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact, InferenceModel, InferenceModelExt, InferenceOp};
use tract_onnx::tract_hir::internal::Expansion;

use super::part::{Part, axis_of};
use super::proto;

fn framework() -> &'static Onnx {
    static FRAMEWORK: OnceLock<Onnx> = OnceLock::new();
    FRAMEWORK.get_or_init(tract_onnx::onnx)
}

/// Whether there is a builder for operators of this name.
#[cfg(test)]
pub(crate) fn has_builder(name: &str) -> bool {
    framework().op_register.0.contains_key(name)
}

/// Lowers one operator, given to the builder in the form of the operator set `opset`.
pub(crate) fn lower(
    op: &Op,
    opset: i64,
    facts: &[Option<TypedFact>],
    wanted: &[bool],
    symbols: &SymbolScope,
) -> TractResult<TypedModel> {
    if let Some(forward) = forward(op) {
        return reversed(op, &forward, opset, facts, wanted, symbols);
    }
    accept(op, facts)?;
    let present: Vec<bool> = facts.iter().map(Option::is_some).collect();
    let node = proto::node(op, &present, wanted)?;
    let (built, closures) = build(&node, opset, symbols)?;
    ensure!(closures.is_empty(), "its body reads outer values");
    let facts: Vec<TypedFact> = facts.iter().flatten().cloned().collect();
    let outputs = wanted.iter().filter(|wanted| **wanted).count();
    // An `Expansion` needs the facts of its operands only. The others read what the analyser wrote on their node, and
    // some unwrap what it would have written, so they are never tried without it.
    let needs_analysis = built.as_op().downcast_ref::<Box<dyn Expansion>>().is_none();
    if needs_analysis {
        return type_node(built, &facts, outputs, symbols, true);
    }
    type_node(built.clone(), &facts, outputs, symbols, false)
        .or_else(|first| type_node(built, &facts, outputs, symbols, true).map_err(|_| first))
}

fn build(node: &NodeProto, opset: i64, symbols: &SymbolScope) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let framework = framework();
    let register: &OnnxOpRegister = &framework.op_register;
    let builder = register.0.get(&node.op_type).with_context(|| format!("tract-onnx has no {}", node.op_type))?;
    let skeleton = ModelProto::default();
    let mut context = ParsingContext {
        onnx_operator_set_version: opset,
        framework,
        model: &skeleton,
        parent_graphs: vec![],
        model_dir: None,
        template: InferenceModel::default(),
    };
    // Builders make symbols for sizes that only the run knows: in the scope of the model that they end up in.
    context.template.symbols = symbols.clone();
    builder(&context, node)
}

fn type_node(
    op: Box<dyn InferenceOp>,
    facts: &[TypedFact],
    outputs: usize,
    symbols: &SymbolScope,
    analyse: bool,
) -> TractResult<TypedModel> {
    let mut inferred = InferenceModel { symbols: symbols.clone(), ..InferenceModel::default() };
    let mut typed = TypedModel { symbols: symbols.clone(), ..TypedModel::default() };
    let mut mapping: HashMap<OutletId, OutletId> = HashMap::new();
    let mut sources = Vec::new();
    for (slot, fact) in facts.iter().enumerate() {
        let from = inferred.add_source(format!("in{slot}"), InferenceFact::from(fact))?;
        let to = typed.add_source(format!("in{slot}"), fact.clone())?;
        mapping.insert(from, to);
        sources.push(from);
    }
    let id = inferred.add_node("op", op, tvec![InferenceFact::default(); outputs])?;
    for (slot, source) in sources.iter().enumerate() {
        inferred.add_edge(*source, InletId::new(id, slot))?;
    }
    let outlets: Vec<OutletId> = (0..outputs).map(|slot| OutletId::new(id, slot)).collect();
    inferred.select_output_outlets(&outlets)?;
    if analyse {
        inferred.analyse(false)?;
    }
    let node = inferred.node(id).clone();
    let mut values = Vec::new();
    if analyse {
        values.extend(node.outputs.iter().filter_map(|output| output.fact.value.concretize()));
    }
    let made = if !values.is_empty() && values.len() == outputs {
        // The analyser found the results themselves.
        let add = |(slot, value)| typed.add_const(format!("k{slot}"), value);
        values.into_iter().enumerate().map(add).collect::<TractResult<TVec<_>>>()?
    } else {
        node.op.to_typed(&inferred, &node, &mut typed, &mapping)?
    };
    ensure!(made.len() >= outputs, "{} results where {outputs} are wanted", made.len());
    typed.select_output_outlets(&made[..outputs])?;
    Ok(typed)
}

/// Refuses what the builders read wrongly without an error.
fn accept(op: &Op, facts: &[Option<TypedFact>]) -> TractResult<()> {
    let lengths = match op {
        Op::LSTM(_) | Op::GRU(_) | Op::RNN(_) => facts.get(4).and_then(Option::as_ref),
        _ => None,
    };
    if let (Some(lengths), Some(Some(x))) = (lengths, facts.first()) {
        let batch_first = match op {
            Op::LSTM(op) => op.layout,
            Op::GRU(op) => op.layout,
            Op::RNN(op) => op.layout,
            _ => false,
        };
        let steps = x.shape[usize::from(batch_first)].to_i64()?;
        let known = lengths.konst.as_ref().context("sequences of lengths that only the run knows")?;
        let known = known.cast_to::<i64>()?;
        let all = known.try_as_plain_ram()?;
        ensure!(all.as_slice::<i64>()?.iter().all(|length| *length == steps), "sequences of different lengths");
    }
    Ok(())
}

/// The same recurrent operator run forward, if this one runs in reverse: tract-onnx ignores the direction.
fn forward(op: &Op) -> Option<Op> {
    use edgesmith_ir::op::RecurrentDirection::{Forward, Reverse};
    let mut forward = op.clone();
    let direction = match &mut forward {
        Op::LSTM(op) => &mut op.direction,
        Op::GRU(op) => &mut op.direction,
        Op::RNN(op) => &mut op.direction,
        _ => return None,
    };
    if *direction != Reverse {
        return None;
    }
    *direction = Forward;
    Some(forward)
}

/// Runs a reverse recurrent operator forward on its input flipped along time, and flips the sequence of results.
fn reversed(
    op: &Op,
    forward: &Op,
    opset: i64,
    facts: &[Option<TypedFact>],
    wanted: &[bool],
    symbols: &SymbolScope,
) -> TractResult<TypedModel> {
    debug_assert!(matches!(op.kind(), OpKind::LSTM | OpKind::GRU | OpKind::RNN));
    let batch_first = match op {
        Op::LSTM(op) => op.layout,
        Op::GRU(op) => op.layout,
        Op::RNN(op) => op.layout,
        _ => false,
    };
    // [time, batch, ...], or batch first: the sequence of results has the directions in between.
    let time = usize::from(batch_first);
    let mut part = Part::new(facts, wanted, symbols)?;
    let x = part.input(0)?;
    let flipped = flip(&mut part, x, axis_of(time as i64, 3)?)?;
    let inner = lower(forward, opset, facts, wanted, symbols)?;
    let mut operands = part.present();
    operands[0] = flipped;
    let made = crate::splice::splice(&mut part.model, inner, &operands, "forward/")?;
    let mut made = made.into_iter();
    let mut outlets = Vec::new();
    for (slot, wanted) in wanted.iter().enumerate() {
        if *wanted {
            let outlet = made.next().context("a result is missing")?;
            outlets.push(if slot == 0 { flip(&mut part, outlet, time)? } else { outlet });
        }
    }
    part.model.select_output_outlets(&outlets)?;
    Ok(part.model)
}

fn flip(part: &mut Part, x: OutletId, axis: usize) -> TractResult<OutletId> {
    let steps = part.shape(x)?[axis] as i64;
    part.pick(x, axis, &(0..steps).rev().collect::<Vec<_>>())
}
