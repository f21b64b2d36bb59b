//! Weights travel beside the text, by the hash of their content.

use edgesmith_ir::Tensor;
use indexmap::IndexMap;

/// Where a parser finds the tensors that a text names by their hashes.
pub trait WeightSource {
    /// The tensor that was printed under this hash.
    fn weight(&self, hash: &str) -> Option<Tensor>;
}

/// A source without weights, for texts that hold or synthesise all of theirs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWeights;

impl WeightSource for NoWeights {
    fn weight(&self, _: &str) -> Option<Tensor> {
        None
    }
}

/// What [`print_model`](crate::print_model) returned.
impl WeightSource for IndexMap<String, Tensor> {
    fn weight(&self, hash: &str) -> Option<Tensor> {
        self.get(hash).cloned()
    }
}
