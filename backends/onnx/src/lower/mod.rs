//! Lowering one operator to the opset of the file.
//!
//! The IR has the newest form of every operator. Where an older opset says the same with attributes, under another name or
//! with another default, the form is turned back here; the schema table then says whether what came out can stand at that
//! opset, element types included ([`fit`]). An operator that cannot be written says which opset to try next.

mod decompose;
mod fit;
mod normalization;
mod resample;
mod to_attributes;

use edgesmith_ir::op::{Op, OpKind};
use edgesmith_ir::{Attribute, DType, GraphId, OpId, Tensor};
use smallvec::SmallVec;

use crate::node::{Node, Text};
use crate::slots::{Slot, Slots};

pub(crate) use fit::{same_meaning, same_version};

/// Why an operator cannot be written at an opset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub why: String,
    /// The lowest opset at which it is worth trying again; `None` when there is none.
    pub next: Option<i64>,
}

impl Refusal {
    pub fn until(opset: i64, why: impl Into<String>) -> Self {
        Self { why: why.into(), next: Some(opset) }
    }
    pub fn never(why: impl Into<String>) -> Self {
        Self { why: why.into(), next: None }
    }
}

/// What the form of an operator depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    /// The opset of the file.
    pub opset: i64,
    /// That of the source.
    pub source: i64,
    /// Whether an operator that the opset lacks is written as a formula.
    pub decomposes: bool,
}

/// One operator on its way into the file.
pub(crate) struct Lowering<'a, 'm> {
    pub slots: &'a mut Slots<'m>,
    pub opset: i64,
    /// The opset of the source, whose forms bound what its operators can mean.
    pub source: i64,
    /// Whether an operator that the opset lacks is written as a formula.
    pub decomposes: bool,
    /// Which graph of the file it goes into.
    pub place: usize,
    /// The node that stands for the operator.
    pub node: Node,
    /// Nodes that go before it.
    pub before: Vec<Node>,
    /// Nodes that go after it.
    pub after: Vec<Node>,
}

type Outcome = Result<(), Refusal>;

impl<'a, 'm> Lowering<'a, 'm> {
    /// A typed operator in its newest form.
    pub fn new(slots: &'a mut Slots<'m>, (id, op): (GraphId, OpId), versions: Versions, place: usize) -> Self {
        let graph = slots.model.graph(id);
        let data = graph.op(op);
        let mut node = Node {
            operator: Text::Borrowed(data.op().kind().name()),
            name: data.name().clone(),
            inputs: data.formals().iter().map(|value| value.map(|value| slots.of(id, value))).collect(),
            outputs: data.results().iter().map(|value| value.map(|value| slots.of(id, value))).collect(),
            attributes: data.op().encode().into_iter().map(|(name, value)| (Text::Borrowed(name), value)).collect(),
            notes: Some((id, op)),
            ..Node::default()
        };
        for (index, name) in data.op().kind().signature().regions.iter().enumerate() {
            node.attributes.push((Text::Borrowed(name), Attribute::Graph(index)));
        }
        let Versions { opset, source, decomposes } = versions;
        Self { slots, opset, source, decomposes, place, node, before: Vec::new(), after: Vec::new() }
    }

    /// Turns the operator into the form of the opset.
    pub fn run(&mut self, op: &Op) -> Outcome {
        let opset = self.opset;
        if self.decomposes && arrived(op.kind()) > opset && self.decompose(op).is_some() {
            return self.fit();
        }
        match op.kind() {
            OpKind::Clip if opset < 11 => self.clip()?,
            OpKind::Pad if opset < 18 => self.pad()?,
            OpKind::Slice if opset < 10 => self.slice()?,
            OpKind::TopK if opset < 10 => self.top_k()?,
            OpKind::Split if opset < 18 => self.split()?,
            OpKind::Squeeze | OpKind::Unsqueeze if opset < 13 => self.axes_to_attribute(13)?,
            OpKind::ReduceSum if opset < 13 => self.reduction(13)?,
            OpKind::ReduceL1
            | OpKind::ReduceL2
            | OpKind::ReduceLogSum
            | OpKind::ReduceLogSumExp
            | OpKind::ReduceMax
            | OpKind::ReduceMean
            | OpKind::ReduceMin
            | OpKind::ReduceProd
            | OpKind::ReduceSumSquare
                if opset < 18 =>
            {
                self.reduction(18)?;
            }
            OpKind::Dropout if opset < 12 => self.dropout()?,
            OpKind::DFT if opset < 20 => self.dft()?,
            OpKind::CastLike if opset < 15 => self.cast_like()?,
            OpKind::Gemm if opset < 11 => self.gemm()?,
            OpKind::Reshape if opset < 14 => self.reshape(),
            OpKind::Sum | OpKind::Mean | OpKind::Max | OpKind::Min if opset < 8 => self.equal_shapes()?,
            OpKind::QuantizeLinear | OpKind::DequantizeLinear if opset < 13 => self.per_tensor()?,
            OpKind::LegacySoftmax => self.legacy_softmax(op),
            OpKind::Softmax | OpKind::LogSoftmax | OpKind::Hardmax if opset < 13 => self.softmax()?,
            OpKind::MaxPool | OpKind::AveragePool if opset < 22 => self.pool()?,
            OpKind::GroupNormalization if opset < 21 => {
                return Err(Refusal::until(
                    21,
                    "its form with a scale per channel came with opset 21, and the earlier one is withdrawn",
                ));
            }
            OpKind::Resize => self.resize(op)?,
            OpKind::GridSample if opset < 20 => self.grid_sample()?,
            OpKind::RoiAlign if opset < 16 => self.roi_align(op)?,
            OpKind::ScatterElements if opset < 11 => self.node.operator = Text::Borrowed("Scatter"),
            _ => {}
        }
        if opset < 11 {
            self.non_negative_axes();
        }
        self.fit()
    }

