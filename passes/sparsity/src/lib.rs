#![doc = include_str!("../README.md")]

mod mask;
mod target;

use edgesmith_ir::{Model, Tensor, TensorId};
use edgesmith_pass::{
    Cell, Needs, Pass, PassCx, PassError, PassInfo, PassSpec, PassTable, Registry, ScopePattern, Weight, layer_names,
    nearest, replace_tensors, weights,
};
use edgesmith_rewrite::{Fidelity, Remark, Severity};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use mask::{Threshold, applied, count_of, cut_pattern, keys};
pub use target::Target;

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<Sparsity>();
}

/// Options of the pass.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// How much is cut: a share of the weights (0.5), or N:M ("2:4": of every four along the input channels two stay).
    pub sparsity: Target,
    /// What is tried instead, in this order, while a budget (`max-loss`) is broken.
    pub schedule: Vec<Target>,
    /// Whether a share is cut from every tensor alike, or from all of them together, so that some lose more than others.
    pub threshold: Across,
    /// Layers that stay as they are: runs of scope components (`encoder.layer.0`), or globs (`**.classifier`).
    pub keep: Vec<ScopePattern>,
}

/// What a share is a share of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Across {
    /// Of every tensor.
    #[default]
    Tensor,
    /// Of all of them together.
    Global,
}

impl Default for Options {
    fn default() -> Self {
        Self { sparsity: Target::Share(0.5), schedule: Vec::new(), threshold: Across::default(), keep: Vec::new() }
    }
}

/// The pass.
pub struct Sparsity {
    options: Options,
}

const NAME: &str = "sparsity";

impl PassSpec for Sparsity {
    const INFO: PassInfo = PassInfo {
        name: NAME,
        summary: "sets the smallest weights to zero: a share of them, or N of every M",
        fidelity: Fidelity::Approximate,
        needs: Needs { calibration: false, static_shapes: false },
        docs: include_str!("../README.md"),
    };
    type Options = Options;

    fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Pass for Sparsity {
    fn ease(&self) -> Option<Box<dyn Pass>> {
        let (next, rest) = self.options.schedule.split_first()?;
        let options = Options { sparsity: *next, schedule: rest.to_vec(), ..self.options.clone() };
        Some(Box::new(Self { options }))
    }

    fn setting(&self) -> String {
        self.options.sparsity.to_string()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let chosen = self.choose(model, cx);
        let cuts = self.cuts(model, &chosen);
        let mut table = Report::new(self.options.sparsity);
        let mut edits: Vec<(TensorId, Tensor)> = Vec::new();
        for (weight, edit) in chosen.iter().zip(cuts) {
            let Some(edit) = edit else {
                return Err(PassError::Refused(format!("the weight '{}' cannot be read", value_name(model, weight))));
            };
            table.add(model, weight, &edit);
            edits.extend(edit.tensor.map(|tensor| (weight.tensor, tensor)));
        }
        cx.count("weights made sparse", edits.len() as u64);
        replace_tensors(model, edits);
        if !chosen.is_empty() {
            table.finish(cx);
        }
        Ok(())
    }
}

/// A weight after the cut.
struct Edit {
    /// The new tensor; `None` where every element that is cut was zero already.
    tensor: Option<Tensor>,
    zeros_before: u64,
    zeros_after: u64,
}

fn value_name(model: &Model, weight: &Weight) -> String {
    weight
        .readers
        .first()
        .map(|reader| model.graph(reader.graph).value(weight.value).name().to_string())
        .unwrap_or_default()
}

fn layer_name(model: &Model, weight: &Weight) -> String {
    weight.readers.first().map(|reader| model.op_label(reader.graph, reader.op).to_string()).unwrap_or_default()
}

impl Sparsity {
    /// The weights that are cut; what is left alone is said.
    fn choose(&self, model: &Model, cx: &mut PassCx<'_>) -> Vec<Weight> {
        let mut used = vec![false; self.options.keep.len()];
        let mut names: Vec<String> = Vec::new();
        let mut chosen = Vec::new();
        for weight in weights(model) {
            let mut known: Vec<String> =
                weight.readers.iter().flat_map(|r| layer_names(model, r.graph, r.op)).map(|n| n.to_string()).collect();
            known.push(value_name(model, &weight));
            let mut kept = false;
            for (pattern, used) in self.options.keep.iter().zip(&mut used) {
                if known.iter().any(|name| pattern.matches(name)) {
                    (kept, *used) = (true, true);
                }
            }
            names.append(&mut known);
            let site = value_name(model, &weight);
            if kept {
                continue;
            }
            if let Some(also) = &weight.also {
                let message = format!("the weight of '{}' stays as it is: {also}", layer_name(model, &weight));
                cx.remark(Remark::general(NAME, site, message).with_remedy("give the other reader a copy of its own"));
                continue;
            }
            let axes = |reader: &edgesmith_pass::WeightReader| (reader.inputs, reader.groups);
            let pattern = matches!(self.options.sparsity, Target::Pattern { .. });
            if pattern && weight.readers.iter().any(|reader| axes(reader) != axes(&weight.readers[0])) {
                let message = "the weight stays as it is: its readers sum over different axes of it";
                cx.remark(Remark::general(NAME, site, message));
                continue;
            }
            chosen.push(weight);
        }
        for (pattern, _) in self.options.keep.iter().zip(&used).filter(|(_, used)| !**used) {
            let remark = Remark::general(NAME, "keep", format!("'{}' means no layer with weights", pattern.text()));
            let scopes = names.iter().flat_map(|name| name.split(['.', '/'])).chain(names.iter().map(String::as_str));
            let help = nearest(pattern.text(), scopes.collect::<Vec<_>>())
                .unwrap_or_else(|| "`edgesmith inspect MODEL --by scope` lists the scopes".into());
            cx.remark(remark.with_severity(Severity::Warning).with_remedy(help));
        }
        if matches!(self.options.sparsity, Target::Pattern { .. }) && self.options.threshold == Across::Global {
            cx.remark(Remark::general(
                NAME,
                "threshold",
                "a pattern is decided group by group, so 'global' means nothing",
            ));
        }
        chosen
    }

    /// The new tensors, in parallel over the weights.
    fn cuts(&self, model: &Model, chosen: &[Weight]) -> Vec<Option<Edit>> {
        let tensors: Vec<&Tensor> = chosen.iter().map(|weight| model.tensor(weight.tensor)).collect();
        match self.options.sparsity {
            Target::Pattern { keep, group } => chosen
                .par_iter()
                .zip(&tensors)
                .map(|(weight, tensor)| {
                    let (reader, keys) = (weight.readers.first()?, keys(tensor)?);
                    let cut = cut_pattern(&keys, tensor.shape(), reader.inputs, reader.groups, keep, group);
                    edit(tensor, &keys, &cut)
                })
                .collect(),
            Target::Share(share) if self.options.threshold == Across::Tensor => tensors
                .par_iter()
                .map(|tensor| {
                    let keys = keys(tensor)?;
                    let cut = Threshold::of(&[*tensor], count_of(share, tensor.len())).cut(&keys);
                    edit(tensor, &keys, &cut)
                })
                .collect(),
            Target::Share(share) => {
                let total = tensors.iter().map(|tensor| tensor.len()).sum();
                let mut threshold = Threshold::of(&tensors, count_of(share, total));
                // One after the other: the ties of earlier tensors come first.
                tensors
                    .iter()
                    .map(|tensor| {
                        let keys = keys(tensor)?;
                        edit(tensor, &keys, &threshold.cut(&keys))
                    })
                    .collect()
            }
        }
    }
}

fn edit(tensor: &Tensor, keys: &[u64], cut: &[bool]) -> Option<Edit> {
    let zeros_before = keys.iter().filter(|key| **key == 0).count() as u64;
    let fresh = keys.iter().zip(cut).filter(|(key, cut)| **cut && **key != 0).count() as u64;
    let tensor = if fresh > 0 { Some(applied(tensor, cut)?) } else { None };
    Some(Edit { tensor, zeros_before, zeros_after: zeros_before + fresh })
}

/// The tables of the report.
struct Report {
    target: Target,
    layers: Vec<Vec<Cell>>,
    elements: u64,
    zeros: u64,
    dense_bytes: u64,
    onnx_sparse_bytes: u64,
    bit_mask_bytes: u64,
    packed_bytes: u64,
}

impl Report {
    fn new(target: Target) -> Self {
        Self {
            target,
            layers: Vec::new(),
            elements: 0,
            zeros: 0,
            dense_bytes: 0,
            onnx_sparse_bytes: 0,
            bit_mask_bytes: 0,
            packed_bytes: 0,
        }
    }

