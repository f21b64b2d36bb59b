//! Reads a run of dims off a tensor in one operator, instead of picking and joining them.

use edgesmith_ir::op::Shape;
use edgesmith_ir::{DType, Dim, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Concat(Unsqueeze(Gather(Shape(x), 0)), Unsqueeze(Gather(Shape(x), 1)))` is `Shape(x)` from axis 0 to axis 2.
pub(crate) struct ShortenShape;

/// Shape has a start and an end from this opset on.
const SHAPE_WITH_RANGE: i64 = 15;
/// Operators behind the root that are searched for a Shape.
const SEARCHED: usize = 24;

impl Rewrite for ShortenShape {
    const NAME: RuleName = "shorten-shape";
    const SUMMARY: &'static str = "consecutive dims of a tensor that were picked and joined become one Shape";
    const ROOTS: &'static [OpKind] = &[
        OpKind::Cast,
        OpKind::Concat,
        OpKind::Gather,
        OpKind::Reshape,
        OpKind::Slice,
        OpKind::Squeeze,
        OpKind::Unsqueeze,
    ];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/shorten-shape.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let output = cx.graph().op(root).result(0).ok_or(Miss::NoMatch)?;
        let wanted = symbolic_dims(cx, output).ok_or(Miss::NoMatch)?;
        for source in sources(cx, root) {
            let Some(dims) = cx.dims(source) else { continue };
            let Some(start) = run_in(&wanted, dims) else { continue };
            let end = start + wanted.len();
            if cx.opset() < SHAPE_WITH_RANGE && (start != 0 || end != dims.len()) {
                continue;
            }
            let shape = Shape { start: start as i64, end: (end != dims.len()).then_some(end as i64) };
            let mut patch = Patch::new(cx);
            let result = patch.insert(shape, [Some(source.into())]);
            patch.redefine(output, result);
            return Ok(patch);
        }
        Err(Miss::NoMatch)
    }
}

/// The elements of a list of integers of which all are known and one at least is symbolic.
fn symbolic_dims(cx: &Cx<'_>, value: ValueId) -> Option<Vec<Dim>> {
    if cx.dtype(value) != Some(DType::I64) || cx.dims(value)?.len() != 1 {
        return None;
    }
    let dims = cx.contents(value)?.dims();
    let known = !dims.is_empty() && dims.iter().all(|dim| !dim.is_unknown());
    (known && dims.iter().any(|dim| dim.known().is_none())).then_some(dims)
}

/// Where the wanted dims stand next to each other among these.
fn run_in(wanted: &[Dim], dims: &[Dim]) -> Option<usize> {
    dims.windows(wanted.len()).position(|run| run.iter().zip(wanted).all(|(a, b)| a.same(b)))
}

/// Tensors whose dims the root's arithmetic starts from, nearest first.
fn sources(cx: &Cx<'_>, root: OpId) -> Vec<ValueId> {
    let graph = cx.graph();
    let (mut queue, mut found) = (vec![root], Vec::new());
    let mut at = 0;
    while let Some(op) = queue.get(at).copied() {
        at += 1;
        cx.look_at(op);
        let data = graph.op(op);
        if let (OpKind::Shape, Some(source)) = (data.op().kind(), data.operand(0)) {
            found.push(source);
            continue;
        }
        for operand in data.operands().iter().flatten() {
            match graph.producer(*operand) {
                Some(producer) if queue.len() < SEARCHED && !queue.contains(&producer) => queue.push(producer),
                _ => {}
            }
        }
    }
    found
}
