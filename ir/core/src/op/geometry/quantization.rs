//! Which scale belongs to which element of a quantised tensor.

use super::ceil_div;
use crate::infer::{InferCx, InferError};
use crate::{Dim, DimEq};

/// How finely a tensor is quantised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// One scale for all.
    PerTensor,
    /// One scale per index of an axis.
    PerAxis(usize),
    /// One scale per `block` consecutive indices of an axis, separately for every index of the others.
    Blocked {
        /// The axis.
        axis: usize,
        /// Indices that share a scale.
        block: i64,
    },
}

/// The granularity that the shape of the scale means. `x` and `scale` are the dims of the operands; `axis` and
/// `block_size` the attributes. A scale of one element is per tensor, as engines take it.
///
/// Errors: a scale that fits no granularity.
pub fn granularity(x: &[Dim], scale: &[Dim], axis: i64, block_size: i64) -> Result<Granularity, InferError> {
    let differ = |a: &Dim, b: &Dim| a.compare(b) == DimEq::Different;
    if block_size < 0 {
        return Err(InferError::new(format!("attribute 'block_size' is {block_size}; it must not be negative")));
    }
    if block_size > 0 {
        let axis = InferCx::axis(axis, x.len())?;
        if scale.len() != x.len() {
            return Err(InferError::new(format!(
                "a scale in blocks has the rank of x, {}, not {}",
                x.len(),
                scale.len()
            )));
        }
        for (at, (dim, scales)) in x.iter().zip(scale).enumerate() {
            let wanted = if at == axis { ceil_div(dim, block_size) } else { dim.clone() };
            if differ(&wanted, scales) {
                return Err(InferError::new(format!(
                    "the scale has {scales} elements on axis {at}; blocks of {block_size} on axis {axis} need {wanted}"
                )));
            }
        }
        return Ok(Granularity::Blocked { axis, block: block_size });
    }
    match scale {
        [] | [Dim::Known(1)] => Ok(Granularity::PerTensor),
        [scales] => {
            let axis = InferCx::axis(axis, x.len())?;
            if differ(scales, &x[axis]) {
                return Err(InferError::new(format!(
                    "the scale has {scales} elements, but axis {axis} of x has {}",
                    x[axis]
                )));
            }
            Ok(Granularity::PerAxis(axis))
        }
        _ => Err(InferError::new(format!("a scale of rank {} needs a positive attribute 'block_size'", scale.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(x: &[i64], scale: &[i64], axis: i64, block: i64) -> Result<Granularity, String> {
        let dims = |dims: &[i64]| -> Vec<Dim> { dims.iter().map(|n| Dim::Known(*n)).collect() };
        granularity(&dims(x), &dims(scale), axis, block).map_err(|error| error.message)
    }

    #[test]
    fn reads_the_shape_of_the_scale() {
        assert_eq!(of(&[2, 3], &[], 1, 0), Ok(Granularity::PerTensor));
        assert_eq!(of(&[2, 3], &[1], 9, 0), Ok(Granularity::PerTensor));
        assert_eq!(of(&[2, 3, 4], &[3], -2, 0), Ok(Granularity::PerAxis(1)));
        assert_eq!(of(&[2, 7], &[2, 4], 1, 2), Ok(Granularity::Blocked { axis: 1, block: 2 }));
        let error = |result: Result<Granularity, String>| result.unwrap_err();
        assert_eq!(error(of(&[2, 3], &[2], 1, 0)), "the scale has 2 elements, but axis 1 of x has 3");
        assert_eq!(error(of(&[2, 3], &[3], 2, 0)), "axis 2 is outside rank 2");
        assert_eq!(error(of(&[2, 3], &[2, 3], 1, 0)), "a scale of rank 2 needs a positive attribute 'block_size'");
        assert_eq!(error(of(&[2, 7], &[4], 1, 2)), "a scale in blocks has the rank of x, 2, not 1");
        assert_eq!(
            error(of(&[2, 7], &[2, 3], 1, 2)),
            "the scale has 3 elements on axis 1; blocks of 2 on axis 1 need 4"
        );
        assert_eq!(error(of(&[2], &[2], 1, -1)), "attribute 'block_size' is -1; it must not be negative");
    }
}
