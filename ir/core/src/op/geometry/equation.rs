//! The equations of Einsum, as `bij, bjk -> bik` or `...ij->...ji`.

use std::fmt;

use crate::infer::InferError;

/// One place of a term.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Label {
    /// `...`: any number of axes, broadcast between operands.
    Ellipsis,
    /// A letter.
    Letter(char),
}

/// A parsed equation. The output is always explicit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Equation {
    /// One term per operand.
    pub operands: Vec<Vec<Label>>,
    /// The term of the output: no label twice, none that no operand has.
    pub output: Vec<Label>,
}

/// An equation for operands of given ranks: each axis of each operand and of the output has an index, the same for axes
/// that run together. Indices that the output lacks are summed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexMap {
    /// Indices are `0..count`, in order of first appearance.
    pub count: usize,
    /// How many of the first indices stand for the ellipsis; their axes broadcast.
    pub broadcast: usize,
    /// The index of each axis of each operand.
    pub operands: Vec<Vec<usize>>,
    /// The index of each axis of the output.
    pub output: Vec<usize>,
}

impl Equation {
    /// Reads an equation. Spaces are ignored; without `->` the output has the labels that occur once, in the order of
    /// their ASCII codes, after the ellipsis.
    pub fn parse(text: &str) -> Result<Self, InferError> {
        let stripped: String = text.chars().filter(|c| *c != ' ').collect();
        let fail = |problem: String| InferError::new(format!("equation '{text}': {problem}"));
        let (inputs, output) = match stripped.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (stripped.as_str(), None),
        };
        let term = |text: &str| parse_term(text).map_err(fail);
        let operands = inputs.split(',').map(term).collect::<Result<Vec<_>, _>>()?;
        let output = match output {
            Some(output) => term(output)?,
            None => implicit_output(&operands),
        };
        for (place, label) in output.iter().enumerate() {
            if output[..place].contains(label) {
                return Err(fail(format!("the output has {label} twice")));
            }
            // An ellipsis of no axes is harmless.
            if *label != Label::Ellipsis && !operands.iter().any(|term| term.contains(label)) {
                return Err(fail(format!("no operand has the label {label} of the output")));
            }
        }
        Ok(Self { operands, output })
    }

    /// Gives every axis its index. Errors: another number of operands, or ranks that do not fit the terms.
    pub fn index(&self, ranks: &[usize]) -> Result<IndexMap, InferError> {
        let fail = |problem: String| InferError::new(format!("equation '{self}': {problem}"));
        if ranks.len() != self.operands.len() {
            return Err(fail(format!("it has {} terms for {} operands", self.operands.len(), ranks.len())));
        }
        let mut hidden = Vec::with_capacity(ranks.len());
        for (slot, (term, rank)) in self.operands.iter().zip(ranks).enumerate() {
            let letters = term.iter().filter(|label| **label != Label::Ellipsis).count();
            let has_ellipsis = letters < term.len();
            if *rank < letters || (*rank > letters && !has_ellipsis) {
                return Err(fail(format!("operand {slot} of rank {rank} does not fit its term")));
            }
            hidden.push(rank - letters);
        }
        let broadcast = hidden.iter().copied().max().unwrap_or(0);
        let mut letters: Vec<char> = Vec::new();
        let mut operands = Vec::with_capacity(ranks.len());
        for (term, hidden) in self.operands.iter().zip(hidden) {
            let mut indices = Vec::new();
            for label in term {
                match label {
                    // Aligned at the right, as broadcasting is.
                    Label::Ellipsis => indices.extend(broadcast - hidden..broadcast),
                    Label::Letter(letter) => {
                        let place = letters.iter().position(|known| known == letter).unwrap_or_else(|| {
                            letters.push(*letter);
                            letters.len() - 1
                        });
                        indices.push(broadcast + place);
                    }
                }
            }
            operands.push(indices);
        }
        let mut output = Vec::new();
        for label in &self.output {
            match label {
                Label::Ellipsis => output.extend(0..broadcast),
                Label::Letter(letter) => {
                    output.extend(letters.iter().position(|known| known == letter).map(|place| broadcast + place));
                }
            }
        }
        Ok(IndexMap { count: broadcast + letters.len(), broadcast, operands, output })
    }
}