    fn add(&mut self, model: &Model, weight: &Weight, edit: &Edit) {
        let tensor = model.tensor(weight.tensor);
        let (elements, bytes) = (tensor.len(), tensor.byte_len());
        let share = |zeros: u64| Cell::Share(zeros as f64 / elements.max(1) as f64);
        let readers = match weight.readers.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        self.layers.push(vec![
            Cell::Text(layer_name(model, weight) + &readers),
            Cell::Text(value_name(model, weight)),
            Cell::Count(elements),
            share(edit.zeros_before),
            share(edit.zeros_after),
        ]);
        let width = bytes / elements.max(1);
        let left = elements - edit.zeros_after;
        self.elements += elements;
        self.zeros += edit.zeros_after;
        self.dense_bytes += bytes;
        // A format that can do both stores each tensor in the smaller way.
        self.onnx_sparse_bytes += left * (width + 8);
        self.bit_mask_bytes += (left * width + elements.div_ceil(8)).min(bytes);
        if let Target::Pattern { keep, group } = self.target {
            let whole = left * u64::from(group) <= elements * u64::from(keep);
            let index_bits = u64::from(u32::BITS - (group - 1).leading_zeros());
            self.packed_bytes += if whole { left * width + (left * index_bits).div_ceil(8) } else { bytes };
        }
    }

    fn finish(mut self, cx: &mut PassCx<'_>) {
        let share = |zeros: u64, elements: u64| Cell::Share(zeros as f64 / elements.max(1) as f64);
        self.layers.push(vec![
            "all of these".into(),
            "".into(),
            Cell::Count(self.elements),
            "".into(),
            share(self.zeros, self.elements),
        ]);
        let columns = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        cx.table(PassTable {
            title: "sparsity by layer".into(),
            columns: columns(&["layer", "weight", "elements", "zeros before", "zeros after"]),
            rows: self.layers,
            notes: Vec::new(),
        });
        let row = |format: &str, bytes: u64| {
            vec![Cell::Text(format.to_owned()), Cell::Bytes(self.dense_bytes as i64 - bytes as i64)]
        };
        let mut rows = vec![
            row("ONNX, as edgesmith writes it", self.dense_bytes),
            row("ONNX with sparse initializers", self.onnx_sparse_bytes),
            row("Core ML, sparse weights (a bit mask and what is left)", self.bit_mask_bytes),
        ];
        if let Target::Pattern { keep, group } = self.target {
            rows.push(row(
                &format!("{keep}:{group} packed by a compiler for it (TensorRT, in its engine)"),
                self.packed_bytes,
            ));
        }
        cx.table(PassTable {
            title: "bytes that the zeros save".into(),
            columns: columns(&["format", "saved"]),
            rows,
            notes: vec![
                "plain ONNX stores a zero like any number: the file does not get smaller unless something compresses it".into(),
                "a sparse initializer of ONNX takes 8 bytes of index for every number that is left".into(),
                "zeros make a model faster only where the hardware skips them, as NVIDIA's sparse tensor cores do for 2:4".into(),
            ],
        });
    }
}
