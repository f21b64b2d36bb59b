//! What a reader is told of a mistake: the line, the column, the text under the caret, and what would be right there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use edgesmith_ir_text::{NoWeights, TextError, parse_model};

/// The error of a text.
#[track_caller]
fn error(text: &str) -> TextError {
    parse_model(text, &NoWeights).err().unwrap_or_else(|| panic!("no error in {text}"))
}

#[test]
fn typical_mistakes_are_shown_where_they_are() {
    // The text; line and column; what stands under the caret; a part of the message.
    let cases: [(&str, usize, usize, &str, &str); 14] = [
        ("g (float[N] x) => (y) {\n  y = Rellu (x)\n  z = Relu (w)\n}", 3, 13, "w", "w"),
        ("g (float[N] x) => (y) {\n  y = Relu (x\n}", 3, 1, "}", "found '}'"),
        ("g (float[N] x) => (y) {\n  y Relu (x)\n}", 2, 5, "Relu", "Relu"),
        ("g (float[N x) => (x) {\n}", 1, 12, "x", "found"),
        ("g (float[N] x) -> (x) {\n}", 1, 16, "->", "found"),
        ("g (float[N] x) => (y) {\n  y = Relu (x)\n", 3, 1, "", "end"),
        ("g (float[N] x) => (y) {\n  y = Relu (x)\n  y = Neg (x)\n}", 3, 3, "y", "y"),
        ("g (float[N] x) => (z) {\n  y = Relu (x)\n}", 1, 20, "z", "z"),
        ("g (float[N] x) => (y) {\n  y = Softmax <axis = 1.5> (x)\n}", 2, 23, "1.5", "attribute 'axis' must be an int"),
        ("g (float[N] x) => (y) {\n  y = Softmax <axes = 1> (x)\n}", 2, 23, "1", "there is no attribute 'axes'"),
        (
            "g (float[N] x) => (y)\n<float[3] w = {1.0, 2.0}>\n{\n  y = Add (x, w)\n}",
            2,
            15,
            "{1.0, 2.0}",
            "2 elements; expected 3",
        ),
        (
            "g (float[N] x) => (y)\n<float[1] w = [\"init\": \"gauss(seed=1)\"]>\n{\n  y = Add (x, w)\n}",
            2,
            15,
            "[\"init\": \"gauss(seed=1)\"]",
            "'gauss' is none of",
        ),
        ("<ir_version: 8, opset: 17>\ng (float[N] x) => (x) {\n}", 1, 17, "opset", "the header has no 'opset'"),
        ("g (float[N] größe) => (y) {\n  y = Relu (größe)\n}", 1, 15, "ö", "found 'ö'"),
    ];
    let mut wrong = Vec::new();
    for (text, line, column, under, part) in cases {
        let error = error(text);
        let shown = &text[error.span.range()];
        if (error.line, error.column, shown) != (line, column, under) || !error.to_string().contains(part) {
            wrong.push(format!("{text}\n  -> [{shown}] {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn columns_count_characters() {
    let error = error("g (float[N] \"größe\") => (y) {\n  y = Add (\"größe\", w)\n}");
    assert_eq!((error.line, error.column), (2, 21), "{error}");
}

/// `If` in `If`, so many levels.
fn nested(depth: usize) -> String {
    let mut text = String::from("g (bool c, float[N] x) => (y) {\n");
    for level in 0..depth {
        text.push_str(&format!("y{level} = If (c) <else_branch = e{level} () => (e) {{ e = Neg (x) }}, then_branch = t{level} () => (y{}) {{\n", level + 1));
    }
    text.push_str(&format!("y{depth} = Relu (x)\n"));
    text.push_str(&"}>\n".repeat(depth));
    text.push_str("y = Identity (y0)\n}");
    text
}

#[test]
fn regions_nest_a_hundred_deep() {
    let model = parse_model(&nested(99), &NoWeights).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(model.live_graphs().len(), 1 + 2 * 99);
    let message = error(&nested(100)).to_string();
    assert!(message.contains("graphs are nested too deep; expected at most 100 levels"), "{message}");
}

#[test]
fn what_nests_without_end_is_an_error() {
    let deep = 10_000;
    let at_depth = error(&nested(deep));
    assert!(at_depth.to_string().contains("nested too deep"), "{at_depth}");
    assert!(at_depth.line > 90 && at_depth.line < 110, "{at_depth}");
    let types = format!("g ({}float[N]{} x) => (x) {{\n}}", "seq(".repeat(deep), ")".repeat(deep));
    assert!(error(&types).to_string().contains("types are nested too deep"));
    let origins = format!(
        "g (float[N] x) => (y) {{\n  y = Relu (x)\n  #: origin = {}source(\"a\", \"b\"){}\n}}",
        "derived(\"r\", ".repeat(deep),
        ")".repeat(deep)
    );
    assert!(error(&origins).to_string().contains("origins are nested too deep"));
    let dims = format!("g (float[\"{}N{}\"] x) => (x) {{\n}}", "(".repeat(deep), ")".repeat(deep));
    // A dim is an expression or a name: either way it is read or refused, not followed down the stack.
    let _ = parse_model(&dims, &NoWeights);
    let _ = parse_model(&format!("g (float[\"{}N\"] x) => (x) {{\n}}", "-".repeat(deep)), &NoWeights);
}
