//! What stands around a value, and in which layout it makes or reads it.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{Dim, GraphId, Model, OpId, OpKind, User, ValueId};
use smallvec::SmallVec;

use super::islands::view;
use super::layout::{Layout, added_axes};
use super::reduction::drops_what_moves;
use crate::merge_reshapes::REGROUPING;
use crate::merge_transposes::{inverse, permutation};

/// No island is widened to more axes than this: engines for devices know no more in products, or are slow with them.
const WIDEST: usize = 4;

/// The layouts that are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Axes in another order: transposes are saved.
    Permuted,
    /// Axes of one index more: Squeeze, Unsqueeze and their kin are saved.
    Widened,
}

impl Kind {
    /// Whether operators of this kind change layouts of this kind.
    pub(super) fn is_changed_by(self, kind: OpKind) -> bool {
        match self {
            Kind::Permuted => kind == OpKind::Transpose,
            Kind::Widened => REGROUPING.contains(&kind),
        }
    }
}

/// In which layout something is made or read.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// In the layout of now.
    Old,
    /// In the other layout.
    New,
    /// As this carrier of the island is.
    As(usize),
}

/// Whether an operator makes a value, or reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Made,
    Read,
}

/// What stands around a value.
pub(super) struct Neighbours<'m> {
    pub model: &'m Model,
    pub id: GraphId,
    pub value: ValueId,
}

impl<'m> Neighbours<'m> {
    /// The operators that read the value; none for a result of the graph.
    pub(super) fn readers(&self) -> impl Iterator<Item = Option<OpId>> + use<'m> {
        self.model.graph(self.id).value(self.value).uses().iter().map(|reading| match reading.user {
            User::Op(op) => Some(op),
            User::Output => None,
        })
    }

    fn dims(&self, value: Option<ValueId>) -> Option<&'m [Dim]> {
        self.model.graph(self.id).value(value?).ty().dims()
    }

    fn permutation(&self, op: OpId) -> Option<Vec<usize>> {
        let transpose = self.model.graph(self.id).view::<Transpose>(op)?;
        permutation(&transpose, self.dims(Some(self.value))?.len()).ok()
    }

    /// The layout of the value on the other side of an operator that only changes layouts of this kind.
    pub(super) fn other_side(&self, kind: Kind, op: OpId, end: End) -> Option<Layout> {
        if kind == Kind::Permuted {
            let perm = self.permutation(op)?;
            return Some(Layout::permuted(&if end == End::Made { inverse(&perm) } else { perm }));
        }
        let data = self.model.graph(self.id).op(op);
        let (mine, other) = match end {
            End::Made => (data.result(0), data.operand(0)),
            End::Read => (data.operand(0), data.result(0)),
        };
        if !REGROUPING.contains(&data.op().kind()) || mine != Some(self.value) {
            return None;
        }
        let (dims, wide) = (self.dims(mine)?, self.dims(other)?);
        if wide.len() > WIDEST {
            return None;
        }
        Some(Layout::widened(dims.len(), &added_axes(dims, wide)?))
    }

    /// Whether an operator that regroups elements takes the change of layout in.
    fn absorbs(&self, layout: &Layout, op: OpId, end: End) -> bool {
        let data = self.model.graph(self.id).op(op);
        let (Some(dims), Some(result)) = (self.dims(Some(self.value)), self.dims(data.result(0))) else { return false };
        // One Reshape can only say one size that is not known.
        let can_say = |dims: &[Dim]| dims.iter().filter(|dim| dim.known().is_none_or(|n| n == 0)).count() <= 1;
        let alone = self.model.graph(self.id).value(self.value).uses().len() == 1;
        REGROUPING.contains(&data.op().kind())
            && layout.keeps_elements(dims)
            && can_say(dims)
            && can_say(result)
            && (end == End::Made || alone && data.operand(0) == Some(self.value))
    }

    /// In which layout an operator outside of the island makes the value.
    pub(super) fn made(&self, kind: Kind, layout: &Layout, op: OpId) -> SmallVec<[Side; 2]> {
        match self.other_side(kind, op, End::Made) {
            Some(other) if other == *layout => [Side::New].as_slice().into(),
            Some(_) if kind == Kind::Permuted => [Side::Old, Side::New].as_slice().into(),
            _ if self.absorbs(layout, op, End::Made) => [Side::Old, Side::New].as_slice().into(),
            _ => [Side::Old].as_slice().into(),
        }
    }

    /// In which layout an operator outside of the island reads the value; `None` where that makes no difference.
    pub(super) fn read(&self, kind: Kind, layout: &Layout, op: OpId) -> Option<Side> {
        match self.other_side(kind, op, End::Read) {
            Some(other) if other == *layout => Some(Side::New),
            // A transpose to a third order stays one, whatever it reads.
            Some(_) if kind == Kind::Permuted => None,
            _ if self.absorbs(layout, op, End::Read) => None,
            _ if layout.order().is_some_and(|perm| drops_what_moves(&view(self.model, self.id, op), op, &perm)) => None,
            _ => Some(Side::Old),
        }
    }
}
