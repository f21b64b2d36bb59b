//! Two models joined into one: what the first computes feeds the second.
//!
//! Inputs of the second are joined to values of the first as the caller says, else to outputs of the same name; inputs of
//! both with one name become one. Nothing of the interface is renamed unless both models claim one name for different things.

mod functions;
mod join;
mod names;

use edgesmith_ir::{Model, Name, ValueType};
use indexmap::IndexMap;

use crate::diff::Renamed;

/// How two models are joined.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// Pairs of a value of the first model and an input of the second that takes it.
    pub connect: Vec<(Name, Name)>,
    /// Outputs of the first model that stay outputs although the second takes them.
    pub keep: Vec<Name>,
}

/// Two models in one.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The model.
    pub model: Model,
    /// What was joined: a value of the first model and the input of the second that took it.
    pub joined: Vec<(Name, Name)>,
    /// Inputs that both take.
    pub shared: Vec<Name>,
    /// Values and functions of either model that have another name now.
    pub renamed: Vec<Renamed>,
    /// What else its user should know.
    pub remarks: Vec<String>,
}

/// Why two models cannot be joined.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A model has no main graph.
    #[error("the {which} model has no graph")]
    NoGraph {
        /// `first` or `second`.
        which: &'static str,
    },
    /// A name in a connection or in `keep` that the model does not have.
    #[error("the {which} model has no {what} '{name}'; {known}")]
    Unknown {
        /// `first` or `second`.
        which: &'static str,
        /// What was looked for.
        what: &'static str,
        /// The name.
        name: Name,
        /// What there is.
        known: String,
    },
    /// An input is connected twice.
    #[error("input '{name}' of the second model is connected twice")]
    Twice {
        /// The input.
        name: Name,
    },
    /// Nothing belongs together.
    #[error("nothing joins the models: the first gives {outputs}, the second takes {inputs}")]
    Apart {
        /// Outputs of the first.
        outputs: String,
        /// Inputs of the second.
        inputs: String,
    },
    /// Types that contradict each other.
    #[error("'{from}' of the first model is {given}, but '{to}' of the second takes {taken}")]
    Types {
        /// The value of the first.
        from: Name,
        /// The input of the second.
        to: Name,
        /// The type of the value.
        given: Box<ValueType>,
        /// The type of the input.
        taken: Box<ValueType>,
    },
    /// Operators of one domain in two versions; nobody knows how to convert them.
    #[error(
        "the models use domain '{domain}' in versions {first} and {second}, and edgesmith cannot convert between them"
    )]
    Opset {
        /// The domain.
        domain: Name,
        /// The version of the first.
        first: i64,
        /// The version of the second.
        second: i64,
    },
    /// The joined model cannot have types.
    #[error("joined, the models contradict each other: {0}")]
    Contradiction(String),
    /// A fault of edgesmith.
    #[error("the joined model is broken, a fault of edgesmith: {0}")]
    Broken(String),
}

/// Joins two models. Weights are shared with the sources, not copied.
pub fn merge(a: &Model, b: &Model, options: &MergeOptions) -> Result<Merged, MergeError> {
    let (mut a, mut b) = (a.clone(), b.clone());
    let mut remarks = Vec::new();
    let plan = join::Plan::of(&a, &b, options)?;
    join::bind_dims(&mut a, &mut b, &plan, &mut remarks)?;
    let opsets = opsets(&a, &b, &mut remarks)?;
    let mut renamed = Vec::new();
    functions::keep_apart(&mut a, &mut b, &mut renamed);
    let names = names::keep_apart(&mut a, &mut b, &plan, &mut renamed);
    metadata(&mut a, &b, &names, &mut remarks);
    a.opsets = opsets;
    let (joined, shared) = plan.told(&a, &b);
    join::join(&mut a, b, &plan, &names)?;
    let broken = |error: &dyn std::fmt::Display| MergeError::Broken(error.to_string());
    a.compact().map_err(|error| broken(&error))?;
    let report = a.infer_afresh();
    if let Some(error) = report.errors.first() {
        return Err(MergeError::Contradiction(error.to_string()));
    }
    a.verify().map_err(|errors| errors.first().map_or_else(|| broken(&""), |error| broken(error)))?;
    Ok(Merged { model: a, joined, shared, renamed, remarks })
}

/// The newer version of ONNX's own operators, which all have the newest semantics while they are in the IR; of other
/// domains the one version that operators are written in.
fn opsets(a: &Model, b: &Model, remarks: &mut Vec<String>) -> Result<IndexMap<Name, i64>, MergeError> {
    let mut opsets = a.opsets.clone();
    for (domain, second) in &b.opsets {
        let Some(first) = a.opset(domain) else {
            opsets.insert(domain.clone(), *second);
            continue;
        };
        if first == *second {
            continue;
        }
        let version = if domain.is_empty() {
            let older = if first < *second { "first" } else { "second" };
            remarks.push(format!(
                "the models have opsets {first} and {second}; the {older} is converted to {}",
                first.max(*second)
            ));
            first.max(*second)
        } else {
            match (uses(a, domain), uses(b, domain)) {
                (true, true) => {
                    return Err(MergeError::Opset { domain: domain.clone(), first, second: *second });
                }
                (true, false) => first,
                (false, _) => *second,
            }
        };
        opsets.insert(domain.clone(), version);
    }
    Ok(opsets)
}

/// Whether an operator of the domain runs outside of functions, which have opsets of their own.
fn uses(model: &Model, domain: &str) -> bool {
    let graphs = model.live_graphs();
    graphs.into_iter().any(|id| model.graph(id).ops().any(|(_, data)| data.op().domain() == domain))
}

/// Adds what the second model says about itself to what the first says.
fn metadata(a: &mut Model, b: &Model, names: &names::Names, remarks: &mut Vec<String>) {
    let theirs = &b.metadata;
    for (key, value) in &theirs.properties {
        match a.metadata.properties.iter().find(|(held, _)| held == key) {
            None => a.metadata.properties.push((key.clone(), value.clone())),
            Some((_, held)) if held == value => {}
            Some(_) => remarks.push(format!("both models have a note '{key}'; that of the first is kept")),
        }
    }
    let ours = &mut a.metadata;
    ours.ir_version = ours.ir_version.max(theirs.ir_version);
    ours.external_data |= theirs.external_data;
    if ours.doc.is_empty() {
        ours.doc = theirs.doc.clone();
    } else if !theirs.doc.is_empty() && ours.doc != theirs.doc {
        ours.doc = Name::from(format!("{}\n{}", ours.doc, theirs.doc));
    }
    // Training information names values: it can travel while these keep their names.
    if names.pinned_a && !ours.opaque.is_empty() {
        ours.opaque = bytes::Bytes::new();
        remarks
            .push("training information of the first model names values that were renamed, so it was left out".into());
    }
    if names.pinned_b && !theirs.opaque.is_empty() {
        remarks
            .push("training information of the second model names values that were renamed, so it was left out".into());
    } else if !theirs.opaque.is_empty() && ours.opaque != theirs.opaque {
        // Messages of one type, one after the other, are one message.
        ours.opaque = [ours.opaque.as_ref(), theirs.opaque.as_ref()].concat().into();
    }
}
