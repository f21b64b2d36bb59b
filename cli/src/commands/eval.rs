//! `edgesmith eval`: accuracy on labelled data.

use edgesmith_exec::{Effort, EngineError, Request, Session, Value, Values, npz};
use edgesmith_ir::{Model, Name, Tensor};
use rayon::prelude::*;
use serde::Serialize;

use edgesmith_pass::Registry;

use super::{engine_name, import_options, say, write_small};
use crate::args::EvalArgs;
use crate::model_file::{ModelFile, bind_dims};
use crate::progress::Progress;
use crate::{Failure, engine, read_npz};

pub(super) fn run(args: &EvalArgs, registry: &Registry) -> Result<(), Failure> {
    let mut file = ModelFile::read(&args.model, &import_options(&args.engine.read, registry))?;
    bind_dims(&mut file.model, &args.engine.dims)?;
    let data = read_npz(&args.data)?;
    let samples = Samples::of(&file.model, &data, args.limit)?;
    let name = engine_name(&args.engine);
    let engine = engine(name)?;
    let failed = |error: EngineError| Failure::model(format!("{}: {error}", file.path.display()));
    let request = Request { effort: Effort::Many, ..Request::default() };
    let prepared = engine.prepare(&file.model, &request).map_err(failed)?;
    let progress = Progress::counted(!args.json, samples.count as u64);
    // One session per worker: engines share the plan, not the state.
    let predictions: Vec<i64> = (0..samples.count)
        .into_par_iter()
        .map_init(
            || prepared.session(),
            |session, index| {
                let session: &mut Box<dyn Session> = session.as_mut().map_err(|error| failed(error.clone()))?;
                let outputs = session.run(&samples.input(index)?).map_err(failed)?;
                progress.advance();
                predicted_class(&outputs)
            },
        )
        .collect::<Result<_, Failure>>()?;
    progress.done();
    let correct = predictions.iter().zip(&samples.labels).filter(|(p, l)| p == l).count();
    if let Some(path) = &args.predictions {
        let bytes =
            npz::encode_npy(&Tensor::from_ints(&predictions)).map_err(|error| Failure::internal(error.to_string()))?;
        write_small(path, &bytes, true)?;
    }
    let top1 = correct as f64 / samples.count.max(1) as f64;
    if args.json {
        let json = Json { engine: name, samples: samples.count, correct, top1 };
        say(&serde_json::to_string_pretty(&json).map_err(|error| Failure::internal(error.to_string()))?);
    } else {
        say(&format!("top-1 {:.2} % ({correct} of {} samples, {name})", top1 * 100.0, samples.count));
    }
    Ok(())
}

#[derive(Serialize)]
struct Json<'a> {
    engine: &'a str,
    samples: usize,
    correct: usize,
    top1: f64,
}

/// Labelled samples for a model with one input.
struct Samples {
    input: Name,
    images: Tensor,
    labels: Vec<i64>,
    count: usize,
}

impl Samples {
    fn of(model: &Model, data: &Values, limit: Option<usize>) -> Result<Self, Failure> {
        let graph = model.main_graph().ok_or_else(|| Failure::model("the model has no graph"))?;
        let [input] = graph.inputs() else {
            return Err(Failure::model(format!(
                "eval takes models with one input; this one has {}",
                graph.inputs().len()
            )));
        };
        let row = graph.value(*input);
        let tensor = |name: &str| data.get(name).and_then(Value::as_tensor);
        let held = || data.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let Some(images) = tensor(row.name()).or_else(|| tensor("images")) else {
            return Err(Failure::model(format!(
                "the data hold neither '{}' nor 'images'; they hold: {}",
                row.name(),
                held()
            )));
        };
        let Some(labels) = tensor("labels").and_then(Tensor::to_ints) else {
            return Err(Failure::model(format!("the data hold no integer 'labels'; they hold: {}", held())));
        };
        let available = images.shape().first().copied().unwrap_or(0) as usize;
        if available != labels.len() {
            return Err(Failure::model(format!("there are {available} images but {} labels", labels.len())));
        }
        let samples = Self {
            input: row.name().clone(),
            images: images.clone(),
            labels,
            count: limit.unwrap_or(available).min(available),
        };
        let fits = row.ty().as_tensor().is_none_or(|ty| {
            ty.dtype == samples.images.dtype()
                && ty.shape.dims().is_none_or(|dims| {
                    dims.len() == samples.images.rank()
                        && dims
                            .iter()
                            .zip(samples.images.shape())
                            .skip(1)
                            .all(|(dim, extent)| dim.extent().is_none_or(|n| n == *extent))
                })
        });
        if !fits {
            return Err(Failure::model(format!(
                "input '{}' takes {}, the images are {}{:?}; they must be preprocessed as the model was trained",
                row.name(),
                row.ty(),
                samples.images.dtype(),
                samples.images.shape()
            )));
        }
        Ok(samples)
    }

    /// One sample as a batch of one.
    fn input(&self, index: usize) -> Result<Values, Failure> {
        let mut shape: edgesmith_ir::Extents = self.images.shape().into();
        shape[0] = 1;
        let failed = |error: edgesmith_ir::TensorError| Failure::model(format!("sample {index}: {error}"));
        let bytes = self.images.dense_bytes().map_err(failed)?;
        let size = bytes.len() / (self.images.shape()[0].max(1) as usize);
        let tensor =
            Tensor::dense(self.images.dtype(), shape, bytes.slice(index * size..(index + 1) * size)).map_err(failed)?;
        Ok(Values::from_iter([(self.input.clone(), Value::Tensor(tensor))]))
    }
}

/// The index of the largest element of the first output; of equals the first.
fn predicted_class(outputs: &Values) -> Result<i64, Failure> {
    let scores = outputs.values().next().and_then(Value::as_tensor).and_then(Tensor::to_f64);
    let Some(scores) = scores.filter(|scores| !scores.is_empty()) else {
        return Err(Failure::model("the first output holds no numbers, so there is no class to read from it"));
    };
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    Ok(best as i64)
}
