//! MatMul, Gemm, Einsum, Det. Floats are multiplied in f64 and rounded once; integers wrap in their own width.

mod einsum;

pub(super) use einsum::einsum;

use edgesmith_ir::op::Gemm;
use edgesmith_ir::{DType, Tensor};

use super::cx::one;
use super::dense::{Numbers, invalid, rounded, shape_of, spread, step, unsupported};
use super::gemm::{Placed, multiply_placed};
use super::stored::cut;
use super::{EvalCx, EvalError, Evaluated};

/// How two stacks of matrices are multiplied.
#[derive(Debug)]
pub(super) struct StackedProduct {
    /// Shape of the result as in numpy: batch axes, then rows and columns as far as both operands have them.
    pub(super) shape: Vec<usize>,
    /// Rows, inner size, columns of each product.
    pub(super) size: (usize, usize, usize),
    /// For each product, which matrices of the operands it takes.
    pub(super) pairs: Vec<(usize, usize)>,
}

impl StackedProduct {
    /// Numpy's rule: the last two axes are matrices (a vector is a row on the left, a column on the right), the others broadcast.
    pub(super) fn of(a: &[usize], b: &[usize]) -> Result<Self, EvalError> {
        let mismatch = || invalid(format!("shapes {a:?} and {b:?} cannot be multiplied"));
        let (a_batch, rows, a_inner) = match a {
            [] => return Err(mismatch()),
            [inner] => (&a[..0], 1, *inner),
            [batch @ .., rows, inner] => (batch, *rows, *inner),
        };
        let (b_batch, b_inner, columns) = match b {
            [] => return Err(mismatch()),
            [inner] => (&b[..0], *inner, 1),
            [batch @ .., inner, columns] => (batch, *inner, *columns),
        };
        if a_inner != b_inner {
            return Err(mismatch());
        }
        let rank = a_batch.len().max(b_batch.len());
        let extent =
            |batch: &[usize], axis: usize| (axis + batch.len()).checked_sub(rank).map_or(1, |axis| batch[axis]);
        let mut batch = Vec::with_capacity(rank);
        for axis in 0..rank {
            batch.push(match (extent(a_batch, axis), extent(b_batch, axis)) {
                (x, y) if x == y || y == 1 => x,
                (1, y) => y,
                _ => return Err(mismatch()),
            });
        }
        let locate = |own: &[usize], index: &[usize]| {
            (0..rank).fold(0, |place, axis| {
                let extent = extent(own, axis);
                place * extent + if extent == 1 { 0 } else { index[axis] }
            })
        };
        let mut pairs = Vec::new();
        if !batch.contains(&0) {
            let mut index = vec![0; rank];
            loop {
                pairs.push((locate(a_batch, &index), locate(b_batch, &index)));
                if !step(&mut index, &batch) {
                    break;
                }
            }
        }
        let mut size = (rows, a_inner, columns);
        // One matrix on the right for all on the left: a single tall product.
        if pairs.len() > 1 && pairs.iter().enumerate().all(|(i, pair)| *pair == (i, 0)) {
            size.0 *= pairs.len();
            pairs.truncate(1);
        }
        let mut shape = batch;
        if a.len() > 1 {
            shape.push(rows);
        }
        if b.len() > 1 {
            shape.push(columns);
        }
        Ok(Self { shape, size, pairs })
    }

    /// The products in f64.
    pub(super) fn floats(&self, a: &Numbers<'_>, b: &Numbers<'_>) -> Vec<f64> {
        let (rows, inner, columns) = self.size;
        let mut out = vec![0.0; self.pairs.len() * rows * columns];
        if out.is_empty() {
            return out;
        }
        for ((i, j), c) in self.pairs.iter().zip(out.chunks_mut(rows * columns)) {
            let place = |start| Placed { start, transposed: false };
            multiply_placed((a, place(i * rows * inner)), (b, place(j * inner * columns)), self.size, c);
        }
        out
    }

    /// The products of integers modulo 2^64, as two's complement.
    pub(super) fn wrapping(&self, a: &[i64], b: &[i64]) -> Vec<i64> {
        let (rows, inner, columns) = self.size;
        let mut out = vec![0_i64; self.pairs.len() * rows * columns];
        if out.is_empty() {
            return out;
        }
        for ((i, j), c) in self.pairs.iter().zip(out.chunks_mut(rows * columns)) {
            let (a, b) = (&a[i * rows * inner..], &b[j * inner * columns..]);
            for (row, c) in c.chunks_mut(columns).enumerate() {
                for k in 0..inner {
                    let factor = a[row * inner + k];
                    for (sum, x) in c.iter_mut().zip(&b[k * columns..]) {
                        *sum = sum.wrapping_add(factor.wrapping_mul(*x));
                    }
                }
            }
        }
        out
    }
}

/// The elements of a 32-bit or 64-bit integer tensor modulo 2^64, as two's complement.
pub(super) fn wrapped(tensor: &Tensor) -> Result<Vec<i64>, EvalError> {
    match tensor.dtype() {
        DType::U64 => Ok(tensor.view::<u64>()?.iter().map(|x| *x as i64).collect()),
        dtype if dtype.is_integer() => tensor.to_ints().ok_or_else(|| invalid("the integers cannot be read")),
        other => Err(unsupported(format!("a product of {other}"))),
    }
}

fn same_dtype(a: &Tensor, b: &Tensor) -> Result<DType, EvalError> {
    if a.dtype() == b.dtype() {
        Ok(a.dtype())
    } else {
        Err(invalid(format!("element types {} and {} differ", a.dtype(), b.dtype())))
    }
}

