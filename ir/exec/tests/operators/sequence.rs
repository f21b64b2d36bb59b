//! Sequences and optionals.

use edgesmith_exec::Value;

use crate::kit::*;

fn seq(items: &[Value]) -> Value {
    Value::Sequence(items.to_vec())
}

#[test]
fn positions_count_from_both_ends() {
    let (a, c) = (row(&[1.0]), row(&[2.0, 3.0]));
    let both = seq(&[a.clone(), c.clone()]);
    let at = |k| i(&[], &[k]);
    gives("SequenceConstruct", &[], &[a.clone(), c.clone()], &both);
    gives("SequenceAt", &[], &[both.clone(), at(-1)], &c);
    gives("SequenceInsert", &[], &[both.clone(), a.clone()], &seq(&[a.clone(), c.clone(), a.clone()]));
    gives("SequenceInsert", &[], &[both.clone(), c.clone(), at(-2)], &seq(&[c.clone(), a.clone(), c.clone()]));
    gives("SequenceErase", &[], &[both.clone()], &seq(&[a.clone()]));
    gives("SequenceErase", &[], &[both.clone(), at(0)], &seq(&[c]));
    gives("SequenceLength", &[], &[both.clone()], &at(2));
    invalid("SequenceAt", &[], &[both.clone(), at(2)]);
    invalid("SequenceInsert", &[], &[both, a.clone(), at(3)]);
    invalid("SequenceErase", &[], &[seq(&[])]);
    invalid("SequenceAt", &[], &[seq(&[]), at(0)]);
}

#[test]
fn sequences_are_joined_and_made() {
    let (a, c) = (row(&[1.0, 2.0]), row(&[3.0, 4.0]));
    let both = seq(&[a.clone(), c.clone()]);
    gives("ConcatFromSequence", &[("axis", int(0))], &[both.clone()], &row(&[1.0, 2.0, 3.0, 4.0]));
    let stacked = [("axis", int(-1)), ("new_axis", int(1))];
    gives("ConcatFromSequence", &stacked, &[both.clone()], &f(&[2, 2], &[1.0, 3.0, 2.0, 4.0]));
    let whole = row(&[1.0, 2.0, 3.0, 4.0]);
    gives("SplitToSequence", &[], &[whole.clone(), i(&[], &[3])], &seq(&[row(&[1.0, 2.0, 3.0]), row(&[4.0])]));
    gives("SplitToSequence", &[], &[whole.clone(), ints(&[2, 2])], &both);
    gives("SplitToSequence", &[("keepdims", int(0))], &[a.clone()], &seq(&[f(&[], &[1.0]), f(&[], &[2.0])]));
    gives("SplitToSequence", &[], &[a], &seq(&[row(&[1.0]), row(&[2.0])]));
    invalid("SplitToSequence", &[], &[whole, i(&[], &[0])]);
}

#[test]
fn optionals_hold_one_value_or_none() {
    let a = row(&[1.0]);
    let full = Value::Optional(Some(Box::new(a.clone())));
    gives("Optional", &[], &[a.clone()], &full);
    gives("Optional", &[], &[], &Value::Optional(None));
    gives("OptionalGetElement", &[], &[full.clone()], &a);
    gives("OptionalGetElement", &[], &[a.clone()], &a);
    gives("OptionalHasElement", &[], &[full], &b(&[], &[1]));
    gives("OptionalHasElement", &[], &[Value::Optional(None)], &b(&[], &[0]));
    gives("OptionalHasElement", &[], &[], &b(&[], &[0]));
    gives("OptionalHasElement", &[], &[a], &b(&[], &[1]));
    invalid("OptionalGetElement", &[], &[Value::Optional(None)]);
}
