//! Convolutions: unfolded into matrix products in f64, rounded once.

mod deform;
mod lattice;

pub(super) use deform::deform_conv;

use edgesmith_ir::infer::InferError;
use edgesmith_ir::op::geometry::Window;
use edgesmith_ir::op::{Conv, ConvTranspose};

use super::cx::one;
use super::dense::{Dense, invalid, rounded};
use super::gemm::{Matrix, multiply_add};
use super::{EvalCx, EvalError, Evaluated};
use lattice::{Lattice, pieces};

/// Sizes of a grouped convolution.
#[derive(Debug)]
pub(super) struct Convolution {
    batch: usize,
    groups: usize,
    /// Channels of the input in one group.
    channels: usize,
    /// Channels of the result in one group.
    filters: usize,
    lattice: Lattice,
}

fn signed(extents: &[usize]) -> Vec<i64> {
    extents.iter().map(|extent| *extent as i64).collect()
}

fn group_count(group: i64) -> Result<usize, EvalError> {
    usize::try_from(group).ok().filter(|group| *group > 0).ok_or_else(|| invalid(format!("group is {group}")))
}

/// An attribute `kernel_shape`, where given, must say what the weights say.
fn check_kernel(attribute: &[i64], kernel: &[i64]) -> Result<(), EvalError> {
    if attribute.is_empty() || attribute == kernel {
        return Ok(());
    }
    Err(invalid(format!("kernel_shape {attribute:?} contradicts the weights' {kernel:?}")))
}

impl Convolution {
    /// The convolution of an input with weights `[filters, channels of a group, kernel..]`.
    pub(super) fn of(
        x: &[usize],
        weight: &[usize],
        group: i64,
        kernel_shape: &[i64],
        windows: impl FnOnce(&[i64], &[i64]) -> Result<Vec<Window>, InferError>,
    ) -> Result<Self, EvalError> {
        let ([batch, all, spatial @ ..], [filters, channels, kernel @ ..]) = (x, weight) else {
            return Err(invalid("input and weights need a batch, channels and spatial axes"));
        };
        let groups = group_count(group)?;
        if *all != channels * groups || filters % groups != 0 {
            return Err(invalid(format!("{all} channels and weights {weight:?} do not fit {groups} groups")));
        }
        let kernel = signed(kernel);
        check_kernel(kernel_shape, &kernel)?;
        let windows = windows(&signed(spatial), &kernel).map_err(|error| invalid(error.to_string()))?;
        let lattice = Lattice::forward(&windows).ok_or_else(|| invalid("a convolution needs a spatial axis"))?;
        Ok(Self { batch: *batch, groups, channels: *channels, filters: filters / groups, lattice })
    }
    /// Extents of the result.
    pub(super) fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.batch, self.groups * self.filters];
        shape.extend(self.lattice.small_shape());
        shape
    }
    /// Positions of one channel of the result.
    pub(super) fn positions(&self) -> usize {
        self.lattice.small()
    }
    /// The sums of products, added to `bias` (one for each channel of the result).
    pub(super) fn run(&self, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let (rows, positions) = (self.channels * self.lattice.taps(), self.positions());
        let mut out = self.filled(positions, bias);
        let mut columns = Vec::new();
        for n in 0..self.batch {
            for group in 0..self.groups {
                let block = n * self.groups + group;
                let input = &x[block * self.channels * self.lattice.large()..][..self.channels * self.lattice.large()];
                let out = &mut out[block * self.filters * positions..][..self.filters * positions];
                let weight = &weight[group * self.filters * rows..][..self.filters * rows];
                let weight = Matrix::new(weight, self.filters, rows);
                if self.lattice.is_pointwise() {
                    multiply_add(weight, Matrix::new(input, rows, positions), out, positions);
                    continue;
                }
                for piece in pieces(positions, rows) {
                    columns.resize(rows * piece.len(), 0.0);
                    self.lattice.unfold(input, piece.clone(), &mut columns);
                    let columns = Matrix::new(&columns, rows, piece.len());
                    multiply_add(weight, columns, &mut out[piece.start..], positions);
                }
            }
        }
        out
    }
    /// A result that holds the bias alone.
    fn filled(&self, positions: usize, bias: Option<&[f64]>) -> Vec<f64> {
        let filters = self.groups * self.filters;
        let mut out = vec![0.0; self.batch * filters * positions];
        if let Some(bias) = bias {
            for (row, values) in out.chunks_mut(positions.max(1)).enumerate() {
                values.fill(bias[row % filters]);
            }
        }
        out
    }
}