/// Matrix product as in numpy.
pub(super) fn matmul(cx: &EvalCx<'_>) -> Evaluated {
    let (a, b) = (cx.tensor(0)?, cx.tensor(1)?);
    let dtype = same_dtype(a, b)?;
    let product = StackedProduct::of(&shape_of(a), &shape_of(b))?;
    cx.allow(dtype, &product.shape)?;
    one(if dtype.is_float() {
        rounded(dtype, &product.shape, &product.floats(&Numbers::of(a)?, &Numbers::of(b)?))?
    } else {
        cut(dtype, &product.shape, product.wrapping(&wrapped(a)?, &wrapped(b)?))?
    })
}

/// `alpha * A' * B' + beta * C`, rounded once.
pub(super) fn gemm(op: &Gemm, cx: &EvalCx<'_>) -> Evaluated {
    let (a, b, c) = (cx.tensor(0)?, cx.tensor(1)?, cx.maybe_tensor(2)?);
    let dtype = same_dtype(a, b)?;
    let matrix = |tensor: &Tensor, transposed: bool| match shape_of(tensor).as_slice() {
        [rows, columns] if transposed => Ok((*columns, *rows)),
        [rows, columns] => Ok((*rows, *columns)),
        other => Err(invalid(format!("a matrix is needed, not shape {other:?}"))),
    };
    let ((rows, inner), (b_inner, columns)) = (matrix(a, op.transpose_a)?, matrix(b, op.transpose_b)?);
    if inner != b_inner {
        return Err(invalid(format!("inner sizes {inner} and {b_inner} differ")));
    }
    let shape = [rows, columns];
    cx.allow(dtype, &shape)?;
    let addend = c.map(|c| spread(&shape_of(c), &shape)).transpose()?;
    if !dtype.is_float() {
        return integer_gemm(op, cx, (dtype, shape, inner), addend);
    }
    let mut out = vec![0.0; rows * columns];
    let (a, b) = (Numbers::of(a)?, Numbers::of(b)?);
    let place = |transposed| Placed { start: 0, transposed };
    multiply_placed((&a, place(op.transpose_a)), (&b, place(op.transpose_b)), (rows, inner, columns), &mut out);
    let (alpha, beta) = (f64::from(op.alpha.0), f64::from(op.beta.0));
    for x in &mut out {
        *x *= alpha;
    }
    if let (Some(places), Some(c)) = (addend, c) {
        let c = Numbers::of(c)?;
        for (x, place) in out.iter_mut().zip(places) {
            *x += beta * c.get(place);
        }
    }
    one(rounded(dtype, &shape, &out)?)
}

fn integer_gemm(
    op: &Gemm,
    cx: &EvalCx<'_>,
    (dtype, shape, inner): (DType, [usize; 2], usize),
    addend: Option<Vec<usize>>,
) -> Evaluated {
    let whole = |factor: f32| {
        if factor.fract() == 0.0 && factor.abs() < 1e9 {
            Ok(factor as i64)
        } else {
            Err(unsupported("Gemm of integers with a fractional factor"))
        }
    };
    let (alpha, beta) = (whole(op.alpha.0)?, whole(op.beta.0)?);
    let turned = |slot: usize, turn: bool, rows: usize, columns: usize| -> Result<Vec<i64>, EvalError> {
        let data = wrapped(cx.tensor(slot)?)?;
        if !turn {
            return Ok(data);
        }
        Ok((0..rows)
            .flat_map(|row| (0..columns).map(move |column| column * rows + row))
            .map(|place| data[place])
            .collect())
    };
    let a = turned(0, op.transpose_a, shape[0], inner)?;
    let b = turned(1, op.transpose_b, inner, shape[1])?;
    let product = StackedProduct { shape: shape.to_vec(), size: (shape[0], inner, shape[1]), pairs: vec![(0, 0)] };
    let mut out = product.wrapping(&a, &b);
    for x in &mut out {
        *x = x.wrapping_mul(alpha);
    }
    if let (Some(places), Some(c)) = (addend, cx.maybe_tensor(2)?) {
        let c = wrapped(c)?;
        for (x, place) in out.iter_mut().zip(places) {
            *x = x.wrapping_add(beta.wrapping_mul(c[place]));
        }
    }
    one(cut(dtype, &shape, out)?)
}

/// Determinant of the last two axes, by elimination with partial pivoting.
pub(super) fn det(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    let [batch @ .., rows, columns] = x.shape.as_slice() else {
        return Err(invalid("a determinant needs a matrix"));
    };
    if rows != columns {
        return Err(invalid(format!("a determinant needs square matrices, not {rows} by {columns}")));
    }
    let count: usize = batch.iter().product();
    let out: Vec<f64> =
        (0..count).map(|i| determinant(x.data[i * rows * rows..(i + 1) * rows * rows].to_vec(), *rows)).collect();
    one(rounded(x.dtype, batch, &out)?)
}

fn determinant(mut m: Vec<f64>, n: usize) -> f64 {
    let mut result = 1.0;
    for column in 0..n {
        let size = |row: usize| m[row * n + column].abs();
        let pivot = (column..n).fold(column, |best, row| if size(row) > size(best) { row } else { best });
        if m[pivot * n + column] == 0.0 {
            return 0.0;
        }
        if pivot != column {
            for k in 0..n {
                m.swap(pivot * n + k, column * n + k);
            }
            result = -result;
        }
        let head = m[column * n + column];
        result *= head;
        for row in column + 1..n {
            let factor = m[row * n + column] / head;
            for k in column..n {
                m[row * n + k] -= factor * m[column * n + k];
            }
        }
    }
    result
}