fn parse_term(text: &str) -> Result<Vec<Label>, String> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            if labels.contains(&Label::Ellipsis) {
                return Err(format!("the term '{text}' has two ellipses"));
            }
            labels.push(Label::Ellipsis);
            rest = after;
        } else if first.is_ascii_alphabetic() {
            labels.push(Label::Letter(first));
            rest = &rest[1..];
        } else {
            return Err(format!("'{first}' is no letter"));
        }
    }
    Ok(labels)
}

fn implicit_output(operands: &[Vec<Label>]) -> Vec<Label> {
    let mut all: Vec<Label> = operands.iter().flatten().copied().collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).filter(|run| run.len() == 1 || run[0] == Label::Ellipsis).map(|run| run[0]).collect()
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Ellipsis => f.write_str("..."),
            Label::Letter(letter) => write!(f, "{letter}"),
        }
    }
}

impl fmt::Display for Equation {
    /// The explicit form without spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (slot, term) in self.operands.iter().enumerate() {
            if slot > 0 {
                f.write_str(",")?;
            }
            term.iter().try_for_each(|label| write!(f, "{label}"))?;
        }
        f.write_str("->")?;
        self.output.iter().try_for_each(|label| write!(f, "{label}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_equations() {
        for (text, explicit) in [
            ("ij,jk->ik", "ij,jk->ik"),
            (" i j , j k ", "ij,jk->ik"),
            ("ii", "ii->"),
            ("ii->i", "ii->i"),
            ("b a", "ba->ab"),
            ("aB", "aB->Ba"),
            ("...ij,...jk", "...ij,...jk->...ik"),
            ("i,j->", "i,j->"),
            (",i", ",i->i"),
        ] {
            assert_eq!(Equation::parse(text).unwrap().to_string(), explicit, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_equation() {
        for (text, problem) in [
            ("ij->ii", "equation 'ij->ii': the output has i twice"),
            ("ij->k", "equation 'ij->k': no operand has the label k of the output"),
            ("i1->i", "equation 'i1->i': '1' is no letter"),
            ("..i->i", "equation '..i->i': '.' is no letter"),
            ("......->", "equation '......->': the term '......' has two ellipses"),
            ("é->", "equation 'é->': 'é' is no letter"),
            ("i->j->k", "equation 'i->j->k': '-' is no letter"),
        ] {
            assert_eq!(Equation::parse(text).unwrap_err().message, problem);
        }
    }

    #[test]
    fn indexes_axes() {
        let map = Equation::parse("...ij,jk->...ik").unwrap().index(&[4, 2]).unwrap();
        assert_eq!(map.operands, [vec![0, 1, 2, 3], vec![3, 4]]);
        assert_eq!((map.output, map.count, map.broadcast), (vec![0, 1, 2, 4], 5, 2));
        // Ellipses of different lengths align at the right.
        let map = Equation::parse("a...,...b").unwrap().index(&[3, 2]).unwrap();
        assert_eq!((map.operands, map.output), (vec![vec![2, 0, 1], vec![1, 3]], vec![0, 1, 2, 3]));
        let message = |text: &str, ranks: &[usize]| Equation::parse(text).unwrap().index(ranks).unwrap_err().message;
        assert_eq!(message("ij->i", &[2, 2]), "equation 'ij->i': it has 1 terms for 2 operands");
        assert_eq!(message("ij->i", &[3]), "equation 'ij->i': operand 0 of rank 3 does not fit its term");
        assert_eq!(message("ij...->i", &[1]), "equation 'ij...->i': operand 0 of rank 1 does not fit its term");
    }
}
