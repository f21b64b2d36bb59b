//! Data to measure on: a stream of input values that can be started again, so that nobody has to hold all of it.
//!
//! What the data are (pictures of a folder, rows of an array) and where they lie is known only to those who implement
//! [`Calibration`]; passes and their manager see batches of values that fit the model.

use std::sync::Arc;

use crate::{Value, Values};

/// The batches of one walk through the data.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, CalibrationError>> + Send + 'a>;

/// Inputs of one run of the model.
#[derive(Clone, Debug)]
pub struct Batch {
    /// A value for every input of the model that has no default.
    pub values: Values,
    /// Samples in it.
    pub samples: u64,
}

/// Data to measure on. Every walk gives the same batches in the same order, and holds only the present one.
pub trait Calibration: Send + Sync {
    /// What the data are, for reports: `256 pictures of calib/`.
    fn describe(&self) -> String;
    /// Samples of one walk.
    fn samples(&self) -> u64;
    /// Starts a walk.
    fn batches(&self) -> Batches<'_>;
}

/// Data whose right answers are known.
#[derive(Clone)]
pub struct Labelled {
    /// The samples.
    pub data: Arc<dyn Calibration>,
    /// The class of each sample, in the order of the walk.
    pub labels: Arc<[i64]>,
}

/// Why data cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct CalibrationError {
    /// The file, picture or row.
    pub place: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

/// Batches that are in memory already: small data, and tests.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    /// The batches.
    pub batches: Vec<Batch>,
}

impl InMemory {
    /// One batch of each set of values; the samples are the first extent of the first value.
    pub fn new(values: impl IntoIterator<Item = Values>) -> Self {
        let samples = |values: &Values| {
            let first = values.values().next().and_then(Value::as_tensor);
            first.and_then(|tensor| tensor.shape().first().copied()).unwrap_or(1)
        };
        Self { batches: values.into_iter().map(|values| Batch { samples: samples(&values), values }).collect() }
    }
}

impl Calibration for InMemory {
    fn describe(&self) -> String {
        format!("{} samples in memory", self.samples())
    }
    fn samples(&self) -> u64 {
        self.batches.iter().map(|batch| batch.samples).sum()
    }
    fn batches(&self) -> Batches<'_> {
        Box::new(self.batches.iter().cloned().map(Ok))
    }
}
