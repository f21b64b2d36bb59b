//! Resize with its ancestors, and the sampling operators whose modes were renamed.

use edgesmith_ir::op::{CoordinateTransform, GridMode, NearestMode, Op, Resize, ResizeMode, RoiAlign, RoiTransform};
use edgesmith_ir::{Attribute, F32, Tensor};

use super::{Lowering, Outcome, Refusal};
use crate::node::Text;

impl Lowering<'_, '_> {
    /// Upsample-7 and 9, Resize-10, 11, 13, 18, 19.
    pub(super) fn resize(&mut self, op: &Op) -> Outcome {
        let Some(resize) = op.cast::<Resize>() else { return Ok(()) };
        if self.opset >= 13 {
            if resize.coordinate_transformation_mode == CoordinateTransform::TfHalfPixelForNn {
                return Err(Refusal::never("its coordinates 'tf_half_pixel_for_nn' exist at opsets 11 and 12 only"));
            }
            if resize.coordinate_transformation_mode == CoordinateTransform::HalfPixelSymmetric && self.opset < 19 {
                return Err(Refusal::until(19, "its coordinates 'half_pixel_symmetric' came with opset 19"));
            }
            return Ok(());
        }
        if self.opset >= 11 {
            return self.resize_11(resize);
        }
        self.resize_of_old(resize)
    }

    /// Three inputs that had to be there, empty where they do not apply.
    fn resize_11(&mut self, resize: &Resize) -> Outcome {
        if resize.coordinate_transformation_mode == CoordinateTransform::HalfPixelSymmetric {
            return Err(Refusal::until(19, "its coordinates 'half_pixel_symmetric' came with opset 19"));
        }
        for (slot, name) in [(1, "roi"), (2, "scales")] {
            if self.node.input(slot).is_none() {
                let Ok(empty) = Tensor::from_slice::<f32>([0].as_slice(), &[]) else { return Ok(()) };
                let empty = self.add_constant(name, empty);
                self.node.set_input(slot, empty);
            }
        }
        Ok(())
    }

    /// `(x, scales)` with coordinates that had no name yet.
    fn resize_of_old(&mut self, resize: &Resize) -> Outcome {
        let plain = resize.coordinate_transformation_mode == CoordinateTransform::Asymmetric
            && resize.mode != ResizeMode::Cubic
            && self.node.input(3).is_none();
        if !plain {
            return Err(Refusal::until(11, "its sizes, mode or coordinates came with opset 11"));
        }
        let Some(scales) = self.node.input(2) else {
            return Err(Refusal::until(11, "it has no scales"));
        };
        let values = self.slots.constant(scales).and_then(Tensor::to_f64);
        let grows = values.as_ref().is_some_and(|scales| scales.iter().all(|scale| *scale >= 1.0));
        let shrinks = values.as_ref().is_some_and(|scales| scales.iter().all(|scale| *scale <= 1.0));
        if resize.mode == ResizeMode::Nearest {
            // What old engines did, and only did: the floor where an axis grows, the ceiling where it shrinks.
            let as_of_old = match resize.nearest_mode {
                NearestMode::Floor => grows || (self.opset < 10 && values.is_none()),
                NearestMode::Ceil => shrinks,
                NearestMode::RoundPreferFloor | NearestMode::RoundPreferCeil => false,
            };
            if !as_of_old {
                return Err(Refusal::until(11, "how it rounds could not be said before opset 11"));
            }
        }
        self.node.unset("coordinate_transformation_mode");
        self.node.unset("nearest_mode");
        self.node.inputs = smallvec::smallvec![self.node.input(0), Some(scales)];
        if self.opset >= 10 {
            return Ok(());
        }
        if values.is_some() && !grows {
            return Err(Refusal::until(10, "it shrinks an axis, and Upsample could not"));
        }
        self.node.operator = Text::Borrowed("Upsample");
        if self.opset < 9 {
            let values = values
                .ok_or_else(|| Refusal::until(9, "its scales are computed, and were an attribute before opset 9"))?;
            self.node.set("scales", Attribute::Floats(values.iter().map(|scale| F32(*scale as f32)).collect()));
            self.node.truncate_inputs(1);
        }
        Ok(())
    }

    /// GridSample-16: two-dimensional, with the names that its modes have there.
    pub(super) fn grid_sample(&mut self) -> Outcome {
        if self.rank(self.node.input(0)).is_some_and(|rank| rank != 4) {
            return Err(Refusal::until(20, "it samples volumes, which came with opset 20"));
        }
        let mode = match self.node.attribute("mode") {
            Some(Attribute::String(text)) if **text == *GridMode::Cubic.text().as_bytes() => "bicubic",
            Some(Attribute::String(text)) if **text == *GridMode::Nearest.text().as_bytes() => "nearest",
            _ => "bilinear",
        };
        self.node.set_text("mode", mode);
        Ok(())
    }

    /// RoiAlign-10 did not shift by half a pixel.
    pub(super) fn roi_align(&mut self, op: &Op) -> Outcome {
        let Some(roi) = op.cast::<RoiAlign>() else { return Ok(()) };
        if roi.coordinate_transformation_mode != RoiTransform::OutputHalfPixel {
            return Err(Refusal::until(16, "it shifts by half a pixel, which came with opset 16"));
        }
        self.node.unset("coordinate_transformation_mode");
        Ok(())
    }
}
