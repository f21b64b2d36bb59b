//! Patches: what a rule wants changed, as data. A patch is applied whole or not at all.

use edgesmith_ir::composite::AnyComposite;
use edgesmith_ir::{CompositeOperator, GraphId, Op, OpId, Tensor, TensorRole, ValueId};
use smallvec::SmallVec;

use crate::{Cx, RuleName};

/// A value that a patch can read: one that exists, a result of a new operator, or a new constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// A value of the graph.
    Value(ValueId),
    /// A result of an operator of the patch.
    Result {
        /// Index of the operator in the patch.
        op: usize,
        /// Which result.
        slot: usize,
    },
    /// A constant of the patch.
    Constant(usize),
}

impl From<ValueId> for Wire {
    fn from(value: ValueId) -> Self {
        Wire::Value(value)
    }
}

/// An operator that a patch inserts.
#[derive(Clone, Debug)]
pub struct PatchOp {
    /// The operator.
    pub op: Op,
    /// Its operands.
    pub operands: SmallVec<[Option<Wire>; 4]>,
    /// How many results it has.
    pub results: usize,
    /// The operator whose name and notes it takes over.
    pub like: OpId,
    /// Where it is one from outside: what makes its body.
    pub composite: Option<AnyComposite>,
}

/// A constant that a patch brings.
#[derive(Clone, Debug)]
pub struct PatchConstant {
    /// The data.
    pub tensor: Tensor,
    /// The constant that it stands in for: its name and notes are taken over when it dies, else serve as a stem.
    pub like: Option<ValueId>,
    /// What it is used for.
    pub role: TensorRole,
}

/// A change of one graph. Everything in it refers to the graph as the rule saw it.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The rule that made it.
    pub rule: RuleName,
    /// The graph.
    pub graph: GraphId,
    /// The operator that the rule was called for.
    pub root: OpId,
    pub(crate) looked_at: SmallVec<[OpId; 8]>,
    pub(crate) ops: Vec<PatchOp>,
    pub(crate) constants: Vec<PatchConstant>,
    pub(crate) redefinitions: SmallVec<[(ValueId, Wire); 1]>,
    pub(crate) inlined: Vec<Inlining>,
}

/// A region whose operators move into the graph, in place of the operator that owns it.
#[derive(Clone, Debug)]
pub(crate) struct Inlining {
    /// The operator that owns the region; the patch must leave it without uses.
    pub owner: OpId,
    /// Which of its regions.
    pub region: usize,
    /// What its inputs (captures included) become.
    pub inputs: Vec<Wire>,
    /// What its outputs replace.
    pub outputs: Vec<Option<ValueId>>,
}

impl Patch {
    /// An empty patch of the rule that looks through `cx`.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self {
            rule: cx.rule(),
            graph: cx.graph_id(),
            root: cx.root(),
            looked_at: cx.looked_at(),
            ops: Vec::new(),
            constants: Vec::new(),
            redefinitions: SmallVec::new(),
            inlined: Vec::new(),
        }
    }
    /// Adds a constant.
    pub fn constant(&mut self, tensor: Tensor) -> Wire {
        self.constants.push(PatchConstant { tensor, like: None, role: TensorRole::Unspecified });
        Wire::Constant(self.constants.len() - 1)
    }
    /// Adds a constant that stands in for an existing one, whose name it takes over if that one dies.
    pub fn constant_like(&mut self, like: ValueId, tensor: Tensor) -> Wire {
        self.constants.push(PatchConstant { tensor, like: Some(like), role: TensorRole::Unspecified });
        Wire::Constant(self.constants.len() - 1)
    }
    /// Inserts an operator with one result; it takes over the name of the root.
    pub fn insert(&mut self, op: impl Into<Op>, operands: impl IntoIterator<Item = Option<Wire>>) -> Wire {
        let root = self.root;
        self.insert_like(root, op, operands)
    }
    /// Inserts an operator with one result that takes over the name and notes of an existing one.
    pub fn insert_like(
        &mut self,
        like: OpId,
        op: impl Into<Op>,
        operands: impl IntoIterator<Item = Option<Wire>>,
    ) -> Wire {
        let at = self.insert_many(like, op, operands, 1);
        Wire::Result { op: at, slot: 0 }
    }
    /// Inserts an operator with several results; returns its index for [`Wire::Result`].
    pub fn insert_many(
        &mut self,
        like: OpId,
        op: impl Into<Op>,
        operands: impl IntoIterator<Item = Option<Wire>>,
        results: usize,
    ) -> usize {
        let mut operands: SmallVec<[Option<Wire>; 4]> = operands.into_iter().collect();
        // Absent operands at the end are not written; kept, they would tell equal operators apart.
        while matches!(operands.last(), Some(None)) {
            operands.pop();
        }
        self.ops.push(PatchOp { op: op.into(), operands, results, like, composite: None });
        self.ops.len() - 1
    }
    /// Inserts an operator from outside, with its first `results` results; it takes over the name of the root. Returns its
    /// index for [`Wire::Result`].
    pub fn insert_composite<T: CompositeOperator>(
        &mut self,
        op: &T,
        operands: impl IntoIterator<Item = Option<Wire>>,
        results: usize,
    ) -> usize {
        let composite = AnyComposite::of(op);
        let at = self.insert_many(self.root, composite.op(), operands, results);
        self.ops[at].composite = Some(composite);
        at
    }
    /// Gives an existing value a new definition; its name, its place among the outputs and its readers stay. Defining it
    /// by another existing value lets its readers read that one.
    pub fn redefine(&mut self, old: ValueId, by: impl Into<Wire>) {
        self.redefinitions.push((old, by.into()));
    }
    /// Moves the operators of a region into the graph in place of its owner: `inputs` are what the region's inputs
    /// (captures included) become, `outputs` the values that the region's outputs replace (`None`: nobody wants it).
    pub fn inline_region(&mut self, owner: OpId, region: usize, inputs: Vec<Wire>, outputs: Vec<Option<ValueId>>) {
        self.inlined.push(Inlining { owner, region, inputs, outputs });
    }
}
