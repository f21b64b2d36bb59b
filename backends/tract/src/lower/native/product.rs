//! Matrix products: MatMul, Gemm and Einsum, all of them tract's `EinSum`.

use edgesmith_ir::Op;
use edgesmith_ir::op::Gemm;
use edgesmith_ir::op::geometry::{Equation, IndexMap};
use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;
use tract_core::ops::nn::Reducer;

use super::super::part::{Native, Part, one};

/// MatMul, Gemm and Einsum.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let operands = p.present();
    let mut datum = None;
    for operand in &operands {
        let this = p.datum(*operand)?;
        if datum.is_some_and(|datum| datum != this) {
            return Ok(None);
        }
        datum = Some(this);
    }
    let Some(datum) = datum else { return Ok(None) };
    if !matches!(datum, DatumType::F32 | DatumType::F64 | DatumType::I32) {
        return whole_numbers(op, p, datum);
    }
    match op {
        Op::MatMul(_) => {
            let (a, b) = (p.input(0)?, p.input(1)?);
            one(mat_mul(p, a, b)?)
        }
        Op::Gemm(gemm) => {
            let (a, b, c) = (p.input(0)?, p.input(1)?, p.maybe(2));
            one(wire_gemm(gemm, p, a, b, c)?)
        }
        Op::Einsum(einsum) => {
            let equation = Equation::parse(&einsum.equation)?;
            match einsum_of(p, &equation, &operands)? {
                Some(product) => one(product),
                None => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// Products of integers that tract has no kernel for: in i32, which wraps as they do, so that the low bits are right.
fn whole_numbers(op: &Op, p: &mut Part, datum: DatumType) -> Native {
    if !matches!(datum, DatumType::I8 | DatumType::I16 | DatumType::U8 | DatumType::U16 | DatumType::U32) {
        return Ok(None);
    }
    let Op::MatMul(_) = op else { return Ok(None) };
    let (a, b) = (p.input(0)?, p.input(1)?);
    let (a, b) = (p.cast(a, DatumType::I32)?, p.cast(b, DatumType::I32)?);
    let product = mat_mul(p, a, b)?;
    one(p.cast(product, datum)?)
}

/// numpy's matrix product: vectors become matrices, batch axes broadcast.
pub(crate) fn mat_mul(p: &mut Part, a: OutletId, b: OutletId) -> TractResult<OutletId> {
    let (rank_a, rank_b) = (p.rank(a)?, p.rank(b)?);
    ensure!(rank_a > 0 && rank_b > 0, "a product of scalars");
    let a = if rank_a == 1 { p.op(AxisOp::Add(0), &[a])? } else { a };
    let b = if rank_b == 1 { p.op(AxisOp::Add(1), &[b])? } else { b };
    let [a, b] = p.even([a, b])?;
    let rank = p.rank(a)?;
    let batch: String = letters().take(rank - 2).collect();
    let product = contract(p, &format!("{batch}mk,{batch}kn->{batch}mn"), &[a, b])?;
    let mut dropped = Vec::new();
    if rank_a == 1 {
        dropped.push(rank - 2);
    }
    if rank_b == 1 {
        dropped.push(rank - 1);
    }
    p.drop_axes(product, &dropped)
}

fn letters() -> impl Iterator<Item = char> {
    // Beyond the Latin letters, so that the names of rows and columns never meet them.
    ('α'..='ω').chain('А'..='я')
}

/// tract's contraction, whose expression has every axis named and at least one letter in the result.
fn contract(p: &mut Part, expression: &str, operands: &[OutletId]) -> TractResult<OutletId> {
    let datum = p.datum(operands[0])?;
    p.op(EinSum::new(expression.parse()?, datum), operands)
}

fn wire_gemm(op: &Gemm, p: &mut Part, a: OutletId, b: OutletId, c: Option<OutletId>) -> TractResult<OutletId> {
    let left = if op.transpose_a { "km" } else { "mk" };
    let right = if op.transpose_b { "nk" } else { "kn" };
    let mut y = contract(p, &format!("{left},{right}->mn"), &[a, b])?;
    if op.alpha.0 != 1.0 {
        y = p.with(math::mul(), y, op.alpha.0.into())?;
    }
    let Some(mut c) = c else { return Ok(y) };
    if op.beta.0 == 0.0 {
        return Ok(y);
    }
    if op.beta.0 != 1.0 {
        c = p.with(math::mul(), c, op.beta.0.into())?;
    }
    p.binary(math::add(), y, c)
}

/// A contraction by an equation. The axes are spelled out: tract-onnx drops the axes of an ellipsis that only one
/// operand has, and takes an empty output for a copy. `None` where an operand repeats a letter.
pub(crate) fn einsum_of(p: &mut Part, equation: &Equation, operands: &[OutletId]) -> TractResult<Option<OutletId>> {
    let ranks = operands.iter().map(|operand| p.rank(*operand)).collect::<TractResult<Vec<_>>>()?;
    let map: IndexMap = equation.index(&ranks)?;
    let repeats = |term: &Vec<usize>| term.iter().enumerate().any(|(at, index)| term[..at].contains(index));
    if map.operands.iter().any(repeats) {
        return Ok(None);
    }
    let alphabet: Vec<char> = letters().take(map.count).collect();
    ensure!(alphabet.len() == map.count, "an equation of more than {} letters", alphabet.len());
    let spell = |term: &[usize]| term.iter().map(|index| alphabet[*index]).collect::<String>();
    // Every index of the result must be in all operands for tract to broadcast it, so absent ellipsis axes are added.
    let inputs: Vec<String> = map.operands.iter().map(|term| spell(term)).collect();
    if !map.output.is_empty() {
        let expression = format!("{}->{}", inputs.join(","), spell(&map.output));
        return contract(p, &expression, operands).map(Some);
    }
    if map.count == 0 {
        // Scalars only.
        let mut product = operands[0];
        for operand in &operands[1..] {
            product = p.binary(math::mul(), product, *operand)?;
        }
        return Ok(Some(product));
    }
    let kept = contract(p, &format!("{}->{}", inputs.join(","), alphabet[0]), operands)?;
    let sum = p.reduce(kept, &[0], Reducer::Sum)?;
    p.drop_axes(sum, &[0]).map(Some)
}
