//! Makes one convolution of two that read the same input and are added, and of one and its input.

use edgesmith_ir::op::{Add, BatchNormalization};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::Affine;
use crate::kernel::{Convolution, Kernel};
use crate::weights::rounded;

/// A ∗ x + B ∗ x = (A + B) ∗ x, where the taps of B are among those of A; and x itself is a kernel of one tap.
pub(crate) struct MergeBranches;

impl Rewrite for MergeBranches {
    const NAME: RuleName = "merge-branches";
    const SUMMARY: &'static str = "parallel convolutions of one input, and the input itself, that are added become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Add];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-branches.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let add = cx.op::<Add>(root)?;
        let (a, b) = (Convolution::producing(cx, add.a()), Convolution::producing(cx, add.b()));
        let (main, other, branch) = match (a, b) {
            // One may make the input of the other.
            (Ok(a), Ok(b)) if a.input == b.result => (a, add.b(), None),
            (Ok(a), Ok(b)) if b.input == a.result => (b, add.a(), None),
            (Ok(a), Ok(b)) => (a, add.b(), Some(b)),
            (Ok(a), Err(_)) => (a, add.b(), None),
            (Err(_), Ok(b)) => (b, add.a(), None),
            _ => return Err(Miss::NoMatch),
        };
        if !cx.single_use(main.result) || !cx.same_dims(main.result, add.c()) || !cx.same_dims(other, add.c()) {
            return Err(Miss::NoMatch);
        }
        let merged = match &branch {
            Some(branch) => {
                if branch.input != main.input || !cx.single_use(branch.result) {
                    return Err(Miss::NoMatch);
                }
                Merge::of(&main.outline()?, &branch.outline()?)?;
                if main.is_shared(cx) || branch.is_shared(cx) {
                    return cx.reject(root, "a weight of the branches is shared; merging would store it twice");
                }
                merge(&main.kernel()?, &branch.kernel()?)?
            }
            None => {
                let outline = main.outline()?;
                let affine = identity(cx, other, main.input, outline.outputs)?;
                let identity = as_kernel(&outline, affine)?;
                Merge::of(&outline, &identity)?;
                if main.is_shared(cx) {
                    return cx.reject(root, "the weight of the branch is shared; merging would store it twice");
                }
                merge(&main.kernel()?, &identity)?
            }
        };
        let dtype = main.weight_tensor.dtype();
        let weight = rounded(cx, dtype, merged.shape().as_slice(), &merged.elements, "weight")?;
        let bias_like = main.bias.or(branch.as_ref().and_then(|branch| branch.bias)).map(|(value, _)| value);
        let bias = if bias_like.is_some() || merged.bias.iter().any(|b| *b != 0.0) {
            Some(rounded(cx, dtype, [merged.outputs as u64].as_slice(), &merged.bias, "bias")?)
        } else {
            None
        };
        let mut patch = Patch::new(cx);
        // The wider of the two lends its name.
        let larger = match &branch {
            Some(branch) if branch.weight_tensor.len() > main.weight_tensor.len() => branch,
            _ => &main,
        };
        let weight = patch.constant_like(larger.weight, weight);
        let bias = bias.map(|bias| match bias_like {
            Some(like) => patch.constant_like(like, bias),
            None => patch.constant(bias),
        });
        let conv = merged.attributes(&larger.attributes);
        let result = patch.insert_like(larger.op, conv, [Some(main.input.into()), Some(weight), bias]);
        patch.redefine(add.c(), result);
        Ok(patch)
    }
}

/// The value as an affine map of the input per channel: the input, or a normalisation of it that nobody else reads.
fn identity(cx: &Cx<'_>, value: ValueId, input: ValueId, channels: usize) -> Match<Affine> {
    if value == input {
        return Ok(Affine { scale: vec![1.0; channels], shift: vec![0.0; channels] });
    }
    let norm = cx.producer::<BatchNormalization>(value)?;
    if norm.x() != input || !cx.single_use(value) {
        return Err(Miss::NoMatch);
    }
    let affine = Affine::of_batch_norm(cx, norm)?;
    if affine.scale.len() == channels { Ok(affine) } else { Err(Miss::NoMatch) }
}

