#![doc = include_str!("../README.md")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use edgesmith::{
    Failure, ModelFile, OptimizeError, OptimizeOptions, built_in, engine, open_labelled, optimize, write_onnx,
};
use edgesmith_backend::Existing;
use edgesmith_exec::seeded::Seeds;
use edgesmith_exec::{Effort, EngineError, Labelled, Request, Session, Values};
use edgesmith_frontend_onnx::ImportOptions;
use edgesmith_ir::{Dim, Model};
use edgesmith_pass::{CheckMode, DataSection, Measuring, Paths, Pipeline};

/// What is tried on every model: a name, and the pipeline.
pub const TECHNIQUES: &[(&str, &str)] = &[
    ("none", "[[pass]]\nuse = \"none\"\n"),
    ("lossless", "[[pass]]\nuse = \"lossless\"\n"),
    ("sparsity-50%", "[[pass]]\nuse = \"lossless\"\n[[pass]]\nuse = \"sparsity\"\nsparsity = 0.5\n"),
    ("sparsity-2:4", "[[pass]]\nuse = \"lossless\"\n[[pass]]\nuse = \"sparsity\"\nsparsity = \"2:4\"\n"),
];

/// One technique on one model.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The model's file, without its extension.
    pub model: String,
    /// The technique.
    pub technique: &'static str,
    /// Operators.
    pub operators: u64,
    /// Multiply-accumulates of one sample.
    pub macs: u64,
    /// Elements of weights.
    pub parameters: u64,
    /// Bytes of the ONNX file.
    pub bytes: u64,
    /// Test images that are told right (tract).
    pub correct: usize,
    /// Test images.
    pub samples: usize,
}

/// A row with the model that it is about.
pub struct Compiled {
    /// The figures.
    pub row: Row,
    /// The result.
    pub model: Model,
}

/// The folder of the models that ship with the project.
pub fn models_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models")
}

/// The models in alphabetical order.
pub fn model_paths() -> Result<Vec<PathBuf>, Failure> {
    let folder = models_folder();
    let entries =
        std::fs::read_dir(&folder).map_err(|error| Failure::model(format!("{}: {error}", folder.display())))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // What the README's first command wrote beside them is not shipped.
    let shipped = |name: &str| name.ends_with(".onnx") && !name.ends_with(".opt.onnx");
    paths.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(shipped));
    paths.sort();
    Ok(paths)
}

/// The labelled test images, as inputs of a model.
pub fn labelled(model: &Model) -> Result<Labelled, Failure> {
    let path = models_folder().join("digits_test.npz").display().to_string();
    open_labelled(&DataSection { data: Paths::One(path), ..DataSection::default() }, model)
}

/// Every technique on one model: run, written, and measured on the test images.
pub fn compile(path: &Path) -> Result<Vec<Compiled>, Failure> {
    let file = ModelFile::read(path, &ImportOptions::default())?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let data = labelled(&file.model)?;
    let tract = engine("tract")?;
    let measuring = Measuring { engines: vec![tract.as_ref()], calibration: None, labelled: Some(&data) };
    let folder = tempfile::tempdir().map_err(|error| Failure::internal(error.to_string()))?;
    let registry = built_in();
    let mut list = Vec::new();
    for (number, (technique, text)) in TECHNIQUES.iter().enumerate() {
        let pipeline =
            Pipeline::parse(text, &registry).map_err(|error| Failure::usage(format!("'{technique}': {error}")))?;
        let mut model = file.model.clone();
        let options = OptimizeOptions { check: CheckMode::Local, ..OptimizeOptions::default() };
        let report = optimize(&mut model, &pipeline, &options).map_err(|error| match error {
            OptimizeError::Failure(failure) => failure,
            OptimizeError::Pass(failure) => Failure::internal(failure.to_string()),
        })?;
        let output = folder.path().join(format!("{number}.onnx"));
        let published = write_onnx(&model, &output, Existing::Keep, edgesmith_backend_onnx::Options::default())?;
        let bytes = std::fs::metadata(&published.main).map_or(0, |file| file.len());
        let predictions = match measuring.predictions(&model) {
            Some(Ok(classes)) => classes,
            Some(Err(error)) => return Err(Failure::internal(format!("{name}, {technique}: {error}"))),
            None => Vec::new(),
        };
        let row = Row {
            model: name.clone(),
            technique,
            operators: report.after.operators,
            macs: report.after.macs_at_one.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            parameters: report.after.parameters,
            bytes,
            correct: predictions.iter().zip(data.labels.iter()).filter(|(found, label)| found == label).count(),
            samples: data.labels.len(),
        };
        list.push(Compiled { row, model });
    }
    Ok(list)
}

