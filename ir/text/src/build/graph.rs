//! One graph: inputs, initializers, operators, outputs.

use edgesmith_ir::{GraphId, Name, TensorId, ValueId, ValueType, tensor_type};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::scope::{Frame, Scope};
use super::{Builder, pragma};
use crate::ast::{CaptureAst, DataAst, GraphAst, Label, Pragma, Subject, ValueAst};
use crate::error::{Fallible, Fault};

/// What is said of tensors, by the names of their values.
pub(super) type TensorPragmas<'p, 'a> = FxHashMap<&'p str, &'p Pragma<'a>>;

/// The captures of an operator with what the text calls them outside, and the list of them in a region, if there is one.
pub(super) type Captures<'p, 'a> = (Vec<(ValueId, Name)>, Option<&'p [CaptureAst<'a>]>);

/// The captures that a text lists for a region.
pub(super) fn listed_captures<'p, 'a>(pragmas: &'p [Pragma<'a>]) -> Option<&'p [CaptureAst<'a>]> {
    pragmas.iter().find_map(|pragma| match &pragma.subject {
        Subject::Captures(captures) => Some(captures.as_slice()),
        _ => None,
    })
}

impl Builder<'_> {
    /// Builds a graph and leaves it open. `captures` are those that earlier regions of the same operator found, or the
    /// operator's list.
    pub(super) fn open(
        &mut self,
        ast: &GraphAst<'_>,
        scope: Scope,
        untyped: bool,
        captures: Option<Captures<'_, '_>>,
    ) -> Fallible<()> {
        let declared = ast.outputs.iter().chain(&ast.infos).filter(|value| value.data.is_none());
        let declared = declared
            .filter_map(|value| Some((Name::from(&*value.name.value), value.ty.clone()?)))
            .collect::<FxHashMap<_, _>>();
        let tensors: TensorPragmas<'_, '_> = ast
            .pragmas
            .iter()
            .filter_map(|pragma| match &pragma.subject {
                Subject::Tensor(name) => Some((&*name.value, pragma)),
                _ => None,
            })
            .collect();
        self.frames.push(Frame {
            graph: edgesmith_ir::Graph::new(Name::from(&*ast.name.value)),
            names: FxHashMap::default(),
            scope,
            untyped,
            listed: scope == Scope::Isolated,
            captures: Vec::new(),
            types: pragma::types(&ast.pragmas),
            declared,
            explicit: IndexMap::new(),
        });
        for input in &ast.inputs {
            self.input(input, &tensors)?;
        }
        if let Some((captures, list)) = captures {
            self.capture_inputs(captures, list)?;
        }
        for info in &ast.infos {
            if let Some(data) = &info.data {
                self.initializer(info, data, &tensors)?;
            }
        }
        for op in &ast.ops {
            self.operator(op)?;
        }
        for output in &ast.outputs {
            let value = self.resolve(&output.name)?;
            self.top()?.graph.add_output(value);
        }
        self.declare(ast)?;
        self.graph_pragmas(ast)
    }

    /// Moves the open graph into the model.
    pub(super) fn close(&mut self, ast: &GraphAst<'_>) -> Fallible<GraphId> {
        let Some(frame) = self.frames.pop() else { return Err(Fault::new(ast.name.span, "no graph is open")) };
        let id = self.model.add_graph(frame.graph);
        self.explicit.extend(frame.explicit.into_iter().map(|(value, ty)| (id, value, ty)));
        if pragma::is_pristine(&ast.pragmas) {
            self.pristine.push(id);
        }
        Ok(id)
    }

    fn input(&mut self, input: &ValueAst<'_>, tensors: &TensorPragmas<'_, '_>) -> Fallible<()> {
        let name = self.check_free(&input.name)?;
        let default = match &input.data {
            Some(data) => Some(self.tensor_of(input, data, tensors)?.0),
            None => None,
        };
        let frame = self.top()?;
        let ty = frame.types.get(&name).or(input.ty.as_ref()).cloned();
        let value = frame.graph.add_input(name.clone(), ty.clone().unwrap_or_default(), default);
        frame.names.insert(name, value);
        if let Some(ty) = ty {
            frame.explicit.insert(value, ty);
        }
        if let Some(ty) = &input.ty {
            frame.graph.value_extra_mut(value).declared = Some(ty.clone());
        }
        Ok(())
    }

    fn capture_inputs(&mut self, captures: Vec<(ValueId, Name)>, list: Option<&[CaptureAst<'_>]>) -> Fallible<()> {
        for (index, (outer, name)) in captures.iter().enumerate() {
            let ast = list.and_then(|list| list.get(index));
            let inner = ast.and_then(|ast| ast.inner.as_ref());
            let label = ast.and_then(|ast| ast.label.as_ref());
            let span = ast.map(|ast| ast.outer.span).unwrap_or_default();
            let text = inner.map_or_else(|| name.clone(), |inner| Name::from(&*inner.value));
            let label = label.map_or_else(|| text.clone(), |label| Name::from(&*label.value));
            let around = self.frames.iter().rev().nth(1);
            let mut ty = around.map(|frame| frame.graph.value(*outer).ty().clone()).unwrap_or_default();
            let mut is_explicit = around.is_some_and(|frame| frame.explicit.contains_key(outer));
            let frame = self.top()?;
            let value = frame.add_capture(&text, label, &mut ty, &mut is_explicit);
            if frame.names.insert(text.clone(), value).is_some() {
                return Err(Fault::new(span, format!("'{text}' is captured, but the region has its own '{text}'")));
            }
        }
        let frame = self.top()?;
        frame.captures = captures;
        frame.listed |= list.is_some();
        Ok(())
    }

    fn initializer(
        &mut self,
        info: &ValueAst<'_>,
        data: &DataAst<'_>,
        tensors: &TensorPragmas<'_, '_>,
    ) -> Fallible<()> {
        let (tensor, ty) = self.tensor_of(info, data, tensors)?;
        let frame = self.top()?;
        // Data for an input are its default.
        if let Some(value) = frame.names.get(&*info.name.value).copied()
            && frame.graph.inputs().contains(&value)
        {
            frame.graph.set_input_default(value, Some(tensor));
            return Ok(());
        }
        let name = self.check_free(&info.name)?;
        let frame = self.top()?;
        let value = frame.graph.add_constant(name.clone(), ty, tensor);
        frame.names.insert(name, value);
        Ok(())
    }

    fn tensor_of(
        &mut self,
        info: &ValueAst<'_>,
        data: &DataAst<'_>,
        tensors: &TensorPragmas<'_, '_>,
    ) -> Fallible<(TensorId, ValueType)> {
        let Some(ty) = &info.ty else {
            return Err(Fault::expecting(info.name.span, "data need a type", "a type before the name"));
        };
        let pragma = tensors.get(&*info.name.value).copied();
        let number = pragma.and_then(pragma::tensor_number);
        if let Some(id) = number.and_then(|number| self.shared.get(&number)).copied() {
            let found = tensor_type(self.model.tensor(id));
            if found != *ty {
                return Err(Fault::new(data.span, format!("the shared tensor is {found}, not {ty}")));
            }
            return Ok((id, found));
        }
        let tensor = self.tensor(ty, data)?;
        let ty = tensor_type(&tensor);
        let entry = pragma::tensor_entry(tensor, pragma)?;
        let id = self.model.add_tensor_entry(entry);
        if let Some(number) = number {
            self.shared.insert(number, id);
        }
        Ok((id, ty))
    }

    /// Notes the declared types of outputs and interior values.
    fn declare(&mut self, ast: &GraphAst<'_>) -> Fallible<()> {
        for value in ast.outputs.iter().chain(&ast.infos) {
            let (Some(ty), None) = (&value.ty, &value.data) else { continue };
            let id = self.named(&value.name)?;
            self.top()?.graph.value_extra_mut(id).declared = Some(ty.clone());
        }
        Ok(())
    }

    /// A value of the open graph itself.
    pub(super) fn named(&mut self, label: &Label<'_>) -> Fallible<ValueId> {
        let found = self.top()?.names.get(&*label.value).copied();
        found.ok_or_else(|| {
            Fault::expecting(label.span, format!("'{}' is not defined", label.value), "a value of this graph")
        })
    }
}
