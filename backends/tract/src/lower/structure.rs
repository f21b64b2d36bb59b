//! Operators that lowering takes apart itself.

use edgesmith_ir::{GraphId, Op, OpId};

use super::wire::Wire;
use super::{Lowering, Problem};

impl Lowering<'_> {
    /// The results of an operator that needs no tract operator of its own; `None` for all others.
    pub(crate) fn structural(
        &mut self,
        _graph: GraphId,
        _id: OpId,
        op: &Op,
        operands: &[Option<Wire>],
        _wanted: &[bool],
        _exact: bool,
    ) -> Result<Option<Vec<Option<Wire>>>, Problem> {
        let first = operands.first().cloned().flatten();
        match op {
            Op::Identity(_) => Ok(Some(vec![first])),
            _ => Ok(None),
        }
    }
}
