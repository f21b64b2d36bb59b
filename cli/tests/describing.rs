//! What edgesmith says of itself: pipelines, manuals, schemas, completions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::{json, printed, shipped, told};
use serde_json::Value;

const DIGITS: &str = "digits_mobilenet__legacy_op17.onnx";

#[test]
fn the_effective_pipeline_is_printed_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("p.toml");
    let printed_once = printed(&["pipeline", "--print"]);
    assert_eq!(printed_once.matches("[[pass]]").count(), 3, "{printed_once}");
    assert!(printed_once.contains("skip = []"), "every option: {printed_once}");
    std::fs::write(&place, &printed_once).unwrap();
    let place = place.display().to_string();
    assert_eq!(printed(&["pipeline", "--print", &place]), printed_once);
    let out = printed(&["pipeline", "--check", &place]);
    assert!(out.contains("is in order: canonicalization, fusion, canonicalization"), "{out}");
}

#[test]
fn all_mistakes_of_a_pipeline_are_shown_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("p.toml");
    let text = "[[pass]]\nuse = \"fusoin\"\n\n[[pass]]\nuse = \"sparsity\"\nsparsty = 0.5\nmax-loss = { cosin = 0.9 }\n\n\
                [[emit]]\nbackend = 3\n\n[modle]\n";
    std::fs::write(&place, text).unwrap();
    let (code, out, err) = told(&["pipeline", "--check", &place.display().to_string()]);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in [
        "p.toml:2:7",
        "did you mean 'fusion'?",
        "p.toml:6:1",
        "did you mean 'sparsity'?",
        "p.toml:7:14",
        "did you mean 'cosine'?",
        "p.toml:10:11",
        "'backend' is a string",
        "p.toml:12:2",
        "did you mean 'model'?",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn passes_have_manuals_and_rules_have_pages() {
    let list = json(&["passes", "--json"]);
    for pass in list.as_array().unwrap() {
        let name = pass["name"].as_str().unwrap();
        let manual = printed(&["passes", name]);
        let has_options = !pass["options"].as_array().unwrap().is_empty();
        assert_eq!(manual.contains("\noptions\n"), has_options, "{manual}");
        for option in pass["options"].as_array().unwrap() {
            let (name, default) = (option["name"].as_str().unwrap(), option["default"].as_str().unwrap());
            assert!(!default.is_empty() && option["about"].as_str().is_some_and(|about| !about.is_empty()), "{option}");
            assert!(manual.contains(&format!("  {name} = {default}")), "{manual}");
        }
        for rule in pass["rules"].as_array().unwrap() {
            let rule = rule["name"].as_str().unwrap();
            assert!(manual.contains(rule), "{manual}");
            assert!(printed(&["passes", name, rule]).len() > 200, "the page of {rule}");
        }
    }
    let sparsity = printed(&["passes", "sparsity"]);
    assert!(sparsity.contains("threshold = \"tensor\"    # \"tensor\" or \"global\""), "{sparsity}");
    let (code, _, err) = told(&["passes", "fusoin"]);
    assert!(code == 2 && err.contains("did you mean 'fusion'?"), "{err}");
    let (code, _, err) = told(&["passes", "fusion", "fold-batchnorm"]);
    assert!(code == 2 && err.contains("did you mean 'fold-batch-norm'?"), "{err}");
    let (code, _, err) = told(&["passes", "lossless"]);
    assert!(code == 2 && err.contains("pipeline --print lossless"), "{err}");
}

#[test]
fn shells_get_completions() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let out = printed(&["completions", shell]);
        assert!(out.contains(mark) && out.contains("bench") && out.contains("warm-up"), "{shell}");
    }
}

