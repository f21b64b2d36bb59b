//! The bounds of a slice, symbolically: what Slice takes of an axis.

use super::geometry::ceil_div;
use crate::Dim;

/// Bounds at least this large, or as far below zero, mean "to the end": exporters write the extremes of int32 and int64.
const SENTINEL: i64 = i32::MAX as i64;

/// The length of a slice of an axis; unknown where a bound is, or where its sign is.
pub(super) fn length(extent: &Dim, start: &Dim, end: &Dim, step: i64) -> Dim {
    if let (Dim::Known(extent), Dim::Known(start), Dim::Known(end)) = (extent, start, end) {
        return Dim::from(indices(*extent, *start, *end, step).1);
    }
    let way = if step > 0 && matches!((sign(start), sign(end)), (Sign::Negative, Sign::Beyond)) {
        start.neg().min_with(extent)
    } else if step > 0 {
        // A start beyond the axis, or an end before it, leaves nothing in any case.
        let start = match sign(start) {
            Sign::Beyond => return Dim::Known(0),
            Sign::FarBefore => Dim::Known(0),
            Sign::Size => start.clone(),
            Sign::Negative => start.add(extent).max_with(&Dim::Known(0)),
            Sign::Open => return Dim::Unknown,
        };
        let end = match sign(end) {
            Sign::Beyond => extent.clone(),
            Sign::FarBefore => return Dim::Known(0),
            Sign::Size => end.min_with(extent),
            Sign::Negative => end.add(extent),
            Sign::Open => return Dim::Unknown,
        };
        end.sub(&start)
    } else {
        let (first, last) = (Dim::Known(0), extent.sub(&Dim::Known(1)));
        let start = match sign(start) {
            Sign::Beyond => last,
            // A start before the axis is its first element, where there is one.
            Sign::FarBefore => return Dim::Unknown,
            Sign::Size => start.min_with(&last),
            Sign::Negative if start.is(-1) => last,
            Sign::Negative => start.add(extent).max_with(&first),
            Sign::Open => return Dim::Unknown,
        };
        let end = match sign(end) {
            Sign::Beyond => return Dim::Known(0),
            Sign::FarBefore => Dim::Known(-1),
            Sign::Size => end.clone(),
            Sign::Negative => end.add(extent).max_with(&Dim::Known(-1)),
            Sign::Open => return Dim::Unknown,
        };
        start.sub(&end)
    };
    ceil_div(&way, step.saturating_abs()).max_with(&Dim::Known(0))
}

/// How a bound is to be read.
enum Sign {
    /// So large that it means the end.
    Beyond,
    /// So far below zero that it means the front.
    FarBefore,
    /// Counted from the front.
    Size,
    /// Counted from the end.
    Negative,
    /// Not known.
    Open,
}

fn sign(bound: &Dim) -> Sign {
    match bound {
        Dim::Known(n) if *n >= SENTINEL => Sign::Beyond,
        Dim::Known(n) if *n <= -SENTINEL => Sign::FarBefore,
        _ if bound.is_size() => Sign::Size,
        _ if bound.neg().sub(&Dim::Known(1)).is_size() => Sign::Negative,
        _ => Sign::Open,
    }
}

/// The first index that a slice of a known axis takes, and how many it takes.
pub(super) fn indices(extent: i64, start: i64, end: i64, step: i64) -> (i64, u64) {
    let n = i128::from(extent);
    let from_front = |bound: i64| if bound < 0 { i128::from(bound) + n } else { i128::from(bound) };
    let step = i128::from(step);
    let (first, length) = if step > 0 {
        let (start, end) = (from_front(start).clamp(0, n), from_front(end).clamp(0, n));
        (start, (end - start + step - 1) / step)
    } else {
        let (start, end) = (from_front(start).clamp(0, (n - 1).max(0)), from_front(end).clamp(-1, (n - 1).max(-1)));
        (start, (start - end - step - 1) / -step)
    };
    (first as i64, length.clamp(0, n) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_count_from_the_end_and_are_clamped() {
        let (max, min) = (i64::MAX, i64::MIN);
        for (extent, start, end, step, expected) in [
            (7, 1, max, 1, (1, 6)),
            (7, -3, max, 1, (4, 3)),
            (7, 0, -1, 2, (0, 3)),
            (7, 5, 2, 1, (5, 0)),
            (7, -1, min, -1, (6, 7)),
            (7, -1, -100, -2, (6, 4)),
            (7, -100, 3, 1, (0, 3)),
            // Before the front with a negative step: the first element.
            (7, -100, min, -1, (0, 1)),
            (7, 100, 100, 1, (7, 0)),
            (7, 0, max, max, (0, 1)),
            (7, max, min, min, (6, 1)),
            (0, 0, max, 1, (0, 0)),
            (0, -1, min, -1, (0, 0)),
        ] {
            assert_eq!(indices(extent, start, end, step), expected, "{extent} [{start}:{end}:{step}]");
        }
    }

    #[test]
    fn symbolic_lengths() {
        let n = Dim::symbol("N");
        let dim = |text: &str| Dim::parse(text).unwrap();
        for (extent, start, end, step, expected) in [
            ("N", "0", "9223372036854775807", 1, "N"),
            ("N", "0", "2147483647", 1, "N"),
            ("N", "1", "2147483647", 1, "max(0, N - 1)"),
            ("N + 1", "1", "2147483647", 1, "N"),
            ("N + 4", "0", "-1", 1, "N + 3"),
            ("N", "-1", "9223372036854775807", 1, "min(1, N)"),
            ("512", "0", "N", 1, "min(512, N)"),
            ("N", "0", "N", 1, "N"),
            ("2*N", "0", "N", 1, "N"),
            ("2*N", "N", "9223372036854775807", 1, "N"),
            ("N", "0", "9223372036854775807", 2, "floor((N + 1)/2)"),
            ("N", "-1", "-9223372036854775808", -1, "N"),
            ("N", "1", "-1", 1, "max(0, N - 2)"),
            ("N", "-2", "9223372036854775807", 1, "min(2, N)"),
            ("N", "M - 1", "9223372036854775807", 1, "?"),
            ("?", "0", "3", 1, "?"),
            ("N", "?", "3", 1, "?"),
        ] {
            let found = length(&dim(extent), &dim(start), &dim(end), step);
            assert_eq!(found.to_string(), expected, "{extent} [{start}:{end}:{step}]");
        }
        assert_eq!(length(&n, &n.neg().sub(&Dim::Known(1)), &Dim::Known(i64::MAX), 1).to_string(), "N");
    }
}
