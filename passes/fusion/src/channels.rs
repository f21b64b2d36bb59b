//! Where the channels of an operator's result lie after reshapes and transposes: as digits, each on an axis of its own.

use edgesmith_ir::Dim;

/// The channel number written in digits, the most significant first; each digit is the index on an axis.
pub(crate) struct Channels {
    digits: Vec<Digit>,
    count: usize,
}

struct Digit {
    axis: usize,
    extent: usize,
}

impl Channels {
    /// All channels on one axis.
    pub(crate) fn on(axis: usize, count: usize) -> Self {
        Self { digits: vec![Digit { axis, extent: count }], count }
    }

    /// After a transpose; without a permutation the axes are reversed. `None` where the permutation is none.
    pub(crate) fn transpose(&mut self, perm: &[i64], rank: usize) -> Option<()> {
        for digit in &mut self.digits {
            digit.axis = match perm {
                [] => rank - 1 - digit.axis,
                perm => perm.iter().position(|axis| usize::try_from(*axis) == Ok(digit.axis))?,
            };
        }
        Some(())
    }

    /// After a reshape: a digit that is cut into several becomes as many, one that is joined with another axis is lost.
    pub(crate) fn regroup(&mut self, from: &[Dim], to: &[Dim]) -> Option<()> {
        let groups = Dim::groups(from, to)?;
        let mut digits = Vec::new();
        for digit in &self.digits {
            if digit.extent == 1 {
                continue;
            }
            let (inside, outside) = groups.iter().find(|(inside, _)| inside.contains(&digit.axis))?;
            if inside.clone().any(|axis| axis != digit.axis && !from[axis].is(1)) {
                return None;
            }
            for axis in outside.clone() {
                let extent = usize::try_from(to[axis].known()?).ok()?;
                digits.push(Digit { axis, extent });
            }
        }
        let whole = digits.iter().map(|digit| digit.extent).product::<usize>() == self.count;
        self.digits = digits;
        whole.then_some(())
    }

    /// The axis that all channels lie on; `None` where they lie on several, or are but one.
    pub(crate) fn axis(&self) -> Option<usize> {
        match self.digits.as_slice() {
            [only] => Some(only.axis),
            _ => None,
        }
    }

    /// Which channels have an index from `start` to `end` on an axis; `None` where that axis is no digit of theirs.
    pub(crate) fn taken(&self, axis: usize, start: i64, end: i64) -> Option<Vec<bool>> {
        let place = self.digits.iter().position(|digit| digit.axis == axis)?;
        let weight: usize = self.digits[place + 1..].iter().map(|digit| digit.extent).product();
        let extent = self.digits[place].extent;
        let is_taken = |channel: usize| (start..end).contains(&((channel / weight.max(1) % extent) as i64));
        Some((0..self.count).map(is_taken).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(text: &[&str]) -> Vec<Dim> {
        text.iter().map(|t| t.parse::<i64>().map_or_else(|_| Dim::symbol(*t), Dim::Known)).collect()
    }

    #[test]
    fn follows_fused_heads() {
        // [N, T, 12] to [N, T, 3, 2, 2], heads first, the second of the three.
        let mut channels = Channels::on(2, 12);
        channels.regroup(&dims(&["N", "T", "12"]), &dims(&["N", "T", "3", "2", "2"])).unwrap();
        channels.transpose(&[2, 0, 3, 1, 4], 5).unwrap();
        let taken = channels.taken(0, 1, 2).unwrap();
        assert_eq!(taken, (0..12).map(|c| (4..8).contains(&c)).collect::<Vec<_>>());
        // Every second channel: the last digit.
        let taken = channels.taken(4, 0, 1).unwrap();
        assert_eq!(taken, (0..12).map(|c| c % 2 == 0).collect::<Vec<_>>());
        // Tokens are no channels.
        assert_eq!(channels.taken(3, 0, 1), None);
    }

    #[test]
    fn loses_what_is_joined() {
        let mut channels = Channels::on(2, 12);
        assert_eq!(channels.regroup(&dims(&["N", "4", "12"]), &dims(&["N", "48"])), None);
        let mut channels = Channels::on(1, 12);
        assert_eq!(channels.regroup(&dims(&["N", "12"]), &dims(&["1", "N", "12", "1"])), Some(()));
        assert_eq!(channels.taken(2, 0, 1).map(|taken| taken.iter().filter(|t| **t).count()), Some(1));
        let mut channels = Channels::on(1, 12);
        assert_eq!(channels.regroup(&dims(&["N", "12"]), &dims(&["M", "12"])), None);
    }
}
