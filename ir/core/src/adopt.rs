//! One model's graphs and tensors taken over into another.

use crate::id::EntityId;
use crate::{GraphId, Model, OriginId, TensorId};

/// How far the ids of an adopted model moved.
#[derive(Clone, Copy)]
pub(crate) struct Offsets {
    graphs: usize,
    tensors: usize,
    origins: usize,
}

impl Offsets {
    pub(crate) fn graph(self, id: GraphId) -> GraphId {
        GraphId::from_index(id.index() + self.graphs)
    }
    pub(crate) fn tensor(self, id: TensorId) -> TensorId {
        TensorId::from_index(id.index() + self.tensors)
    }
    pub(crate) fn origin(self, id: OriginId) -> OriginId {
        OriginId::from_index(id.index() + self.origins)
    }
}

impl Model {
    /// Takes over every graph, tensor and provenance of another model; ids of values and operators stay. Returns what is
    /// left of it: its entries and functions, which name the graphs by their new ids, its symbols, opsets and metadata.
    /// The new graphs are not reachable until the caller makes them so. Shares every tensor.
    pub fn adopt(&mut self, mut other: Model) -> Model {
        let offsets =
            Offsets { graphs: self.graphs().count(), tensors: self.tensors().count(), origins: self.origins().count() };
        let (graphs, tensors, origins) = other.take_arenas();
        for mut origin in origins {
            if let crate::Origin::Derived { from, .. } = &mut origin {
                from.iter_mut().for_each(|id| *id = offsets.origin(*id));
            }
            self.add_origin(origin);
        }
        for entry in tensors {
            self.add_tensor_entry(entry);
        }
        for mut graph in graphs {
            graph.move_ids(offsets);
            self.add_graph(graph);
        }
        other.entries.values_mut().for_each(|id| *id = offsets.graph(*id));
        for function in other.functions.values_mut() {
            function.body = function.body.map(|id| offsets.graph(id));
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, Model, NewOp, Op, Origin, Tensor, op::Neg};

    fn model(constant: f32) -> Model {
        let mut model = Model::new();
        let made = model.add_origin(Origin::Source { node: "n".into(), operator: "Neg".into(), scope: None });
        let main = model.add_graph(Graph::new("main"));
        let value = model.add_constant(main, "c", Tensor::scalar(constant));
        let graph = model.graph_mut(main);
        let op = graph.add_op(NewOp {
            op: Op::Neg(Neg {}),
            operands: [Some(value)].into_iter().collect(),
            captures: 0,
            regions: smallvec::SmallVec::new(),
            results: [Some("y".into())].into_iter().collect(),
            name: "n".into(),
            origin: made,
        });
        let y = graph.op(op).result(0).unwrap();
        graph.add_output(y);
        graph.mark_pristine();
        model.entries.insert("main".into(), main);
        model.infer();
        model
    }

    #[test]
    fn what_is_adopted_is_as_it_was() {
        let mut model_a = model(1.0);
        let rest = model_a.adopt(model(2.0));
        let main = *rest.entries.values().next().unwrap();
        assert_ne!(Some(main), model_a.main());
        let graph = model_a.graph(main);
        assert!(graph.is_pristine());
        let constant = graph.value_by_name("c").unwrap();
        assert_eq!(model_a.constant_of(main, constant), Some(&Tensor::scalar(2.0_f32)));
        let (_, op) = graph.ops().next().unwrap();
        assert!(matches!(model_a.origin(op.origin()), Origin::Source { node, .. } if node == "n"));
        model_a.entries.insert("second".into(), main);
        model_a.verify().unwrap();
        assert_eq!(rest.graphs().count(), 0);
    }
}
