//! Cost: multiply-accumulates, parameters, bytes, and the peak of live activations; per operator, per scope, in total.
//!
//! What counts as a multiply-accumulate (MAC) is the multiplications of products that are summed, one for each, as the
//! tables of papers and fvcore's counters of convolutions and matrix products have it. That is convolutions (transposed, deformed, quantised), matrix products (Gemm, Einsum,
//! quantised), the two products of Attention, the weights and recurrent weights of LSTM, GRU and RNN at every step, and
//! the affine map of AffineGrid. Biases, elementwise operators, normalisations, poolings, reductions, resampling
//! (Resize, GridSample, RoiAlign) and Fourier transforms count 0, also where an engine multiplies for them. Padding counts
//! as data, groups divide, sparsity is not looked at. FLOPs are twice the MACs.
//!
//! Parameters are the elements of weights: of every constant (and default of an input, as old files hold weights) but
//! int64, bool and string, which exporters use for shapes, axes, indices and masks, and single literals of the program
//! (the 2 of a power). Running statistics of BatchNormalization count, as they are stored like weights.

use indexmap::IndexMap;

use crate::id::EntityId;
use crate::{DType, Def, Dim, Graph, GraphId, Model, Name, OpId, Origin, TensorId, TensorRole, ValueId, ValueType};

/// The cost of one operator or of several. Symbolic where dims are; unknown where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Operators.
    pub operators: u64,
    /// Multiply-accumulates. FLOPs are twice as many.
    pub macs: Dim,
    /// Elements of weights read (each tensor once); see the module.
    pub parameters: u64,
    /// Bytes of constants read (each tensor once).
    pub weight_bytes: u64,
    /// Bytes of results.
    pub activation_bytes: Dim,
}

impl Default for Cost {
    fn default() -> Self {
        Self { operators: 0, macs: Dim::Known(0), parameters: 0, weight_bytes: 0, activation_bytes: Dim::Known(0) }
    }
}

impl Cost {
    /// Floating-point operations: two for every multiply-accumulate.
    pub fn flops(&self) -> Dim {
        self.macs.mul(&Dim::Known(2))
    }
    fn add(&mut self, other: &Cost) {
        self.operators += other.operators;
        self.macs = self.macs.add(&other.macs);
        self.parameters += other.parameters;
        self.weight_bytes += other.weight_bytes;
        self.activation_bytes = self.activation_bytes.add(&other.activation_bytes);
    }
}

/// The cost of a model.
#[derive(Clone, Debug, Default)]
pub struct CostReport {
    /// Everything. Weights that two operators share count once here and once in each of them (and of their kinds and
    /// scopes).
    pub total: Cost,
    /// Each operator of every graph that runs. Bodies of Loop and Scan count one trip.
    pub by_op: Vec<(GraphId, OpId, Cost)>,
    /// By operator name, in order of first appearance.
    pub by_kind: IndexMap<Name, Cost>,
    /// By scope of the source; operators without one are under the empty name.
    pub by_scope: IndexMap<Name, Cost>,
    /// The most bytes of activations of the main graph that live at once when operators run in order.
    pub peak_activation_bytes: Dim,
}

impl Model {
    /// The cost of everything that runs.
    pub fn cost(&self) -> CostReport {
        let mut report = CostReport::default();
        let mut seen = rustc_hash::FxHashSet::default();
        for id in self.live_graphs() {
            let graph = self.graph(id);
            for (op, data) in graph.ops() {
                let mut cost = Cost { operators: 1, macs: self.op_macs(id, op), ..Cost::default() };
                let mut constants: Vec<TensorId> =
                    data.operands().iter().flatten().filter_map(|value| stored(graph, *value)).collect();
                constants.sort_unstable();
                constants.dedup();
                for tensor in constants {
                    let (parameters, bytes) = (self.weights_in(tensor), self.tensor(tensor).byte_len());
                    cost.parameters += parameters;
                    cost.weight_bytes += bytes;
                    if seen.insert(tensor) {
                        report.total.parameters += parameters;
                        report.total.weight_bytes += bytes;
                    }
                }
                for value in data.results().iter().flatten() {
                    cost.activation_bytes = cost.activation_bytes.add(&value_bytes(graph.value(*value).ty()));
                }
                let (parameters, bytes) = (report.total.parameters, report.total.weight_bytes);
                report.total.add(&cost);
                (report.total.parameters, report.total.weight_bytes) = (parameters, bytes);
                report.by_kind.entry(Name::from(data.op().name())).or_default().add(&cost);
                report.by_scope.entry(self.scope(data.origin())).or_default().add(&cost);
                report.by_op.push((id, op, cost));
            }
        }
        report.peak_activation_bytes = self.main().map_or(Dim::Known(0), |main| self.peak_activations(main));
        report
    }