/// The deterministic part of the table, one line a row under a line of heads.
pub fn snapshot(rows: &[Row]) -> String {
    let mut lines = vec![
        ["model", "technique", "operators", "MACs", "parameters", "bytes", "right-of-450"].map(str::to_owned).to_vec(),
    ];
    lines.extend(rows.iter().map(|row| {
        let Row { model, technique, operators, macs, parameters, bytes, correct, samples: _ } = row;
        let numbers = [*operators, *macs, *parameters, *bytes, *correct as u64].map(|n| n.to_string());
        [model.clone(), (*technique).to_owned()].into_iter().chain(numbers).collect()
    }));
    aligned(&lines)
}

/// Lines of cells as text: two columns of words, then numbers aligned to the right.
pub fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// How a snapshot differs from the committed one, line by line; empty where it does not. The count of images told right may
/// be off by one, because another processor rounds differently; everything else is exact.
pub fn differences(committed: &str, found: &str) -> Vec<String> {
    let same = |old: &str, new: &str| {
        let (old, new): (Vec<&str>, Vec<&str>) = (old.split_whitespace().collect(), new.split_whitespace().collect());
        let (Some((last_old, rest_old)), Some((last_new, rest_new))) = (old.split_last(), new.split_last()) else {
            return old == new;
        };
        let near = match (last_old.parse::<i64>(), last_new.parse::<i64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1,
            _ => last_old == last_new,
        };
        rest_old == rest_new && near
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (committed.lines().collect(), found.lines().collect());
    let lines = (0..old.len().max(new.len())).map(|at| (old.get(at).copied(), new.get(at).copied()));
    lines
        .filter(|(old, new)| !matches!((old, new), (Some(old), Some(new)) if same(old, new)))
        .map(|(old, new)| format!("- {}\n+ {}", old.unwrap_or("(no line)"), new.unwrap_or("(no line)")))
        .collect()
}

/// Median seconds of one run in tract at batch 1, the models taken in turns so that the machine's moods hit all alike.
/// Warmed up first; one thread.
pub fn latencies(models: &[&Model], rounds: usize) -> Result<Vec<f64>, Failure> {
    let tract = engine("tract")?;
    let failed = |error: EngineError| Failure::internal(error.to_string());
    let mut sessions: Vec<(Box<dyn Session>, Values)> = Vec::new();
    for model in models {
        let mut model = (*model).clone();
        model.bind_symbols(&|_| Some(Dim::Known(1)));
        model.infer_afresh();
        let request = Request { effort: Effort::Many, ..Request::default() };
        let session = tract.prepare(&model, &request).and_then(|prepared| prepared.session()).map_err(failed)?;
        let inputs = Seeds::default().inputs(&model, None).map_err(|error| Failure::internal(error.to_string()))?;
        sessions.push((session, inputs));
    }
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); sessions.len()];
    for round in 0..rounds + WARM_UP {
        for ((session, inputs), times) in sessions.iter_mut().zip(&mut times) {
            let start = Instant::now();
            session.run(inputs).map_err(failed)?;
            if round >= WARM_UP {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        })
        .collect())
}

/// Runs before the clock counts.
const WARM_UP: usize = 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn one_image_may_differ_and_nothing_else() {
        let old = "model  technique  operators  right\na  none  50  447\nb  none  54  440\n";
        assert_eq!(differences(old, &old.replace("447", "448")), Vec::<String>::new());
        assert_eq!(differences(old, &old.replace("447", "449")).len(), 1);
        assert_eq!(differences(old, &old.replace("50", "51")).len(), 1);
        assert_eq!(differences(old, &old.replace("a  none", "c  none")).len(), 1);
        assert_eq!(differences(old, "model  technique  operators  right\na  none  50  447\n").len(), 1);
        assert_eq!(differences("", old).len(), 3);
    }
}
