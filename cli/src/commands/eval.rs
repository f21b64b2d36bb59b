//! `edgesmith eval`: accuracy on labelled data.

use edgesmith_exec::{Effort, EngineError, Request, Session, Value, Values, npz};
use edgesmith_ir::{Model, Name, Tensor};
use edgesmith_pass::Registry;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

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
    let batch = samples.batch_size(args.batch)?;
    let name = engine_name(&args.engine);
    let engine = engine(name)?;
    let failed = |error: EngineError| Failure::model(format!("{}: {error}", file.path.display()));
    let request = Request { effort: Effort::Many, ..Request::default() };
    let prepared = engine.prepare(&file.model, &request).map_err(failed)?;
    let progress = Progress::counted(!args.json, samples.count as u64);
    // One session per worker: engines share the plan, not the state.
    let batches: Vec<Vec<Told>> = (0..samples.count.div_ceil(batch))
        .into_par_iter()
        .map_init(
            || prepared.session(),
            |session, index| {
                let session: &mut Box<dyn Session> = session.as_mut().map_err(|error| failed(error.clone()))?;
                let (first, count) = (index * batch, batch.min(samples.count - index * batch));
                let (inputs, given) = samples.input(first, count, batch)?;
                let outputs = session.run(&inputs).map_err(failed)?;
                (0..count).for_each(|_| progress.advance());
                told(&outputs, &samples.labels[first..first + count], given)
            },
        )
        .collect::<Result<_, Failure>>()?;
    progress.done();
    let told: Vec<Told> = batches.into_iter().flatten().collect();
    if let Some(path) = &args.predictions {
        let predictions: Vec<i64> = told.iter().map(|told| told.class).collect();
        let bytes =
            npz::encode_npy(&Tensor::from_ints(&predictions)).map_err(|error| Failure::internal(error.to_string()))?;
        write_small(path, &bytes, true)?;
    }
    let accuracy = Accuracy::of(name, batch, &told, &samples.labels);
    if args.json {
        say(&serde_json::to_string_pretty(&accuracy).map_err(|error| Failure::internal(error.to_string()))?);
        return Ok(());
    }
    let samples = accuracy.samples;
    say(&format!("top-1 {:.2} % ({} of {samples} samples, {name})", accuracy.top1 * 100.0, accuracy.correct));
    if let (Some(top5), Some(correct)) = (accuracy.top5, accuracy.correct_top5) {
        say(&format!("top-5 {:.2} % ({correct} of {samples} samples)", top5 * 100.0));
    }
    Ok(())
}

/// What `eval --json` prints.
#[derive(Serialize, JsonSchema)]
pub(super) struct Accuracy {
    /// The engine.
    engine: String,
    /// Samples in one run.
    batch: usize,
    /// Samples.
    samples: usize,
    /// Classes that the model tells apart.
    classes: usize,
    /// Samples whose class the model tells.
    correct: usize,
    /// Of all samples, 0 to 1.
    top1: f64,
    /// Samples whose class is among the five that the model holds likeliest; absent where there are five classes or fewer.
    correct_top5: Option<usize>,
    /// Of all samples, 0 to 1.
    top5: Option<f64>,
}

impl Accuracy {
    fn of(engine: &str, batch: usize, told: &[Told], labels: &[i64]) -> Self {
        let samples = told.len();
        let share = |n: usize| n as f64 / samples.max(1) as f64;
        let correct = told.iter().zip(labels).filter(|(told, label)| told.class == **label).count();
        let classes = told.iter().map(|told| told.classes).max().unwrap_or(0);
        let correct_top5 =
            (classes > 5).then(|| told.iter().filter(|told| told.rank.is_some_and(|rank| rank < 5)).count());
        Self {
            engine: engine.to_owned(),
            batch,
            samples,
            classes,
            correct,
            top1: share(correct),
            correct_top5,
            top5: correct_top5.map(share),
        }
    }
}

/// What the model tells of one sample.
struct Told {
    class: i64,
    /// How many classes it holds likelier than the right one; of equal ones the first is likelier. `None` where the right
    /// one is no class of the model.
    rank: Option<usize>,
    classes: usize,
}

