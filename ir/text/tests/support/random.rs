//! Random models from a string of choices: whatever proptest shrinks stays a model.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use edgesmith_ir::op::{Call, CustomOp, FunctionKey};
use edgesmith_ir::{
    Attribute, DType, Dim, Function, Graph, GraphId, Model, Name, NewOp, Op, OpKind, Origin, OriginId, Shape,
    SymbolFacts, Tensor, TensorEntry, TensorId, TensorRole, TensorType, ValueId, ValueType, tensor_type,
};
use smallvec::SmallVec;

/// Where the randomness comes from; when it ends, every choice is the first.
pub struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |byte| *byte as usize % n)
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.0.next().is_some_and(|byte| (*byte as usize * 100 / 256) >= 100 - percent)
    }
    fn pick<'b, T>(&mut self, list: &'b [T]) -> &'b T {
        &list[self.below(list.len())]
    }
    fn word(&mut self) -> &'static str {
        self.pick::<&'static str>(&[
            "",
            "a",
            "N",
            "float",
            "a b",
            "x/y:0",
            "quo\"te\\",
            "line\nbreak\r\t",
            "größe",
            "`",
            "inf",
            "# float[3]",
            "#| x",
            "p2o.D.0",
            "\u{1}\u{7f}",
            "2*N",
            "?v.0",
        ])
    }
    fn name(&mut self) -> Name {
        self.word().into()
    }
    fn pairs(&mut self) -> Vec<(Name, Name)> {
        (0..self.below(3)).map(|_| (self.name(), self.name())).collect()
    }
    fn bytes(&mut self) -> bytes::Bytes {
        let raw: [&[u8]; 4] = [b"", b"text", b"\xff\x00\n\"\\", "größe".as_bytes()];
        bytes::Bytes::from_static(raw[self.below(4)])
    }
}

struct Maker<'a, 'c> {
    model: Model,
    choices: &'a mut Choices<'c>,
    names: usize,
    origins: Vec<OriginId>,
    tensors: Vec<TensorId>,
    depth: usize,
    untyped: bool,
}

pub fn model(choices: &mut Choices<'_>) -> Model {
    let mut maker =
        Maker { model: Model::new(), choices, names: 0, origins: vec![], tensors: vec![], depth: 0, untyped: false };
    maker.model();
    maker.model
}

impl Maker<'_, '_> {
    fn model(&mut self) {
        let c = &mut *self.choices;
        let opset = if c.chance(50) { 21 } else { 17 };
        self.model.opsets.insert("".into(), opset);
        if c.chance(30) {
            self.model.opsets.insert(c.name(), c.below(20) as i64 - 3);
        }
        let metadata = &mut self.model.metadata;
        metadata.ir_version = c.below(12) as i64;
        metadata.producer_name = c.name();
        metadata.producer_version = c.name();
        metadata.domain = c.name();
        metadata.model_version = -(c.below(3) as i64);
        metadata.doc = c.name();
        metadata.properties = c.pairs();
        metadata.external_data = c.chance(20);
        metadata.opaque = c.bytes();
        for _ in 0..c.below(3) {
            let facts = SymbolFacts {
                min: c.below(3) as i64 - 1,
                max: c.chance(50).then_some(9),
                divisor: 1 + c.below(2) as i64,
            };
            self.model.symbols.assume(c.name(), facts);
        }
        let entries = 1 + self.choices.below(2);
        for index in 0..entries {
            let id = self.outer_graph();
            let name: Name =
                if index == 0 && self.choices.chance(60) { "main".into() } else { format!("entry {index}").into() };
            self.model.entries.insert(name, id);
            if self.choices.chance(10) {
                self.model.entries.insert(format!("alias {index}").into(), id);
            }
        }
        for index in 0..self.choices.below(3) {
            self.untyped = true;
            let body = Some(self.outer_graph());
            self.untyped = false;
            let c = &mut *self.choices;
            let key = FunctionKey {
                domain: ["local", "a b"][c.below(2)].into(),
                name: format!("F{index}").into(),
                overload: ["", "fast"][c.below(2)].into(),
            };
            let mut function = Function { body, doc: c.name(), metadata: c.pairs(), ..Function::default() };
            function.opsets.insert("".into(), 17);
            function.attributes = (0..c.below(3)).map(|_| c.name()).collect();
            for _ in 0..self.choices.below(3) {
                let (name, value) = (self.choices.name(), self.attribute(0));
                if !matches!(value, Attribute::Graph(_) | Attribute::Graphs(_)) {
                    function.defaults.push((name, value));
                }
            }
            self.model.functions.insert(key, function);
        }
        for _ in 0..self.choices.below(3) {
            let pair = (self.dim(), self.dim());
            self.model.symbols.equal.push(pair);
        }
    }

