//! The macro that declares an outside operator.

/// Declares an outside operator: its struct, its view, and everything of [`CompositeOperator`](crate::CompositeOperator)
/// but the decomposition, for which a function is named.
///
/// Operands and results are `one` (required) or `maybe` (optional). An attribute is `field ("onnx name"): Type [default]`;
/// the name is given where it differs from the field, the default where it differs from the type's own, and `[required]`
/// where there is none.
///
/// ```
/// use edgesmith_ir::op::{Abs, Max, Mul, Sign, Sub};
/// use edgesmith_ir::{Decomposition, DecompositionError, F32, ValueId, composite_operator};
///
/// composite_operator! {
///     /// y = sign(x) · max(|x| − threshold, 0), element by element.
///     SoftThreshold, view SoftThresholdView, "com.example" version 1 "pulls every element towards zero" {
///         operands { x: one }
///         results { y: one }
///         attributes { threshold: F32 [F32(0.5)] }
///         decompose: soft_threshold;
///     }
/// }
///
/// fn soft_threshold(op: &SoftThreshold, body: &mut Decomposition<'_>) -> Result<Vec<ValueId>, DecompositionError> {
///     let x = body.operand(0)?;
///     let magnitude = body.insert(Abs {}, [x])?;
///     let threshold = body.scalar_like(x, f64::from(op.threshold.0))?;
///     let zero = body.scalar_like(x, 0.0)?;
///     let rest = body.insert(Sub {}, [magnitude, threshold])?;
///     let rest = body.insert(Max {}, [rest, zero])?;
///     let sign = body.insert(Sign {}, [x])?;
///     Ok(vec![body.insert(Mul {}, [sign, rest])?])
/// }
/// ```
#[macro_export]
macro_rules! composite_operator {
    (
        $(#[$doc:meta])*
        $name:ident, view $view:ident, $domain:literal version $version:literal $summary:literal {
            operands { $($operand:ident: $operand_arity:ident),* $(,)? }
            results { $($result:ident: $result_arity:ident),* $(,)? }
            attributes { $($field:ident $(($onnx:literal))?: $ty:ty $([$($default:tt)*])?),* $(,)? }
            decompose: $decompose:expr;
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub struct $name {
            $(
                #[doc = concat!("Attribute `", $crate::composite_operator!(@name $field $($onnx)?), "`.")]
                pub $field: $ty,
            )*
        }

        #[doc = concat!("A [`", stringify!($name), "`] in a graph: its attributes by field, operands and results by name.")]
        #[derive(Clone, Debug)]
        pub struct $view<'m>($crate::CompositeView<'m, $name>);

        impl<'m> From<$crate::CompositeView<'m, $name>> for $view<'m> {
            fn from(view: $crate::CompositeView<'m, $name>) -> Self {
                Self(view)
            }
        }
        impl<'m> std::ops::Deref for $view<'m> {
            type Target = $crate::CompositeView<'m, $name>;
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
        #[allow(dead_code, reason = "no rule needs every name")]
        impl $view<'_> {
            $crate::composite_operator!(@accessors operand; 0usize; $($operand: $operand_arity,)*);
            $crate::composite_operator!(@accessors result; 0usize; $($result: $result_arity,)*);
        }

        impl $crate::CompositeOperator for $name {
            const DOMAIN: &'static str = $domain;
            const NAME: &'static str = stringify!($name);
            const VERSION: i64 = $version;
            const SUMMARY: &'static str = $summary;
            const OPERANDS: &'static [$crate::op::Formal] = &[$($crate::op::Formal {
                name: stringify!($operand), arity: $crate::composite_operator!(@arity $operand_arity)
            }),*];
            const RESULTS: &'static [$crate::op::Formal] = &[$($crate::op::Formal {
                name: stringify!($result), arity: $crate::composite_operator!(@arity $result_arity)
            }),*];
            type View<'m> = $view<'m>;

            #[allow(unused_variables, reason = "operators without attributes")]
            fn decode(attributes: &mut $crate::AttributeReader) -> Result<Self, $crate::AttributeError> {
                Ok(Self {
                    $($field: match attributes.take::<$ty>($crate::composite_operator!(@name $field $($onnx)?))? {
                        Some(value) => value,
                        None => $crate::composite_operator!(@default $crate::composite_operator!(@name $field $($onnx)?); $([$($default)*])?),
                    },)*
                })
            }
            fn encode(&self) -> Vec<(&'static str, $crate::Attribute)> {
                #[allow(unused_mut, reason = "operators without attributes")]
                let mut attributes = Vec::new();
                $(
                    if !$crate::composite_operator!(@is_default self.$field, $ty; $([$($default)*])?) {
                        if let Some(value) = $crate::AttributeValue::to_attribute(&self.$field) {
                            attributes.push(($crate::composite_operator!(@name $field $($onnx)?), value));
                        }
                    }
                )*
                attributes
            }
            fn decompose(
                &self,
                body: &mut $crate::Decomposition<'_>,
            ) -> Result<Vec<$crate::ValueId>, $crate::DecompositionError> {
                ($decompose)(self, body)
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $onnx:literal) => { $onnx };
    (@arity one) => { $crate::op::Arity::One };
    (@arity maybe) => { $crate::op::Arity::Maybe };
    (@default $name:expr; [required]) => { return Err($crate::AttributeError::Missing($name)) };
    (@default $name:expr; [$($default:tt)*]) => { $($default)* };
    (@default $name:expr;) => { Default::default() };
    (@is_default $field:expr, $ty:ty; [required]) => { false };
    (@is_default $field:expr, $ty:ty; [$($default:tt)*]) => { $field == $($default)* };
    (@is_default $field:expr, $ty:ty;) => { $field == <$ty>::default() };
    (@accessors $side:ident; $slot:expr; ) => {};
    (@accessors $side:ident; $slot:expr; $formal:ident: one, $($rest:tt)*) => {
        #[doc = concat!("The value `", stringify!($formal), "`.")]
        pub fn $formal(&self) -> $crate::ValueId { self.0.required(self.0.$side($slot), stringify!($formal)) }
        $crate::composite_operator!(@accessors $side; $slot + 1usize; $($rest)*);
    };
    (@accessors $side:ident; $slot:expr; $formal:ident: maybe, $($rest:tt)*) => {
        #[doc = concat!("The value `", stringify!($formal), "`, if present.")]
        pub fn $formal(&self) -> Option<$crate::ValueId> { self.0.$side($slot) }
        $crate::composite_operator!(@accessors $side; $slot + 1usize; $($rest)*);
    };
}
