//! Elementwise loops with broadcasting. Strides are worked out once; contiguous and scalar operands take simple loops
//! that the compiler can vectorise.

use super::layout::{Dims, Loops, broadcast_strides, count, strides};

/// `f` of every element of `a` and `b`, each broadcast to `out`, in row-major order.
pub(crate) fn map2<A: Copy, B: Copy, C>(
    (a, a_dims): (&[A], &[usize]),
    (b, b_dims): (&[B], &[usize]),
    out: &[usize],
    f: impl Fn(A, B) -> C,
) -> Vec<C> {
    let total = count(out).unwrap_or(0);
    if a.len() == total && b.len() == total {
        return a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect();
    }
    let mut result = Vec::with_capacity(total);
    let (sa, sb) = (broadcast_strides(a_dims, out), broadcast_strides(b_dims, out));
    Loops::new(out, [&sa, &sb]).run(|[i, j], steps, length| match steps {
        [1, 1] => result.extend(a[i..i + length].iter().zip(&b[j..j + length]).map(|(x, y)| f(*x, *y))),
        [1, 0] => result.extend(a[i..i + length].iter().map(|x| f(*x, b[j]))),
        [0, 1] => result.extend(b[j..j + length].iter().map(|y| f(a[i], *y))),
        [s, t] => result.extend((0..length).map(|n| f(a[i + n * s], b[j + n * t]))),
    });
    result
}

/// `f` of every element of three tensors, each broadcast to `out`.
pub(crate) fn map3<A: Copy, B: Clone, C: Clone, D>(
    (a, a_dims): (&[A], &[usize]),
    (b, b_dims): (&[B], &[usize]),
    (c, c_dims): (&[C], &[usize]),
    out: &[usize],
    f: impl Fn(A, &B, &C) -> D,
) -> Vec<D> {
    let mut result = Vec::with_capacity(count(out).unwrap_or(0));
    let (sa, sb, sc) = (broadcast_strides(a_dims, out), broadcast_strides(b_dims, out), broadcast_strides(c_dims, out));
    Loops::new(out, [&sa, &sb, &sc]).run(|[i, j, k], [s, t, u], length| {
        result.extend((0..length).map(|n| f(a[i + n * s], &b[j + n * t], &c[k + n * u])));
    });
    result
}

/// Elements read under strides, in row-major order of `dims`, from `start` on. Data movement of every kind.
pub(crate) fn gather_strided<T: Clone>(x: &[T], start: usize, dims: &[usize], steps: &[usize]) -> Vec<T> {
    let mut result = Vec::with_capacity(count(dims).unwrap_or(0));
    Loops::new(dims, [steps]).run(|[at], [step], length| {
        let at = start + at;
        match step {
            1 => result.extend_from_slice(&x[at..at + length]),
            0 => result.extend(std::iter::repeat_n(&x[at], length).cloned()),
            _ => result.extend(x[at..].iter().step_by(step).take(length).cloned()),
        }
    });
    result
}

/// A tensor broadcast to `out`.
pub(crate) fn expand<T: Clone>(x: &[T], dims: &[usize], out: &[usize]) -> Vec<T> {
    gather_strided(x, 0, out, &broadcast_strides(dims, out))
}

/// Axes permuted: axis `i` of the result is axis `perm[i]` of `x`.
pub(crate) fn transpose<T: Clone>(x: &[T], dims: &[usize], perm: &[usize]) -> Vec<T> {
    let own = strides(dims);
    let out: Dims = perm.iter().map(|axis| dims[*axis]).collect();
    let steps: Dims = perm.iter().map(|axis| own[*axis]).collect();
    gather_strided(x, 0, &out, &steps)
}

/// Elements picked along each axis by lists of indices (`None` takes the whole axis in order): the outer product of the
/// lists. Every index is within its axis.
pub(crate) fn pick<T: Clone>(x: &[T], dims: &[usize], lists: &[Option<Vec<usize>>]) -> Vec<T> {
    let extent = |axis: usize| lists[axis].as_ref().map_or(dims[axis], Vec::len);
    let total = (0..dims.len()).map(extent).product();
    let mut result = Vec::with_capacity(total);
    if total == 0 {
        return result;
    }
    let own = strides(dims);
    let Some(last) = lists.iter().rposition(Option::is_some) else { return x.to_vec() };
    let block: usize = dims[last + 1..].iter().product();
    let at = |axis: usize, place: usize| lists[axis].as_ref().map_or(place, |list| list[place]) * own[axis];
    let mut places = Dims::from_elem(0, last);
    loop {
        let start: usize = places.iter().enumerate().map(|(axis, place)| at(axis, *place)).sum();
        for place in 0..extent(last) {
            let from = start + at(last, place);
            result.extend_from_slice(&x[from..from + block]);
        }
        let mut axis = last;
        loop {
            if axis == 0 {
                return result;
            }
            axis -= 1;
            places[axis] += 1;
            if places[axis] < extent(axis) {
                break;
            }
            places[axis] = 0;
        }
    }
}
