//! Operators that the opset asked for lacks, as the shortest formula that it has.
//!
//! Only where a user asked for an opset: otherwise the file is raised to one that has the operator.

use edgesmith_ir::op::{Gelu, GeluApproximation, GroupNormalization, LayerNormalization, Op, RMSNormalization, Swish};
use edgesmith_ir::{Attribute, DType, Dim, F32, Shape, Tensor, ValueType};

use super::Lowering;
use crate::node::{Node, Text};
use crate::slots::Slot;

impl Lowering<'_, '_> {
    /// Replaces the operator by its formula; `None` when there is none for it here.
    pub(super) fn decompose(&mut self, op: &Op) -> Option<()> {
        let x = self.node.input(0)?;
        let dtype = self.dtype(0).filter(|dtype| matches!(dtype, DType::F32 | DType::F16 | DType::F64))?;
        match op {
            Op::Gelu(op) => self.gelu(op, x, dtype),
            Op::HardSwish(_) => self.hard_swish(x),
            Op::Mish(_) => self.mish(x),
            Op::Swish(op) => self.swish(op, x, dtype),
            Op::LayerNormalization(op) => self.layer_normalization(op, x, dtype),
            Op::RMSNormalization(op) => self.rms_normalization(op, x, dtype),
            Op::GroupNormalization(op) => self.group_normalization(op, x),
            _ => None,
        }
    }

    /// A node before the last one, with a result that is typed like `like`.
    fn step(&mut self, operator: &'static str, inputs: &[Slot], suffix: &str, like: Slot) -> Slot {
        let hint = format!("{}_{suffix}", self.base());
        let ty = self.slots.ty(like).clone();
        let output = self.slots.add_value(hint, ty);
        self.before.push(Node::of(operator, inputs, output));
        output
    }

    /// The last node, which has the results of the operator.
    fn end(&mut self, operator: &'static str, inputs: &[Slot]) {
        self.node.operator = Text::Borrowed(operator);
        self.node.attributes.clear();
        self.node.inputs = inputs.iter().map(|slot| Some(*slot)).collect();
    }

    fn number(&mut self, suffix: &str, dtype: DType, number: f64) -> Option<Slot> {
        let hint = format!("{}_{suffix}", self.base());
        self.slots.number(self.place, hint, dtype, number)
    }

    /// `x · ½ (1 + erf(x / √2))`, or by tanh.
    fn gelu(&mut self, op: &Gelu, x: Slot, dtype: DType) -> Option<()> {
        // Erf came with opset 9.
        if self.opset < 9 {
            return None;
        }
        let curve = match op.approximate {
            GeluApproximation::None => {
                let root = self.number("sqrt2", dtype, std::f64::consts::SQRT_2)?;
                let scaled = self.step("Div", &[x, root], "scaled", x);
                self.step("Erf", &[scaled], "erf", x)
            }
            GeluApproximation::Tanh => {
                // √(2/π) (x + 0.044715 x³) as x (a + b x²).
                let scale = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
                let (a, b) = (self.number("a", dtype, scale)?, self.number("b", dtype, scale * 0.044_715)?);
                let square = self.step("Mul", &[x, x], "square", x);
                let bent = self.step("Mul", &[square, b], "bent", x);
                let slope = self.step("Add", &[bent, a], "slope", x);
                let inner = self.step("Mul", &[slope, x], "inner", x);
                self.step("Tanh", &[inner], "tanh", x)
            }
        };
        let (one, half) = (self.number("one", dtype, 1.0)?, self.number("half", dtype, 0.5)?);
        let shifted = self.step("Add", &[curve, one], "shifted", x);
        let doubled = self.step("Mul", &[x, shifted], "doubled", x);
        self.end("Mul", &[doubled, half]);
        Some(())
    }

    /// `x · clip(x / 6 + ½, 0, 1)`.
    fn hard_swish(&mut self, x: Slot) -> Option<()> {
        let gate = self.step("HardSigmoid", &[x], "gate", x);
        // An offset of ½ is the default.
        self.before.last_mut()?.set("alpha", Attribute::Float(F32(1.0 / 6.0)));
        self.end("Mul", &[x, gate]);
        Some(())
    }

    /// `x · tanh(softplus(x))`.
    fn mish(&mut self, x: Slot) -> Option<()> {
        let softplus = self.step("Softplus", &[x], "softplus", x);
        let gate = self.step("Tanh", &[softplus], "gate", x);
        self.end("Mul", &[x, gate]);
        Some(())
    }

    /// `x · sigmoid(α x)`.
    fn swish(&mut self, op: &Swish, x: Slot, dtype: DType) -> Option<()> {
        let scaled = if op.alpha == F32(1.0) {
            x
        } else {
            let alpha = self.number("alpha", dtype, f64::from(op.alpha.0))?;
            self.step("Mul", &[x, alpha], "scaled", x)
        };
        let gate = self.step("Sigmoid", &[scaled], "gate", x);
        self.end("Mul", &[x, gate]);
        Some(())
    }

    /// The mean over axes, which stay with extent one; the axes were an attribute before opset 18.
    fn mean(&mut self, x: Slot, axes: &[i64], suffix: &str, dtype: DType) -> Slot {
        let rank = self.rank(Some(x)).unwrap_or_default();
        let hint = format!("{}_{suffix}", self.base());
        let output = self.slots.add_value(hint, ValueType::tensor(dtype, Shape::of_rank(rank)));
        let mut node = Node::of("ReduceMean", &[x], output);
        if self.opset < 18 {
            node.set("axes", Attribute::Ints(axes.to_vec()));
        } else {
            let axes = self.add_constant("axes", Tensor::from_ints(axes));
            node.set_input(1, axes);
        }
        self.before.push(node);
        output
    }

