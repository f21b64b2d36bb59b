//! Einsum as a chain of matrix products of two operands at a time, from the left.

use edgesmith_ir::op::Einsum;
use edgesmith_ir::op::geometry::Equation;
use edgesmith_ir::{DType, Tensor};

use super::super::cx::one;
use super::super::dense::{Dense, Numbers, invalid, rounded, shape_of};
use super::super::layout::strides;
use super::super::map::gather_strided;
use super::super::stored::cut;
use super::super::{EvalCx, EvalError, Evaluated};
use super::{StackedProduct, wrapped};

/// What is summed and multiplied.
trait Ring: Clone {
    const ZERO: Self;
    fn add(&mut self, other: &Self);
    fn products(plan: &StackedProduct, a: Vec<Self>, b: Vec<Self>) -> Vec<Self>;
}

impl Ring for f64 {
    const ZERO: Self = 0.0;
    fn add(&mut self, other: &Self) {
        *self += other;
    }
    fn products(plan: &StackedProduct, a: Vec<Self>, b: Vec<Self>) -> Vec<Self> {
        plan.floats(&Numbers::Wide(a), &Numbers::Wide(b))
    }
}

impl Ring for i64 {
    const ZERO: Self = 0;
    fn add(&mut self, other: &Self) {
        *self = self.wrapping_add(*other);
    }
    fn products(plan: &StackedProduct, a: Vec<Self>, b: Vec<Self>) -> Vec<Self> {
        plan.wrapping(&a, &b)
    }
}

/// A tensor whose axes are named by indices of the equation, each at most once.
struct Factor<T> {
    labels: Vec<usize>,
    data: Vec<T>,
}

/// The equation's indices with their extents.
struct Extents(Vec<usize>);

impl Extents {
    fn of(&self, labels: &[usize]) -> Vec<usize> {
        labels.iter().map(|label| self.0[*label]).collect()
    }
    fn count(&self, labels: &[usize]) -> usize {
        self.of(labels).iter().product()
    }

    /// An operand with its axes named: diagonals taken where a label repeats, broadcast axes dropped.
    fn factor<T: Clone>(&self, axes: &[usize], dims: &[usize], data: &[T]) -> Factor<T> {
        let own = strides(dims);
        let (mut labels, mut steps): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for (axis, label) in axes.iter().enumerate() {
            if dims[axis] != self.0[*label] {
                continue;
            }
            match labels.iter().position(|known| known == label) {
                Some(place) => steps[place] += own[axis],
                None => {
                    labels.push(*label);
                    steps.push(own[axis]);
                }
            }
        }
        let data = gather_strided(data, 0, &self.of(&labels), &steps);
        Factor { labels, data }
    }

    /// The factor with its axes in another order.
    fn permuted<T: Clone>(&self, factor: &Factor<T>, labels: &[usize]) -> Vec<T> {
        if factor.labels == labels {
            return factor.data.clone();
        }
        let own = strides(&self.of(&factor.labels));
        let step = |label: &usize| factor.labels.iter().position(|known| known == label).map_or(0, |at| own[at]);
        gather_strided(&factor.data, 0, &self.of(labels), &labels.iter().map(step).collect::<Vec<usize>>())
    }

    /// The factor summed over the axes that are not kept.
    fn summed<T: Ring>(&self, factor: Factor<T>, keep: impl Fn(&usize) -> bool) -> Factor<T> {
        let (kept, lost): (Vec<usize>, Vec<usize>) = factor.labels.iter().copied().partition(|label| keep(label));
        if lost.is_empty() {
            return factor;
        }
        let size = self.count(&lost);
        let data = self.permuted(&factor, &[kept.as_slice(), &lost].concat());
        let sum = |run: &[T]| {
            run.iter().fold(T::ZERO, |mut sum, x| {
                sum.add(x);
                sum
            })
        };
        let data = if size == 0 { vec![T::ZERO; self.count(&kept)] } else { data.chunks(size).map(sum).collect() };
        Factor { labels: kept, data }
    }

