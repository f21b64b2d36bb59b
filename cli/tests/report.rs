//! Reports of `optimize`: JSON and HTML of the same data, several pipelines in one run.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use std::path::Path;

use common::{models, text, workplace};
use serde_json::Value;

/// Exit code, standard output, standard error.
fn edgesmith(arguments: &[&str]) -> (i32, String, String) {
    text(&common::edgesmith(arguments))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The data inside a page, cut out as a browser does.
fn data(page: &str) -> Value {
    let start = page.split_once("<script type=\"application/json\" id=\"report\">").unwrap().1;
    serde_json::from_str(start.split_once("</script").unwrap().0).unwrap()
}

/// Times differ from run to run; nothing else does.
fn without_times(mut report: Value) -> Value {
    for pass in report["passes"].as_array_mut().unwrap() {
        pass["seconds"] = Value::Null;
    }
    report
}

#[test]
fn the_page_holds_what_the_json_says() {
    let (folder, model) = workplace();
    let (page, list) = (folder.path().join("r.html"), folder.path().join("r.json"));
    for path in [&page, &list] {
        let (code, _, err) = edgesmith(&["optimize", &model, "--force", "-q", "--report", &path.display().to_string()]);
        assert_eq!((code, err.as_str()), (0, ""));
    }
    let page = std::fs::read_to_string(page).unwrap();
    let inside = data(&page);
    let report = json(&list);
    assert_eq!(inside.as_array().map(Vec::len), Some(1));
    assert_eq!(without_times(inside[0].clone()), without_times(report.clone()));
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("https://") && !page.contains(" src="), "the page loads something");
    // What the tables of the page are made of: parts that add up to the whole.
    for side in ["before", "after"] {
        for parts in ["cost_by_kind", "cost_by_scope"] {
            let parts = report[side][parts].as_object().unwrap();
            let sum = |key: &str| -> u64 { parts.values().map(|part| part[key].as_u64().unwrap()).sum() };
            assert_eq!(sum("operators"), report[side]["operators"].as_u64().unwrap());
            assert_eq!(sum("macs_at_one"), report[side]["macs_at_one"].as_u64().unwrap());
        }
    }
    assert!(report["before"]["cost_by_scope"].as_object().unwrap().len() > 5, "the exporter's modules");
    let mut fired_at_all = 0;
    for pass in report["passes"].as_array().unwrap() {
        let checks = pass["rule_checks"].as_object().unwrap();
        for (rule, fired) in pass["rules"].as_object().unwrap() {
            let checked = checks[rule]["checked"].as_u64().unwrap();
            let not: u64 = checks[rule]["not_checked"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(checked + not, fired.as_u64().unwrap(), "{rule}");
            fired_at_all += checked;
        }
    }
    assert!(fired_at_all > 20, "the BatchNormalizations are folded");
}

#[test]
fn an_extension_that_says_nothing_is_refused_before_the_work() {
    let (folder, model) = workplace();
    for name in ["report", "report.txt", "report.pdf"] {
        let place = folder.path().join(name).display().to_string();
        let (code, _, err) = edgesmith(&["optimize", &model, "--report", &place]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(name) && err.contains(".json or .html"), "{err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written");
}

#[test]
fn several_pipelines_run_from_the_source_and_are_compared() {
    let (folder, model) = workplace();
    let half = folder.path().join("half.toml");
    std::fs::write(&half, "[[pass]]\nuse = \"sparsity\"\nsparsity = 0.5\n").unwrap();
    let calibration = models().join("digits_calibration.npz").display().to_string();
    let half = half.display().to_string();
    let list = folder.path().join("r.json");
    let page = folder.path().join("r.html");
    let results = folder.path().join("results");
    for (place, report) in [(None, &list), (Some(results.display().to_string()), &page)] {
        let report = report.display().to_string();
        let mut arguments =
            vec!["optimize", &model, "--pipeline", "none", "--pipeline", &half, "--pipeline", "lossless"];
        arguments.extend(["--calibration", &calibration, "--report", &report]);
        if let Some(place) = &place {
            arguments.extend(["--output", place]);
        }
        let (code, out, err) = edgesmith(&arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let table = out.rsplit("operators").next().unwrap();
        assert!(table.contains("none") && table.contains("half") && table.contains("cosine 0."), "{out}");
    }
    let reports = json(&list);
    let names: Vec<&str> =
        reports.as_array().unwrap().iter().map(|report| report["pipeline"].as_str().unwrap()).collect();
    assert_eq!(names, ["none", "half", "lossless"]);
    assert_eq!(reports[1]["verdict"], "measured");
    assert_eq!(reports[0]["verdict"], "unchanged");
    assert_eq!(reports[0]["before"], reports[2]["before"], "each starts from the source");
    for name in names {
        let beside = folder.path().join(format!("model.{name}.onnx"));
        assert_eq!(std::fs::read(beside).unwrap(), std::fs::read(results.join(format!("model.{name}.onnx"))).unwrap());
    }
    assert_eq!(data(&std::fs::read_to_string(page).unwrap()).as_array().map(Vec::len), Some(3));
}

#[test]
fn pipelines_of_one_name_are_numbered_and_a_file_cannot_hold_several() {
    let (folder, model) = workplace();
    let (code, out, err) = edgesmith(&["optimize", &model, "--pipeline", "none", "--pipeline", "none"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(folder.path().join("model.none.onnx").exists() && folder.path().join("model.none-2.onnx").exists());
    let place = folder.path().join("out.onnx").display().to_string();
    let arguments = ["optimize", &model, "--pipeline", "none", "--pipeline", "lossless", "--output", &place];
    let (code, _, err) = edgesmith(&arguments);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("names a folder"), "{err}");
    assert!(!Path::new(&place).exists());
}

#[test]
fn pipelines_that_want_the_same_file_are_refused() {
    let (folder, model) = workplace();
    let write = |name: &str| {
        let path = folder.path().join(name);
        let out = folder.path().join("same.onnx").display().to_string();
        std::fs::write(&path, format!("[[emit]]\nbackend = \"onnx\"\noutput = {out:?}\n")).unwrap();
        path.display().to_string()
    };
    let (code, _, err) =
        edgesmith(&["optimize", &model, "--pipeline", &write("a.toml"), "--pipeline", &write("b.toml")]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("'a' and 'b' would both write") && err.contains("same.onnx"), "{err}");
}

/// The loss says nothing about whether passes that lose nothing are right, so the verdict tells how those were checked.
#[test]
fn beside_a_loss_the_exact_passes_are_told() {
    let (folder, model) = workplace();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let calibration = models().join("digits_calibration.npz").display().to_string();
    let sparse = "[[pass]]\nuse = \"sparsity\"\nsparsity = 0.5\n";
    let mixed = format!("[[pass]]\nuse = \"fusion\"\n{sparse}");
    let run = |name: &str, pipeline: &str, more: &[&str]| {
        std::fs::write(place("p.toml"), pipeline).unwrap();
        let (output, report, toml) = (place(&format!("{name}.onnx")), place(&format!("{name}.json")), place("p.toml"));
        let mut arguments = vec!["optimize", &model, "--pipeline", &toml, "-o", &output, "--report", &report];
        arguments.extend(more);
        let (code, out, err) = edgesmith(&arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let verdict = out.rsplit("verdict: ").next().unwrap().trim().to_owned();
        let report = json(Path::new(&report));
        assert_eq!(report["verdict_text"], verdict.as_str());
        (report, verdict)
    };
    let (report, verdict) = run("both", &mixed, &["--calibration", &calibration]);
    assert!(verdict.starts_with("measured: ") && verdict.contains("; fusion checked locally only, "), "{verdict}");
    assert_eq!(report["exact_part"]["passes"], serde_json::json!(["fusion"]));
    assert!(report["exact_part"]["checked"].as_u64().unwrap() >= 25, "{}", report["exact_part"]);
    let (_, verdict) = run("blind", &mixed, &["--check", "off"]);
    assert!(verdict.starts_with("not measured (") && verdict.ends_with("; fusion not checked"), "{verdict}");
    let (report, verdict) = run("sparse", sparse, &["--calibration", &calibration]);
    assert!(report["exact_part"].is_null() && !verdict.contains("locally"), "{verdict}");
}

/// `--bench` puts latency before and after into the text, the JSON and the page, for every pipeline.
#[test]
fn latency_is_reported_where_it_is_asked_for() {
    let (folder, model) = workplace();
    let (page, list) = (folder.path().join("r.html"), folder.path().join("r.json"));
    let report = |path: &Path, more: &[&str]| {
        let path = path.display().to_string();
        edgesmith(&[&["optimize", &model, "--force", "--report", &path], more].concat())
    };
    let (code, out, err) = report(&list, &["--bench"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let found = json(&list);
    let latency = &found["latency"];
    assert!(latency["runs"].as_u64().unwrap() >= 10, "{latency}");
    for side in ["before", "after"] {
        let measured = &latency[side];
        assert!(measured["latency"]["p50_ns"].as_u64().unwrap() > 1000, "{measured}");
        // Operators that were measured are operators of that side, so the rows of the page have both.
        let profile = &measured["profile"];
        let scopes: Vec<&str> =
            profile["scopes"].as_array().unwrap().iter().map(|share| share["name"].as_str().unwrap()).collect();
        assert!(scopes.len() > 5, "{scopes:?}");
        for scope in scopes {
            assert!(found[side]["cost_by_scope"][scope].is_object(), "{side}: {scope}");
        }
        for share in profile["kinds"].as_array().unwrap() {
            let kind = share["name"].as_str().unwrap();
            assert!(found[side]["cost_by_kind"][kind].is_object(), "{side}: {kind}");
        }
    }
    assert!(out.contains("\nlatency ") && out.contains("p50") && out.contains("times as fast)"), "{out}");
    let (code, _, _) = report(&page, &["--bench", "-q"]);
    assert_eq!(code, 0);
    assert!(data(&std::fs::read_to_string(&page).unwrap())[0]["latency"]["after"]["profile"].is_object());
    // Not asked for: nothing of it.
    let (code, out, _) = report(&list, &[]);
    assert!(code == 0 && !out.contains("latency") && json(&list).get("latency").is_none(), "{out}");
    let folder = folder.path().join("both").display().to_string();
    let both = ["--bench", "--pipeline", "none", "--pipeline", "lossless", "--output", &folder];
    let (code, out, err) = report(&list, &both);
    assert_eq!(code, 0, "{err}");
    let heads = out.lines().find(|line| line.contains("operators") && line.contains("verdict")).unwrap_or_default();
    assert!(heads.contains("latency"), "{out}");
}

/// A model that the engine does not run is optimised all the same, and the report says why there is no latency.
#[test]
fn latency_that_cannot_be_measured_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let source = "<ir_version: 8, opset_import: [\"\": 17, \"com.example\": 1]>\ng (float[N] x) => (float[N] y) { y = com.example.Twirl (x) }";
    let model = edgesmith_ir_text::parse_model(source, &edgesmith_ir_text::NoWeights).unwrap();
    let path = folder.path().join("m.onnx");
    let options = edgesmith_backend_onnx::Options::default();
    edgesmith::write_onnx(&model, &path, edgesmith_backend::Existing::Replace, options).unwrap();
    let list = folder.path().join("r.json");
    let arguments = ["optimize", &path.display().to_string(), "--bench", "--report", &list.display().to_string()];
    let (code, out, err) = edgesmith(&arguments);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("latency was not measured: "), "{out}");
    let found = json(&list);
    assert!(found.get("latency").is_none() && found["latency_not_measured"].is_string(), "{found}");
}
