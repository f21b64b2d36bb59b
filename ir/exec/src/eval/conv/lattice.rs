//! Sliding windows as a matrix: unfolding (im2col) and its adjoint, in pieces of bounded size.
//!
//! Position `p` of the small side and tap `k` of a window meet element `p * stride + k * dilation - begin` of the large
//! side, on each axis. A convolution reads the large side, a transposed one writes it.

use edgesmith_ir::op::geometry::{TransposedWindow, Window};

/// One spatial axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    large: usize,
    small: usize,
    taps: usize,
    stride: i64,
    dilation: i64,
    begin: i64,
}

impl Axis {
    /// The element of the large side, which may lie outside.
    fn place(&self, position: usize, tap: usize) -> i64 {
        position as i64 * self.stride + tap as i64 * self.dilation - self.begin
    }
    /// The positions in `from..to` for which a tap lies inside.
    fn inside(&self, tap: usize, from: usize, to: usize) -> std::ops::Range<usize> {
        let offset = self.place(0, tap);
        let first = |bound: i64| (bound - offset + self.stride - 1).div_euclid(self.stride).max(0) as usize;
        let start = first(0).clamp(from, to);
        start..first(self.large as i64).clamp(start, to)
    }
}

/// The spatial axes of a convolution; at least one.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    outer: Vec<Axis>,
    inner: Axis,
}

impl Lattice {
    fn of(mut axes: Vec<Axis>) -> Option<Self> {
        let inner = axes.pop()?;
        Some(Self { outer: axes, inner })
    }
    /// The windows of a convolution.
    pub(super) fn forward(windows: &[Window]) -> Option<Self> {
        let axis = |w: &Window| Axis {
            large: w.input as usize,
            small: w.output as usize,
            taps: w.kernel as usize,
            stride: w.stride,
            dilation: w.dilation,
            begin: w.begin,
        };
        Self::of(windows.iter().map(axis).collect())
    }
    /// The windows of a transposed convolution.
    pub(super) fn transposed(windows: &[TransposedWindow]) -> Option<Self> {
        let axis = |w: &TransposedWindow| Axis {
            large: w.output as usize,
            small: w.input as usize,
            taps: w.kernel as usize,
            stride: w.stride,
            dilation: w.dilation,
            begin: w.begin,
        };
        Self::of(windows.iter().map(axis).collect())
    }
    fn axes(&self) -> impl Iterator<Item = &Axis> {
        self.outer.iter().chain([&self.inner])
    }
    /// Elements of the large side.
    pub(super) fn large(&self) -> usize {
        self.axes().map(|axis| axis.large).product()
    }
    /// Positions of the small side.
    pub(super) fn small(&self) -> usize {
        self.axes().map(|axis| axis.small).product()
    }
    /// Extents of the large side.
    pub(super) fn large_shape(&self) -> Vec<usize> {
        self.axes().map(|axis| axis.large).collect()
    }
    /// Extents of the small side.
    pub(super) fn small_shape(&self) -> Vec<usize> {
        self.axes().map(|axis| axis.small).collect()
    }
    /// Taps of one window.
    pub(super) fn taps(&self) -> usize {
        self.axes().map(|axis| axis.taps).product()
    }
    /// Whether both sides are the same elements.
    pub(super) fn is_pointwise(&self) -> bool {
        self.axes().all(|axis| axis.taps == 1 && axis.stride == 1 && axis.begin == 0 && axis.large == axis.small)
    }
    /// The taps on each axis of a tap of the whole window.
    pub(super) fn split_tap(&self, mut tap: usize) -> Vec<usize> {
        let mut taps = vec![0; self.outer.len() + 1];
        for (axis, own) in
            self.axes().zip(0..).collect::<Vec<_>>().into_iter().rev().map(|(axis, at)| (axis, at as usize))
        {
            taps[own] = tap % axis.taps;
            tap /= axis.taps;
        }
        taps
    }

    /// Where the line of the large side begins that a line of positions meets with given taps; `None` outside.
    fn line(&self, mut line: usize, taps: &[usize]) -> Option<usize> {
        let (mut start, mut stride) = (0, self.inner.large);
        for (axis, tap) in self.outer.iter().zip(taps).rev() {
            let place =
                usize::try_from(axis.place(line % axis.small, *tap)).ok().filter(|place| *place < axis.large)?;
            start += place * stride;
            stride *= axis.large;
            line /= axis.small;
        }
        Some(start)
    }

    /// Calls `meet` for every run of positions in `positions` on one line whose tap lies inside: the first position of
    /// the run, counted from `positions.start`; the element of the large side; the length; elements between them.
    fn runs(
        &self,
        taps: &[usize],
        positions: std::ops::Range<usize>,
        mut meet: impl FnMut(usize, usize, usize, usize),
    ) {
        let (width, tap) = (self.inner.small, taps[self.outer.len()]);
        let mut position = positions.start;
        while position < positions.end {
            let (line, from) = (position / width, position % width);
            let to = width.min(from + positions.end - position);
            if let Some(start) = self.line(line, taps) {
                let inside = self.inner.inside(tap, from, to);
                if !inside.is_empty() {
                    let place = start + self.inner.place(inside.start, tap) as usize;
                    let first = position + inside.start - from - positions.start;
                    meet(first, place, inside.len(), self.inner.stride as usize);
                }
            }
            position += to - from;
        }
    }

    /// The matrix of channels times taps by positions: what each tap meets in `large`, zero outside.
    pub(super) fn unfold(&self, large: &[f64], positions: std::ops::Range<usize>, columns: &mut [f64]) {
        let width = positions.len();
        columns.fill(0.0);
        for (row, out) in columns.chunks_mut(width.max(1)).enumerate() {
            let (channel, tap) = (row / self.taps(), row % self.taps());
            let plane = &large[channel * self.large()..(channel + 1) * self.large()];
            self.runs(&self.split_tap(tap), positions.clone(), |first, place, count, stride| {
                let out = &mut out[first..first + count];
                if stride == 1 {
                    out.copy_from_slice(&plane[place..place + count]);
                } else {
                    for (to, from) in out.iter_mut().zip(plane[place..].iter().step_by(stride)) {
                        *to = *from;
                    }
                }
            });
        }
    }

    /// Adds each element of the matrix to the element of `large` that its tap meets; outside it is dropped.
    pub(super) fn fold(&self, columns: &[f64], positions: std::ops::Range<usize>, large: &mut [f64]) {
        let width = positions.len();
        for (row, values) in columns.chunks(width.max(1)).enumerate() {
            let (channel, tap) = (row / self.taps(), row % self.taps());
            let plane = &mut large[channel * self.large()..(channel + 1) * self.large()];
            self.runs(&self.split_tap(tap), positions.clone(), |first, place, count, stride| {
                let values = &values[first..first + count];
                for (to, from) in plane[place..].iter_mut().step_by(stride).zip(values) {
                    *to += *from;
                }
            });
        }
    }
}

/// Ranges of positions whose columns have about [`PIECE`] elements.
pub(super) fn pieces(positions: usize, rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let width = (PIECE / rows.max(1)).clamp(1, positions.max(1));
    (0..positions).step_by(width).map(move |start| start..(start + width).min(positions))
}

/// Elements of f64 that are unfolded at a time: 16 MiB.
const PIECE: usize = 1 << 21;