    /// The product of two factors, summed over the axes that both have and that are not kept.
    fn contracted<T: Ring>(
        &self,
        cx: &EvalCx<'_>,
        (a, b): (&Factor<T>, &Factor<T>),
        keep: impl Fn(&usize) -> bool,
    ) -> Result<Factor<T>, EvalError> {
        let (shared, left): (Vec<usize>, Vec<usize>) = a.labels.iter().copied().partition(|l| b.labels.contains(l));
        let (batch, inner): (Vec<usize>, Vec<usize>) = shared.iter().copied().partition(|label| keep(label));
        let right: Vec<usize> = b.labels.iter().copied().filter(|label| !shared.contains(label)).collect();
        let labels = [batch.as_slice(), &left, &right].concat();
        cx.allow(DType::F64, &self.of(&labels))?;
        let plan = StackedProduct {
            shape: Vec::new(),
            size: (self.count(&left), self.count(&inner), self.count(&right)),
            pairs: (0..self.count(&batch)).map(|i| (i, i)).collect(),
        };
        let a = self.permuted(a, &[batch.as_slice(), &left, &inner].concat());
        let b = self.permuted(b, &[batch.as_slice(), &inner, &right].concat());
        Ok(Factor { labels, data: T::products(&plan, a, b) })
    }

    /// The whole chain.
    fn evaluate<T: Ring>(
        &self,
        cx: &EvalCx<'_>,
        factors: Vec<Factor<T>>,
        output: &[usize],
    ) -> Result<Vec<T>, EvalError> {
        // The last factor that has an index; the output counts as a factor after all others.
        let mut last = vec![0; self.0.len()];
        for (at, factor) in factors.iter().enumerate() {
            factor.labels.iter().for_each(|label| last[*label] = at);
        }
        output.iter().for_each(|label| last[*label] = factors.len());
        let mut whole: Option<Factor<T>> = None;
        for (at, factor) in factors.into_iter().enumerate() {
            let elsewhere = |label: &usize| whole.as_ref().is_some_and(|whole| whole.labels.contains(label));
            let factor = self.summed(factor, |label| last[*label] > at || elsewhere(label));
            whole = Some(match whole {
                None => factor,
                Some(whole) => self.contracted(cx, (&whole, &factor), |label| last[*label] > at)?,
            });
        }
        Ok(whole.map_or_else(Vec::new, |whole| self.permuted(&whole, output)))
    }
}

/// Sum of products named by index letters.
pub(in super::super) fn einsum(op: &Einsum, cx: &EvalCx<'_>) -> Evaluated {
    let misfit = |error: edgesmith_ir::infer::InferError| invalid(error.to_string());
    let tensors: Vec<&Tensor> = cx.tensors()?;
    let dtype = tensors.first().ok_or_else(|| invalid("an operand is needed"))?.dtype();
    if tensors.iter().any(|tensor| tensor.dtype() != dtype) {
        return Err(invalid("the operands have different element types"));
    }
    let shapes: Vec<Vec<usize>> = tensors.iter().map(|tensor| shape_of(tensor)).collect();
    let ranks: Vec<usize> = shapes.iter().map(Vec::len).collect();
    let map = Equation::parse(&op.equation).map_err(misfit)?.index(&ranks).map_err(misfit)?;
    let mut extents = vec![1; map.count];
    for (label, extent) in map.operands.iter().flatten().zip(shapes.iter().flatten()) {
        if extents[*label] == 1 {
            extents[*label] = *extent;
        } else if *extent != 1 && *extent != extents[*label] {
            return Err(invalid(format!(
                "'{}' gives one index the extents {} and {extent}",
                op.equation, extents[*label]
            )));
        }
    }
    let extents = Extents(extents);
    let shape = extents.of(&map.output);
    cx.allow(dtype, &shape)?;
    let operands = tensors.iter().zip(map.operands.iter().zip(&shapes));
    one(if dtype.is_float() {
        let factors = operands
            .map(|(tensor, (axes, dims))| Ok(extents.factor(axes, dims, &Dense::numbers(tensor)?.data)))
            .collect::<Result<Vec<Factor<f64>>, EvalError>>()?;
        rounded(dtype, &shape, &extents.evaluate(cx, factors, &map.output)?)?
    } else {
        let factors = operands
            .map(|(tensor, (axes, dims))| Ok(extents.factor(axes, dims, &wrapped(tensor)?)))
            .collect::<Result<Vec<Factor<i64>>, EvalError>>()?;
        cut(dtype, &shape, extents.evaluate(cx, factors, &map.output)?)?
    })
}
