//! Operators: cast.

use super::{elements, elementwise, operator};
use crate::DType;
use crate::infer::{InferCx, InferError};

operator! {
    /// The same bits read as another element type of the same width.
    BitCast {
        operands { input: one }
        results { output: one }
        attributes { to: DType [required] }
        regions {  }
        infer: bit_cast;
    }
}

operator! {
    /// Conversion to another element type.
    Cast {
        operands { input: one }
        results { output: one }
        attributes { round_mode: String [String::from("up")], saturate: bool [true], to: DType [required] }
        regions {  }
        infer: |op: &Cast, cx: &mut InferCx<'_>| convert(cx, Some(op.to));
    }
}

operator! {
    /// Conversion to the element type of the second operand.
    CastLike {
        operands { input: one, target_type: one }
        results { output: one }
        attributes { round_mode: String [String::from("up")], saturate: bool [true] }
        regions {  }
        infer: |_: &CastLike, cx: &mut InferCx<'_>| convert(cx, cx.dtype(1));
    }
}

fn convert(cx: &mut InferCx<'_>, to: Option<DType>) -> Result<(), InferError> {
    elementwise::with_dtype(cx, to);
    if let (Some(from), Some(to)) = (cx.dtype(0), to)
        && let Some(contents) = cx.contents(0)
    {
        cx.set_contents(0, contents.items().iter().map(|item| elements::cast(item, from, to)).collect());
    }
    Ok(())
}

fn bit_cast(op: &BitCast, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if let Some(from) = cx.dtype(0)
        && from.bits() != op.to.bits()
    {
        return Err(InferError::new(format!("{from} and {} are of different widths", op.to)));
    }
    elementwise::with_dtype(cx, Some(op.to));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, known};
    use super::*;

    #[test]
    fn only_the_element_type_changes() {
        let cast = |to| Cast { round_mode: "up".into(), saturate: true, to };
        let like = CastLike { round_mode: "up".into(), saturate: true };
        assert_eq!(infer(&cast(DType::F16), given!["float[N,3]"]), "float16[N,3]");
        assert_eq!(infer(&cast(DType::F16), given!["?"]), "float16[..]");
        assert_eq!(infer(&like, given!["float[N,3]", "int8[]"]), "int8[N,3]");
        assert_eq!(infer(&like, given!["float[N,3]", "?"]), "?");
        assert_eq!(infer(&BitCast { to: DType::I32 }, given!["float[N]"]), "int32[N]");
        assert_eq!(infer(&BitCast { to: DType::I64 }, given!["float[N]"]), "float and int64 are of different widths");
        assert_eq!(known(&cast(DType::I32), given!["int64[2] = N,5"], 1), "int32[2] = N,5");
        assert_eq!(known(&cast(DType::F32), given!["int64[2] = N,5"], 1), "float[2] = ?,5.0");
        assert_eq!(known(&cast(DType::I64), given!["float[] = 2.7"], 1), "int64[] = 2");
        assert_eq!(known(&like, given!["float[] = 2.7", "int64[..]"], 1), "int64[] = 2");
    }
}
