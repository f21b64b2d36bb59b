//! Restructures: changes of many values at once, as one transaction.
//!
//! A pass that removes channels, changes element types or merges operators across the model edits a copy freely. At the
//! end types are inferred once, every invariant is verified, and the interface must be what it was unless the pass says
//! otherwise. Only then does the copy take the model's place.

use edgesmith_ir::{Model, Name, OpInferError, ValueType, VerifyError};

/// What a restructure may change of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Interface {
    /// Names, order and types of inputs and outputs stay (types may get more precise).
    #[default]
    Fixed,
    /// Types may change; names and order stay.
    Types,
    /// Anything may change.
    Free,
}

/// Why a restructure was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestructureError {
    /// An invariant is broken.
    #[error("the restructured model is broken: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Invalid(Vec<VerifyError>),
    /// An operator has no type any more.
    #[error("the restructured model has an operator without a type: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Untyped(Vec<OpInferError>),
    /// The interface changed.
    #[error("the restructured model changes its interface: {0}")]
    Interface(String),
}

/// Edits a copy of the model and takes it over if it holds. On an error the model is as it was.
pub fn restructure<T>(
    model: &mut Model,
    interface: Interface,
    edit: impl FnOnce(&mut Model) -> T,
) -> Result<T, RestructureError> {
    let mut edited = model.clone();
    let answer = edit(&mut edited);
    edited.verify().map_err(RestructureError::Invalid)?;
    let report = if interface == Interface::Fixed { edited.infer() } else { edited.infer_afresh() };
    if !report.errors.is_empty() {
        return Err(RestructureError::Untyped(report.errors));
    }
    if interface != Interface::Free {
        compare_interfaces(model, &edited, interface)?;
    }
    *model = edited;
    Ok(answer)
}

fn signature(model: &Model) -> Vec<(String, Name, ValueType)> {
    let mut rows = Vec::new();
    for (entry, id) in &model.entries {
        let graph = model.graph(*id);
        for (kind, values) in [("input", graph.inputs()), ("output", graph.outputs())] {
            for value in values {
                rows.push((
                    format!("{kind} of '{entry}'"),
                    graph.value(*value).name().clone(),
                    graph.value(*value).ty().clone(),
                ));
            }
        }
    }
    rows
}

fn compare_interfaces(old: &Model, new: &Model, interface: Interface) -> Result<(), RestructureError> {
    let (before, after) = (signature(old), signature(new));
    let fail = |message: String| Err(RestructureError::Interface(message));
    if before.len() != after.len() {
        return fail(format!("{} inputs and outputs became {}", before.len(), after.len()));
    }
    for ((what, name, ty), (_, new_name, new_ty)) in before.iter().zip(&after) {
        if name != new_name {
            return fail(format!("{what} '{name}' became '{new_name}'"));
        }
        if interface == Interface::Fixed && !new_ty.refines(ty) {
            return fail(format!("{what} '{name}' was {ty} and became {new_ty}"));
        }
    }
    Ok(())
}
