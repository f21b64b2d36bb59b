//! Matrix products in f64, the one place through which large products go.
//!
//! Products of 8-bit integers are exact here: their sums stay far below 2^53.

use super::dense::Numbers;

/// A matrix inside a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f64],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after another.
    pub(super) fn new(data: &'a [f64], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }
    /// Rows that begin `row_stride` elements apart.
    pub(super) fn strided(data: &'a [f64], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }
    /// The transposed matrix.
    pub(super) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
    /// Elements that the slice must have.
    fn extent(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// `c += a * b`, where the rows of `c` begin `c_stride` elements apart.
///
/// # Panics
/// Where a slice is shorter than its matrix, or inner sizes differ: a fault of the caller.
#[allow(unsafe_code, reason = "the product crate takes pointers")]
pub(super) fn multiply_add(a: Matrix<'_>, b: Matrix<'_>, c: &mut [f64], c_stride: usize) {
    let (rows, inner, columns) = (a.rows, a.columns, b.columns);
    assert_eq!(inner, b.rows, "inner sizes of a product");
    if rows == 0 || inner == 0 || columns == 0 {
        return;
    }
    assert!(rows == 1 || c_stride >= columns, "rows of a product overlap");
    assert!(a.extent() <= a.data.len() && b.extent() <= b.data.len(), "a factor is too short");
    assert!((rows - 1) * c_stride + columns <= c.len(), "a product is too short");
    if rows == 1 && b.column_stride == 1 {
        // One row: the blocked kernel would compute four to eight and throw the others away.
        for k in 0..inner {
            let factor = a.data[k * a.column_stride];
            let row = &b.data[k * b.row_stride..k * b.row_stride + columns];
            for (sum, x) in c.iter_mut().zip(row) {
                *sum += factor * x;
            }
        }
        return;
    }
    if rows == 1 && b.row_stride == 1 && a.column_stride == 1 {
        for (column, sum) in c[..columns].iter_mut().enumerate() {
            let line = &b.data[column * b.column_stride..][..inner];
            *sum += a.data[..inner].iter().zip(line).map(|(x, y)| x * y).sum::<f64>();
        }
        return;
    }
    let stride = |stride: usize| stride as isize;
    // SAFETY: the assertions above keep every element that rows, columns and strides address inside its slice;
    // `c` is borrowed mutably, so it overlaps neither factor, and its rows do not overlap each other.
    unsafe {
        matrixmultiply::dgemm(
            rows,
            inner,
            columns,
            1.0,
            a.data.as_ptr(),
            stride(a.row_stride),
            stride(a.column_stride),
            b.data.as_ptr(),
            stride(b.row_stride),
            stride(b.column_stride),
            1.0,
            c.as_mut_ptr(),
            stride(c_stride),
            1,
        );
    }
}

/// Where a matrix begins in a tensor, and how it lies there.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// The first element.
    pub(super) start: usize,
    /// The elements hold the matrix with rows and columns exchanged.
    pub(super) transposed: bool,
}

/// A tile of a matrix that is read from a tensor: `rows` and `columns` of the matrix as it is multiplied.
struct Tile {
    data: Vec<f64>,
}

impl Tile {
    fn read(
        &mut self,
        numbers: &Numbers<'_>,
        placed: Placed,
        size: (usize, usize),
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> Matrix<'_> {
        let (outer, inner, width) = if placed.transposed {
            (columns.clone(), rows.clone(), size.0)
        } else {
            (rows.clone(), columns.clone(), size.1)
        };
        self.data.resize(outer.len() * inner.len(), 0.0);
        if !inner.is_empty() {
            for (line, out) in outer.zip(self.data.chunks_mut(inner.len())) {
                numbers.read(placed.start + line * width + inner.start, out);
            }
        }
        if placed.transposed {
            Matrix::new(&self.data, columns.len(), rows.len()).transposed()
        } else {
            Matrix::new(&self.data, rows.len(), columns.len())
        }
    }
}

/// Side of the tiles that are widened at a time: 2048 squared elements of f64 are 32 MiB.
const TILE: usize = 2048;

/// `c += a * b` for matrices that lie in tensors, widened tile by tile. `c` is dense, `rows` by `columns`.
pub(super) fn multiply_placed(
    a: (&Numbers<'_>, Placed),
    b: (&Numbers<'_>, Placed),
    (rows, inner, columns): (usize, usize, usize),
    c: &mut [f64],
) {
    let (mut a_tile, mut b_tile) = (Tile { data: Vec::new() }, Tile { data: Vec::new() });
    let cut = |from: usize, end: usize| from..(from + TILE).min(end);
    // A few rows use each widened element of `b` but a few times: it should still be in the cache then.
    let depth = if rows < 8 { TILE / 32 } else { TILE };
    for column in (0..columns).step_by(TILE) {
        for k in (0..inner).step_by(depth) {
            let run = k..(k + depth).min(inner);
            let b_matrix = b_tile.read(b.0, b.1, (inner, columns), run.clone(), cut(column, columns));
            for row in (0..rows).step_by(TILE) {
                let a_matrix = a_tile.read(a.0, a.1, (rows, inner), cut(row, rows), run.clone());
                multiply_add(a_matrix, b_matrix, &mut c[row * columns + column..], columns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
            }
        }
        c
    }

    /// Small integers, so that every order of summation gives the same numbers.
    fn integers(count: usize, seed: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * 7 + seed * 3) % 11) as f64 - 5.0).collect()
    }

    #[test]
    fn tiles_transposes_and_plain_loops_agree() {
        for (m, k, n) in [(1, 5, 3), (3, 4, 5), (2050, 3, 2), (2, 2051, 3), (3, 2, 2049)] {
            let (a, b) = (integers(m * k, 1), integers(k * n, 2));
            let expected = plain(&a, &b, (m, k, n));
            let turn = |x: &[f64], rows: usize, columns: usize| -> Vec<f64> {
                (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| x[r * columns + c]).collect()
            };
            let (a_turned, b_turned) = (turn(&a, m, k), turn(&b, k, n));
            for (transposed_a, transposed_b) in [(false, false), (true, false), (false, true), (true, true)] {
                let a = Numbers::Wide(if transposed_a { a_turned.clone() } else { a.clone() });
                let b = Numbers::Wide(if transposed_b { b_turned.clone() } else { b.clone() });
                let mut c = vec![0.0; m * n];
                let at = |transposed| Placed { start: 0, transposed };
                multiply_placed((&a, at(transposed_a)), (&b, at(transposed_b)), (m, k, n), &mut c);
                assert_eq!(c, expected, "{m} {k} {n} {transposed_a} {transposed_b}");
            }
        }
    }
}
