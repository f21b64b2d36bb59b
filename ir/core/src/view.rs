//! An operator of a known kind, with its operands and results by name.

use crate::{OpData, OpId, ValueId};

/// Which list an accessor reads.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// Operands.
    Operands,
    /// Results.
    Results,
}

/// An operator of a known kind: its attributes by field, its operands and results by name.
#[derive(Debug)]
pub struct View<'g, K> {
    /// The operator's id.
    pub id: OpId,
    /// The operator's row.
    pub data: &'g OpData,
    pub(crate) op: &'g K,
}

impl<K> Clone for View<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for View<'_, K> {}

impl<K> std::ops::Deref for View<'_, K> {
    type Target = K;
    fn deref(&self) -> &K {
        self.op
    }
}

impl<K> View<'_, K> {
    #[doc(hidden)]
    #[expect(
        clippy::panic,
        reason = "the verifier guarantees required operands; like indexing, asking for one of an unverified operator is a bug"
    )]
    pub fn required_id(&self, side: Side, slot: usize) -> ValueId {
        match self.optional_id(side, slot) {
            Some(value) => value,
            None => panic!("{} lacks required {side:?} {slot}", self.id),
        }
    }
    #[doc(hidden)]
    pub fn optional_id(&self, side: Side, slot: usize) -> Option<ValueId> {
        match side {
            Side::Operands => self.data.formals().get(slot).copied().flatten(),
            Side::Results => self.data.result(slot),
        }
    }
    #[doc(hidden)]
    pub fn rest(&self, side: Side, slot: usize) -> &[Option<ValueId>] {
        let all = match side {
            Side::Operands => self.data.formals(),
            Side::Results => self.data.results(),
        };
        all.get(slot..).unwrap_or_default()
    }
}
