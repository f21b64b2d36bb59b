//! Normalisations and softmax: forms whose meaning changed.

use edgesmith_ir::op::OpKind;
use edgesmith_ir::{Attribute, Tensor, ValueId};

use super::{Lift, Lifted};

type Outcome = Result<(), &'static str>;

impl Lift<'_> {
    /// Softmax, LogSoftmax, Hardmax before 13: over all axes from `axis` (by default 1) on. The same as the newest form
    /// where that is the last axis only.
    pub(super) fn softmax(&mut self, kind: OpKind) -> Lifted {
        let axis = self.int("axis").unwrap_or(1);
        let last = axis == -1 || self.rank(0).is_some_and(|rank| axis == rank as i64 - 1);
        self.take("axis");
        let key = self.names.intern("axis");
        self.attributes.push((key, Attribute::Int(axis)));
        if last {
            return Lifted::Typed(kind);
        }
        let key = self.names.intern("kind");
        let name = bytes::Bytes::from_static(kind.name().as_bytes());
        self.attributes.push((key, Attribute::String(name)));
        Lifted::Typed(OpKind::LegacySoftmax)
    }

    /// BatchNormalization before 14: training was asked for by wanting further results; `spatial` (7) as 0 had statistics
    /// per element.
    pub(super) fn batch_normalization(&mut self) -> Outcome {
        if self.int("spatial").unwrap_or(1) == 0 {
            return Err("statistics per element (spatial=0) have no later form");
        }
        if self.results.iter().skip(1).any(Option::is_some) {
            return Err("its further results ask for training, which before opset 14 had another form");
        }
        self.take("spatial");
        self.results.truncate(1);
        Ok(())
    }

    /// GroupNormalization 18: scale and bias per group, where the newest form has them per channel.
    pub(super) fn group_normalization(&mut self) -> Outcome {
        let per_group = "scale and bias are per group and not constant, or the number of channels is not known";
        let groups = self.int("num_groups").and_then(|groups| u64::try_from(groups).ok()).ok_or(per_group)?;
        let dims = self.model.graph(self.graph).value(self.operand(0).ok_or(per_group)?).ty().dims();
        let channels = dims.and_then(|dims| dims.get(1)?.extent()).ok_or(per_group)?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err("the groups do not divide the channels");
        }
        let repeated = |lift: &Self, slot: usize| repeat(lift.constant(slot)?, groups, channels / groups);
        let (Some(scale), Some(bias)) = (repeated(self, 1), repeated(self, 2)) else { return Err(per_group) };
        for (slot, name, tensor) in [(1, "scale", scale), (2, "bias", bias)] {
            let value: ValueId = self.literal(name, tensor);
            self.set_operand(slot, value);
        }
        Ok(())
    }

    /// OneHot-9: indices were in `[0, depth)`, and any other gave a row of "off"; now negative ones count from the end.
    pub(super) fn one_hot(&mut self) -> Outcome {
        let unsigned = self.dtype(0).is_some_and(edgesmith_ir::DType::is_unsigned_integer);
        let plain = |tensor: &Tensor| tensor.to_ints().is_some_and(|ints| ints.iter().all(|index| *index >= 0));
        if unsigned || self.constant(0).is_some_and(plain) {
            return Ok(());
        }
        Err("negative indices, which cannot be ruled out here, meant something else before opset 11")
    }
}

/// Every element of a vector several times in a row.
fn repeat(tensor: &Tensor, groups: u64, times: u64) -> Option<Tensor> {
    if tensor.shape() != [groups] {
        return None;
    }
    let width = tensor.dtype().whole_bytes()?;
    // A hostile file can ask for any number of channels; weights of a real one are of its own size.
    let total = usize::try_from(groups.checked_mul(times)?).ok().filter(|total| *total <= 1 << 20)?;
    let bytes = tensor.dense_bytes().ok()?;
    let mut out = Vec::with_capacity(total * width);
    for element in bytes.chunks(width) {
        for _ in 0..times {
            out.extend_from_slice(element);
        }
    }
    Tensor::dense(tensor.dtype(), [total as u64].as_slice(), out.into()).ok()
}