    fn fresh(&mut self) -> Name {
        self.names += 1;
        match self.choices.below(4) {
            0..=2 => format!("v{}", self.names).into(),
            _ => format!("{}{}", self.choices.word(), self.names).into(),
        }
    }

    fn dim(&mut self) -> Dim {
        let c = &mut *self.choices;
        match c.below(8) {
            0 | 1 => Dim::Known(c.below(5) as i64),
            2 => Dim::Unknown,
            3 => Dim::symbol(["N", "M", "batch-size", "2*N", "p2o.D.0", "?v.0", "max", "a`b"][c.below(8)]),
            4 => Dim::symbol("N").mul(&Dim::Known(2)).add(&Dim::Known(c.below(4) as i64 - 1)),
            5 => self.dim().floor_div(&Dim::Known(2 + self.choices.below(3) as i64)),
            6 => self.dim().max_with(&self.dim()),
            _ => self.dim().modulo(&Dim::Known(3)).sub(&Dim::symbol("M")),
        }
    }

    fn ty(&mut self) -> ValueType {
        match self.choices.below(12) {
            0..=5 => ValueType::Tensor(self.tensor_type()),
            6 => ValueType::Unknown,
            7 => ValueType::Sequence(Box::new(self.ty())),
            8 => ValueType::Optional(Box::new(self.ty())),
            9 => ValueType::Map(DType::I64, Box::new(self.ty())),
            10 => ValueType::SparseTensor(self.tensor_type()),
            _ => ValueType::Opaque(self.choices.name(), self.choices.name()),
        }
    }

    fn tensor_type(&mut self) -> TensorType {
        let dtype = *self.choices.pick(DType::ALL);
        let shape = if self.choices.chance(15) {
            Shape::Unranked
        } else {
            let rank = self.choices.below(4);
            Shape::Ranked((0..rank).map(|_| self.dim()).collect())
        };
        TensorType { dtype, shape }
    }

    fn tensor(&mut self) -> Tensor {
        let c = &mut *self.choices;
        let dtype = *c.pick(DType::ALL);
        let rank = c.below(3);
        let shape: SmallVec<[u64; 4]> = (0..rank).map(|_| c.below(5) as u64).collect();
        let count: u64 = shape.iter().product();
        if dtype == DType::String {
            return Tensor::strings(shape, (0..count).map(|_| c.bytes()).collect()).unwrap();
        }
        if c.chance(15) && rank > 0 && count > 0 {
            let values = Tensor::from_slice([1_u64].as_slice(), &[1.5_f32]).unwrap();
            return Tensor::sparse(shape, values, Tensor::from_ints(&[0])).unwrap();
        }
        let length = dtype.byte_len(count).unwrap() as usize;
        let patterns: [&[u8]; 5] = [&[0], &[1, 0], &[0, 0, 0x80, 0x3f], &[0xff], &[0, 0, 0xc0, 0x7f, 1, 0]];
        let pattern = patterns[c.below(5)];
        if c.chance(20) {
            let one = if dtype.bits() == 6 { 3 } else { dtype.byte_len(1).unwrap() as usize };
            let element: Vec<u8> = pattern.iter().copied().cycle().take(one).collect();
            return Tensor::splat(dtype, shape, element.into()).unwrap();
        }
        let bytes: Vec<u8> = pattern.iter().copied().cycle().take(length).collect();
        Tensor::dense(dtype, shape, bytes.into()).unwrap()
    }

