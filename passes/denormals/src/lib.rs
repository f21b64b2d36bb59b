#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use edgesmith_ir::{DType, Def, Model, Name, Tensor, TensorId};
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry, replace_tensors};
use edgesmith_rewrite::{Fidelity, Remark};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<FlushDenormals>();
}

/// The pass has no options.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {}

/// The pass.
pub struct FlushDenormals;

const NAME: &str = "flush-denormals";

impl PassSpec for FlushDenormals {
    const INFO: PassInfo = PassInfo {
        name: NAME,
        summary: "sets denormal weights to zero, which many processors compute with very slowly",
        // Not rounding: infinity times a denormal is infinity, times zero it is not a number.
        fidelity: Fidelity::Approximate,
        needs: Needs { calibration: false, static_shapes: false },
        docs: include_str!("../README.md"),
    };
    type Options = Options;

    fn new(_: Options) -> Self {
        Self
    }
}

impl Pass for FlushDenormals {
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let named = float_constants(model);
        let flushed: Vec<(TensorId, Tensor, u64)> = named
            .par_iter()
            .filter_map(|(id, _)| {
                let (tensor, count) = without_denormals(model.tensor(*id))?;
                Some((*id, tensor, count))
            })
            .collect();
        for (id, tensor, count) in &flushed {
            let why = "set to zero: they change no sum, and processors that do not flush them are many times slower";
            let message = format!("{count} of {} elements are denormal and were {why}", tensor.len());
            cx.remark(Remark::general(NAME, named[id].clone(), message));
            cx.count("denormal weights set to zero", *count);
        }
        replace_tensors(model, flushed.into_iter().map(|(id, tensor, _)| (id, tensor)).collect());
        Ok(())
    }
}

/// Every constant of a type whose denormals mean nothing, with the name of the first value that is it.
fn float_constants(model: &Model) -> BTreeMap<TensorId, Name> {
    let mut found = BTreeMap::new();
    for id in model.open_graphs() {
        for (_, row) in model.graph(id).values() {
            if let Def::Constant(tensor) = row.def()
                && matches!(model.tensor(tensor).dtype(), DType::F32 | DType::F64)
            {
                found.entry(tensor).or_insert_with(|| row.name().clone());
            }
        }
    }
    found
}

/// The tensor with zeros for its denormals, and how many there are; `None` when there is none.
fn without_denormals(tensor: &Tensor) -> Option<(Tensor, u64)> {
    macro_rules! flush {
        ($float:ty) => {{
            let elements = tensor.view::<$float>().ok()?;
            let count = elements.iter().filter(|x| x.is_subnormal()).count();
            if count == 0 {
                return None;
            }
            let flushed =
                elements.iter().map(|x| if x.is_subnormal() { (0.0 as $float).copysign(*x) } else { *x }).collect();
            Some((Tensor::from_vec(tensor.shape(), flushed).ok()?, count as u64))
        }};
    }
    match tensor.dtype() {
        DType::F32 => flush!(f32),
        DType::F64 => flush!(f64),
        _ => None,
    }
}
