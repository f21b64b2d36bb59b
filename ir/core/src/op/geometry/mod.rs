//! Sizes and paddings that inference, the reference evaluator and backends must compute alike.
//!
//! Inference asks with symbolic dims, an evaluator with numbers; each rule stands here once. Functions on [`Dim`] give
//! numbers for numbers. Nothing here reads elements of a tensor, except those that a caller passes as lists.

mod attention;
mod equation;
mod quantization;
mod resize;
mod transposed;
mod window;

pub use attention::{AttentionOperands, AttentionSizes};
pub use equation::{Equation, IndexMap, Label};
pub use quantization::{Granularity, granularity};
pub(super) use resize::check_count;
pub use resize::{ResizedAxis, scaled_dim, scaled_extent};
pub use transposed::{TransposedAttributes, TransposedAxis, TransposedWindow, transposed_axes};
pub use window::{Padding, Window, WindowAttributes, WindowAxis, window_axes};

use crate::Dim;
use crate::infer::InferError;

/// `ceil(n / divisor)` for a positive number, as `floor((n + divisor - 1) / divisor)`: the form that a convolution with
/// padding yields as well, so that the two compare as equal.
pub fn ceil_div(n: &Dim, divisor: i64) -> Dim {
    n.add(&Dim::Known(divisor - 1)).floor_div(&Dim::Known(divisor))
}

/// A list attribute with one entry for each of `rank` axes; an absent one means `default` everywhere.
fn per_axis(list: &[i64], rank: usize, default: i64, name: &str) -> Result<Vec<i64>, InferError> {
    if list.is_empty() {
        return Ok(vec![default; rank]);
    }
    if list.len() != rank {
        return Err(InferError::new(format!("attribute '{name}' has {} entries for {rank} spatial axes", list.len())));
    }
    Ok(list.to_vec())
}

/// As [`per_axis`], and every entry must be at least `least`.
fn per_axis_at_least(list: &[i64], rank: usize, default: i64, name: &str, least: i64) -> Result<Vec<i64>, InferError> {
    let list = per_axis(list, rank, default, name)?;
    match list.iter().position(|n| *n < least) {
        Some(axis) => Err(InferError::new(format!(
            "attribute '{name}' is {} on spatial axis {axis}; it must be at least {least}",
            list[axis]
        ))),
        None => Ok(list),
    }
}

/// Paddings at the beginning and end of each axis; an absent list means none.
fn begin_end_pads(pads: &[i64], rank: usize) -> Result<Vec<(i64, i64)>, InferError> {
    if pads.is_empty() {
        return Ok(vec![(0, 0); rank]);
    }
    if pads.len() != 2 * rank {
        return Err(InferError::new(format!(
            "attribute 'pads' has {} entries; {rank} spatial axes need {}",
            pads.len(),
            2 * rank
        )));
    }
    let (begins, ends) = pads.split_at(rank);
    Ok(begins.iter().copied().zip(ends.iter().copied()).collect())
}
