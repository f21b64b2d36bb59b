//! The activations of recurrent operators, named in attributes.

use edgesmith_ir::F32;

use super::super::EvalError;
use super::super::dense::invalid;

/// One activation with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Relu,
    Tanh,
    Sigmoid,
    Affine(f64, f64),
    LeakyRelu(f64),
    ThresholdedRelu(f64),
    ScaledTanh(f64, f64),
    HardSigmoid(f64, f64),
    Elu(f64),
    Softsign,
    Softplus,
}

impl Activation {
    pub(super) fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::Tanh => libm::tanh(x),
            Activation::Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
            Activation::Affine(alpha, beta) => alpha * x + beta,
            Activation::LeakyRelu(alpha) => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Activation::ThresholdedRelu(alpha) => {
                if x < alpha {
                    0.0
                } else {
                    x
                }
            }
            Activation::ScaledTanh(alpha, beta) => alpha * libm::tanh(beta * x),
            Activation::HardSigmoid(alpha, beta) => (alpha * x + beta).clamp(0.0, 1.0),
            Activation::Elu(alpha) => {
                if x < 0.0 {
                    alpha * libm::expm1(x)
                } else {
                    x
                }
            }
            Activation::Softsign => x / (1.0 + x.abs()),
            Activation::Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
        }
    }
}

/// The activations of each direction, `defaults.len()` of them. Names are case-insensitive; constants are consumed in
/// order by the activations that take them, and are those of the operators of the same name where the lists end.
pub(super) fn activations(
    names: &[String],
    (alphas, betas): (&[F32], &[F32]),
    defaults: &[Activation],
    directions: usize,
) -> Result<Vec<Vec<Activation>>, EvalError> {
    if names.is_empty() {
        return Ok(vec![defaults.to_vec(); directions]);
    }
    if names.len() != defaults.len() * directions {
        let needed = defaults.len() * directions;
        return Err(invalid(format!("{} activations where {needed} are needed", names.len())));
    }
    let (mut alphas, mut betas) = (alphas.iter(), betas.iter());
    let mut alpha = |default: f64| alphas.next().map_or(default, |x| f64::from(x.0));
    let mut beta = |default: f64| betas.next().map_or(default, |x| f64::from(x.0));
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(match name.to_ascii_lowercase().as_str() {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "affine" => Activation::Affine(alpha(1.0), beta(0.0)),
            "leakyrelu" => Activation::LeakyRelu(alpha(f64::from(0.01_f32))),
            "thresholdedrelu" => Activation::ThresholdedRelu(alpha(1.0)),
            "scaledtanh" => Activation::ScaledTanh(alpha(1.0), beta(1.0)),
            "hardsigmoid" => Activation::HardSigmoid(alpha(f64::from(0.2_f32)), beta(0.5)),
            "elu" => Activation::Elu(alpha(1.0)),
            "softsign" => Activation::Softsign,
            "softplus" => Activation::Softplus,
            _ => return Err(invalid(format!("there is no activation '{name}'"))),
        });
    }
    Ok(found.chunks(defaults.len()).map(<[Activation]>::to_vec).collect())
}
