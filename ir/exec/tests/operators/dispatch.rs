//! The dispatch knows every operator, whatever it makes of the operands.

use edgesmith_exec::{EvalError, EvalOptions, evaluate_op};
use edgesmith_ir::{Attribute, Op, OpKind};

use crate::kit::{f, int, list, text};

/// The attributes that an operator cannot be made without: one, where nothing else is said.
fn required(kind: OpKind) -> Vec<(edgesmith_ir::Name, Attribute)> {
    let candidates = [
        ("axis", int(0)),
        ("direction", text("LEFT")),
        ("shape", list(&[1])),
        ("kernel_shape", list(&[1])),
        ("equation", text("i->i")),
        ("kind", text("Softmax")),
    ];
    let mut taken: Vec<(edgesmith_ir::Name, Attribute)> = Vec::new();
    while let Some(Err(edgesmith_ir::AttributeError::Missing(name))) = kind.decode(taken.clone()) {
        let found = candidates.iter().find(|(candidate, _)| *candidate == name);
        taken.push((name.into(), found.map_or(int(1), |(_, value)| value.clone())));
    }
    taken
}

#[test]
fn every_typed_operator_has_an_arm() {
    let operand = Some(f(&[1], &[1.0]));
    for kind in OpKind::ALL.iter().filter(|kind| !matches!(kind, OpKind::Call | OpKind::Custom)) {
        let op: Op = kind.decode(required(*kind)).unwrap().unwrap();
        let result = evaluate_op(&op, std::slice::from_ref(&operand), &[true], &EvalOptions::running(1 << 20));
        if let Err(EvalError::Unsupported(reason)) = result {
            assert!(!reason.contains("no arm"), "{reason}");
        }
    }
}

#[test]
fn results_answer_what_is_wanted() {
    let options = EvalOptions::running(1 << 20);
    let operands = [Some(f(&[3], &[3.0, 1.0, 2.0])), Some(crate::kit::ints(&[1]))];
    let results = evaluate_op(&crate::kit::op("TopK", &[]), &operands, &[false, true], &options).unwrap();
    assert_eq!(results, [None, Some(crate::kit::ints(&[0]))]);
    let missing = evaluate_op(&crate::kit::op("Relu", &[]), &operands[..1], &[true, true], &options);
    assert!(matches!(missing, Err(EvalError::Invalid(_))));
    let small = EvalOptions::running(11);
    let refused = evaluate_op(&crate::kit::op("Relu", &[]), &operands[..1], &[true], &small);
    assert_eq!(refused, Err(EvalError::TooLarge { bytes: 12, limit: 11 }));
}
