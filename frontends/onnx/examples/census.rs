//! Imports every model named on the command line and tells what became of its operators: `file: ok`, typed and carried
//! operators, diagnostics, and the time; or the error. With `-q` one summary line at the end only.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::op::{Op, OpKind};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quiet = arguments.iter().any(|argument| argument == "-q");
    let (mut read, mut refused) = (0, 0);
    let mut carried: BTreeMap<String, usize> = BTreeMap::new();
    for path in arguments.iter().filter(|argument| *argument != "-q") {
        let start = Instant::now();
        let result = Source::open(path).map_err(|error| error.to_string()).and_then(|source| {
            import(source.bytes(), source.external(), &ImportOptions::default()).map_err(|e| e.to_string())
        });
        let import = match result {
            Ok(import) => import,
            Err(error) => {
                refused += 1;
                writeln!(out, "{path}: REFUSED {error}")?;
                continue;
            }
        };
        read += 1;
        let (mut typed, mut custom, mut unknown_types) = (0, 0, 0);
        for graph in import.model.live_graphs() {
            for (_, data) in import.model.graph(graph).ops() {
                unknown_types += data
                    .results()
                    .iter()
                    .flatten()
                    .filter(|value| *import.model.graph(graph).value(**value).ty() == edgesmith_ir::ValueType::Unknown)
                    .count();
                match data.op() {
                    Op::Custom(op) => {
                        custom += 1;
                        let standard = op.domain.is_empty() && OpKind::from_name(&op.name).is_some();
                        let mark = if standard { "TYPED LIST " } else { "" };
                        *carried.entry(format!("{mark}{}::{}", op.domain, op.name)).or_default() += 1;
                        if standard {
                            writeln!(out, "{path}: carries {} '{}'", op.name, data.name())?;
                        }
                    }
                    _ => typed += 1,
                }
            }
        }
        if !quiet {
            let time = start.elapsed().as_secs_f64() * 1e3;
            writeln!(
                out,
                "{path}: ok, {typed} typed, {custom} carried, {unknown_types} untyped results, {time:.1} ms"
            )?;
            for diagnostic in &import.diagnostics {
                writeln!(out, "  {:?} {diagnostic}", diagnostic.severity)?;
            }
        }
    }
    writeln!(out, "{read} read, {refused} refused; carried: {carried:?}")
}
