//! The memory that reading a model may take, in proportion to its file.
//!
//! The scan bounds what decoding takes. What is built from the messages is bounded here, before it is built: every node,
//! value and tensor is charged what it costs while its message is still there. The prices are measured (the test
//! `memory` measures them again) and on the high side; a real model stays far below the bound, because its nodes have names
//! and its weights cost nothing.

use edgesmith_onnx_proto::{DECODED_BYTES_FREE, DECODED_BYTES_PER_BYTE};

use crate::error::ImportError;

/// What is left of the memory that reading the model may take, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    left: u64,
}

impl Limits {
    /// The limits for a file of this size.
    pub fn for_file(bytes: usize) -> Self {
        // Some is left for what is not counted one by one.
        let free = DECODED_BYTES_FREE - DECODED_BYTES_FREE / 8;
        Self { left: DECODED_BYTES_PER_BYTE.saturating_mul(bytes as u64).saturating_add(free) }
    }
    /// Takes so many bytes, if they are there.
    pub fn take(&mut self, bytes: u64) -> Result<(), ()> {
        self.left = self.left.checked_sub(bytes).ok_or(())?;
        Ok(())
    }
    /// Takes so many bytes for nodes and values of the file.
    pub fn take_for(&mut self, bytes: u64) -> Result<(), ImportError> {
        self.take(bytes).map_err(|()| {
            ImportError::Limit(
                "reading the model would need far more memory than the file: it consists of very many very small parts"
                    .into(),
            )
        })
    }
}

/// What parts of a model cost, in bytes.
pub(crate) mod cost {
    use edgesmith_onnx_proto::{AttributeProto, GraphProto, NodeProto};

    /// A value that a subgraph takes in from outside: a value, an operand, a use.
    pub const CAPTURE: u64 = 500;
    /// A graph, empty.
    pub const GRAPH: u64 = 1_500;
    /// An operator, without operands and results.
    const NODE: u64 = 560;
    const INPUT: u64 = 60;
    /// Type inference looks at all operands of one operator at once.
    const FACT: u64 = 260;
    const OUTPUT: u64 = 640;
    /// Lists of messages begin with room for four.
    const ATTRIBUTE: u64 = 400;
    /// An attribute that may become a constant.
    const LITERAL: u64 = 400;
    const NOTE: u64 = 150;
    const TENSOR: u64 = 1_100;
    const DESCRIPTION: u64 = 700;
    const DIM: u64 = 100;

    /// What the nodes of one graph cost, their subgraphs apart.
    pub fn of_nodes(nodes: &[NodeProto]) -> u64 {
        let most = nodes.iter().map(|node| node.input.len()).max().unwrap_or_default() as u64;
        most * FACT + nodes.iter().map(of_node).sum::<u64>()
    }

    fn of_node(node: &NodeProto) -> u64 {
        let lists = |attribute: &&AttributeProto| !attribute.ints.is_empty() || attribute.t.is_some();
        let attributes = match node.attribute.len() {
            0 => 0,
            count => count.next_power_of_two().max(4) as u64 * ATTRIBUTE,
        };
        NODE + node.input.len() as u64 * INPUT
            + node.output.len() as u64 * OUTPUT
            + attributes
            + node.attribute.iter().filter(lists).count() as u64 * LITERAL
            + node.metadata_props.len() as u64 * NOTE
    }

    /// What a graph costs beside its nodes.
    pub fn of_graph(graph: &GraphProto) -> u64 {
        let infos = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
        let described = infos.map(|info| {
            let shape = match info.r#type.as_ref().and_then(|ty| ty.value.as_ref()) {
                Some(edgesmith_onnx_proto::TypeValue::Tensor(tensor)) => tensor.shape.as_ref(),
                _ => None,
            };
            DESCRIPTION
                + shape.map_or(0, |shape| shape.dim.len()) as u64 * DIM
                + info.metadata_props.len() as u64 * NOTE
        });
        let tensors = graph.initializer.len() + graph.sparse_initializer.len();
        GRAPH + described.sum::<u64>() + tensors as u64 * TENSOR
    }
}
