//! How long edgesmith takes: import, passes with and without local checks, export, and inference in tract.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use edgesmith::{OptimizeOptions, built_in, engine, optimize};
use edgesmith_backend::{Backend, BackendSpec, LowerCx};
use edgesmith_backend_onnx::OnnxBackend;
use edgesmith_benches::model_paths;
use edgesmith_exec::seeded::Seeds;
use edgesmith_exec::{Effort, Request};
use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::{Dim, Model};
use edgesmith_pass::{CheckMode, Pipeline};

fn read(source: &Source) -> Model {
    import(source.bytes(), source.external(), &ImportOptions::default()).unwrap().model
}

fn timings(criterion: &mut Criterion) {
    let pipeline = Pipeline::parse("[[pass]]\nuse = \"lossless\"\n", &built_in()).unwrap();
    for path in model_paths().unwrap() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let source = Source::open(&path).unwrap();
        let model = read(&source);
        criterion.bench_function(&format!("import/{name}"), |bench| bench.iter(|| read(black_box(&source))));
        for (what, check) in [("passes", CheckMode::Off), ("passes-with-local-checks", CheckMode::Local)] {
            let options = OptimizeOptions { check, ..OptimizeOptions::default() };
            criterion.bench_function(&format!("{what}/{name}"), |bench| {
                bench.iter_batched(
                    || model.clone(),
                    |mut model| optimize(&mut model, &pipeline, &options).unwrap(),
                    BatchSize::SmallInput,
                );
            });
        }
        let backend = OnnxBackend::new(edgesmith_backend_onnx::Options::default());
        criterion.bench_function(&format!("export/{name}"), |bench| {
            bench.iter(|| backend.lower(black_box(&model), &LowerCx { stem: "model" }).unwrap());
        });
        let mut bound = model.clone();
        bound.bind_symbols(&|_| Some(Dim::Known(1)));
        bound.infer_afresh();
        let inputs = Seeds::default().inputs(&bound, None).unwrap();
        let request = Request { effort: Effort::Many, ..Request::default() };
        let mut session = engine("tract").unwrap().prepare(&bound, &request).unwrap().session().unwrap();
        criterion
            .bench_function(&format!("tract/{name}"), |bench| bench.iter(|| session.run(black_box(&inputs)).unwrap()));
    }
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = timings
}
criterion_main!(all);
