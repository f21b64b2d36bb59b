//! The thin slice through a whole run: a trained model is read, its normalisations fold, every change checks out.

use bytes::Bytes;
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::Model;
use edgesmith_pass::{CheckMode, Pipeline, Registry, RunOptions, run_pipeline};

fn read(path: &str) -> Model {
    let bytes = Bytes::from(std::fs::read(path).unwrap());
    import(bytes, &NoExternalData, &ImportOptions::default()).unwrap().model
}

#[test]
fn slice() {
    let mut registry = Registry::new();
    edgesmith_pass_canonicalization::register(&mut registry);
    edgesmith_pass_fusion::register(&mut registry);
    let pipeline = Pipeline::parse(
        "[[pass]]\nuse='canonicalization'\n[[pass]]\nuse='fusion'\n[[pass]]\nuse='canonicalization'\n",
        &registry,
    )
    .unwrap();
    for path in std::env::var("MODELS").unwrap_or_default().split_whitespace() {
        let t0 = std::time::Instant::now();
        let mut model = read(path);
        let t1 = std::time::Instant::now();
        let start = std::time::Instant::now();
        let options = RunOptions {
            check: CheckMode::Local,
            fuel: None,
            keep_going: false,
            engine: None,
            clock: &|| start.elapsed().as_secs_f64(),
            progress: &|_, _, _| {},
        };
        match run_pipeline(&mut model, &pipeline, &options, &|_| None) {
            Err(e) => println!("{path}: {e}"),
            Ok(report) => {
                println!(
                    "{path}: import {:?} run {:?}  {} -> {}  {}",
                    t1 - t0,
                    start.elapsed(),
                    report.before.operators,
                    report.after.operators,
                    report.verdict
                );
                println!("   {:?}", report.after.by_kind);
                for pass in &report.passes {
                    println!(
                        "   {} {:?} {:?} checks {:?} {:.2}s",
                        pass.name, pass.rules, pass.counts, pass.local_checks, pass.seconds
                    );
                    for r in pass.remarks.iter().take(12) {
                        println!("      {:?} {r}", r.severity);
                    }
                }
            }
        }
    }
}
