//! Attributes that became inputs.

use edgesmith_ir::{Attribute, DType, Tensor};

use super::Lift;

type Outcome = Result<(), &'static str>;

/// A scalar of a float type, rounded once from f32.
fn scalar(dtype: DType, value: f32) -> Option<Tensor> {
    Tensor::from_f64(dtype, [].as_slice(), &[f64::from(value)])
}

impl Lift<'_> {
    /// Clip-6: `min` and `max` with the largest finite f32 as default, which an absent input does not mean: without `max`,
    /// infinity became 3.4e38. In f16 the default bounds nothing.
    pub(super) fn clip(&mut self) -> Outcome {
        let dtype = self.dtype(0).filter(|dtype| dtype.is_float());
        let dtype = dtype.ok_or("the element type is not known, which its bounds need")?;
        for (slot, name, default) in [(1, "min", f32::MIN), (2, "max", f32::MAX)] {
            let bound = self.float(name).unwrap_or(default);
            let no_bound = dtype == DType::F16 && bound.to_bits() == default.to_bits();
            self.take(name);
            if no_bound {
                continue;
            }
            if let Some(tensor) = scalar(dtype, bound) {
                let value = self.literal(name, tensor);
                self.set_operand(slot, value);
            }
        }
        Ok(())
    }

    /// Pad-2: `pads` and `value`; an absent value is zero in both forms.
    pub(super) fn pad(&mut self) -> Outcome {
        let value = self.float("value").unwrap_or_default();
        let constant = self.text("mode").is_none_or(|mode| mode == "constant");
        let padding = if constant && value.to_bits() != 0 {
            let dtype = self.dtype(0).filter(|dtype| dtype.is_float());
            let dtype = dtype.ok_or("the element type is not known, which its value needs")?;
            scalar(dtype, value)
        } else {
            None
        };
        let pads = self.take_ints("pads").unwrap_or_default();
        self.take("value");
        let pads = self.literal_ints("pads", &pads);
        self.set_operand(1, pads);
        if let Some(padding) = padding {
            let value = self.literal("value", padding);
            self.set_operand(2, value);
        }
        Ok(())
    }

    /// Slice-1: `starts`, `ends` and `axes`, which by default are as many axes as there are starts.
    pub(super) fn slice(&mut self) {
        let starts = self.take_ints("starts").unwrap_or_default();
        let ends = self.take_ints("ends").unwrap_or_default();
        let axes = self.take_ints("axes").filter(|axes| !axes.is_empty());
        let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
        for (slot, name, ints) in [(1, "starts", starts), (2, "ends", ends), (3, "axes", axes)] {
            let value = self.literal_ints(name, &ints);
            self.set_operand(slot, value);
        }
    }

    /// TopK-1: `k`.
    pub(super) fn top_k(&mut self) {
        let k = self.int("k").unwrap_or_default();
        self.take("k");
        let value = self.literal_ints("k", &[k]);
        self.set_operand(1, value);
    }

    /// Split before 18: `split` was an attribute before 13; without it the parts are equal, as many as there are results.
    pub(super) fn split(&mut self) {
        if let Some(split) = self.take_ints("split") {
            let value = self.literal_ints("split", &split);
            self.set_operand(1, value);
        } else if self.operand(1).is_none() {
            let parts = self.results.len() as i64;
            let name = self.names.intern("num_outputs");
            self.attributes.push((name, Attribute::Int(parts)));
        }
    }

    /// Squeeze, Unsqueeze and reductions: `axes`; no axes and an empty list mean the same.
    pub(super) fn axes(&mut self) {
        if let Some(axes) = self.take_ints("axes").filter(|axes| !axes.is_empty()) {
            let value = self.literal_ints("axes", &axes);
            self.set_operand(1, value);
        }
    }

    /// Dropout before 12: `ratio`. What the mask holds in inference was not said, so a mask that is read stays as it is.
    pub(super) fn dropout(&mut self) -> Outcome {
        if self.second_is_read {
            return Err("its mask is read, and what the mask holds was not specified before opset 12");
        }
        self.results.truncate(1);
        if let Some(ratio) = self.float("ratio") {
            self.take("ratio");
            let value = self.literal("ratio", Tensor::scalar(ratio));
            self.set_operand(1, value);
        }
        Ok(())
    }

    /// DFT-17: `axis`, by default 1, where the newest form has -2.
    pub(super) fn dft(&mut self) {
        let axis = self.int("axis").unwrap_or(1);
        self.take("axis");
        let value = self.literal("axis", Tensor::scalar(axis));
        self.set_operand(2, value);
    }
}
