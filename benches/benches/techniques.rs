//! The table that the project is for: technique × shipped model, with measured latency.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use edgesmith::Failure;
use edgesmith_benches::{aligned, compile, latencies, model_paths};

/// Timed runs of each model.
const ROUNDS: usize = 300;

fn main() -> Result<(), Failure> {
    // `cargo test --all-targets` runs it without this word, to see that it works.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let heads = ["model", "technique", "operators", "MACs", "parameters", "bytes", "latency µs", "top-1 %"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for path in model_paths()? {
        let compiled = compile(&path)?;
        let models: Vec<_> = compiled.iter().map(|compiled| &compiled.model).collect();
        for (compiled, seconds) in compiled.iter().zip(latencies(&models, rounds)?) {
            let row = &compiled.row;
            let numbers = [row.operators, row.macs, row.parameters, row.bytes].map(|n| n.to_string());
            let top1 = row.correct as f64 * 100.0 / row.samples.max(1) as f64;
            let measured = [format!("{:.1}", seconds * 1e6), format!("{top1:.2}")];
            let words = [row.model.clone(), row.technique.to_owned()];
            lines.push(words.into_iter().chain(numbers).chain(measured).collect());
        }
    }
    print!("{}", aligned(&lines));
    println!("latency: median of {rounds} runs in tract, one thread, batch 1, techniques in turns");
    Ok(())
}
