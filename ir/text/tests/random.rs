//! Random models: printing and reading changes nothing. Random damage to a text: an error or a model, never a panic.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

#[path = "support/random.rs"]
mod random;
mod support;

use edgesmith_ir_text::{PrintOptions, parse_model, print_model};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_models_are_fixed_points(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let model = random::model(&mut random::Choices::new(&bytes));
        prop_assert!(model.verify().is_ok(), "{:?}", model.verify());
        support::fixed_point(&model);
    }

    #[test]
    fn damaged_texts_do_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, 0_usize..4, any::<prop::sample::Index>()), 1..6),
    ) {
        let model = random::model(&mut random::Choices::new(&bytes));
        let printed = print_model(&model, &PrintOptions::default());
        let mut text: Vec<char> = printed.text.chars().collect();
        const PIECES: [&str; 24] = [
            "{", "}", "(", ")", "<", ">", "[", "]", "=", "=>", ",", "\"", "\\", "#", "#|", "#:", "@", "->", "\n", "9", "-", "float", "?", "é",
        ];
        for (at, length, what, other) in damage {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            match what {
                0 => { text.drain(at..end); }
                1 => { text.splice(at..at, PIECES[length % PIECES.len()].chars()); }
                2 => { let piece: Vec<char> = text[at..end].to_vec(); let to = other.index(text.len()); text.splice(to..to, piece); }
                _ => { text.truncate(at.max(1)); }
            }
            if text.is_empty() { text.push(' '); }
        }
        let text: String = text.into_iter().collect();
        match parse_model(&text, &printed.weights) {
            Ok(model) => prop_assert!(model.verify().is_ok()),
            Err(error) => {
                prop_assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
                prop_assert!(error.span.start <= text.len() && error.span.start <= error.span.end);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = parse_model(&text, &edgesmith_ir_text::NoWeights);
    }
}
