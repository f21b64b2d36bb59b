//! Resize and its ancestor Upsample, and the sampling operators whose modes were renamed.
//!
//! Upsample and Resize-10 computed coordinates as `x / scale`. In nearest mode they took the floor where an axis grows and
//! the ceiling where it shrinks, which was never written down but is what every engine does (measured with ONNX Runtime);
//! a node that does both on different axes has no single modern form.

use edgesmith_ir::op::OpKind;
use edgesmith_ir::{Attribute, Tensor};

use super::{Lift, Lifted};

type Outcome = Result<(), &'static str>;

impl Lift<'_> {
    /// Upsample-7 (`scales` attribute) and Upsample-9 (input) as Resize. Scales are at least one.
    pub(super) fn upsample(&mut self) -> Lifted {
        if let Some(Attribute::Floats(scales)) = self.take("scales") {
            let scales: Vec<f32> = scales.into_iter().map(|scale| scale.0).collect();
            if let Ok(tensor) = Tensor::from_vec([scales.len() as u64].as_slice(), scales) {
                let value = self.literal("scales", tensor);
                self.set_operand(1, value);
            }
        }
        self.modern_resize("floor");
        Lifted::Typed(OpKind::Resize)
    }

    /// Resize-10.
    pub(super) fn resize_10(&mut self) -> Outcome {
        let nearest = self.text("mode").is_none_or(|mode| mode == "nearest");
        let mut rounding = "floor";
        if nearest {
            let scales = self.constant(1).and_then(Tensor::to_f64);
            let scales = scales.ok_or("its scales are not constant, and how it rounds depends on them")?;
            if scales.iter().any(|scale| *scale < 1.0) {
                if scales.iter().any(|scale| *scale > 1.0) {
                    return Err("it grows along one axis and shrinks along another, which rounds in two ways");
                }
                rounding = "ceil";
            }
        }
        self.modern_resize(rounding);
        Ok(())
    }

    /// `(x, scales)` as `(x, , scales)` with the coordinates of old.
    fn modern_resize(&mut self, rounding: &'static str) {
        if let Some(scales) = self.operand(1) {
            self.set_operand(2, scales);
            self.operands[1] = None;
        }
        self.set_text("coordinate_transformation_mode", "asymmetric");
        if self.text("mode").is_none_or(|mode| mode == "nearest") {
            self.set_text("nearest_mode", rounding);
        }
    }

    /// Resize from 11 on: a constant without elements for `roi`, `scales` or `sizes` means that it is absent.
    pub(super) fn empty_is_absent(&mut self) {
        for slot in 1..self.operands.len() {
            if self.constant(slot).is_some_and(Tensor::is_empty) {
                self.operands[slot] = None;
            }
        }
        while self.operands.last() == Some(&None) {
            self.operands.pop();
        }
    }

    /// GridSample-16: modes of two-dimensional names.
    pub(super) fn grid_sample(&mut self) {
        match self.text("mode").as_deref() {
            Some("bilinear") => self.set_text("mode", "linear"),
            Some("bicubic") => self.set_text("mode", "cubic"),
            _ => {}
        }
    }

    /// RoiAlign-10 had no shift by half a pixel.
    pub(super) fn roi_align(&mut self) {
        self.set_text("coordinate_transformation_mode", "output_half_pixel");
    }
}
