//! The macro that declares one operator: its struct, its named operands and results, and its attributes.

/// Declares an operator.
///
/// Operands and results are `one` (required), `maybe` (optional) or `many` (variadic, last). An attribute is
/// `field ("onnx name"): Type [default]`; the name is given where it differs from the field, the default where it differs
/// from the type's own, and `[required]` where there is none. `infer:` and `macs:` name functions
/// `fn(&Struct, &mut InferCx) -> Result<(), InferError>` and `fn(&Struct, &InferCx) -> Dim`.
macro_rules! operator {
    (
        $(#[$doc:meta])*
        $name:ident {
            operands { $($operand:ident: $operand_arity:ident),* $(,)? }
            results { $($result:ident: $result_arity:ident),* $(,)? }
            attributes { $($field:ident $(($onnx:literal))?: $ty:ty $([$($default:tt)*])?),* $(,)? }
            regions { $($region:ident),* $(,)? }
            $(infer: $infer:expr;)?
            $(macs: $macs:expr;)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub struct $name {
            $(
                #[doc = concat!("Attribute `", $crate::op::macros::attribute_name!($field $($onnx)?), "`.")]
                pub $field: $ty,
            )*
        }

        impl $crate::op::Operator for $name {
            const KIND: $crate::op::OpKind = $crate::op::OpKind::$name;
            const NAME: &'static str = stringify!($name);
            const SIGNATURE: $crate::op::Signature = $crate::op::Signature {
                operands: &[$($crate::op::Formal { name: stringify!($operand), arity: $crate::op::macros::arity!($operand_arity) }),*],
                results: &[$($crate::op::Formal { name: stringify!($result), arity: $crate::op::macros::arity!($result_arity) }),*],
                regions: &[$(stringify!($region)),*],
            };
            #[allow(unused_variables, reason = "operators without attributes")]
            fn decode(attributes: &mut $crate::attribute::AttributeReader) -> Result<Self, $crate::AttributeError> {
                Ok(Self {
                    $($field: match attributes.take::<$ty>($crate::op::macros::attribute_name!($field $($onnx)?))? {
                        Some(value) => value,
                        None => $crate::op::macros::attribute_default!($crate::op::macros::attribute_name!($field $($onnx)?); $([$($default)*])?),
                    },)*
                })
            }
            fn encode(&self) -> Vec<(&'static str, $crate::Attribute)> {
                #[allow(unused_mut, reason = "operators without attributes")]
                let mut attributes = Vec::new();
                $(
                    if !$crate::op::macros::is_default!(self.$field, $ty; $([$($default)*])?) {
                        if let Some(value) = $crate::attribute::AttributeValue::to_attribute(&self.$field) {
                            attributes.push(($crate::op::macros::attribute_name!($field $($onnx)?), value));
                        }
                    }
                )*
                attributes
            }
            fn cast(op: &$crate::op::Op) -> Option<&Self> {
                match op { $crate::op::Op::$name(op) => Some(op), _ => None }
            }
            #[allow(unused_variables, reason = "operators without a rule")]
            fn infer(&self, cx: &mut $crate::infer::InferCx<'_>) -> Result<(), $crate::infer::InferError> {
                $(return ($infer)(self, cx);)?
                #[allow(unreachable_code, reason = "without a rule the results stay unknown")]
                Ok(())
            }
            #[allow(unused_variables, reason = "operators without products")]
            fn macs(&self, cx: &$crate::infer::InferCx<'_>) -> $crate::Dim {
                $(return ($macs)(self, cx);)?
                #[allow(unreachable_code, reason = "most operators multiply nothing")]
                $crate::Dim::Known(0)
            }
        }

        impl $crate::View<'_, $name> {
            $crate::op::macros::accessors!(Operands; $($operand: $operand_arity,)*);
            $crate::op::macros::accessors!(Results; $($result: $result_arity,)*);
        }
    };
}

macro_rules! arity {
    (one) => {
        $crate::op::Arity::One
    };
    (maybe) => {
        $crate::op::Arity::Maybe
    };
    (many) => {
        $crate::op::Arity::Many
    };
}

macro_rules! attribute_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $onnx:literal) => {
        $onnx
    };
}

macro_rules! attribute_default {
    ($name:expr; [required]) => { return Err($crate::AttributeError::Missing($name)) };
    ($name:expr; [$($default:tt)*]) => { $($default)* };
    ($name:expr;) => { Default::default() };
}

macro_rules! is_default {
    ($field:expr, $ty:ty; [required]) => { false };
    ($field:expr, $ty:ty; [$($default:tt)*]) => { $field == $($default)* };
    ($field:expr, $ty:ty;) => { $field == <$ty>::default() };
}