/// Labelled samples for a model with one input.
struct Samples {
    input: Name,
    images: Tensor,
    labels: Vec<i64>,
    count: usize,
    /// The batch that the model insists on.
    fixed: Option<usize>,
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
            fixed: row.ty().dims().and_then(|dims| dims.first()?.extent()).map(|n| n as usize),
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

    /// Samples in one run: as asked for, else one, else what the model insists on.
    fn batch_size(&self, asked: Option<u32>) -> Result<usize, Failure> {
        match (asked.map(|n| n as usize), self.fixed) {
            (Some(asked), Some(fixed)) if asked != fixed => {
                Err(Failure::usage(format!("the model takes {fixed} samples at once, not {asked}"))
                    .with_help("leave --batch away, or export the model with a symbolic batch"))
            }
            (asked, fixed) => Ok(asked.or(fixed).unwrap_or(1).max(1)),
        }
    }

    /// So many samples from the first one on as a batch, and its size: a model of a fixed batch gets the last sample again
    /// until the batch is full.
    fn input(&self, first: usize, count: usize, batch: usize) -> Result<(Values, usize), Failure> {
        let given = if self.fixed.is_some() { batch } else { count };
        let mut shape: edgesmith_ir::Extents = self.images.shape().into();
        shape[0] = given as u64;
        let failed = |error: edgesmith_ir::TensorError| Failure::model(format!("sample {first}: {error}"));
        let bytes = self.images.dense_bytes().map_err(failed)?;
        let size = bytes.len() / (self.images.shape()[0].max(1) as usize);
        let mut part = bytes.slice(first * size..(first + count) * size);
        if given > count {
            let mut full = part.to_vec();
            for _ in count..given {
                full.extend_from_slice(&part[(count - 1) * size..]);
            }
            part = full.into();
        }
        let tensor = Tensor::dense(self.images.dtype(), shape, part).map_err(failed)?;
        Ok((Values::from_iter([(self.input.clone(), Value::Tensor(tensor))]), given))
    }
}

/// Reads the first output of a batch: a row of scores for each sample.
fn told(outputs: &Values, labels: &[i64], batch: usize) -> Result<Vec<Told>, Failure> {
    let scores = outputs.values().next().and_then(Value::as_tensor).and_then(Tensor::to_f64);
    let Some(scores) = scores.filter(|scores| !scores.is_empty()) else {
        return Err(Failure::model("the first output holds no numbers, so there is no class to read from it"));
    };
    if !scores.len().is_multiple_of(batch) {
        return Err(Failure::model(format!("the first output holds {} numbers for {batch} samples", scores.len())));
    }
    let classes = scores.len() / batch;
    Ok(scores.chunks_exact(classes).zip(labels).map(|(row, label)| told_of(row, *label)).collect())
}

/// The class is the index of the largest score; of equals the first.
fn told_of(scores: &[f64], label: i64) -> Told {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    let rank =
        usize::try_from(label).ok().filter(|label| scores.get(*label).is_some_and(|x| !x.is_nan())).map(|label| {
            let likelier =
                |(class, score): (usize, &f64)| *score > scores[label] || (*score == scores[label] && class < label);
            scores.iter().enumerate().filter(|entry| likelier(*entry)).count()
        });
    Told { class: best as i64, rank, classes: scores.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_what_is_likelier() {
        let scores = [0.1, 0.5, 0.5, -1.0, 0.2, 0.3, 0.0];
        let rank = |label| told_of(&scores, label).rank;
        assert_eq!((rank(1), rank(2), rank(5), rank(0), rank(3)), (Some(0), Some(1), Some(2), Some(4), Some(6)));
        assert_eq!((rank(-1), rank(7)), (None, None));
        assert_eq!(told_of(&scores, 0).class, 1);
        let told: Vec<Told> = (0..7).map(|label| told_of(&scores, label)).collect();
        let accuracy = Accuracy::of("x", 1, &told, &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((accuracy.correct, accuracy.correct_top5, accuracy.classes), (1, Some(5), 7));
        let few: Vec<Told> = (0..5).map(|label| told_of(&scores[..5], label)).collect();
        assert_eq!(Accuracy::of("x", 1, &few, &[0, 1, 2, 3, 4]).correct_top5, None);
    }
}