    fn tensor_id(&mut self) -> TensorId {
        if !self.tensors.is_empty() && self.choices.chance(30) {
            return *self.choices.pick(&self.tensors);
        }
        let tensor = self.tensor();
        let c = &mut *self.choices;
        let role = *c.pick(&[TensorRole::Unspecified, TensorRole::Parameter, TensorRole::Buffer, TensorRole::Literal]);
        let (doc, metadata) = if c.chance(20) { (c.name(), c.pairs()) } else { (Name::default(), vec![]) };
        let id = self.model.add_tensor_entry(TensorEntry { tensor, role, doc, metadata });
        self.tensors.push(id);
        id
    }

    fn origin(&mut self, label: &Name, op: &Op) -> OriginId {
        let usual = Origin::Source {
            node: label.clone(),
            operator: op.name().into(),
            scope: edgesmith_ir::scope_of_name(label),
        };
        let origin = match self.choices.below(8) {
            0..=3 => usual,
            4 => Origin::Source {
                node: self.choices.name(),
                operator: self.choices.name(),
                scope: self.choices.chance(50).then(|| "a.b".into()),
            },
            5 if !self.origins.is_empty() => return *self.choices.pick(&self.origins),
            _ => {
                let count = self.choices.below(4).min(self.origins.len());
                let from = (0..count).map(|_| *self.choices.pick(&self.origins)).collect();
                Origin::Derived { rule: self.choices.name(), from }
            }
        };
        let id = self.model.add_origin(origin);
        self.origins.push(id);
        id
    }