/// An affine map per channel as a kernel of one tap, in the groups of another.
fn as_kernel(other: &Kernel, affine: Affine) -> Match<Kernel> {
    // Every output has its own input, which is in its group then.
    if other.outputs != other.inputs * other.groups {
        return Err(Miss::NoMatch);
    }
    let spatial = other.taps.len();
    let mut elements = vec![0.0; other.outputs * other.inputs];
    for (output, scale) in affine.scale.iter().enumerate() {
        elements[output * other.inputs + output % other.inputs] = *scale;
    }
    Ok(Kernel {
        elements,
        bias: affine.shift,
        outputs: other.outputs,
        inputs: other.inputs,
        groups: other.groups,
        taps: vec![1; spatial],
        begins: vec![0; spatial],
        ends: vec![0; spatial],
        strides: vec![1; spatial],
        dilations: vec![1; spatial],
    })
}

/// How two kernels lie in one: its outline, and where along each axis the first tap of either comes.
struct Merge {
    outline: Kernel,
    offsets: [Vec<usize>; 2],
}

impl Merge {
    /// No match where the joint kernel would have more taps than the larger, or the planes differ.
    fn of(a: &Kernel, b: &Kernel) -> Match<Self> {
        let same_plane = a.strides == b.strides && (0..a.taps.len()).all(|axis| a.slack(axis) == b.slack(axis));
        if a.taps.len() != b.taps.len()
            || !same_plane
            || a.outputs != b.outputs
            || a.inputs * a.groups != b.inputs * b.groups
        {
            return Err(Miss::NoMatch);
        }
        // Groups of one are cut out of groups of the other.
        let groups = a.groups.min(b.groups);
        if !a.groups.is_multiple_of(groups) || !b.groups.is_multiple_of(groups) {
            return Err(Miss::NoMatch);
        }
        let mut outline = Kernel {
            groups,
            inputs: a.inputs * a.groups / groups,
            elements: Vec::new(),
            bias: Vec::new(),
            ..a.clone()
        };
        let mut offsets = [Vec::new(), Vec::new()];
        for axis in 0..a.taps.len() {
            let dilation = match (a.taps[axis], b.taps[axis]) {
                (_, 1) => a.dilations[axis],
                (1, _) => b.dilations[axis],
                _ if a.dilations[axis] == b.dilations[axis] => a.dilations[axis],
                _ => return Err(Miss::NoMatch),
            };
            let begin = a.begins[axis].max(b.begins[axis]);
            let taps = a.taps[axis].max(b.taps[axis]);
            for (kernel, offsets) in [a, b].into_iter().zip(&mut offsets) {
                let distance = begin - kernel.begins[axis];
                let offset = usize::try_from(distance / dilation.max(1)).map_err(|_| Miss::NoMatch)?;
                if distance % dilation != 0 || offset + kernel.taps[axis] > taps {
                    return Err(Miss::NoMatch);
                }
                offsets.push(offset);
            }
            outline.taps[axis] = taps;
            outline.begins[axis] = begin;
            outline.dilations[axis] = dilation;
            outline.ends[axis] = a.slack(axis) + dilation * (taps as i64 - 1) - begin;
        }
        // The joint kernel multiplies no more than both did, and is stored in no more bytes.
        if outline.ends.iter().any(|end| *end < 0) || outline.work() > a.work() + b.work() {
            return Err(Miss::NoMatch);
        }
        Ok(Self { outline, offsets })
    }
}

/// The sum of two kernels.
fn merge(a: &Kernel, b: &Kernel) -> Match<Kernel> {
    let Merge { outline: mut sum, offsets } = Merge::of(a, b)?;
    let taps = sum.taps_in_all();
    sum.elements = vec![0.0; sum.outputs * sum.inputs * taps];
    sum.bias = a.bias.iter().zip(&b.bias).map(|(a, b)| a + b).collect();
    for (kernel, offsets) in [a, b].into_iter().zip(&offsets) {
        let places: Vec<usize> = (0..kernel.taps_in_all())
            .map(|tap| {
                let mut rest = tap;
                let mut place = 0;
                let mut stride = 1;
                for axis in (0..sum.taps.len()).rev() {
                    place += (rest % kernel.taps[axis] + offsets[axis]) * stride;
                    rest /= kernel.taps[axis];
                    stride *= sum.taps[axis];
                }
                place
            })
            .collect();
        for output in 0..kernel.outputs {
            // The first channel of its group, counted from the first of its new group.
            let first = output / (kernel.outputs / kernel.groups) * kernel.inputs;
            let start = first - output / (sum.outputs / sum.groups) * sum.inputs;
            for input in 0..kernel.inputs {
                let from = (output * kernel.inputs + input) * places.len();
                let to = (output * sum.inputs + start + input) * taps;
                for (tap, place) in places.iter().enumerate() {
                    sum.elements[to + place] += kernel.elements[from + tap];
                }
            }
        }
    }
    Ok(sum)
}