/// Accessors by name: the slot of a formal is its position in a local fieldless enum.
macro_rules! accessors {
    ($what:ident; ) => {};
    ($what:ident; $($formal:ident: $arity:ident,)+) => {
        $crate::op::macros::accessors!(@each $what; 0usize; $($formal: $arity,)+);
    };
    (@each $what:ident; $slot:expr; ) => {};
    (@each $what:ident; $slot:expr; $formal:ident: one, $($rest:tt)*) => {
        #[doc = concat!("The value `", stringify!($formal), "`, which a verified operator has.")]
        pub fn $formal(&self) -> $crate::ValueId { self.required_id($crate::Side::$what, $slot) }
        $crate::op::macros::accessors!(@each $what; $slot + 1usize; $($rest)*);
    };
    (@each $what:ident; $slot:expr; $formal:ident: maybe, $($rest:tt)*) => {
        #[doc = concat!("The value `", stringify!($formal), "`, if present.")]
        pub fn $formal(&self) -> Option<$crate::ValueId> { self.optional_id($crate::Side::$what, $slot) }
        $crate::op::macros::accessors!(@each $what; $slot + 1usize; $($rest)*);
    };
    (@each $what:ident; $slot:expr; $formal:ident: many, $($rest:tt)*) => {
        #[doc = concat!("The values `", stringify!($formal), "`, captures of regions excluded.")]
        pub fn $formal(&self) -> &[Option<$crate::ValueId>] { self.rest($crate::Side::$what, $slot) }
        $crate::op::macros::accessors!(@each $what; $slot + 1usize; $($rest)*);
    };
}

pub(crate) use {accessors, arity, attribute_default, attribute_name, is_default, operator};

#[cfg(test)]
mod tests {
    use crate::op::{Concat, MaxPool, Operator, Pad, Split};
    use crate::{DType, Graph, NewOp, Op, OpId, OriginId, Shape, ValueId, ValueType};

    fn graph(op: impl Into<Op>, operands: &[Option<ValueId>], captures: usize, results: usize) -> (Graph, OpId) {
        let mut graph = Graph::new("g");
        for name in ["a", "b", "c"] {
            graph.add_input(name, ValueType::tensor(DType::F32, Shape::Unranked), None);
        }
        let op = graph.add_op(NewOp {
            op: op.into(),
            operands: operands.into(),
            captures,
            regions: smallvec::SmallVec::new(),
            results: (0..results).map(|slot| Some(format!("r{slot}").into())).collect(),
            name: "op".into(),
            origin: <OriginId as crate::id::EntityId>::from_index(0),
        });
        (graph, op)
    }
    fn id(index: usize) -> ValueId {
        crate::id::EntityId::from_index(index)
    }
    fn decode(kind: crate::OpKind, attributes: Vec<(crate::Name, crate::Attribute)>) -> Op {
        kind.decode(attributes).unwrap().unwrap()
    }

    #[test]
    fn operands_and_results_have_names() {
        let pad = decode(crate::OpKind::Pad, vec![]);
        let (graph, op) = graph(pad, &[Some(id(0)), Some(id(1)), None, Some(id(2))], 0, 1);
        let view = graph.view::<Pad>(op).unwrap();
        assert_eq!((view.data(), view.pads()), (id(0), id(1)));
        assert_eq!((view.constant_value(), view.axes()), (None, Some(id(2))));
        assert_eq!(Some(view.output()), graph.op(op).result(0));
        assert!(graph.view::<MaxPool>(op).is_none());
    }

    #[test]
    fn optional_and_variadic_tails() {
        let ints = crate::Attribute::Ints(vec![2]);
        let pool = decode(crate::OpKind::MaxPool, vec![("kernel_shape".into(), ints)]);
        let (pooled, op) = graph(pool, &[Some(id(0))], 0, 2);
        let view = pooled.view::<MaxPool>(op).unwrap();
        assert_eq!(view.indices(), pooled.op(op).result(1));
        let split = decode(crate::OpKind::Split, vec![]);
        let (parts, op) = graph(split, &[Some(id(0))], 0, 3);
        let view = parts.view::<Split>(op).unwrap();
        assert_eq!((view.split(), view.outputs()), (None, parts.op(op).results()));
        // Captures are no operands of the operator's own.
        let concat = decode(crate::OpKind::Concat, vec![("axis".into(), crate::Attribute::Int(0))]);
        let (joined, op) = graph(concat, &[Some(id(0)), Some(id(1)), Some(id(2))], 1, 1);
        assert_eq!(joined.view::<Concat>(op).unwrap().inputs(), [Some(id(0)), Some(id(1))]);
        assert_eq!(Concat::SIGNATURE.operands.len(), 1);
    }
}
