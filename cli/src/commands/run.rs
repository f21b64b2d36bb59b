//! `edgesmith run`: a model on given inputs.

use edgesmith_exec::{Request, Value, npz};
use edgesmith_ir::Tensor;

use edgesmith_pass::Registry;

use super::{engine_name, import_options, say, write_small};
use crate::args::RunArgs;
use crate::model_file::{ModelFile, bind_dims};
use crate::{Failure, engine, fit_inputs, read_npz};

pub(super) fn run(args: &RunArgs, registry: &Registry) -> Result<(), Failure> {
    if args.output.exists() && !args.force {
        return Err(Failure::usage(format!("{} exists already", args.output.display()))
            .with_help("choose another name, or --force"));
    }
    let mut file = ModelFile::read(&args.model, &import_options(&args.engine.read, registry))?;
    bind_dims(&mut file.model, &args.engine.dims)?;
    let inputs = read_npz(&args.inputs)?;
    fit_inputs(&file.model, &inputs)?;
    let engine = engine(engine_name(&args.engine))?;
    let failed = |error: edgesmith_exec::EngineError| Failure::model(format!("{}: {error}", file.path.display()));
    let mut session = engine.prepare(&file.model, &Request::default()).map_err(failed)?.session().map_err(failed)?;
    let outputs = session.run(&inputs).map_err(failed)?;
    let mut arrays: Vec<(&str, &Tensor)> = Vec::new();
    for (name, value) in &outputs {
        match value {
            Value::Tensor(tensor) => arrays.push((name, tensor)),
            _ => say(&format!("output '{name}' is no tensor and is not written")),
        }
    }
    let bytes = npz::encode_npz(arrays.iter().copied())
        .map_err(|error| Failure::model(format!("the outputs cannot be written: {error}")))?;
    write_small(&args.output, &bytes, args.force)?;
    for (name, tensor) in arrays {
        say(&format!("{name}: {}{:?}", tensor.dtype(), tensor.shape()));
    }
    Ok(())
}