    /// The elements of a constant that are weights.
    fn weights_in(&self, id: TensorId) -> u64 {
        let entry = self.tensor_entry(id);
        let elements = entry.tensor.len();
        match entry.tensor.dtype() {
            DType::I64 | DType::Bool | DType::String => 0,
            _ if elements == 1 && entry.role == TensorRole::Literal => 0,
            _ => elements,
        }
    }

    /// The scope of an origin: that of the source node; of several, their longest common prefix.
    pub fn scope(&self, origin: crate::OriginId) -> Name {
        if let Origin::Source { scope, .. } = self.origin(origin) {
            return scope.clone().unwrap_or_default();
        }
        let mut common: Option<Vec<String>> = None;
        let mut stack = vec![origin];
        let mut seen = rustc_hash::FxHashSet::default();
        while let Some(id) = stack.pop() {
            // What hundreds of operators became has hardly a scope; the bound keeps long histories cheap.
            if seen.len() == 256 {
                break;
            }
            if !seen.insert(id) {
                continue;
            }
            match self.origin(id) {
                Origin::Source { scope, .. } => {
                    let parts: Vec<String> =
                        scope.as_ref().map(|s| s.split('.').map(str::to_owned).collect()).unwrap_or_default();
                    common = Some(match common {
                        None => parts,
                        Some(old) => old.into_iter().zip(parts).take_while(|(a, b)| a == b).map(|(a, _)| a).collect(),
                    });
                }
                Origin::Derived { from, .. } => stack.extend(from.iter().copied()),
            }
        }
        Name::from(common.unwrap_or_default().join("."))
    }

    fn peak_activations(&self, id: GraphId) -> Dim {
        let graph = self.graph(id);
        let Ok(order) = graph.topological() else { return Dim::Unknown };
        let mut last_reader: Vec<usize> = vec![0; graph.value_rows()];
        for (step, op) in order.iter().enumerate() {
            for value in graph.op(*op).operands().iter().flatten() {
                last_reader[value.index()] = step;
            }
        }
        for value in graph.outputs() {
            last_reader[value.index()] = usize::MAX;
        }
        let bytes = |value: ValueId| match stored(graph, value) {
            Some(_) => Dim::Known(0),
            None => value_bytes(graph.value(value).ty()),
        };
        let mut live = graph.inputs().iter().fold(Dim::Known(0), |sum, value| sum.add(&bytes(*value)));
        let mut peak = live.clone();
        for (step, op) in order.iter().enumerate() {
            let data = graph.op(*op);
            for value in data.results().iter().flatten() {
                live = live.add(&bytes(*value));
            }
            peak = larger(peak, &live);
            let mut freed: Vec<ValueId> =
                data.operands().iter().flatten().copied().filter(|v| last_reader[v.index()] == step).collect();
            freed.sort_unstable();
            freed.dedup();
            freed.extend(data.results().iter().flatten().copied().filter(|v| graph.value(*v).uses().is_empty()));
            for value in freed {
                live = live.sub(&bytes(value));
            }
            if live.is_unknown() {
                return Dim::Unknown;
            }
        }
        peak
    }
}

/// The larger of two sizes. Where that depends on the symbols, each is taken to be 256: a size at which neither floors
/// nor additive constants decide.
fn larger(a: Dim, b: &Dim) -> Dim {
    if let Dim::Known(difference) = b.sub(&a) {
        return if difference > 0 { b.clone() } else { a };
    }
    let probe = |dim: &Dim| dim.substitute(&|_| Some(Dim::Known(256))).known();
    match (probe(&a), probe(b)) {
        (Some(x), Some(y)) if y > x => b.clone(),
        (Some(_), Some(_)) => a,
        _ => Dim::Unknown,
    }
}

/// The tensor that a value is unless a caller overrides it.
fn stored(graph: &Graph, value: ValueId) -> Option<TensorId> {
    match graph.value(value).def() {
        Def::Constant(tensor) | Def::Input { default: Some(tensor) } => Some(tensor),
        _ => None,
    }
}