    /// `√(v + ε)`.
    fn deviation(&mut self, variance: Slot, epsilon: F32, dtype: DType) -> Option<Slot> {
        let epsilon = self.number("epsilon", dtype, f64::from(epsilon.0))?;
        let shifted = self.step("Add", &[variance, epsilon], "shifted", variance);
        Some(self.step("Sqrt", &[shifted], "deviation", variance))
    }

    /// The axes from `axis` on.
    fn axes_from(&self, axis: i64, x: Slot) -> Option<Vec<i64>> {
        let rank = self.rank(Some(x))? as i64;
        let first = if axis < 0 { axis + rank } else { axis };
        (0..rank).contains(&first).then(|| (first..rank).collect())
    }

    /// `(x − mean) / √(variance + ε) · scale + bias`.
    fn layer_normalization(&mut self, op: &LayerNormalization, x: Slot, dtype: DType) -> Option<()> {
        // The statistics that are results too have no place in the formula, and half precision would lose its range.
        if self.node.outputs.iter().skip(1).any(Option::is_some) || dtype == DType::F16 {
            return None;
        }
        let axes = self.axes_from(op.axis, x)?;
        let (scale, bias) = (self.node.input(1)?, self.node.input(2));
        let mean = self.mean(x, &axes, "mean", dtype);
        let centred = self.step("Sub", &[x, mean], "centred", x);
        let squares = self.step("Mul", &[centred, centred], "squares", x);
        let variance = self.mean(squares, &axes, "variance", dtype);
        let deviation = self.deviation(variance, op.epsilon, dtype)?;
        let normalised = self.step("Div", &[centred, deviation], "normalised", x);
        self.node.outputs.truncate(1);
        match bias {
            Some(bias) => {
                let scaled = self.step("Mul", &[normalised, scale], "scaled", x);
                self.end("Add", &[scaled, bias]);
            }
            None => self.end("Mul", &[normalised, scale]),
        }
        Some(())
    }

    /// `x / √(mean(x²) + ε) · scale`.
    fn rms_normalization(&mut self, op: &RMSNormalization, x: Slot, dtype: DType) -> Option<()> {
        if dtype == DType::F16 {
            return None;
        }
        let axes = self.axes_from(op.axis, x)?;
        let scale = self.node.input(1)?;
        let squares = self.step("Mul", &[x, x], "squares", x);
        let mean = self.mean(squares, &axes, "mean", dtype);
        let deviation = self.deviation(mean, op.epsilon, dtype)?;
        let normalised = self.step("Div", &[x, deviation], "normalised", x);
        self.end("Mul", &[normalised, scale]);
        Some(())
    }

    /// An InstanceNormalization of the groups, then scale and bias per channel.
    fn group_normalization(&mut self, op: &GroupNormalization, x: Slot) -> Option<()> {
        let dims = self.slots.ty(x).dims()?.to_vec();
        let dtype = self.dtype(0)?;
        if self.opset < 7 || dims.len() < 3 {
            return None;
        }
        let groups = u64::try_from(op.num_groups).ok()?;
        let (scale, bias) = (self.node.input(1)?, self.node.input(2)?);
        let per_group = |number: f64| Tensor::from_f64(dtype, [groups].as_slice(), &vec![number; groups as usize]);
        let (ones, zeros) = (per_group(1.0)?, per_group(0.0)?);
        let (ones, zeros) = (self.add_constant("ones", ones), self.add_constant("zeros", zeros));
        // Where the plane is known nothing is left to be worked out, which an empty batch would not allow.
        let elements = dims[1..].iter().fold(Dim::Known(1), |product, dim| product.mul(dim)).known();
        let rest = elements.map_or(-1, |elements| elements / op.num_groups.max(1));
        let cut = self.add_constant("cut", Tensor::from_ints(&[0, op.num_groups, rest]));
        let grouped_type = ValueType::tensor(dtype, Shape::of_rank(3));
        let grouped = self.slots.add_value(format!("{}_groups", self.base()), grouped_type);
        self.before.push(Node::of("Reshape", &[x, cut], grouped));
        let normalised = self.step("InstanceNormalization", &[grouped, ones, zeros], "normalised_groups", grouped);
        self.before.last_mut()?.set("epsilon", Attribute::Float(op.epsilon));
        // As it was: in numbers where at most one is unknown.
        let known: Vec<i64> = dims.iter().map(|dim| Dim::known(dim).unwrap_or(-1)).collect();
        let full = if known.iter().filter(|extent| **extent == -1).count() <= 1 && !known.contains(&0) {
            self.add_constant("full", Tensor::from_ints(&known))
        } else {
            let shape = self
                .slots
                .add_value(format!("{}_shape", self.base()), ValueType::tensor(DType::I64, Shape::of_rank(1)));
            self.before.push(Node::of("Shape", &[x], shape));
            shape
        };
        let back = self.step("Reshape", &[normalised, full], "normalised", x);
        let scale = self.beside_plane(scale, dims.len())?;
        let bias = self.beside_plane(bias, dims.len())?;
        let scaled = self.step("Mul", &[back, scale], "scaled", x);
        self.end("Add", &[scaled, bias]);
        Some(())
    }

    /// A constant vector as `[C, 1, …]`, so that it broadcasts along the plane.
    fn beside_plane(&mut self, vector: Slot, rank: usize) -> Option<Slot> {
        let tensor = self.slots.constant(vector)?.clone();
        let mut extents = vec![tensor.len()];
        extents.resize(rank - 1, 1);
        let tensor = tensor.reshaped(extents.as_slice()).ok()?;
        Some(self.add_constant("channels", tensor))
    }
}