    /// The constant at an input.
    fn constant(&self, slot: usize) -> Option<&Tensor> {
        self.node.input(slot).and_then(|slot| self.slots.constant(slot))
    }
    fn constant_ints(&self, slot: usize) -> Option<Vec<i64>> {
        self.constant(slot)?.to_ints()
    }
    fn rank(&self, slot: Option<Slot>) -> Option<usize> {
        self.slots.ty(slot?).rank()
    }
    fn dtype(&self, slot: usize) -> Option<DType> {
        self.slots.ty(self.node.input(slot)?).dtype()
    }
    /// The name that new values are named after.
    fn base(&self) -> String {
        self.node.outputs.iter().flatten().next().map_or_else(String::new, |slot| self.slots.wish(*slot).to_string())
    }
    fn add_constant(&mut self, suffix: &str, tensor: Tensor) -> Slot {
        let hint = format!("{}_{suffix}", self.base());
        self.slots.add_constant(hint, tensor)
    }

    /// A window that would begin in the padding behind the input was first ruled out in words by 22.
    fn pool(&mut self) -> Outcome {
        if self.source >= 22 && self.node.attribute("ceil_mode").is_some() {
            return Err(Refusal::until(
                22,
                "it rounds its size up, of which opset 22 says where the last window may begin",
            ));
        }
        Ok(())
    }

    /// Before opset 11 axes counted from the front only, in most operators.
    fn non_negative_axes(&mut self) {
        const FROM_THE_BACK: [&str; 8] =
            ["TopK", "OneHot", "LpNormalization", "Upsample", "Resize", "Scan", "LSTM", "Constant"];
        if FROM_THE_BACK.contains(&&*self.node.operator) {
            return;
        }
        let rank = match &*self.node.operator {
            "Unsqueeze" => self.rank(self.node.output(0)),
            _ => self.rank(self.node.input(0)),
        };
        let Some(rank) = rank else { return };
        let mend = |axis: &mut i64| {
            if *axis < 0 {
                *axis += rank as i64;
            }
        };
        for (name, value) in &mut self.node.attributes {
            match value {
                Attribute::Int(axis) if name == "axis" => mend(axis),
                Attribute::Ints(axes) if name == "axes" => axes.iter_mut().for_each(mend),
                _ => {}
            }
        }
    }
}

/// The opset from which on an operator that has a formula exists as it is now; 0 for the others.
fn arrived(kind: OpKind) -> i64 {
    match kind {
        OpKind::HardSwish => 14,
        OpKind::LayerNormalization => 17,
        OpKind::Mish => 18,
        OpKind::Gelu => 20,
        OpKind::GroupNormalization => 21,
        OpKind::RMSNormalization => 23,
        OpKind::Swish => 24,
        _ => 0,
    }
}

/// The nodes of an operator that is carried as the file had it.
pub(crate) fn carried(slots: &Slots<'_>, id: GraphId, op: OpId) -> Node {
    let data = slots.model.graph(id).op(op);
    let (attributes, domain, name, overload) = match data.op() {
        Op::Custom(custom) => (&custom.attributes[..], &custom.domain, &custom.name, &custom.overload),
        Op::Call(call) => (&call.attributes[..], &call.function.domain, &call.function.name, &call.function.overload),
        _ => return Node::default(),
    };
    let text = |name: &edgesmith_ir::Name| Text::Owned(name.to_string());
    let inputs: SmallVec<_> = data.formals().iter().map(|value| value.map(|value| slots.of(id, value))).collect();
    let mut node = Node {
        operator: text(name),
        domain: text(domain),
        overload: text(overload),
        name: data.name().clone(),
        inputs,
        outputs: data.results().iter().map(|value| value.map(|value| slots.of(id, value))).collect(),
        attributes: attributes.iter().map(|(name, value)| (text(name), value.clone())).collect(),
        regions: SmallVec::new(),
        notes: Some((id, op)),
    };
    // What trailing empty arguments mean to another domain is not known.
    if node.domain.is_empty() {
        fit::trim(&mut node);
    }
    node
}
