//! Measurements in Chrome's trace-event format, for `chrome://tracing`, Perfetto and Speedscope.
//!
//! Every model is a process. Its runs stand on one thread row for each copy, at the moments when they happened. A profile
//! is one more row in which the operators of one run follow each other, each as long as its fastest run: engines measure
//! operators alone, not when they began.

use serde_json::{Value, json};

use super::{BenchReport, Measured};

/// The row of the profile.
const PROFILE_ROW: usize = 1000;

/// The report as a trace: an object with `traceEvents`; times in microseconds from the first run that counts.
pub fn chrome_trace(report: &BenchReport) -> Value {
    let zero = report.models.iter().flat_map(|model| &model.spans).map(|span| span.start).min().unwrap_or(0);
    let mut events = Vec::new();
    for (number, model) in report.models.iter().enumerate() {
        add_model(&mut events, number + 1, model, zero);
    }
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "edgesmith": report.edgesmith,
            "engine": format!("{} {}", report.engine, report.engine_version),
            "threads": report.threads,
            "runs": report.runs,
            "warm_up": report.warm_up,
        },
    })
}

fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

fn name_of(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "name": what, "ph": "M", "ts": 0, "pid": pid, "tid": tid, "args": { "name": name } })
}

fn add_model(events: &mut Vec<Value>, pid: usize, model: &Measured, zero: u64) {
    events.push(name_of("process_name", pid, 0, &model.model));
    let threads = model.spans.iter().map(|span| span.thread).max().map_or(0, |last| last + 1);
    for thread in 0..threads {
        events.push(name_of("thread_name", pid, thread + 1, &format!("runs of copy {}", thread + 1)));
    }
    for (number, span) in model.spans.iter().enumerate() {
        events.push(json!({
            "name": "run",
            "cat": "run",
            "ph": "X",
            "ts": micros(span.start - zero),
            "dur": micros(span.duration),
            "pid": pid,
            "tid": span.thread + 1,
            "args": { "number": number + 1 },
        }));
    }
    let Some(profile) = &model.profile else { return };
    events.push(name_of("thread_name", pid, PROFILE_ROW, "operators of one run, one after the other"));
    let mut at = 0;
    for operator in &profile.operators {
        events.push(json!({
            "name": operator.name,
            "cat": operator.kind,
            "ph": "X",
            "ts": micros(at),
            "dur": micros(operator.ns),
            "pid": pid,
            "tid": PROFILE_ROW,
            "args": { "kind": operator.kind, "scope": operator.scope },
        }));
        at += operator.ns;
    }
}