/// The bias, which must have one element for each of `count` channels.
fn bias(cx: &EvalCx<'_>, slot: usize, count: usize) -> Result<Option<Dense>, EvalError> {
    let bias = cx.maybe_floats(slot)?;
    match &bias {
        Some(bias) if bias.data.len() != count => {
            Err(invalid(format!("the bias has {} elements for {count} channels", bias.data.len())))
        }
        _ => Ok(bias),
    }
}

/// Convolution over the spatial axes.
pub(super) fn conv(op: &Conv, cx: &EvalCx<'_>) -> Evaluated {
    let (x, weight) = (cx.floats(0)?, cx.floats(1)?);
    let plan = Convolution::of(&x.shape, &weight.shape, op.group, &op.kernel_shape, |n, k| op.windows(n, k))?;
    let shape = plan.shape();
    cx.allow(x.dtype, &shape)?;
    let bias = bias(cx, 2, shape[1])?;
    let out = plan.run(&x.data, &weight.data, bias.as_ref().map(|bias| bias.data.as_slice()));
    one(rounded(x.dtype, &shape, &out)?)
}

/// The adjoint of a convolution with respect to its input. Weights `[channels, filters of a group, kernel..]`.
pub(super) fn conv_transpose(op: &ConvTranspose, cx: &EvalCx<'_>) -> Evaluated {
    let (x, weight) = (cx.floats(0)?, cx.floats(1)?);
    let ([batch, all, spatial @ ..], [weight_channels, filters, kernel @ ..]) =
        (x.shape.as_slice(), weight.shape.as_slice())
    else {
        return Err(invalid("input and weights need a batch, channels and spatial axes"));
    };
    let groups = group_count(op.group)?;
    if all != weight_channels || all % groups != 0 {
        return Err(invalid(format!("{all} channels and weights {:?} do not fit {groups} groups", weight.shape)));
    }
    let (kernel, channels) = (signed(kernel), all / groups);
    check_kernel(&op.kernel_shape, &kernel)?;
    let windows = op.windows(&signed(spatial), &kernel).map_err(|error| invalid(error.to_string()))?;
    let lattice = Lattice::transposed(&windows).ok_or_else(|| invalid("a convolution needs a spatial axis"))?;
    let mut shape = vec![*batch, filters * groups];
    shape.extend(lattice.large_shape());
    cx.allow(x.dtype, &shape)?;
    let bias = bias(cx, 2, shape[1])?;
    let (rows, positions, large) = (filters * lattice.taps(), lattice.small(), lattice.large());
    let mut out = vec![0.0; batch * filters * groups * large];
    if let Some(bias) = bias {
        for (row, values) in out.chunks_mut(large.max(1)).enumerate() {
            values.fill(bias.data[row % (filters * groups)]);
        }
    }
    let mut columns = Vec::new();
    for block in 0..batch * groups {
        let input = &x.data[block * channels * positions..][..channels * positions];
        let weight = &weight.data[block % groups * channels * rows..][..channels * rows];
        let out = &mut out[block * filters * large..][..filters * large];
        for piece in pieces(positions, rows) {
            columns.clear();
            columns.resize(rows * piece.len(), 0.0);
            let input = Matrix::strided(&input[piece.start..], channels, piece.len(), positions);
            multiply_add(Matrix::new(weight, channels, rows).transposed(), input, &mut columns, piece.len());
            lattice.fold(&columns, piece, out);
        }
    }
    one(rounded(x.dtype, &shape, &out)?)
}
