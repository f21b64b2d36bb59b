//! Sampling of images: Resize, GridSample, AffineGrid, RoiAlign; positions and weights in f64, results rounded once.

mod grid;
mod resize;
mod roi;

pub(super) use grid::{affine_grid, grid_sample};
pub(super) use resize::resize;
pub(super) use roi::roi_align;

/// Keys' cubic convolution: the weights of the elements at -1, 0, 1 and 2 for a place `fraction` after element 0.
fn cubic_weights(fraction: f64, a: f64) -> [f64; 4] {
    [-1.0, 0.0, 1.0, 2.0].map(|at| cubic(at - fraction, a))
}

/// Keys' kernel at a distance.
fn cubic(distance: f64, a: f64) -> f64 {
    let x = distance.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}
