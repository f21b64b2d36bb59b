//! The table of registered outside operators, and finding them in a model.

use std::collections::BTreeMap;

use super::{CompositeOperator, DecompositionError, read};
use crate::op::{Call, CustomOp, Formal, FunctionKey};
use crate::{Fact, GraphId, Model, Name, Op, OpId};

/// A registered operator, for lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OperatorInfo {
    /// The domain.
    pub domain: &'static str,
    /// The name.
    pub name: &'static str,
    /// The version of the domain from which on it is recognised.
    pub version: i64,
    /// One line.
    pub summary: &'static str,
    /// Operands.
    pub operands: &'static [Formal],
    /// Results.
    pub results: &'static [Formal],
}

/// An operator that bears a registered name but is not that operator; it stays carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unrecognised {
    /// The operator, by its label.
    pub site: Name,
    /// Its name.
    pub operator: Name,
    /// Why.
    pub reason: String,
}

type Body = fn(&mut Model, GraphId, OpId, &CustomOp) -> Result<(FunctionKey, GraphId), DecompositionError>;

#[derive(Clone, Copy, Debug)]
struct Row {
    info: OperatorInfo,
    body: Body,
}

/// The outside operators that somebody registered, by domain and name.
#[derive(Clone, Debug, Default)]
pub struct Operators {
    rows: BTreeMap<&'static str, BTreeMap<&'static str, Row>>,
}

impl Operators {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds an operator. Of two with one name the later wins.
    pub fn register<T: CompositeOperator>(&mut self) {
        let info = OperatorInfo {
            domain: T::DOMAIN,
            name: T::NAME,
            version: T::VERSION,
            summary: T::SUMMARY,
            operands: T::OPERANDS,
            results: T::RESULTS,
        };
        self.rows.entry(T::DOMAIN).or_default().insert(T::NAME, Row { info, body: body_of::<T> });
    }
    /// All operators, by domain and name.
    pub fn iter(&self) -> impl Iterator<Item = &OperatorInfo> {
        self.rows.values().flat_map(BTreeMap::values).map(|row| &row.info)
    }

    fn get(&self, domain: &str, name: &str) -> Option<&Row> {
        self.rows.get(domain)?.get(name)
    }

    /// Turns carried operators of registered names into what they are, and seals the functions of such names. Returns
    /// those that do not fit. Bodies of functions stay as the file has them.
    pub fn recognise(&self, model: &mut Model) -> Vec<Unrecognised> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        for (key, function) in &mut model.functions {
            function.sealed |= self.get(&key.domain, &key.name).is_some();
        }
        let mut refused = Vec::new();
        for entry in model.entries.values().copied().collect::<Vec<_>>() {
            if self.below(model, entry) {
                self.graph(model, entry, &mut refused);
            }
        }
        refused
    }

    /// Whether there is something to recognise in a graph or its regions.
    fn below(&self, model: &Model, id: GraphId) -> bool {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for (_, data) in model.graph(id).ops() {
                match data.op() {
                    Op::Custom(custom) if self.get(&custom.domain, &custom.name).is_some() => return true,
                    Op::Call(_) => {}
                    _ => open.extend(data.regions()),
                }
            }
        }
        false
    }

    /// In topological order, so that an operator's operands are typed when it is decomposed. Recursion is as deep as
    /// regions are nested.
    fn graph(&self, model: &mut Model, id: GraphId, refused: &mut Vec<Unrecognised>) {
        for op in model.graph(id).topological().unwrap_or_default() {
            let data = model.graph(id).op(op);
            match data.op() {
                Op::Custom(custom) => {
                    if let Some(row) = self.get(&custom.domain, &custom.name) {
                        let custom = (**custom).clone();
                        if let Err(error) = row.replace(model, id, op, &custom) {
                            let site = model.op_label(id, op);
                            refused.push(Unrecognised { site, operator: custom.name, reason: error.to_string() });
                        }
                    }
                }
                Op::Call(_) => {}
                _ => {
                    let regions = data.regions().to_vec();
                    for region in regions {
                        if self.below(model, region) {
                            // What the regions know comes from outside.
                            let _ = model.infer_op(id, op);
                            self.graph(model, region, refused);
                        }
                    }
                }
            }
            // Types that the file declared of unknown operators gave way to inferred ones; what contradicts them is told
            // by whoever infers the whole model.
            let _ = model.infer_op(id, op);
        }
    }
}

impl Row {
    fn replace(
        &self,
        model: &mut Model,
        graph: GraphId,
        op: OpId,
        custom: &CustomOp,
    ) -> Result<(), DecompositionError> {
        let version = model.opset(self.info.domain).unwrap_or(self.info.version);
        if version < self.info.version {
            return Err(DecompositionError::new(format!(
                "the model has version {version} of '{}', and the registered operator is of version {}",
                self.info.domain, self.info.version
            )));
        }
        if !custom.overload.is_empty() || !model.graph(graph).op(op).regions().is_empty() {
            return Err(DecompositionError::new(
                "it has an overload or subgraphs, which registered operators have not",
            ));
        }
        let (function, body) = (self.body)(model, graph, op, custom)?;
        let call = Op::Call(Box::new(Call { function, attributes: custom.attributes.clone() }));
        let graph = model.graph_mut(graph);
        graph.set_op(op, call);
        graph.push_region(op, body);
        Ok(())
    }
}

fn body_of<T: CompositeOperator>(
    model: &mut Model,
    graph: GraphId,
    op: OpId,
    custom: &CustomOp,
) -> Result<(FunctionKey, GraphId), DecompositionError> {
    let read = read::<T>(custom.attributes.clone(), &[]);
    let composite = read.map_err(|error| DecompositionError::new(error.to_string()))?;
    let data = model.graph(graph).op(op);
    let (results, origin) = (data.results().len(), data.origin());
    let operands: Vec<Option<Fact>> = data.formals().iter().map(|v| v.map(|v| model.fact(graph, v))).collect();
    model.composite_body(&composite, &operands, results, origin)
}
