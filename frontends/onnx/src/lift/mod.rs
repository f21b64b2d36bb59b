//! Lifting: every operator version from 7 on to the newest form, exactly or not at all.
//!
//! The IR has the newest form of each operator. What an older one says with attributes becomes constants, renamed modes get
//! their new names, changed defaults are written out. What has no modern form stays a carried operator with its attributes
//! as they are. The README lists the normal form of every operator: the ONNX backend inverts it.

mod normalization;
mod resample;
mod to_inputs;

use edgesmith_ir::op::OpKind;
use edgesmith_ir::{Attribute, DType, GraphId, Model, Name, Tensor, TensorEntry, TensorRole, ValueId, tensor_type};
use smallvec::SmallVec;

use crate::names::Names;

/// What became of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lifted {
    /// It is this operator now, with the attributes and operands of the newest form.
    Typed(OpKind),
    /// It stays as the file has it, for this reason.
    Carried(&'static str),
}

/// A node on its way to the newest form.
pub(crate) struct Lift<'a> {
    pub model: &'a mut Model,
    pub graph: GraphId,
    pub names: &'a mut Names,
    /// The version of the operator that the file means.
    pub since: i64,
    pub attributes: Vec<(Name, Attribute)>,
    pub operands: SmallVec<[Option<ValueId>; 4]>,
    pub results: SmallVec<[Option<Name>; 1]>,
    /// Whether something reads the second result.
    pub second_is_read: bool,
}

impl Lift<'_> {
    /// Lifts the node in place. A node that is carried is left as it was.
    pub fn run(&mut self, operator: &str) -> Lifted {
        let since = self.since;
        match operator {
            "Upsample" => return self.upsample(),
            // Deprecated in favour of the same thing under another name.
            "Scatter" => return Lifted::Typed(OpKind::ScatterElements),
            _ => {}
        }
        let Some(kind) = OpKind::from_name(operator) else {
            return Lifted::Carried("it is not among the operators that edgesmith knows");
        };
        let lifted = match kind {
            OpKind::Softmax | OpKind::LogSoftmax | OpKind::Hardmax if since < 13 => return self.softmax(kind),
            OpKind::Clip if since < 11 => self.clip(),
            OpKind::Pad if since < 11 => self.pad(),
            OpKind::Dropout if since < 12 => self.dropout(),
            OpKind::BatchNormalization if since < 14 => self.batch_normalization(),
            OpKind::GroupNormalization if since < 21 => self.group_normalization(),
            OpKind::OneHot if since < 11 => self.one_hot(),
            OpKind::Resize if since < 11 => self.resize_10(),
            OpKind::Scan if since < 9 => {
                Err("version 8 has a batch axis and sequence lengths, which no later version has")
            }
            _ => {
                self.always(kind);
                Ok(())
            }
        };
        match lifted {
            Ok(()) => Lifted::Typed(kind),
            Err(reason) => Lifted::Carried(reason),
        }
    }

    /// Lifts what can always be lifted.
    fn always(&mut self, kind: OpKind) {
        let since = self.since;
        match kind {
            OpKind::Slice if since < 10 => self.slice(),
            OpKind::TopK if since < 10 => self.top_k(),
            OpKind::Split if since < 18 => self.split(),
            OpKind::Squeeze | OpKind::Unsqueeze | OpKind::ReduceSum if since < 13 => self.axes(),
            OpKind::ReduceL1
            | OpKind::ReduceL2
            | OpKind::ReduceLogSum
            | OpKind::ReduceLogSumExp
            | OpKind::ReduceMax
            | OpKind::ReduceMean
            | OpKind::ReduceMin
            | OpKind::ReduceProd
            | OpKind::ReduceSumSquare
                if since < 18 =>
            {
                self.axes();
            }
            OpKind::DFT if since < 20 => self.dft(),
            OpKind::GridSample if since < 20 => self.grid_sample(),
            OpKind::RoiAlign if since < 16 => self.roi_align(),
            OpKind::Resize => self.empty_is_absent(),
            _ => {}
        }
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
    fn take(&mut self, name: &str) -> Option<Attribute> {
        let index = self.attributes.iter().position(|(key, _)| key == name)?;
        Some(self.attributes.remove(index).1)
    }
    fn take_ints(&mut self, name: &str) -> Option<Vec<i64>> {
        match self.take(name)? {
            Attribute::Ints(ints) => Some(ints),
            _ => None,
        }
    }
    fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Attribute::Int(int) => Some(*int),
            _ => None,
        }
    }
    fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name)? {
            Attribute::Float(float) => Some(float.0),
            _ => None,
        }
    }
    fn text(&self, name: &str) -> Option<String> {
        match self.attribute(name)? {
            Attribute::String(bytes) => Some(crate::attribute::text(bytes)),
            _ => None,
        }
    }
    fn set_text(&mut self, name: &'static str, value: &'static str) {
        let value = Attribute::String(bytes::Bytes::from_static(value.as_bytes()));
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((self.names.intern(name), value)),
        }
    }
    fn operand(&self, slot: usize) -> Option<ValueId> {
        self.operands.get(slot).copied().flatten()
    }
    fn set_operand(&mut self, slot: usize, value: ValueId) {
        while self.operands.len() <= slot {
            self.operands.push(None);
        }
        self.operands[slot] = Some(value);
    }
    fn dtype(&self, slot: usize) -> Option<DType> {
        self.model.graph(self.graph).value(self.operand(slot)?).ty().dtype()
    }
    fn rank(&self, slot: usize) -> Option<usize> {
        self.model.graph(self.graph).value(self.operand(slot)?).ty().rank()
    }
    fn constant(&self, slot: usize) -> Option<&Tensor> {
        self.model.constant_of(self.graph, self.operand(slot)?)
    }
    /// A constant that stands for an attribute, named after the node's first result.
    fn literal(&mut self, suffix: &str, tensor: Tensor) -> ValueId {
        let base = self.results.iter().flatten().next().map_or("", |name| name.as_str());
        let name = Name::from(format!("{base}_{suffix}"));
        let name = self.names.unique(&name);
        let ty = tensor_type(&tensor);
        let entry = TensorEntry { tensor, role: TensorRole::Literal, doc: Name::default(), metadata: Vec::new() };
        let tensor = self.model.add_tensor_entry(entry);
        self.model.graph_mut(self.graph).add_constant(name, ty, tensor)
    }
    fn literal_ints(&mut self, suffix: &str, ints: &[i64]) -> ValueId {
        self.literal(suffix, Tensor::from_ints(ints))
    }
}
