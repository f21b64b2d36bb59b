//! Nodes of the file before their values have names.

use std::borrow::Cow;

use edgesmith_ir::{Attribute, GraphId, Name, OpId};
use smallvec::SmallVec;

use crate::slots::Slot;

pub(crate) type Text = Cow<'static, str>;

/// A node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub operator: Text,
    pub domain: Text,
    pub overload: Text,
    pub name: Name,
    pub inputs: SmallVec<[Option<Slot>; 4]>,
    pub outputs: SmallVec<[Option<Slot>; 1]>,
    pub attributes: Vec<(Text, Attribute)>,
    /// Plans of the subgraphs; [`Attribute::Graph`] holds an index into this list.
    pub regions: SmallVec<[usize; 1]>,
    /// The operator whose notes (documentation, metadata, device placement) the node bears.
    pub notes: Option<(GraphId, OpId)>,
}

impl Node {
    /// A node of the standard domain.
    pub fn of(operator: &'static str, inputs: &[Slot], output: Slot) -> Self {
        Node {
            operator: Text::Borrowed(operator),
            inputs: inputs.iter().map(|slot| Some(*slot)).collect(),
            outputs: SmallVec::from_slice(&[Some(output)]),
            ..Node::default()
        }
    }

    pub fn input(&self, slot: usize) -> Option<Slot> {
        self.inputs.get(slot).copied().flatten()
    }
    pub fn output(&self, slot: usize) -> Option<Slot> {
        self.outputs.get(slot).copied().flatten()
    }
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
    pub fn set(&mut self, name: &'static str, value: Attribute) {
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((Text::Borrowed(name), value)),
        }
    }
    pub fn set_text(&mut self, name: &'static str, value: &'static str) {
        self.set(name, Attribute::String(bytes::Bytes::from_static(value.as_bytes())));
    }
    pub fn unset(&mut self, name: &str) {
        self.attributes.retain(|(key, _)| key != name);
    }
    /// Drops the inputs from a slot on.
    pub fn truncate_inputs(&mut self, count: usize) {
        self.inputs.truncate(count);
    }
    pub fn set_input(&mut self, slot: usize, value: Slot) {
        while self.inputs.len() <= slot {
            self.inputs.push(None);
        }
        self.inputs[slot] = Some(value);
    }
}