fn value_bytes(ty: &ValueType) -> Dim {
    match ty {
        ValueType::Tensor(tensor) => {
            let elements = tensor.shape.elements();
            match tensor.dtype.whole_bytes() {
                Some(bytes) => elements.mul(&Dim::from(bytes)),
                None => elements.mul(&Dim::from(u64::from(tensor.dtype.bits()))).ceil_div(&Dim::Known(8)),
            }
        }
        _ => Dim::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Add, MatMul, Relu, Reshape};
    use crate::{NewOp, Op, OriginId, Shape, Tensor};

    fn float(dims: &[Dim]) -> ValueType {
        ValueType::tensor(DType::F32, Shape::of(dims.iter().cloned()))
    }
    fn weights(model: &mut Model, rows: u64, columns: u64) -> TensorId {
        let tensor = Tensor::splat(DType::F32, [rows, columns].as_slice(), bytes::Bytes::from_static(&[0; 4]));
        model.add_tensor(tensor.unwrap())
    }
    fn add(model: &mut Model, graph: GraphId, op: impl Into<Op>, operands: &[ValueId], origin: OriginId) -> ValueId {
        let graph = model.graph_mut(graph);
        let name = Name::from(format!("v{}", graph.value_rows()));
        let op = graph.add_op(NewOp {
            op: op.into(),
            operands: operands.iter().copied().map(Some).collect(),
            captures: 0,
            regions: smallvec::SmallVec::new(),
            results: smallvec::smallvec![Some(name)],
            name: Name::default(),
            origin,
        });
        graph.op(op).result(0).unwrap()
    }
    fn model() -> (Model, GraphId, OriginId) {
        let mut model = Model::new();
        let graph = model.add_graph(Graph::new("main"));
        model.entries.insert("main".into(), graph);
        let origin = model.add_origin(Origin::Source {
            node: "n".into(),
            operator: "MatMul".into(),
            scope: Some("encoder.layer.0".into()),
        });
        (model, graph, origin)
    }

    /// Two products that share a weight, a bias-like constant read twice by one operator, and a Reshape.
    #[test]
    fn counts_once_what_is_shared() {
        let (mut model, graph, origin) = model();
        let n = Dim::symbol("N");
        let x = model.graph_mut(graph).add_input("x", float(&[n.clone(), Dim::Known(8)]), None);
        let tensor = weights(&mut model, 8, 8);
        let first = model.graph_mut(graph).add_constant("w", float(&[Dim::Known(8), Dim::Known(8)]), tensor);
        let second = model.graph_mut(graph).add_constant("w2", float(&[Dim::Known(8), Dim::Known(8)]), tensor);
        let a = add(&mut model, graph, MatMul {}, &[x, first], origin);
        let b = add(&mut model, graph, MatMul {}, &[a, second], origin);
        let other = model.add_origin(Origin::Source { node: "m".into(), operator: "Add".into(), scope: None });
        let both = add(&mut model, graph, Add {}, &[first, first], other);
        let shape = model.add_constant(graph, "shape", Tensor::from_ints(&[-1]));
        let y = add(&mut model, graph, Reshape { allowzero: false }, &[b, shape], other);
        model.graph_mut(graph).add_output(y);
        model.graph_mut(graph).add_output(both);
        model.infer();
        let report = model.cost();
        assert_eq!(report.total.operators, 4);
        assert_eq!(report.total.macs.to_string(), "128*N");
        assert_eq!(report.total.flops().to_string(), "256*N");
        assert_eq!((report.total.parameters, report.total.weight_bytes), (64, 64 * 4 + 8));
        let matmul = &report.by_kind["MatMul"];
        assert_eq!((matmul.operators, matmul.parameters, matmul.macs.to_string()), (2, 128, "128*N".to_owned()));
        assert_eq!((report.by_kind["Add"].parameters, report.by_kind["Reshape"].parameters), (64, 0));
        assert_eq!(report.by_scope["encoder.layer.0"].operators, 2);
        assert_eq!(report.by_scope[""].operators, 2);
        assert_eq!(report.by_op.len(), 4);
    }

    /// A residual: x lives until the Add, so three buffers live at once.
    #[test]
    fn the_peak_follows_lifetimes() {
        let (mut model, graph, origin) = model();
        let ty = float(&[Dim::symbol("N"), Dim::Known(16)]);
        let x = model.graph_mut(graph).add_input("x", ty.clone(), None);
        let a = add(&mut model, graph, Relu {}, &[x], origin);
        let b = add(&mut model, graph, Relu {}, &[a], origin);
        let y = add(&mut model, graph, Add {}, &[x, b], origin);
        model.graph_mut(graph).add_output(y);
        for value in [a, b, y] {
            model.graph_mut(graph).set_type(value, ty.clone());
        }
        assert_eq!(model.cost().peak_activation_bytes.to_string(), "192*N");
        // Without the residual two live at once.
        let last = model.graph(graph).producer(y).unwrap();
        model.graph_mut(graph).set_operand(last, 0, Some(b));
        assert_eq!(model.cost().peak_activation_bytes.to_string(), "128*N");
    }

    /// Old files hold weights as inputs with a default: parameters, not activations.
    #[test]
    fn defaults_of_inputs_are_weights() {
        let (mut model, graph, origin) = model();
        let x = model.graph_mut(graph).add_input("x", float(&[Dim::Known(2), Dim::Known(4)]), None);
        let tensor = weights(&mut model, 4, 4);
        let w = model.graph_mut(graph).add_input("w", float(&[Dim::Known(4), Dim::Known(4)]), Some(tensor));
        let y = add(&mut model, graph, MatMul {}, &[x, w], origin);
        model.graph_mut(graph).add_output(y);
        model.infer();
        let report = model.cost();
        assert_eq!((report.total.parameters, report.total.weight_bytes), (16, 64));
        assert_eq!(report.peak_activation_bytes, Dim::Known(2 * 4 * 4 * 2));
    }

    /// Work grows with the length of a chain, and so do the figures.
    #[test]
    fn long_chains_stay_cheap() {
        let (mut model, graph, origin) = model();
        let mut value = model.graph_mut(graph).add_input("x", float(&[Dim::symbol("N"), Dim::Known(4)]), None);
        let tensor = weights(&mut model, 4, 4);
        let weight = model.graph_mut(graph).add_constant("w", float(&[Dim::Known(4), Dim::Known(4)]), tensor);
        for _ in 0..20_000 {
            value = add(&mut model, graph, MatMul {}, &[value, weight], origin);
        }
        model.graph_mut(graph).add_output(value);
        model.infer();
        let report = model.cost();
        assert_eq!(report.total.macs.to_string(), "320000*N");
        assert_eq!(report.total.parameters, 16);
        assert_eq!(report.peak_activation_bytes.to_string(), "32*N");
    }

    #[test]
    fn the_larger_size_wins() {
        let (n, h) = (Dim::symbol("N"), Dim::symbol("H"));
        let times = |dim: &Dim, k: i64| dim.mul(&Dim::Known(k));
        assert_eq!(larger(times(&n, 2), &times(&n, 3)), times(&n, 3));
        assert_eq!(larger(times(&n, 3), &times(&n, 2)), times(&n, 3));
        assert_eq!(larger(Dim::Known(100), &times(&n, 1)), n);
        assert_eq!(larger(h.mul(&h), &times(&h, 100)), h.mul(&h));
        assert_eq!(larger(Dim::Unknown, &n), Dim::Unknown);
    }

    #[test]
    fn scopes_of_derived_operators_are_what_their_sources_share() {
        let mut model = Model::new();
        let source = |model: &mut Model, scope: Option<&str>| {
            model.add_origin(Origin::Source { node: "n".into(), operator: "Conv".into(), scope: scope.map(Name::from) })
        };
        let a = source(&mut model, Some("encoder.layer.1.attention"));
        let b = source(&mut model, Some("encoder.layer.10"));
        let nowhere = source(&mut model, None);
        let derive = |model: &mut Model, from: &[OriginId]| {
            model.add_origin(Origin::Derived { rule: "r".into(), from: from.into() })
        };
        let both = derive(&mut model, &[a, b]);
        assert_eq!(model.scope(a), "encoder.layer.1.attention");
        assert_eq!(model.scope(both), "encoder.layer");
        let mixed = derive(&mut model, &[both, nowhere]);
        assert_eq!(model.scope(mixed), "");
        // A long history with many ways to each source.
        let mut top = both;
        for _ in 0..100 {
            top = derive(&mut model, &[top, top, both]);
        }
        assert_eq!(model.scope(top), "encoder.layer");
    }

    #[test]
    fn bytes_of_values() {
        let bytes = |dtype, dims: &[Dim]| value_bytes(&ValueType::tensor(dtype, Shape::of(dims.iter().cloned())));
        assert_eq!(bytes(DType::F16, &[Dim::Known(3), Dim::Known(5)]), Dim::Known(30));
        assert_eq!(bytes(DType::U4, &[Dim::Known(3)]), Dim::Known(2));
        assert_eq!(bytes(DType::F32, &[Dim::symbol("N")]).to_string(), "4*N");
        assert_eq!(bytes(DType::F32, &[Dim::Unknown]), Dim::Unknown);
        assert_eq!(value_bytes(&ValueType::Unknown), Dim::Unknown);
    }
}
