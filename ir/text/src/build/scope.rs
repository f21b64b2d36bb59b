//! Names in nested graphs. A region may use what is defined outside: a constant is made visible in place, every other
//! value is captured, through as many levels as lie between.

use edgesmith_ir::{Def, Graph, Name, ValueId, ValueType};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::Builder;
use crate::ast::Label;
use crate::error::{Fallible, Fault};

/// What a graph sees of the graph around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// There is none.
    Outermost,
    /// Everything.
    Region,
    /// Only what its captures name.
    Isolated,
}

/// A graph that is being built.
pub(super) struct Frame {
    pub(super) graph: Graph,
    /// What the text calls the values that exist so far.
    pub(super) names: FxHashMap<Name, ValueId>,
    pub(super) scope: Scope,
    /// Whether operators stay as the text has them: in bodies of functions.
    pub(super) untyped: bool,
    /// Whether the text lists the captures.
    pub(super) listed: bool,
    /// The captures of the operator around this region, with what the text calls them.
    pub(super) captures: Vec<(ValueId, Name)>,
    /// Types that pragmas give.
    pub(super) types: FxHashMap<Name, ValueType>,
    /// Types of outputs and interior values.
    pub(super) declared: FxHashMap<Name, ValueType>,
    /// Types that the text gives.
    pub(super) explicit: IndexMap<ValueId, ValueType>,
}

impl Frame {
    /// Adds the input of a capture. It has the type from outside (given by the text or not) unless the text gives another.
    pub(super) fn add_capture(
        &mut self,
        text: &Name,
        label: Name,
        ty: &mut ValueType,
        is_explicit: &mut bool,
    ) -> ValueId {
        if let Some(given) = self.types.get(text) {
            *ty = given.clone();
            *is_explicit = true;
        }
        let value = self.graph.add_input(label, ty.clone(), None);
        if *is_explicit {
            self.explicit.insert(value, ty.clone());
        }
        value
    }
}

impl Builder<'_> {
    pub(super) fn top(&mut self) -> Fallible<&mut Frame> {
        self.frames.last_mut().ok_or_else(|| Fault::new(crate::Span::default(), "no graph is open"))
    }

    /// The value that the text means by a name in the graph being built.
    pub(super) fn resolve(&mut self, label: &Label<'_>) -> Fallible<ValueId> {
        let level = self.frames.len().saturating_sub(1);
        if let Some(value) = self.frames.get(level).and_then(|frame| frame.names.get(&*label.value)) {
            return Ok(*value);
        }
        let unknown = |message: String| Fault::expecting(label.span, message, "a value that is defined above");
        // Look outwards before anything is captured: a constant needs no capture.
        let mut at = level;
        let outer = loop {
            if at == 0 || self.frames[at].scope != Scope::Region {
                return Err(unknown(format!("'{}' is not defined", label.value)));
            }
            at -= 1;
            if let Some(value) = self.frames[at].names.get(&*label.value) {
                break *value;
            }
        };
        let name = Name::from(&*label.value);
        let row = self.frames[at].graph.value(outer);
        if let Def::Constant(tensor) = row.def() {
            let ty = row.ty().clone();
            let frame = &mut self.frames[level];
            let value = frame.graph.add_constant(name.clone(), ty, tensor);
            frame.names.insert(name, value);
            return Ok(value);
        }
        if self.frames[at + 1..].iter().any(|frame| frame.listed) {
            return Err(unknown(format!("'{}' is not among the captures", label.value)));
        }
        let (mut value, mut ty) = (outer, row.ty().clone());
        let mut is_explicit = self.frames[at].explicit.contains_key(&outer);
        for frame in &mut self.frames[at + 1..] {
            frame.captures.push((value, name.clone()));
            value = frame.add_capture(&name, name.clone(), &mut ty, &mut is_explicit);
            frame.names.insert(name.clone(), value);
        }
        Ok(value)
    }

    /// Checks that a name is free in the graph being built.
    pub(super) fn check_free(&mut self, label: &Label<'_>) -> Fallible<Name> {
        if label.value.is_empty() {
            return Err(Fault::expecting(label.span, "the name is empty", "a name"));
        }
        if self.top()?.names.contains_key(&*label.value) {
            return Err(Fault::new(label.span, format!("'{}' is defined twice", label.value)));
        }
        Ok(Name::from(&*label.value))
    }
}
