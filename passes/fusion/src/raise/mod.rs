//! Raising: patterns that exporters make of one operator become that operator again, where the model's opset has it.
//!
//! Every rule makes the number of operators fall, and fires only where nothing else reads what lies inside of its pattern.
//! Constants are compared within the precision of their element type.

mod clip;
mod depth_to_space;
mod division;
mod gelu;
mod group_normalization;
mod hard_sigmoid;
mod hard_swish;
mod instance_normalization;
mod layer_normalization;
mod leaky_relu;
mod log_softmax;
mod mish;
mod moments;
mod pattern;
mod prelu;
mod reduce_l2;
mod reduce_mean;
mod resize;
mod rms_normalization;
mod softmax;
mod softplus;
mod space_to_depth;
mod subtraction;
mod swish;

use edgesmith_rewrite::RuleSet;

/// The rules behind those that are there. What another one builds on comes first.
pub(crate) fn with_rules(rules: RuleSet) -> RuleSet {
    rules
        .with(subtraction::RaiseSubtraction)
        .with(division::RaiseDivision)
        .with(clip::RaiseClip)
        .with(leaky_relu::RaiseLeakyRelu)
        .with(prelu::RaisePRelu)
        .with(hard_swish::RaiseHardSwish)
        .with(hard_sigmoid::RaiseHardSigmoid)
        .with(softplus::RaiseSoftplus)
        .with(mish::RaiseMish)
        .with(gelu::RaiseGelu)
        .with(swish::RaiseSwish)
        .with(softmax::RaiseSoftmax)
        .with(log_softmax::RaiseLogSoftmax)
        .with(reduce_mean::RaiseReduceMean)
        .with(reduce_l2::RaiseReduceL2)
        .with(instance_normalization::RaiseInstanceNormalization)
        .with(layer_normalization::RaiseLayerNormalization)
        .with(group_normalization::RaiseGroupNormalization)
        .with(rms_normalization::RaiseRmsNormalization)
        .with(depth_to_space::RaiseDepthToSpace)
        .with(space_to_depth::RaiseSpaceToDepth)
        .with(resize::RaiseResize)
}
