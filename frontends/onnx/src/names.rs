//! Names: interned, and made unique over all graphs that run.
//!
//! ONNX lets two branches of an `If`, or two calls of one function, use one name for different values. The IR asks for
//! names that are unique in their graph only, but sizes that depend on data are keyed by the name of their value, so
//! here every value that is defined gets a name of its own in the whole model. Names of the main graph never change.

use edgesmith_ir::Name;
use rustc_hash::{FxHashMap, FxHashSet};

/// Interned names, and which of them stand for a value already.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: FxHashSet<Name>,
    taken: FxHashSet<Name>,
    /// The next number to try behind a name.
    next: FxHashMap<Name, u32>,
}

impl Names {
    /// The name with this text.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.known.get(text) {
            return name.clone();
        }
        let name = Name::from(text);
        self.known.insert(name.clone());
        name
    }
    /// Keeps a name from being given to any other value.
    pub fn reserve(&mut self, name: &Name) {
        self.taken.insert(name.clone());
    }
    /// A name for a new value: this one, or if it is taken, this one with a number.
    pub fn unique(&mut self, wanted: &Name) -> Name {
        if self.taken.insert(wanted.clone()) {
            return wanted.clone();
        }
        let mut number = self.next.get(wanted).copied().unwrap_or(1);
        loop {
            let name = Name::from(format!("{wanted}_{number}"));
            number += 1;
            if self.taken.insert(name.clone()) {
                self.next.insert(wanted.clone(), number);
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_names_get_numbers() {
        let mut names = Names::default();
        let x = names.intern("x");
        names.reserve(&Name::from("x_1"));
        let made: Vec<Name> = (0..3).map(|_| names.unique(&x)).collect();
        assert_eq!(made, [Name::from("x"), Name::from("x_2"), Name::from("x_3")]);
    }
}
