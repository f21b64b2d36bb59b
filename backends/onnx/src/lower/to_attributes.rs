//! Inputs that were attributes before some opset.

use edgesmith_ir::{Attribute, DType, Dim, F32, Tensor};

use super::{Lowering, Outcome, Refusal};
use crate::node::Text;

/// The single element of a constant as an f32 that stands for exactly that element.
fn exact_f32(tensor: &Tensor) -> Option<f32> {
    let [value] = *tensor.to_f64()?.as_slice() else { return None };
    let float = value as f32;
    (f64::from(float).to_bits() == value.to_bits() || value.is_nan()).then_some(float)
}

fn not_constant(what: &str, opset: i64) -> Refusal {
    Refusal::until(opset, format!("its {what} are computed, and before opset {opset} they were attributes"))
}

impl Lowering<'_, '_> {
    /// Clip-6: an absent bound was the largest finite f32, so one that does not bound is written as infinity. f16 cannot
    /// tell the two apart.
    pub(super) fn clip(&mut self) -> Outcome {
        for (slot, name, default, open) in
            [(1, "min", f32::MIN, f32::NEG_INFINITY), (2, "max", f32::MAX, f32::INFINITY)]
        {
            let bound = match self.node.input(slot) {
                None if self.dtype(0) == Some(DType::F16) => default,
                None => open,
                Some(_) => {
                    let bound = self.constant(slot).and_then(exact_f32);
                    bound.ok_or_else(|| {
                        Refusal::until(
                            11,
                            format!("its '{name}' is computed or no f32, and was an f32 attribute before opset 11"),
                        )
                    })?
                }
            };
            if bound.to_bits() != default.to_bits() {
                self.node.set(name, Attribute::Float(F32(bound)));
            }
        }
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// Pad-2 (attributes), 11 (inputs), 18 (axes).
    pub(super) fn pad(&mut self) -> Outcome {
        if self.node.input(3).is_some() {
            self.expand_pads()?;
        }
        if self.opset >= 11 {
            return Ok(());
        }
        let pads = self.constant_ints(1).ok_or_else(|| not_constant("pads", 11))?;
        if self.node.input(2).is_some() {
            let value = self.constant(2).and_then(exact_f32);
            let value = value.ok_or_else(|| {
                Refusal::until(11, "its value is computed or no f32, and was an f32 attribute before opset 11")
            })?;
            if value.to_bits() != 0 {
                self.node.set("value", Attribute::Float(F32(value)));
            }
        }
        self.node.set("pads", Attribute::Ints(pads));
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// Pads of some axes as pads of all.
    fn expand_pads(&mut self) -> Outcome {
        let needs = || {
            Refusal::until(18, "it pads some axes only, which are not known here and came as an input with opset 18")
        };
        let (pads, axes) = self.constant_ints(1).zip(self.constant_ints(3)).ok_or_else(needs)?;
        let rank = self.rank(self.node.input(0)).ok_or_else(needs)?;
        let mut all = vec![0; 2 * rank];
        for (place, axis) in axes.iter().enumerate() {
            let axis = if *axis < 0 { axis + rank as i64 } else { *axis };
            let axis = usize::try_from(axis).ok().filter(|axis| *axis < rank).ok_or_else(needs)?;
            let (Some(begin), Some(end)) = (pads.get(place), pads.get(axes.len() + place)) else { return Err(needs()) };
            all[axis] = *begin;
            all[rank + axis] = *end;
        }
        let slot = self.add_constant("pads", Tensor::from_ints(&all));
        self.node.set_input(1, slot);
        self.node.truncate_inputs(3);
        Ok(())
    }

    /// Slice-1.
    pub(super) fn slice(&mut self) -> Outcome {
        let computed = || not_constant("starts, ends or axes", 10);
        if self.node.input(4).is_some() {
            let steps = self.constant_ints(4).ok_or_else(computed)?;
            if steps.iter().any(|step| *step != 1) {
                return Err(Refusal::until(10, "it has steps, which came with opset 10"));
            }
        }
        let starts = self.constant_ints(1).ok_or_else(computed)?;
        let ends = self.constant_ints(2).ok_or_else(computed)?;
        if self.node.input(3).is_some() {
            let axes = self.constant_ints(3).ok_or_else(computed)?;
            if !axes.iter().copied().eq(0..starts.len() as i64) {
                self.node.set("axes", Attribute::Ints(axes));
            }
        }
        self.node.set("starts", Attribute::Ints(starts));
        self.node.set("ends", Attribute::Ints(ends));
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// TopK-1.
    pub(super) fn top_k(&mut self) -> Outcome {
        match self.constant_ints(1).as_deref() {
            Some([k]) => self.node.set("k", Attribute::Int(*k)),
            _ => return Err(not_constant("numbers of elements", 10)),
        }
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// Split-2 (attribute), 13 (input), 18 (`num_outputs`). Without sizes the parts had to be equal.
    pub(super) fn split(&mut self) -> Outcome {
        if let Some(Attribute::Int(parts)) = self.node.attribute("num_outputs").cloned() {
            self.node.unset("num_outputs");
            if self.node.input(1).is_none() && self.node.outputs.len() as i64 == parts {
                self.uneven_parts(parts)?;
            }
        }
        if self.opset >= 13 || self.node.input(1).is_none() {
            return Ok(());
        }
        let split = self.constant_ints(1).ok_or_else(|| not_constant("sizes", 13))?;
        self.node.set("split", Attribute::Ints(split));
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// Parts that are not equal are written out: all as large as the first, the last one smaller.
    fn uneven_parts(&mut self, parts: i64) -> Outcome {
        let axis = match self.node.attribute("axis") {
            Some(Attribute::Int(axis)) => *axis,
            _ => 0,
        };
        let dims = self.node.input(0).and_then(|slot| self.slots.ty(slot).dims()).unwrap_or_default();
        let axis = if axis < 0 { axis + dims.len() as i64 } else { axis };
        let extent = usize::try_from(axis).ok().and_then(|axis| dims.get(axis)).and_then(Dim::known);
        match extent {
            // Files before 18 know equal parts only.
            None if self.source < 18 => Ok(()),
            None => Err(Refusal::until(18, "its parts may differ in size, which came with opset 18")),
            Some(extent) if parts <= 0 || extent % parts == 0 => Ok(()),
            Some(extent) => {
                let size = extent / parts + 1;
                let sizes: Vec<i64> = (0..parts).map(|part| (extent - part * size).clamp(0, size)).collect();
                let slot = self.add_constant("split", Tensor::from_ints(&sizes));
                self.node.set_input(1, slot);
                Ok(())
            }
        }
    }

    /// Squeeze, Unsqueeze and reductions: `axes`.
    pub(super) fn axes_to_attribute(&mut self, opset: i64) -> Outcome {
        if self.node.input(1).is_some() {
            let axes = self.constant_ints(1).ok_or_else(|| not_constant("axes", opset))?;
            if !axes.is_empty() {
                self.node.set("axes", Attribute::Ints(axes));
            }
        }
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// A reduction; one over no axes at all had no older form.
    pub(super) fn reduction(&mut self, opset: i64) -> Outcome {
        let none = match self.node.input(1) {
            None => true,
            Some(_) => self.constant(1).is_some_and(Tensor::is_empty),
        };
        if self.node.attribute("noop_with_empty_axes").is_some() {
            if none {
                return Err(Refusal::until(opset, format!("it reduces no axis, which came with opset {opset}")));
            }
            if self.constant(1).is_some() {
                self.node.unset("noop_with_empty_axes");
            }
        }
        self.axes_to_attribute(opset)
    }

    /// Dropout-7 and 10: inference only, the ratio an attribute; what the mask holds was not said.
    pub(super) fn dropout(&mut self) -> Outcome {
        if self.node.output(1).is_some() {
            return Err(Refusal::until(12, "its mask is read, and what the mask holds is specified from opset 12 on"));
        }
        let training = self.node.input(2).is_some_and(|_| self.constant_ints(2).as_deref() != Some(&[0]));
        if training {
            return Err(Refusal::until(12, "it may run in training mode, which came with opset 12"));
        }
        if self.node.input(1).is_some() {
            let ratio = self.constant(1).and_then(exact_f32);
            let ratio = ratio.ok_or_else(|| {
                Refusal::until(12, "its ratio is computed or no f32, and was an f32 attribute before opset 12")
            })?;
            self.node.set("ratio", Attribute::Float(F32(ratio)));
        }
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// DFT-17: the axis is an attribute; the default was 1, now it is -2.
    pub(super) fn dft(&mut self) -> Outcome {
        let axis = match self.node.input(2) {
            None => -2,
            Some(_) => match self.constant_ints(2).as_deref() {
                Some([axis]) => *axis,
                _ => return Err(Refusal::until(20, "its axis is computed, and was an attribute before opset 20")),
            },
        };
        if axis != 1 {
            self.node.set("axis", Attribute::Int(axis));
        }
        self.node.truncate_inputs(2);
        Ok(())
    }

    /// `CastLike` before it existed: a Cast to the type that the other operand has.
    pub(super) fn cast_like(&mut self) -> Outcome {
        let dtype = self
            .dtype(1)
            .ok_or_else(|| Refusal::until(15, "the type to cast to is not known, and CastLike came with opset 15"))?;
        self.node.operator = Text::Borrowed("Cast");
        self.node.set("to", Attribute::Int(i64::from(dtype.onnx())));
        self.node.truncate_inputs(1);
        Ok(())
    }

    /// Gemm before 11 had to add something. Negative zero changes no sum.
    pub(super) fn gemm(&mut self) -> Outcome {
        if self.node.input(2).is_some() {
            return Ok(());
        }
        let zero = self.dtype(0).and_then(|dtype| Tensor::from_f64(dtype, [].as_slice(), &[-0.0]));
        let zero = zero.ok_or_else(|| Refusal::until(11, "it adds nothing, which is allowed from opset 11 on"))?;
        let slot = self.add_constant("c", zero);
        self.node.set_input(2, slot);
        self.node.unset("beta");
        Ok(())
    }

    /// `allowzero` came with 14 and says nothing about a shape without zeros.
    pub(super) fn reshape(&mut self) {
        if self.constant_ints(1).is_some_and(|shape| !shape.contains(&0)) {
            self.node.unset("allowzero");
        }
    }

    /// Before 8 the variadic operators did not broadcast.
    pub(super) fn equal_shapes(&mut self) -> Outcome {
        let shapes: Vec<_> = self.node.inputs.iter().flatten().map(|slot| self.slots.ty(*slot).shape()).collect();
        let equal = shapes.windows(2).all(|pair| match (pair[0].dims(), pair[1].dims()) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            _ => false,
        });
        // A file of opset 7 has no other form, so what came from one has equal shapes even where they are not known.
        let unknown = self.source < 8 && shapes.iter().any(|shape| shape.extents().is_none());
        if equal || unknown {
            return Ok(());
        }
        Err(Refusal::until(8, "its operands have different shapes, and it broadcasts from opset 8 on"))
    }

    /// Before 13 there was one scale for the whole tensor, and no axis.
    pub(super) fn per_tensor(&mut self) -> Outcome {
        let scale = self.node.input(1).map(|slot| self.slots.ty(slot).shape());
        let many = scale.and_then(|shape| shape.dims()).is_some_and(|dims| dims.iter().any(|dim| !dim.is(1)));
        if many {
            return Err(Refusal::until(13, "it has a scale per channel, which came with opset 13"));
        }
        self.node.unset("axis");
        Ok(())
    }
}
