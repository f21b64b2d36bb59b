//! Through a file and through text the trained models come back as they were.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use edgesmith_exec::ReferenceEngine;
use edgesmith_ir::Model;
use edgesmith_ir_text::{PrintOptions, parse_model, print_model};

/// Images that both sides see.
const FEW: usize = 8;

/// Operators, constants, names and every bit of the outputs.
#[track_caller]
fn assert_same(name: &str, before: &Model, after: &Model) {
    after.verify().unwrap();
    assert_eq!(common::interface(after), common::interface(before), "{name}");
    let (one, other) =
        (common::structure(before, before.main().unwrap()), common::structure(after, after.main().unwrap()));
    assert_eq!(one.len(), other.len(), "{name}");
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other, "{name}");
    }
    let images = common::first(&common::digits().0, FEW);
    let engine = ReferenceEngine::default();
    let (one, other) = (common::outputs(&engine, before, &images), common::outputs(&engine, after, &images));
    assert_eq!(one, other, "{name}");
}

#[test]
fn through_a_file() {
    for name in common::MODELS {
        let before = common::model(name);
        let bytes = common::export(&before);
        let after = common::import(bytes.clone());
        assert_same(name, &before, &after);
        assert_eq!(common::export(&after), bytes, "{name}: the second writing differs");
    }
}

#[test]
fn through_text() {
    for name in common::MODELS {
        let before = common::model(name);
        let printed = print_model(&before, &PrintOptions::default());
        let after = parse_model(&printed.text, &printed.weights).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same(name, &before, &after);
        let again = print_model(&after, &PrintOptions::default());
        assert_eq!(again.text, printed.text, "{name}: the second printing differs");
        assert_eq!(common::export(&after), common::export(&before), "{name}: text loses something that a file holds");
    }
}