/// Whether a value is what a schema allows, by the parts of JSON Schema that ours use. A keyword that is not understood is
/// an error.
fn allows(schema: &Value, value: &Value, root: &Value, at: &str) -> Result<(), String> {
    let Some(object) = schema.as_object() else {
        return if schema == &Value::Bool(false) { Err(format!("{at}: nothing may stand here")) } else { Ok(()) };
    };
    let fail = |why: String| Err(format!("{at}: {why}"));
    for (keyword, rule) in object {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => {}
            "$ref" => {
                let target = rule.as_str().and_then(|text| root.pointer(text.strip_prefix('#')?));
                allows(target.ok_or(format!("{at}: {rule} leads nowhere"))?, value, root, at)?;
            }
            "type" => {
                let is = |ty: &Value| match ty.as_str().unwrap() {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                if !rule.as_array().map_or_else(|| is(rule), |types| types.iter().any(is)) {
                    return fail(format!("{value} is not {rule}"));
                }
            }
            "const" if value != rule => return fail(format!("{value} is not {rule}")),
            "const" => {}
            "enum" if !rule.as_array().unwrap().contains(value) => return fail(format!("{value} is none of {rule}")),
            "enum" => {}
            "anyOf" | "oneOf" => {
                let results: Vec<_> =
                    rule.as_array().unwrap().iter().map(|branch| allows(branch, value, root, at)).collect();
                let fits = results.iter().filter(|result| result.is_ok()).count();
                if fits == 0 || (keyword == "oneOf" && fits > 1) {
                    return fail(format!("{fits} branches fit: {results:?}"));
                }
            }
            "allOf" => rule.as_array().unwrap().iter().try_for_each(|part| allows(part, value, root, at))?,
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        return fail(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, part) in rule.as_object().unwrap() {
                    if let Some(below) = value.get(name) {
                        allows(part, below, root, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" | "unevaluatedProperties" => {
                let known = object.get("properties").and_then(Value::as_object);
                for (name, below) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        allows(rule, below, root, &format!("{at}.{name}"))?;
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    allows(rule, item, root, &format!("{at}[{index}]"))?;
                }
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                let (limit, number) = (rule.as_f64().unwrap(), value.as_f64());
                let outside = |x: f64| match keyword.as_str() {
                    "minimum" => x < limit,
                    "maximum" => x > limit,
                    "exclusiveMinimum" => x <= limit,
                    _ => x >= limit,
                };
                if number.is_some_and(outside) {
                    return fail(format!("{value} against {keyword} {limit}"));
                }
            }
            "pattern" => {
                // The one that there is: N:M.
                assert_eq!(rule, "^[0-9]+:[0-9]+$");
                let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let fits = |text: &str| text.split_once(':').is_some_and(|(n, m)| number(n) && number(m));
                if value.as_str().is_some_and(|text| !fits(text)) {
                    return fail(format!("{value} against {rule}"));
                }
            }
            "minItems" | "maxItems" => {
                let (limit, n) = (rule.as_u64().unwrap() as usize, value.as_array().map(Vec::len));
                if n.is_some_and(|n| if keyword == "minItems" { n < limit } else { n > limit }) {
                    return fail(format!("{value} against {keyword} {limit}"));
                }
            }
            other => panic!("{at}: the keyword {other} is not understood"),
        }
    }
    Ok(())
}

#[track_caller]
fn fits(topic: &str, value: &Value) {
    let schema = json(&["schema", topic]);
    if let Err(why) = allows(&schema, value, &schema, topic) {
        panic!("{why}");
    }
}

#[test]
fn reports_fit_their_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let (first, data) = (shipped(DIGITS), shipped("digits_test.npz"));
    let sparse = "[[pass]]\nuse = \"canonicalization\"\n[[pass]]\nuse = \"sparsity\"\nsparsity = 0.5\nmax-loss = { cosine = 0.5 }\n";
    std::fs::write(place("p.toml"), sparse).unwrap();
    for (name, more) in [("a", vec![]), ("b", vec!["--pipeline", &place("p.toml"), "--calibration", &data])] {
        let (output, report) = (place(&format!("{name}.onnx")), place(&format!("{name}.json")));
        let mut arguments = vec!["optimize", &first, "-q", "-o", &output, "--report", &report];
        arguments.extend(more);
        printed(&arguments);
        fits("report", &serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap());
    }
    fits("bench", &json(&["bench", &first, "--runs", "2", "--profile", "--json"]));
    fits("eval", &json(&["eval", &first, "--data", &data, "--limit", "8", "--json"]));
    fits("explain", &json(&["explain", &first, "/stem/stem.1/BatchNormalization", "--json"]));
}

/// A pipeline as a validator of TOML sees it.
fn as_json(pipeline: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(pipeline).unwrap()).unwrap()
}

#[test]
fn the_schema_of_pipelines_says_what_the_reader_says() {
    let schema = json(&["schema", "pipeline"]);
    let judge = |text: &str| allows(&schema, &as_json(text), &schema, "pipeline");
    let effective = printed(&["pipeline", "--print"]);
    for right in [
        effective.as_str(),
        "[[pass]]\nuse = \"lossless\"\n",
        "[[pass]]\nuse = \"sparsity\"\nsparsity = \"2:4\"\nschedule = [0.4, 0.2]\nmax-loss = { top1-drop = 0.5 }\n",
        "[model]\ninput = \"m.onnx\"\n[calibration]\ndata = [\"a\", \"b\"]\n[calibration.inputs.x]\nresize = 256\nstd = [1.0, 2.0]\n[[emit]]\nbackend = \"onnx\"\n",
    ] {
        assert_eq!(judge(right), Ok(()), "{right}");
    }
    for wrong in [
        "[[pass]]\nuse = \"fusoin\"\n",
        "[[pass]]\nskip = []\n",
        "[[pass]]\nuse = \"fusion\"\nskipp = []\n",
        "[[pass]]\nuse = \"fusion\"\nskip = [\"no-such-rule\"]\n",
        "[[pass]]\nuse = \"lossless\"\nskip = []\n",
        "[[pass]]\nuse = \"sparsity\"\nmax-loss = { cosin = 0.9 }\n",
        "[[pass]]\nuse = \"sparsity\"\nsparsity = \"2-4\"\n",
        "[calibration.inputs.x]\nresise = 3\n",
        "[modle]\n",
    ] {
        assert!(judge(wrong).is_err(), "{wrong}");
    }
}