    fn attribute(&mut self, regions: usize) -> Attribute {
        let c = &mut *self.choices;
        let float = |c: &mut Choices<'_>| {
            f32::from_bits(*c.pick(&[
                0,
                0x3f80_0000,
                0x8000_0000,
                0x7f80_0000,
                0x7fc0_0000,
                0x7f80_0001,
                0xffc0_0000,
                1,
            ]))
            .into()
        };
        match c.below(16) {
            0 => Attribute::Float(float(c)),
            1 => Attribute::Int([0, i64::MIN, i64::MAX][c.below(3)]),
            2 => Attribute::String(c.bytes()),
            3 => Attribute::Tensor(self.tensor()),
            4 => Attribute::SparseTensor(self.tensor()),
            5 if regions > 0 => Attribute::Graph(c.below(regions)),
            6 => Attribute::Type(self.ty()),
            7 => Attribute::Floats((0..c.below(3)).map(|_| float(c)).collect()),
            8 => Attribute::Ints((0..c.below(3)).map(|i| i as i64).collect()),
            9 => Attribute::Strings((0..c.below(3)).map(|_| c.bytes()).collect()),
            10 => Attribute::Tensors((0..c.below(3)).map(|_| self.tensor()).collect()),
            11 => Attribute::SparseTensors((0..c.below(2)).map(|_| self.tensor()).collect()),
            12 => Attribute::Graphs((0..c.below(3).min(regions)).collect()),
            13 => Attribute::Types((0..c.below(3)).map(|_| self.ty()).collect()),
            _ => Attribute::Reference(c.name(), c.below(20) as i32),
        }
    }

    fn outer_graph(&mut self) -> GraphId {
        let graph = self.graph(&[], None);
        self.model.add_graph(graph.0)
    }

    /// A graph whose last inputs have the types of `captures`, and which has as many more as `formals` says.
    fn graph(&mut self, captures: &[(Name, ValueType)], formals: Option<usize>) -> (Graph, Vec<ValueId>) {
        let mut graph = Graph::new(self.choices.name());
        graph.doc = self.choices.name();
        if self.choices.chance(20) {
            graph.metadata = self.choices.pairs();
        }
        let mut values: Vec<ValueId> = vec![];
        let formals = formals.unwrap_or_else(|| self.choices.below(3));
        for _ in 0..formals {
            let (name, ty) = (self.fresh(), self.ty());
            let default = self.choices.chance(20).then(|| self.tensor_id());
            let ty = match default {
                Some(id) if self.choices.chance(70) => tensor_type(self.model.tensor(id)),
                _ => ty,
            };
            values.push(graph.add_input(name, ty, default));
        }
        let mut taken: std::collections::BTreeSet<Name> =
            values.iter().map(|v| graph.value(*v).name().clone()).collect();
        for (name, ty) in captures {
            let label = if self.choices.chance(70) && !taken.contains(name) { name.clone() } else { self.fresh() };
            taken.insert(label.clone());
            let ty = if self.choices.chance(90) { ty.clone() } else { self.ty() };
            values.push(graph.add_input(label, ty, None));
        }
        for _ in 0..self.choices.below(3) {
            let id = self.tensor_id();
            let ty = tensor_type(self.model.tensor(id));
            // A name by the tensor, as a constant that is seen from several graphs has.
            let shared: Name = format!("w{id}").into();
            let name = if self.choices.chance(60) && taken.insert(shared.clone()) { shared } else { self.fresh() };
            values.push(graph.add_constant(name, ty, id));
        }
        for _ in 0..self.choices.below(5) {
            self.op(&mut graph, &mut values);
        }
        for _ in 0..self.choices.below(3).min(values.len()) {
            graph.add_output(*self.choices.pick(&values));
        }
        self.notes(&mut graph);
        if self.choices.chance(20) {
            graph.mark_pristine();
        }
        (graph, values)
    }

    fn notes(&mut self, graph: &mut Graph) {
        let ids: Vec<ValueId> = graph.values().map(|(id, _)| id).collect();
        for id in ids {
            if self.choices.chance(30) {
                let declared =
                    if self.choices.chance(50) { Some(graph.value(id).ty().clone()) } else { Some(self.ty()) };
                graph.value_extra_mut(id).declared = declared;
            }
            if self.choices.chance(15) {
                let c = &mut *self.choices;
                let extra = graph.value_extra_mut(id);
                extra.doc = c.name();
                extra.metadata = c.pairs();
                extra.quantization = c.pairs();
                extra.pinned = c.chance(50);
                extra.denotations =
                    (0..c.below(3)).map(|axis| (c.chance(50).then_some(axis as u32), c.name())).collect();
            }
        }
    }

    fn op(&mut self, graph: &mut Graph, values: &mut Vec<ValueId>) {
        let operand = |maker: &mut Self, values: &[ValueId]| {
            if values.is_empty() || maker.choices.chance(10) { None } else { Some(*maker.choices.pick(values)) }
        };
        let (mut op, mut formals, results): (Op, Vec<Option<ValueId>>, usize);
        let mut regions = 0;
        let choice = self.choices.below(6);
        if choice < 2 && !values.is_empty() {
            let kind =
                [OpKind::Relu, OpKind::Add, OpKind::Concat, OpKind::LegacySoftmax, OpKind::Conv][self.choices.below(5)];
            let attributes = match kind {
                OpKind::Concat => vec![("axis".into(), Attribute::Int(1))],
                OpKind::LegacySoftmax => vec![("kind".into(), Attribute::String("Hardmax".into()))],
                OpKind::Conv if self.choices.chance(50) => vec![("pads".into(), Attribute::Ints(vec![1, 1]))],
                _ => vec![],
            };
            op = kind.decode(attributes).unwrap().unwrap();
            let count = if kind == OpKind::Relu || kind == OpKind::LegacySoftmax { 1 } else { 2 };
            formals = (0..count).map(|_| Some(*self.choices.pick(values))).collect();
            if kind == OpKind::Conv && self.choices.chance(30) {
                formals.push(None);
            }
            results = 1;
        } else if choice < 4 && !values.is_empty() && self.depth < 3 {
            op = OpKind::If.decode(vec![]).unwrap().unwrap();
            formals = vec![Some(*self.choices.pick(values))];
            results = self.choices.below(3);
            regions = 2;
        } else {
            formals = (0..self.choices.below(4)).map(|_| operand(self, values)).collect();
            results = self.choices.below(4);
            regions = if self.depth < 3 { self.choices.below(3) } else { 0 };
            let count = self.choices.below(4);
            let attributes: Vec<(Name, Attribute)> = if self.choices.chance(50) && regions > 0 {
                (0..regions).map(|index| (self.choices.name(), Attribute::Graph(index))).collect()
            } else {
                (0..count).map(|_| (self.choices.name(), self.attribute(regions))).collect()
            };
            let domain: Name = ["", "a.b", "local", "a b", "edgesmith", "x..y"][self.choices.below(6)].into();
            let name: Name = ["Foo", "Relu", "F0", "LegacySoftmax", "odd name"][self.choices.below(5)].into();
            let overload: Name = ["", "", "fast", "a b"][self.choices.below(4)].into();
            op = if self.choices.chance(30) {
                regions = regions.min(1);
                let attributes = attributes
                    .into_iter()
                    .filter(|(_, a)| !matches!(a, Attribute::Graph(_) | Attribute::Graphs(_)))
                    .collect();
                Op::Call(Box::new(Call { function: FunctionKey { domain, name, overload }, attributes }))
            } else {
                Op::Custom(Box::new(CustomOp { domain, name, overload, attributes }))
            };
        }
        if self.untyped && !self.choices.chance(20) && !matches!(op, Op::Custom(_)) {
            op = Op::Custom(Box::new(CustomOp {
                domain: "".into(),
                name: "Relu".into(),
                overload: "".into(),
                attributes: vec![],
            }));
            regions = regions.min(2);
        }
        let mut captures = vec![];
        if !values.is_empty() && (regions > 0 || self.choices.chance(3)) {
            let runtime: Vec<ValueId> = values.iter().copied().filter(|v| graph.constant(*v).is_none()).collect();
            for _ in 0..self.choices.below(4) {
                if !runtime.is_empty() {
                    captures.push(*self.choices.pick(&runtime));
                }
            }
            if self.choices.chance(70) {
                captures.dedup();
            }
        }
        let outer: Vec<(Name, ValueType)> =
            captures.iter().map(|v| (graph.value(*v).name().clone(), graph.value(*v).ty().clone())).collect();
        let inner = match &op {
            Op::Call(_) => Some(formals.iter().flatten().count()),
            Op::Custom(_) => None,
            _ => Some(0),
        };
        self.depth += 1;
        let regions: SmallVec<[GraphId; 2]> = (0..regions)
            .map(|_| {
                let (region, _) = self.graph(&outer, inner);
                self.model.add_graph(region)
            })
            .collect();
        self.depth -= 1;
        let name = if self.choices.chance(50) { Name::default() } else { self.choices.name() };
        let results: SmallVec<[Option<Name>; 1]> =
            (0..results).map(|_| if self.choices.chance(85) { Some(self.fresh()) } else { None }).collect();
        let label =
            if name.is_empty() { results.iter().flatten().next().cloned().unwrap_or_default() } else { name.clone() };
        let origin = self.origin(&label, &op);
        let count = captures.len();
        let operands = formals.into_iter().chain(captures.into_iter().map(Some)).collect();
        let id = graph.add_op(NewOp { op, operands, captures: count, regions, results, name, origin });
        let made: Vec<ValueId> = graph.op(id).results().iter().flatten().copied().collect();
        for value in made {
            let ty = self.ty();
            graph.set_type(value, ty);
            values.push(value);
        }
        if self.choices.chance(15) {
            let c = &mut *self.choices;
            let extra = graph.op_extra_mut(id);
            extra.doc = c.name();
            extra.metadata = c.pairs();
            extra.opaque = c.bytes();
        }
    }
}
