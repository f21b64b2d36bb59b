//! Cost: multiply-accumulates, parameters, bytes, and the peak of live activations; per operator, per scope, in total.

use indexmap::IndexMap;

use crate::id::EntityId;
use crate::{Def, Dim, GraphId, Model, Name, OpId, Origin, ValueId, ValueType};

/// The cost of one operator or of several. Symbolic where dims are; unknown where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Operators.
    pub operators: u64,
    /// Multiply-accumulates. FLOPs are twice as many.
    pub macs: Dim,
    /// Elements of constants read (each tensor once).
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
    /// Everything. Weights that two operators share count once here and once in each of them.
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
                for value in data.operands().iter().flatten() {
                    if let Def::Constant(tensor) = graph.value(*value).def() {
                        let tensor_data = self.tensor(tensor);
                        cost.parameters += tensor_data.len();
                        cost.weight_bytes += tensor_data.byte_len();
                        if seen.insert(tensor) {
                            report.total.parameters += tensor_data.len();
                            report.total.weight_bytes += tensor_data.byte_len();
                        }
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

    /// The scope of an origin: that of the source node; of several, their longest common prefix.
    pub fn scope(&self, origin: crate::OriginId) -> Name {
        let mut common: Option<Vec<String>> = None;
        let mut stack = vec![origin];
        let mut budget = 256;
        while let Some(id) = stack.pop() {
            budget -= 1;
            if budget == 0 {
                break;
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
        let bytes = |value: ValueId| match graph.value(value).def() {
            Def::Constant(_) => Dim::Known(0),
            _ => value_bytes(graph.value(value).ty()),
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

/// The larger of two sizes; of two polynomials, the one that is larger when every symbol is 1 if they cannot be compared.
fn larger(a: Dim, b: &Dim) -> Dim {
    if let Dim::Known(difference) = b.sub(&a) {
        return if difference > 0 { b.clone() } else { a };
    }
    let at_one = |dim: &Dim| dim.substitute(&|_| Some(Dim::Known(1))).known();
    match (at_one(&a), at_one(b)) {
        (Some(x), Some(y)) if y > x => b.clone(),
        (Some(_), Some(_)) => a,
        _ => Dim::Unknown,
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
