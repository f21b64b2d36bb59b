//! Keeps a weight once that is there plain and transposed.

use edgesmith_ir::op::Gemm;
use edgesmith_ir::{DType, Def, GraphId, Model, Op, OpId, Tensor, TensorData, TensorId, User, ValueId};
use edgesmith_pass::Event;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::smallvec;

/// So many bytes are worth an operator's flag.
const WORTH: u64 = 1 << 10;

/// Lets products read a weight transposed, where that is all that tells it from another weight. Returns how many weights went.
pub(crate) fn merge(model: &mut Model, tell: &mut dyn FnMut(Event)) -> u64 {
    model.open_graphs().into_iter().map(|graph| merge_in(model, graph, tell)).sum()
}

/// What two weights agree on where one is the other transposed: corners, which stay where they are, and sizes.
#[derive(PartialEq, Eq, Hash)]
struct Sketch {
    dtype: DType,
    sides: [u64; 2],
    corners: [Vec<u8>; 2],
}

fn merge_in(model: &mut Model, graph_id: GraphId, tell: &mut dyn FnMut(Event)) -> u64 {
    let mut kept: FxHashMap<Sketch, Vec<(ValueId, TensorId, bool)>> = FxHashMap::default();
    let constants: Vec<(ValueId, TensorId)> = model
        .graph(graph_id)
        .values()
        .filter_map(|(id, value)| match value.def() {
            Def::Constant(tensor) if !value.uses().is_empty() => Some((id, tensor)),
            _ => None,
        })
        .collect();
    let mut merged = 0;
    for (value, id) in constants {
        let Some(sketch) = sketch(model.tensor(id)) else { continue };
        // Only what products alone read can go: where neither is, their elements need not be compared.
        let may_go = products(model, graph_id, value).is_some();
        let candidates = kept.entry(sketch).or_default();
        let twin = candidates.iter().position(|(_, other, other_may_go)| {
            (may_go || *other_may_go) && are_transposed(model.tensor(*other), model.tensor(id))
        });
        match twin {
            Some(at) if may_go => merged += u64::from(turn(model, graph_id, value, candidates[at].0, tell)),
            Some(at) => {
                let (twin, ..) = std::mem::replace(&mut candidates[at], (value, id, may_go));
                merged += u64::from(turn(model, graph_id, twin, value, tell));
            }
            None => candidates.push((value, id, may_go)),
        }
    }
    merged
}

fn sketch(tensor: &Tensor) -> Option<Sketch> {
    let [rows, columns] = *tensor.shape() else { return None };
    let width = tensor.dtype().whole_bytes()?;
    if rows < 2 || columns < 2 || tensor.byte_len() < WORTH {
        return None;
    }
    let TensorData::Dense(bytes) = tensor.data() else { return None };
    let corners = [bytes[..width].to_vec(), bytes[bytes.len() - width..].to_vec()];
    Some(Sketch { dtype: tensor.dtype(), sides: [rows.min(columns), rows.max(columns)], corners })
}

/// Whether one is the other with its two axes swapped.
fn are_transposed(a: &Tensor, b: &Tensor) -> bool {
    let (&[rows, columns], &[b_rows, b_columns]) = (a.shape(), b.shape()) else { return false };
    let Some(width) = a.dtype().whole_bytes() else { return false };
    let (TensorData::Dense(a), TensorData::Dense(b)) = (a.data(), b.data()) else { return false };
    let (rows, columns) = (rows as usize, columns as usize);
    (rows, columns) == (b_columns as usize, b_rows as usize)
        && (0..rows * columns)
            .all(|at| a[at * width..][..width] == b[(at % columns * rows + at / columns) * width..][..width])
}

/// The products that read a constant, with what they are when they read it transposed; `None` where anything else reads it.
fn products(model: &Model, graph_id: GraphId, value: ValueId) -> Option<Vec<(OpId, usize, Gemm)>> {
    let graph = model.graph(graph_id);
    let row = graph.value(value);
    if row.is_pinned() || row.is_output() {
        return None;
    }
    let turned = row.uses().iter().map(|reading| match reading.user {
        User::Op(op) => Some((op, reading.slot as usize, turned(graph.op(op).op(), reading.slot as usize)?)),
        User::Output => None,
    });
    let turned = turned.collect::<Option<Vec<(OpId, usize, Gemm)>>>()?;
    // An operator that reads it twice would be turned once.
    let operators: FxHashSet<OpId> = turned.iter().map(|(op, ..)| *op).collect();
    (operators.len() == turned.len()).then_some(turned)
}

/// Lets the products that read `from` read `to` transposed.
fn turn(model: &mut Model, graph_id: GraphId, from: ValueId, to: ValueId, tell: &mut dyn FnMut(Event)) -> bool {
    let Some(products) = products(model, graph_id, from) else { return false };
    for (op, slot, gemm) in products {
        let (site, origin) = (model.op_label(graph_id, op), model.graph(graph_id).op(op).origin());
        tell(Event { rule: crate::TRANSPOSED.name, site, from: smallvec![origin], into: Some(origin) });
        let graph = model.graph_mut(graph_id);
        graph.set_op(op, gemm.into());
        graph.set_operand(op, slot, Some(to));
    }
    model.graph_mut(graph_id).erase_constant(from);
    true
}

/// The product that reads this operand the other way round.
fn turned(op: &Op, slot: usize) -> Option<Gemm> {
    let Op::Gemm(gemm) = op else { return None };
    match slot {
        0 => Some(Gemm { transpose_a: !gemm.transpose_a, ..gemm.clone() }),
        1 => Some(Gemm { transpose_b: !gemm.transpose_b, ..gemm.clone() }),
        _ => None,
    }
}
