//! Attributes.

use bytes::Bytes;
use edgesmith_ir::{Attribute, F32, Name};

use super::Builder;
use crate::ast::{At, AttributeAst, AttributeValueAst, GraphAst};
use crate::error::{Fallible, Fault};
use crate::parse::KINDS;

impl Builder<'_> {
    /// An attribute without graphs.
    pub(super) fn plain_attribute(&mut self, ast: &AttributeAst<'_>) -> Fallible<Attribute> {
        let mut graphs = Vec::new();
        let attribute = self.attribute(ast, &mut graphs)?;
        if graphs.is_empty() { Ok(attribute) } else { Err(Fault::new(ast.value.span, "no graph can stand here")) }
    }

    /// An attribute; its graphs are appended to the list, whose indices it holds.
    pub(super) fn attribute<'s, 'a>(
        &mut self,
        ast: &'s AttributeAst<'a>,
        graphs: &mut Vec<&'s GraphAst<'a>>,
    ) -> Fallible<Attribute> {
        let mut attribute = match &ast.value.value {
            AttributeValueAst::List(items) => return self.list(ast, items, graphs),
            AttributeValueAst::Reference(name) => return Ok(Attribute::Reference(Name::from(&**name), ast.kind)),
            AttributeValueAst::Int(x) if ast.kind == 1 => Attribute::Float(F32(*x as f32)),
            // The index of a region that stands elsewhere.
            AttributeValueAst::Int(x) if ast.kind == 5 => Attribute::Graph(index(*x, ast)?),
            AttributeValueAst::Int(x) => Attribute::Int(*x),
            AttributeValueAst::Float(bits) => Attribute::Float(F32(f32::from_bits(*bits))),
            AttributeValueAst::Text(bytes) => Attribute::String(Bytes::copy_from_slice(bytes)),
            AttributeValueAst::Type(ty) => Attribute::Type(ty.clone()),
            AttributeValueAst::Tensor(ty, data) => Attribute::Tensor(self.tensor(ty, data)?),
            AttributeValueAst::Graph(graph) => {
                graphs.push(graph);
                Attribute::Graph(graphs.len() - 1)
            }
        };
        if let (11, Attribute::Tensor(tensor)) = (ast.kind, &attribute) {
            attribute = Attribute::SparseTensor(tensor.clone());
        }
        if ast.kind != 0 && attribute.onnx_type() != ast.kind {
            return Err(mismatch(ast, &ast.value, attribute.kind()));
        }
        Ok(attribute)
    }

    fn list<'s, 'a>(
        &mut self,
        ast: &'s AttributeAst<'a>,
        items: &'s [At<AttributeValueAst<'a>>],
        graphs: &mut Vec<&'s GraphAst<'a>>,
    ) -> Fallible<Attribute> {
        let kind = match (ast.kind, items.first().map(|item| &item.value)) {
            (0, None) => {
                return Err(Fault::expecting(ast.value.span, "an empty list needs its kind", "': ints' or the like"));
            }
            (0, Some(AttributeValueAst::Int(_))) => 7,
            (0, Some(AttributeValueAst::Float(_))) => 6,
            (0, Some(AttributeValueAst::Text(_))) => 8,
            (0, Some(AttributeValueAst::Tensor(..))) => 9,
            (0, Some(AttributeValueAst::Graph(_))) => 10,
            (0, Some(AttributeValueAst::Type(_))) => 14,
            (kind, _) => kind,
        };
        macro_rules! collect {
            ($variant:ident, $what:literal, $($pattern:pat => $value:expr),+ $(,)?) => {{
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(match &item.value { $($pattern => $value,)+ _ => return Err(mismatch(ast, item, $what)) });
                }
                Ok(Attribute::$variant(list))
            }};
        }
        match kind {
            6 => collect!(Floats, "something else",
                AttributeValueAst::Float(bits) => F32(f32::from_bits(*bits)),
                AttributeValueAst::Int(x) => F32(*x as f32)),
            7 => collect!(Ints, "something else", AttributeValueAst::Int(x) => *x),
            8 => collect!(Strings, "something else", AttributeValueAst::Text(bytes) => Bytes::copy_from_slice(bytes)),
            9 => collect!(Tensors, "something else", AttributeValueAst::Tensor(ty, data) => self.tensor(ty, data)?),
            10 => collect!(Graphs, "something else",
                AttributeValueAst::Int(x) => index(*x, ast)?,
                AttributeValueAst::Graph(graph) => { graphs.push(graph); graphs.len() - 1 }),
            12 => {
                collect!(SparseTensors, "something else", AttributeValueAst::Tensor(ty, data) => self.tensor(ty, data)?)
            }
            14 => collect!(Types, "something else", AttributeValueAst::Type(ty) => ty.clone()),
            _ => Err(mismatch(ast, &ast.value, "a list")),
        }
    }
}

fn index(x: i64, ast: &AttributeAst<'_>) -> Fallible<usize> {
    usize::try_from(x).map_err(|_| Fault::new(ast.value.span, format!("{x} is no index of a region")))
}

fn mismatch(ast: &AttributeAst<'_>, at: &At<AttributeValueAst<'_>>, found: &str) -> Fault {
    let wanted = usize::try_from(ast.kind).ok().and_then(|kind| KINDS.get(kind)).copied().unwrap_or("undefined");
    let wanted = if ast.kind == 0 { "elements of one kind" } else { wanted };
    Fault::expecting(at.span, format!("the attribute '{}' has {found}", ast.name.value), wanted)
}
