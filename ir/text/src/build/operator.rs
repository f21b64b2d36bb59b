//! One operator: typed where its name is known, else a call of a function, else carried as it is.

use edgesmith_ir::op::{Arity, Call, CustomOp, FunctionKey};
use edgesmith_ir::{
    Attribute, AttributeError, GraphId, Name, NewOp, Op, OpKind, Origin, OriginId, ValueId, scope_of_name,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::graph::listed_captures;
use super::scope::Scope;
use super::{Builder, pragma};
use crate::ast::{AttributeAst, AttributeValueAst, CaptureAst, FieldValue, GraphAst, OpAst, Subject};
use crate::domain::typed_kind;
use crate::error::{Fallible, Fault};

/// What an operator is to become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Typed(OpKind),
    Call,
    Custom,
}

/// The captures of an operator, and its regions.
struct Regions {
    ids: SmallVec<[GraphId; 2]>,
    captures: Vec<(ValueId, Name)>,
}

impl Builder<'_> {
    pub(super) fn operator(&mut self, ast: &OpAst<'_>) -> Fallible<()> {
        let way = self.way(ast)?;
        let mut operands: SmallVec<[Option<ValueId>; 4]> = SmallVec::with_capacity(ast.operands.len());
        for operand in &ast.operands {
            operands.push(if operand.value.is_empty() { None } else { Some(self.resolve(operand)?) });
        }
        let (op, graphs) = self.lower(ast, way)?;
        let regions = self.regions(ast, way, &graphs)?;
        operands.extend(regions.captures.iter().map(|(value, _)| Some(*value)));
        let mut results: SmallVec<[Option<Name>; 1]> = SmallVec::with_capacity(ast.results.len());
        for result in &ast.results {
            results.push(if result.value.is_empty() { None } else { Some(self.check_free(result)?) });
        }
        if let Way::Typed(kind) = way {
            check_signature(ast, kind)?;
        }
        let name = ast.name.as_ref().map(|name| Name::from(&*name.value)).unwrap_or_default();
        let origin = self.origin_of(ast, &op, &name)?;
        let new = NewOp { op, operands, captures: regions.captures.len(), regions: regions.ids, results, name, origin };
        let frame = self.top()?;
        let id = frame.graph.add_op(new);
        pragma::op_extra(&mut frame.graph, id, &ast.pragmas)?;
        let made: SmallVec<[ValueId; 4]> = frame.graph.op(id).results().iter().flatten().copied().collect();
        if let Some(types) = &ast.types
            && types.value.len() != made.len()
        {
            return Err(Fault::expecting(
                types.span,
                format!("{} types for {} results", types.value.len(), made.len()),
                "a type for every result",
            ));
        }
        for (index, value) in made.into_iter().enumerate() {
            let name = frame.graph.value(value).name().clone();
            let ty = match &ast.types {
                Some(types) => Some(types.value[index].clone()),
                None => frame.types.get(&name).or(frame.declared.get(&name)).cloned(),
            };
            if let Some(ty) = ty {
                frame.graph.set_type(value, ty.clone());
                frame.explicit.insert(value, ty);
            }
            if frame.names.insert(name.clone(), value).is_some() {
                return Err(Fault::new(ast.span, format!("'{name}' is defined twice")));
            }
        }
        Ok(())
    }

    fn way(&mut self, ast: &OpAst<'_>) -> Fallible<Way> {
        let untyped = self.top()?.untyped;
        let kind = typed_kind(&ast.domain, &ast.operator).filter(|_| ast.overload.is_empty());
        let flag = ast.pragmas.iter().flat_map(|pragma| &pragma.fields).find_map(|field| match field.key.value {
            "custom" | "typed" | "call" => Some(field.key.value),
            _ => None,
        });
        match (flag, kind) {
            (Some("custom"), _) => Ok(Way::Custom),
            (Some("call"), _) => Ok(Way::Call),
            (Some(_), Some(kind)) => Ok(Way::Typed(kind)),
            (Some(_), None) => Err(Fault::new(ast.span, format!("there is no typed operator '{}'", ast.operator))),
            (None, _) if untyped => Ok(Way::Custom),
            (None, Some(kind)) => Ok(Way::Typed(kind)),
            (None, None) if self.functions.contains(&key_of(ast)) => Ok(Way::Call),
            (None, None) => Ok(Way::Custom),
        }
    }

    /// The operator with its attributes, and the graphs that are to be its regions.
    fn lower<'s, 'a>(&mut self, ast: &'s OpAst<'a>, way: Way) -> Fallible<(Op, Vec<&'s GraphAst<'a>>)> {
        let mut graphs: Vec<&GraphAst<'_>> = Vec::new();
        let mut attributes: Vec<(Name, Attribute)> = Vec::new();
        match way {
            Way::Typed(kind) => {
                let names = kind.signature().regions;
                let mut found: Vec<Option<&GraphAst<'_>>> = vec![None; names.len()];
                for attribute in &ast.attributes {
                    let slot = names.iter().position(|name| attribute.name.value == *name);
                    match (slot, &attribute.value.value) {
                        (Some(slot), AttributeValueAst::Graph(graph)) => found[slot] = Some(graph),
                        _ => attributes
                            .push((Name::from(&*attribute.name.value), self.attribute(attribute, &mut Vec::new())?)),
                    }
                }
                for (name, graph) in names.iter().zip(found) {
                    let Some(graph) = graph else {
                        return Err(Fault::expecting(ast.span, format!("{kind} lacks a graph"), format!("'{name}'")));
                    };
                    graphs.push(graph);
                }
                let decoded = kind.decode(attributes).unwrap_or(Err(AttributeError::Missing("kind")));
                let op = decoded.map_err(|error| {
                    let span = attribute_at_fault(&error, &ast.attributes).map_or(ast.span, |found| found.value.span);
                    Fault::new(span, format!("{kind}: {error}"))
                })?;
                Ok((op, graphs))
            }
            Way::Call | Way::Custom => {
                for attribute in &ast.attributes {
                    let value = self.attribute(attribute, &mut graphs)?;
                    attributes.push((Name::from(&*attribute.name.value), value));
                }
                graphs.extend(&ast.regions);
                let op = if way == Way::Call {
                    Op::Call(Box::new(Call { function: key_of(ast), attributes }))
                } else {
                    Op::Custom(Box::new(CustomOp {
                        domain: Name::from(&*ast.domain),
                        name: Name::from(&*ast.operator),
                        overload: Name::from(&*ast.overload),
                        attributes,
                    }))
                };
                Ok((op, graphs))
            }
        }
    }

    /// Builds the regions; every one gets an input for every capture, in one order.
    fn regions(&mut self, ast: &OpAst<'_>, way: Way, graphs: &[&GraphAst<'_>]) -> Fallible<Regions> {
        let mut ids = SmallVec::new();
        let mut captures: Vec<(ValueId, Name)> = Vec::new();
        let scope = if way == Way::Call { Scope::Isolated } else { Scope::Region };
        if graphs.is_empty() {
            if let Some(list) = listed_captures(&ast.pragmas) {
                captures = self.outer_captures(list)?;
            }
            return Ok(Regions { ids, captures });
        }
        let untyped = self.top()?.untyped;
        let mut names: Vec<FxHashMap<Name, ValueId>> = Vec::new();
        let listed = listed_captures(&graphs[0].pragmas);
        if let Some(list) = listed {
            captures = self.outer_captures(list)?;
        }
        for graph in graphs {
            let list = listed_captures(&graph.pragmas);
            if list.is_some() != listed.is_some() {
                return Err(Fault::new(graph.name.span, "either all regions of an operator list captures or none"));
            }
            if let Some(list) = list {
                let here = self.outer_captures(list)?;
                if here.iter().map(|(value, _)| value).ne(captures.iter().map(|(value, _)| value)) {
                    return Err(Fault::new(graph.name.span, "the regions of an operator capture the same values"));
                }
            }
            self.open(graph, scope, untyped, Some((captures, list)))?;
            let frame = self.top()?;
            captures = std::mem::take(&mut frame.captures);
            names.push(std::mem::take(&mut frame.names));
            ids.push(self.close(graph)?);
        }
        // Earlier regions lack the captures that later ones found.
        for ((id, graph), names) in ids.iter().zip(graphs).zip(names) {
            let formals = graph.inputs.len();
            let have = self.model.graph(*id).inputs().len() - formals;
            for (outer, name) in &captures[have.min(captures.len())..] {
                if names.contains_key(name) {
                    let message = format!("another region captures '{name}', but this one has its own '{name}'");
                    return Err(Fault::new(graph.name.span, message));
                }
                let frame = self.top()?;
                let ty = frame.graph.value(*outer).ty().clone();
                let is_explicit = frame.explicit.contains_key(outer);
                let value = self.model.graph_mut(*id).add_input(name.clone(), ty.clone(), None);
                if is_explicit {
                    self.explicit.push((*id, value, ty));
                }
            }
        }
        Ok(Regions { ids, captures })
    }

    fn outer_captures(&mut self, list: &[CaptureAst<'_>]) -> Fallible<Vec<(ValueId, Name)>> {
        list.iter().map(|capture| Ok((self.resolve(&capture.outer)?, Name::from(&*capture.outer.value)))).collect()
    }

    fn origin_of(&mut self, ast: &OpAst<'_>, op: &Op, name: &Name) -> Fallible<OriginId> {
        for field in ast.pragmas.iter().filter(|p| matches!(p.subject, Subject::Op)).flat_map(|p| &p.fields) {
            if let ("origin", FieldValue::Origin(origin)) = (field.key.value, &field.value) {
                return self.origin(origin);
            }
        }
        let first = ast.results.iter().find(|result| !result.value.is_empty());
        let label = match first {
            Some(first) if name.is_empty() => Name::from(&*first.value),
            _ => name.clone(),
        };
        Ok(self.model.add_origin(default_origin(&label, op)))
    }
}

