//! Bytes in: read, verify, optimise losslessly with local checks, write, read again. Nothing may panic, whatever the bytes.

#![no_main]

mod mutate;

use bytes::Bytes;
use edgesmith_backend::{Backend, BackendSpec, LowerCx};
use edgesmith_backend_onnx::OnnxBackend;
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportError, ImportOptions, import};
use edgesmith_pass::{CheckMode, Pipeline, Registry, RunOptions, run_pipeline};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

const LOSSLESS: &str = "[[pass]]\nuse = 'canonicalization'\n[[pass]]\nuse = 'fusion'\n[[pass]]\nuse = 'canonicalization'\n";

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(read) = import(bytes, &NoExternalData, &ImportOptions::default()) else { return };
    let mut model = read.model;
    model.verify().expect("what the frontend reads is valid");
    let mut registry = Registry::new();
    edgesmith_pass_canonicalization::register(&mut registry);
    edgesmith_pass_fusion::register(&mut registry);
    let pipeline = Pipeline::parse(LOSSLESS, &registry).expect("the preset is well formed");
    let options = RunOptions {
        check: CheckMode::Local,
        fuel: None,
        keep_going: false,
        engine: None, measuring: edgesmith_pass::Measuring::default(),
        clock: &|| 0.0,
        progress: &|_, _, _| {},
    };
    // The manager catches panics of passes; here each of them is a find.
    match run_pipeline(&mut model, &pipeline, &options, &|_| None) {
        Ok(_) => {}
        Err(failure) => assert!(!failure.internal, "{failure}"),
    }
    let backend = OnnxBackend::new(Default::default());
    let Ok(artefact) = backend.lower(&model, &LowerCx::default()) else { return };
    let Ok(files) = artefact.to_memory("fuzz.onnx") else { return };
    if files.len() == 1 {
        let written = Bytes::from(files[0].1.clone());
        match import(written, &NoExternalData, &ImportOptions::default()) {
            // A model with values of unknown type can contradict itself in a way that shows only once passes know more.
            Ok(_) | Err(ImportError::Declared(_) | ImportError::Types(_)) => {}
            Err(error) => panic!("what the backend writes cannot be read: {error}"),
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // A quarter of the changes stay blind, for the decoder's sake.
    let aimed = if seed % 4 == 0 { None } else { mutate::mutate(data, size, max_size, seed) };
    aimed.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});
