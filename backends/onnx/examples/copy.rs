//! Reads an ONNX model and writes it again: `copy INPUT OUTPUT [--external] [--origins] [--opset N]`.
//!
//! Nothing is optimised; what differs between the two files is what the IR does not keep.

use std::path::Path;
use std::process::ExitCode;

use edgesmith_backend::{Backend, BackendSpec, Existing, LowerCx, publish};
use edgesmith_backend_onnx::{ExternalData, OnnxBackend, Options};
use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{ImportOptions, import};

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, flags @ ..] = arguments.as_slice() else {
        eprintln!("usage: copy INPUT OUTPUT [--external] [--origins] [--opset N]");
        return ExitCode::from(2);
    };
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let external_data = if has("--external") { ExternalData::Always } else { ExternalData::Auto };
    let opset = flags.iter().skip_while(|flag| *flag != "--opset").nth(1).and_then(|number| number.parse().ok());
    let options = Options { external_data, opset, origins: has("--origins") };
    match copy(Path::new(input), Path::new(output), options) {
        Ok(remarks) => {
            for remark in remarks {
                eprintln!("{remark}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn copy(input: &Path, output: &Path, options: Options) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let source = Source::open(input)?;
    let import = import(source.bytes(), source.external(), &ImportOptions::default())?;
    let stem = output.file_stem().map_or("model".into(), |stem| stem.to_string_lossy());
    let artefact = OnnxBackend::new(options).lower(&import.model, &LowerCx { stem: &stem })?;
    let published = publish(&artefact, output, Existing::Replace)?;
    Ok(published.remarks.iter().map(ToString::to_string).collect())
}
