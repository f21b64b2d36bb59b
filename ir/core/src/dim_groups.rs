//! Which axes a reshape joins and splits.

use std::ops::Range;

use crate::Dim;

impl Dim {
    /// Runs of axes of two shapes that hold the same elements, the shortest that there are: what a reshape from the one to the other
    /// does. An axis of one index may be a run of its own, with nothing on the other side. `None` where the dims do not tell.
    pub fn groups(from: &[Dim], to: &[Dim]) -> Option<Vec<(Range<usize>, Range<usize>)>> {
        let mut groups = Vec::new();
        let (mut i, mut j) = (0, 0);
        while i < from.len() || j < to.len() {
            let (start, begin) = (i, j);
            match (from.get(i), to.get(j)) {
                (Some(a), Some(b)) if a.same(b) => (i, j) = (i + 1, j + 1),
                (Some(a), _) if a.is(1) => i += 1,
                (_, Some(b)) if b.is(1) => j += 1,
                (Some(a), Some(b)) => {
                    let (mut a, mut b) = (a.clone(), b.clone());
                    (i, j) = (i + 1, j + 1);
                    while !a.same(&b) {
                        // The side that divides the other is the one that goes on.
                        let left = match (&a, &b) {
                            (Dim::Known(a), Dim::Known(b)) => a < b,
                            _ if b.exact_div(&a).is_some() => true,
                            _ if a.exact_div(&b).is_some() => false,
                            _ => return None,
                        };
                        if left {
                            a = a.mul(from.get(i)?);
                            i += 1;
                        } else {
                            b = b.mul(to.get(j)?);
                            j += 1;
                        }
                    }
                }
                _ => return None,
            }
            groups.push((start..i, begin..j));
        }
        Some(groups)
    }
}
