//! Convolution at learned offsets: every tap samples the input between elements, multilinearly, zero outside.

use edgesmith_ir::op::DeformConv;

use super::super::cx::one;
use super::super::dense::{Dense, invalid, rounded, step};
use super::super::gemm::{Matrix, multiply_add};
use super::super::{EvalCx, EvalError, Evaluated};
use super::lattice::pieces;
use super::{Convolution, bias};

/// What the taps of a deformable convolution add to their regular places.
struct Deformation<'a> {
    offset: &'a [f64],
    mask: Option<&'a [f64]>,
    groups: usize,
    taps: usize,
    positions: usize,
}

impl Deformation<'_> {
    /// The shift of a tap on one axis of `rank`, and the factor of its value.
    fn at(&self, (n, group, tap): (usize, usize, usize), axis: usize, rank: usize, position: usize) -> f64 {
        let row = ((n * self.groups + group) * self.taps + tap) * rank + axis;
        self.offset[row * self.positions + position]
    }
    fn factor(&self, (n, group, tap): (usize, usize, usize), position: usize) -> f64 {
        let row = (n * self.groups + group) * self.taps + tap;
        self.mask.map_or(1.0, |mask| mask[row * self.positions + position])
    }
}

/// The value of `plane` between its elements; elements outside are zero.
fn sample(plane: &[f64], extents: &[usize], place: &[f64]) -> f64 {
    let mut corner = vec![0; extents.len()];
    let mut sum = 0.0;
    loop {
        let (mut weight, mut index, mut inside) = (1.0, 0, true);
        for (axis, extent) in extents.iter().enumerate() {
            let floor = place[axis].floor();
            let fraction = place[axis] - floor;
            weight *= if corner[axis] == 0 { 1.0 - fraction } else { fraction };
            let at = floor + corner[axis] as f64;
            inside &= at >= 0.0 && at < *extent as f64;
            index = index * extent + if inside { at as usize } else { 0 };
        }
        if inside && weight != 0.0 {
            sum += weight * plane[index];
        }
        if !step(&mut corner, &vec![2; extents.len()]) {
            return sum;
        }
    }
}

fn expect(what: &str, dense: &Dense, shape: &[usize]) -> Result<(), EvalError> {
    if dense.shape == shape {
        Ok(())
    } else {
        Err(invalid(format!("{what} has shape {:?}, not {shape:?}", dense.shape)))
    }
}

/// Convolution whose taps are shifted by `offset` and weighted by `mask`, each per group of channels and position.
pub(in super::super) fn deform_conv(op: &DeformConv, cx: &EvalCx<'_>) -> Evaluated {
    let (x, weight, offset) = (cx.floats(0)?, cx.floats(1)?, cx.floats(2)?);
    let plan = Convolution::of(&x.shape, &weight.shape, op.group, &op.kernel_shape, |n, k| op.windows(n, k))?;
    let shape = plan.shape();
    cx.allow(x.dtype, &shape)?;
    let (bias, mask) = (bias(cx, 3, shape[1])?, cx.maybe_floats(4)?);
    let (taps, positions, spatial) = (plan.lattice.taps(), plan.positions(), &x.shape[2..]);
    let (rank, all) = (spatial.len(), x.shape[1]);
    let groups = usize::try_from(op.offset_group).ok().filter(|groups| *groups > 0 && all % groups == 0);
    let groups =
        groups.ok_or_else(|| invalid(format!("{all} channels do not fall into {} groups", op.offset_group)))?;
    let with_channels = |channels: usize| [&[plan.batch, channels], &shape[2..]].concat();
    expect("the offset", &offset, &with_channels(groups * taps * rank))?;
    if let Some(mask) = &mask {
        expect("the mask", mask, &with_channels(groups * taps))?;
    }
    let deformation = Deformation {
        offset: &offset.data,
        mask: mask.as_ref().map(|mask| mask.data.as_slice()),
        groups,
        taps,
        positions,
    };
    let windows = op
        .windows(&super::signed(spatial), &super::signed(&weight.shape[2..]))
        .map_err(|error| invalid(error.to_string()))?;
    let (rows, plane): (usize, usize) = (plan.channels * taps, spatial.iter().product());
    let mut out = plan.filled(positions, bias.as_ref().map(|bias| bias.data.as_slice()));
    let (mut columns, mut place) = (Vec::new(), vec![0.0; rank]);
    for block in 0..plan.batch * plan.groups {
        let (n, group) = (block / plan.groups, block % plan.groups);
        let weight =
            Matrix::new(&weight.data[group * plan.filters * rows..][..plan.filters * rows], plan.filters, rows);
        for piece in pieces(positions, rows) {
            columns.resize(rows * piece.len(), 0.0);
            for row in 0..rows {
                let (channel, tap) = (group * plan.channels + row / taps, row % taps);
                let key = (n, channel * groups / all, tap);
                let tap_places = plan.lattice.split_tap(tap);
                for position in piece.clone() {
                    let mut rest = position;
                    for axis in (0..rank).rev() {
                        let window = &windows[axis];
                        let regular = (rest % window.output as usize) as i64 * window.stride
                            + tap_places[axis] as i64 * window.dilation
                            - window.begin;
                        rest /= window.output as usize;
                        place[axis] = regular as f64 + deformation.at(key, axis, rank, position);
                    }
                    let values = &x.data[(n * all + channel) * plane..][..plane];
                    columns[row * piece.len() + position - piece.start] =
                        sample(values, spatial, &place) * deformation.factor(key, position);
                }
            }
            let out = &mut out[block * plan.filters * positions + piece.start..];
            multiply_add(weight, Matrix::new(&columns, rows, piece.len()), out, positions);
        }
    }
    one(rounded(x.dtype, &shape, &out)?)
}
