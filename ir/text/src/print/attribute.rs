//! Attributes.

use edgesmith_ir::{Attribute, F32, Function, GraphId, Name, Op, OpData, OpId, Tensor, TensorData};

use super::Printer;
use super::graph::Place;
use super::types::is_sayable;
use super::writer::{List, is_identifier};
use crate::parse::KINDS;

/// An attribute that is to be printed.
enum Item<'a> {
    Value(&'a str, Attribute),
    /// A graph under the name of an attribute.
    Region(&'a str, GraphId),
}

/// Whether the numbers of regions that attributes hold are 0, 1, 2, ... in the order of the text.
fn regions_in_order(data: &OpData, attributes: &[(Name, Attribute)]) -> bool {
    let mut next = 0;
    let mut check = |index: usize| {
        next += 1;
        index == next - 1
    };
    let in_order = attributes.iter().all(|(_, attribute)| match attribute {
        Attribute::Graph(index) => check(*index),
        Attribute::Graphs(indices) => indices.iter().all(|index| check(*index)),
        _ => true,
    });
    in_order && next == data.regions().len()
}

fn is_plain_float(x: F32) -> bool {
    !x.0.is_nan() || matches!(x.0.to_bits(), 0x7fc0_0000 | 0xffc0_0000)
}

fn is_dense(tensor: &Tensor) -> bool {
    !matches!(tensor.data(), TensorData::Sparse(_))
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// Whether ONNX's syntax has the attribute; `regions` says whether graphs stand in the place of their numbers.
fn is_plain(name: &str, attribute: &Attribute, regions: bool) -> bool {
    is_identifier(name)
        && match attribute {
            Attribute::Float(x) => is_plain_float(*x),
            Attribute::Floats(list) => list.iter().all(|x| is_plain_float(*x)),
            Attribute::Int(_) | Attribute::Ints(_) => true,
            Attribute::String(bytes) => is_text(bytes),
            Attribute::Strings(list) => list.iter().all(|bytes| is_text(bytes)),
            Attribute::Tensor(tensor) => is_dense(tensor),
            Attribute::Tensors(list) => list.iter().all(is_dense),
            Attribute::Type(ty) => is_sayable(ty),
            Attribute::Types(list) => list.iter().all(is_sayable),
            Attribute::Graph(_) => regions,
            Attribute::Graphs(list) => regions || list.is_empty(),
            Attribute::Reference(_, kind) => (0..KINDS.len() as i32).contains(kind),
            _ => false,
        }
}

impl Printer<'_> {
    /// All attributes of an operator; true when it has regions that no attribute holds.
    pub(super) fn attributes(&mut self, _: GraphId, _: OpId, data: &OpData, untyped: bool) -> bool {
        let mut items = Vec::new();
        let mut in_place = true;
        match data.op() {
            Op::Custom(op) => {
                in_place = regions_in_order(data, &op.attributes);
                items.extend(op.attributes.iter().map(|(name, value)| Item::Value(name, value.clone())));
            }
            Op::Call(call) => {
                in_place = false;
                items.extend(call.attributes.iter().map(|(name, value)| Item::Value(name, value.clone())));
            }
            op => {
                let names = op.kind().signature().regions;
                in_place &= names.len() == data.regions().len();
                items.extend(op.encode().into_iter().map(|(name, value)| Item::Value(name, value)));
                if in_place {
                    items.extend(names.iter().zip(data.regions()).map(|(name, id)| Item::Region(name, *id)));
                }
            }
        }
        self.items(data, items, in_place, untyped);
        !in_place && !data.regions().is_empty()
    }

    fn items(&mut self, data: &OpData, items: Vec<Item<'_>>, in_place: bool, untyped: bool) {
        if items.is_empty() {
            return;
        }
        let hides = |item: &Item<'_>| match item {
            Item::Value(name, attribute) => !is_plain(name, attribute, in_place),
            Item::Region(..) => false,
        };
        let has_graph = |item: &Item<'_>| match item {
            Item::Value(_, Attribute::Graph(_)) => in_place,
            Item::Value(_, Attribute::Graphs(list)) => in_place && !list.is_empty(),
            Item::Value(..) => false,
            Item::Region(..) => true,
        };
        let all_hidden = items.iter().all(hides);
        if all_hidden {
            self.w.hide();
            self.w.push("<");
        } else {
            self.w.push(" <");
        }
        let lines = items.iter().any(has_graph);
        let mut list = List::new(lines);
        self.w.indent += 1;
        for item in &items {
            list.item(&mut self.w, !all_hidden && hides(item));
            match item {
                Item::Value(name, attribute) => {
                    let data = in_place.then_some(data);
                    self.attribute(name, attribute, data, untyped);
                }
                Item::Region(name, id) => {
                    self.w.push(name);
                    self.w.push(" = ");
                    self.graph(*id, Place::Region { untyped });
                }
            }
        }
        list.end(&mut self.w);
        self.w.indent -= 1;
        if lines {
            self.w.newline();
        }
        self.w.push(">");
        if all_hidden {
            self.w.unhide();
        }
    }

    /// `name = value`, with the kind where the value does not show it. `data` holds the graphs that stand in place.
    fn attribute(&mut self, name: &str, attribute: &Attribute, data: Option<&OpData>, untyped: bool) {
        if is_identifier(name) {
            self.w.push(name);
        } else {
            self.w.string(name.as_bytes());
        }
        let shown = match attribute {
            Attribute::Float(_) | Attribute::Int(_) | Attribute::String(_) | Attribute::Tensor(_) => true,
            Attribute::Graph(_) => data.is_some(),
            Attribute::Floats(list) => !list.is_empty(),
            Attribute::Ints(list) => !list.is_empty(),
            Attribute::Strings(list) => !list.is_empty(),
            Attribute::Reference(_, 0) => true,
            _ => false,
        };
        if !shown {
            let kind = attribute.onnx_type();
            match usize::try_from(kind).ok().and_then(|kind| KINDS.get(kind)) {
                Some(kind) => self.w.push(&format!(": {kind}")),
                None => self.w.push(&format!(": {kind}")),
            }
        }
        match attribute {
            Attribute::Tensor(tensor) | Attribute::SparseTensor(tensor) => {
                self.w.push(" = ");
                self.tensor(tensor);
                return;
            }
            _ => self.w.push(" = "),
        }
        match attribute {
            Attribute::Float(x) => self.float(*x),
            Attribute::Int(x) => self.w.push(&x.to_string()),
            Attribute::String(bytes) => self.w.string(bytes),
            Attribute::Graph(index) => self.region(*index, data, untyped),
            Attribute::Type(ty) => self.w.ty(ty),
            Attribute::Reference(name, _) => {
                self.w.push("@");
                self.w.name(name);
            }
            Attribute::Floats(list) => self.list(list, |printer, x| printer.float(*x)),
            Attribute::Ints(list) => self.list(list, |printer, x| printer.w.push(&x.to_string())),
            Attribute::Strings(list) => self.list(list, |printer, bytes| printer.w.string(bytes)),
            Attribute::Tensors(list) | Attribute::SparseTensors(list) => self.list(list, Self::tensor),
            Attribute::Types(list) => self.list(list, |printer, ty| printer.w.ty(ty)),
            Attribute::Graphs(list) => self.list(list, |printer, index| printer.region(*index, data, untyped)),
            _ => {}
        }
    }

    fn list<T>(&mut self, list: &[T], item: impl Fn(&mut Self, &T)) {
        self.w.push("[");
        for (index, element) in list.iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            item(self, element);
        }
        self.w.push("]");
    }

    fn tensor(&mut self, tensor: &Tensor) {
        self.w.ty(&edgesmith_ir::tensor_type(tensor));
        self.data(tensor, None, false);
    }

    /// A region in its place, or its number.
    fn region(&mut self, index: usize, data: Option<&OpData>, untyped: bool) {
        match data.and_then(|data| data.regions().get(index)) {
            Some(id) => self.graph(*id, Place::Region { untyped }),
            None => self.w.push(&index.to_string()),
        }
    }

    fn float(&mut self, x: F32) {
        let text = match x.0 {
            nan if nan.is_nan() => match nan.to_bits() {
                0x7fc0_0000 => "nan".to_owned(),
                0xffc0_0000 => "-nan".to_owned(),
                bits => format!("bits({bits:#010x})"),
            },
            x => format!("{x:?}"),
        };
        self.w.push(&text);
    }

    /// The attributes of a function: those without a default, then those with one.
    pub(super) fn function_attributes(&mut self, function: &Function) {
        let plain_names = function.attributes.iter().map(|name| (name, None));
        let with_default = function.defaults.iter().map(|(name, value)| (name, Some(value)));
        let items: Vec<(&Name, Option<&Attribute>)> = plain_names.chain(with_default).collect();
        if items.is_empty() {
            return;
        }
        let hides = |(name, value): &(&Name, Option<&Attribute>)| match value {
            Some(value) => !is_plain(name, value, false),
            None => false,
        };
        let all_hidden = items.iter().all(hides);
        if all_hidden {
            self.w.hide();
            self.w.push("<");
        } else {
            self.w.push(" <");
        }
        let mut list = List::default();
        for item in &items {
            list.item(&mut self.w, !all_hidden && hides(item));
            match item.1 {
                Some(value) => self.attribute(item.0, value, None, true),
                None => self.w.name(item.0),
            }
        }
        list.end(&mut self.w);
        self.w.push(">");
        if all_hidden {
            self.w.unhide();
        }
    }
}