/// What a text without an origin means: a node of the source with the operator's own name.
pub(crate) fn default_origin(label: &Name, op: &Op) -> Origin {
    Origin::Source { node: label.clone(), operator: op.name().into(), scope: scope_of_name(label) }
}

fn key_of(ast: &OpAst<'_>) -> FunctionKey {
    FunctionKey {
        domain: Name::from(&*ast.domain),
        name: Name::from(&*ast.operator),
        overload: Name::from(&*ast.overload),
    }
}

fn attribute_at_fault<'s, 'a>(
    error: &AttributeError,
    attributes: &'s [AttributeAst<'a>],
) -> Option<&'s AttributeAst<'a>> {
    let (AttributeError::Kind { name, .. } | AttributeError::Value { name, .. } | AttributeError::Unknown(name)) =
        error
    else {
        return None;
    };
    attributes.iter().find(|attribute| attribute.name.value == name.as_str())
}

fn check_signature(ast: &OpAst<'_>, kind: OpKind) -> Fallible<()> {
    let signature = kind.signature();
    for (what, formals, actual) in
        [("operand", signature.operands, &ast.operands), ("result", signature.results, &ast.results)]
    {
        let variadic = formals.last().is_some_and(|formal| formal.arity == Arity::Many);
        if !variadic && let Some(extra) = actual.get(formals.len()) {
            let message = format!("{kind} has at most {} {what}s", formals.len());
            return Err(Fault::expecting(extra.span, message, "the end of the list"));
        }
        for (slot, formal) in formals.iter().enumerate() {
            let present = actual.get(slot).is_some_and(|label| !label.value.is_empty());
            if formal.arity == Arity::One && what == "operand" && !present {
                let message = format!("{kind} lacks its {what} '{}'", formal.name);
                return Err(Fault::new(ast.span, message));
            }
        }
    }
    Ok(())
}
