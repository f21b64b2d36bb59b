//! DepthToSpace from Reshape, Transpose, Reshape.

use edgesmith_ir::op::{BlockOrder, DepthToSpace, Reshape, Transpose};
use edgesmith_ir::{Dim, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{is_single_or_half, saves, since};

/// Channels taken apart into blocks that move between the pixels: `[N, b, b, C, H, W]` or `[N, C, b, b, H, W]` to
/// `[N, C, H, b, W, b]`.
pub(crate) struct RaiseDepthToSpace;

impl Rewrite for RaiseDepthToSpace {
    const NAME: RuleName = "raise-depth-to-space";
    const SUMMARY: &'static str =
        "blocks of channels moved between the pixels by Reshape and Transpose into DepthToSpace";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../../manual/raise-depth-to-space.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let Blocks { x, split, perm, result, shapes } = blocks(cx, root)?;
        let (mode, block, depth) = match perm {
            [0, 3, 4, 1, 5, 2] => (BlockOrder::DepthColumnRow, [1, 2], 3),
            [0, 1, 4, 2, 5, 3] => (BlockOrder::ColumnRowDepth, [2, 3], 1),
            _ => return Err(Miss::NoMatch),
        };
        since(cx, if mode == BlockOrder::DepthColumnRow { 1 } else { 11 })?;
        let (Some(dims), Some(after)) = (cx.dims(x), cx.dims(result)) else { return Err(Miss::NoMatch) };
        let size =
            split[block[0]].known().filter(|size| *size > 1 && split[block[1]].is(*size)).ok_or(Miss::NoMatch)?;
        let area = Dim::Known(size * size);
        let (grown, channels) = (Dim::Known(size), split[depth].clone());
        let fits = split[0].same(&dims[0])
            && split[4].same(&dims[2])
            && split[5].same(&dims[3])
            && channels.mul(&area).same(&dims[1])
            && [&dims[0], &channels].into_iter().zip(after).all(|(a, b)| a.same(b))
            && dims[2..].iter().zip(&after[2..]).all(|(a, b)| a.mul(&grown).same(b));
        if !fits {
            return Err(Miss::NoMatch);
        }
        saves(cx, result, &[x, shapes[0], shapes[1]], 1)?;
        let mut patch = Patch::new(cx);
        let raised = patch.insert(DepthToSpace { blocksize: size, mode }, [Some(x.into())]);
        patch.redefine(result, raised);
        Ok(patch)
    }
}

/// A tensor of rank 4, reshaped to rank 6, transposed, and reshaped to rank 4.
pub(super) struct Blocks<'m> {
    pub x: ValueId,
    /// The dims of rank 6.
    pub split: &'m [Dim],
    pub perm: [i64; 6],
    pub result: ValueId,
    /// The operands that name the shapes.
    pub shapes: [ValueId; 2],
}

pub(super) fn blocks<'m>(cx: &Cx<'m>, root: OpId) -> Match<Blocks<'m>> {
    let join = cx.op::<Reshape>(root)?;
    let transpose = cx.producer::<Transpose>(join.data())?;
    let perm = <[i64; 6]>::try_from(transpose.perm.as_slice()).map_err(|_| Miss::NoMatch)?;
    let cut = cx.producer::<Reshape>(transpose.data())?;
    let (x, result) = (cut.data(), join.reshaped());
    is_single_or_half(cx, x)?;
    let of_rank = |value: ValueId, rank: usize| cx.dims(value).filter(|dims| dims.len() == rank).ok_or(Miss::NoMatch);
    of_rank(x, 4)?;
    of_rank(result, 4)?;
    let split = of_rank(cut.reshaped(), 6)?;
    Ok(Blocks { x, split, perm, result, shapes: [cut.shape(), join.shape()] })
}
