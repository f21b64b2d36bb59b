//! Opening data to measure on: pictures of a folder and rows of arrays, brought into the form of a model's inputs. Nothing
//! is read before it is asked for, and only the present batch is held.

mod arrays;
mod normalise;
#[cfg(feature = "images")]
mod pictures;

use std::path::Path;
#[cfg(feature = "images")]
use std::path::PathBuf;
use std::sync::Arc;

use edgesmith_exec::{Batch, Batches, Calibration, CalibrationError, Labelled, Value, Values};
use edgesmith_ir::{Def, Dim, Model, Name, Tensor, TensorType};
use edgesmith_pass::{DataSection, InputSection, nearest};

use crate::{Failure, fit_inputs};

/// One input of the model and how data become it.
#[derive(Clone, Debug)]
struct Input {
    name: Name,
    ty: TensorType,
    section: InputSection,
}

/// Where samples come from: one path.
trait Part: Send + Sync {
    /// Samples in it.
    fn samples(&self) -> u64;
    /// Reads from the first sample on.
    fn reader(&self) -> Result<Box<dyn PartReader + '_>, CalibrationError>;
}

/// Reads the samples of a part in order.
trait PartReader: Send {
    /// The next samples, exactly so many, as one value per input.
    fn take(&mut self, count: u64) -> Result<Values, CalibrationError>;
}

/// Data as the pipeline describes them, for one model.
struct Opened {
    description: String,
    parts: Vec<Box<dyn Part>>,
    batch: u64,
    /// Whether the model takes only whole batches.
    fixed: bool,
    limit: u64,
}

/// Opens calibration data for a model. The first batch is read at once, so that data that do not fit the model are refused
/// before any work.
pub fn open_calibration(section: &DataSection, model: &Model) -> Result<Arc<dyn Calibration>, Failure> {
    Ok(Arc::new(open(section, model, "calibration")?))
}

/// Opens labelled data: archives with an integer array `labels` beside the inputs.
pub fn open_labelled(section: &DataSection, model: &Model) -> Result<Labelled, Failure> {
    let opened = open(section, model, "labelled")?;
    if opened.fixed && opened.batch > 1 {
        return Err(Failure::model(format!(
            "the model takes {} samples at once, so accuracy cannot be measured sample by sample",
            opened.batch
        ))
        .with_help("export it with a batch of one, or a symbolic one"));
    }
    let mut labels: Vec<i64> = Vec::new();
    for path in section.data.list() {
        labels.extend(arrays::labels(Path::new(path))?);
    }
    let samples: u64 = opened.parts.iter().map(|part| part.samples()).sum();
    if labels.len() as u64 != samples {
        return Err(Failure::model(format!("there are {samples} samples but {} labels", labels.len())));
    }
    labels.truncate(usize::try_from(opened.samples()).unwrap_or(usize::MAX));
    Ok(Labelled { data: Arc::new(opened), labels: labels.into() })
}

fn open(section: &DataSection, model: &Model, what: &str) -> Result<Opened, Failure> {
    let paths = section.data.list();
    if paths.is_empty() {
        return Err(Failure::usage(format!("[{what}] names no data"))
            .with_help(format!("write `data = \"...\"` there, or give --{what}")));
    }
    let inputs = inputs_of(section, model, what)?;
    let mut parts: Vec<Box<dyn Part>> = Vec::new();
    for path in paths {
        parts.push(open_part(Path::new(path), &inputs)?);
    }
    let (batch, fixed) = batch_size(section, &inputs, parts[0].as_ref())?;
    let mut opened =
        Opened { description: String::new(), parts, batch, fixed, limit: section.limit.unwrap_or(u64::MAX) };
    opened.description = format!("{} samples of {}", opened.samples(), paths.join(", "));
    let first = opened.batches().next();
    let first = first.ok_or_else(|| Failure::model(format!("{} hold no sample", paths.join(", "))))?;
    let first = first.map_err(|error| Failure::model(error.to_string()))?;
    fit_inputs(model, &first.values).map_err(|failure| {
        let help =
            format!("say in [{what}.inputs.NAME] how the data become the input: `edgesmith schema` lists the keys");
        Failure { message: format!("{}: {}", paths[0], failure.message), ..failure }.with_help(help)
    })?;
    Ok(opened)
}

/// The inputs that data must give, with what the section says of them.
fn inputs_of(section: &DataSection, model: &Model, what: &str) -> Result<Vec<Input>, Failure> {
    let graph = model.main_graph().ok_or_else(|| Failure::model("the model has no graph"))?;
    let rows = || graph.inputs().iter().map(|value| graph.value(*value));
    if let Some(unknown) = section.inputs.keys().find(|name| !rows().any(|row| row.name() == name.as_str())) {
        let names: Vec<&str> = rows().map(|row| row.name().as_str()).collect();
        let help = nearest(unknown, &names).unwrap_or_else(|| format!("its inputs are: {}", names.join(", ")));
        return Err(
            Failure::usage(format!("[{what}.inputs.{unknown}]: the model has no input '{unknown}'")).with_help(help)
        );
    }
    let mut inputs = Vec::new();
    for row in rows() {
        let stated = section.inputs.get(row.name().as_str());
        // A default stands where nothing is said of the input.
        if matches!(row.def(), Def::Input { default: Some(_) }) && stated.is_none() {
            continue;
        }
        let Some(ty) = row.ty().as_tensor() else {
            return Err(Failure::model(format!("input '{}' is {}, which data cannot give", row.name(), row.ty())));
        };
        let input = Input { name: row.name().clone(), ty: ty.clone(), section: stated.cloned().unwrap_or_default() };
        normalise::check(&input).map_err(|why| Failure::usage(format!("[{what}.inputs.{}]: {why}", input.name)))?;
        inputs.push(input);
    }
    if inputs.is_empty() {
        return Err(Failure::model("the model has no input that data could give"));
    }
    Ok(inputs)
}

fn open_part(path: &Path, inputs: &[Input]) -> Result<Box<dyn Part>, Failure> {
    if path.is_dir() {
        #[cfg(feature = "images")]
        return Ok(Box::new(pictures::Pictures::open(path, inputs)?));
        #[cfg(not(feature = "images"))]
        return Err(Failure::usage(format!("{} is a folder, and this binary cannot read pictures", path.display()))
            .with_help("give an .npz, or build with the feature 'images'"));
    }
    Ok(Box::new(arrays::Arrays::open(path, inputs)?))
}

/// Samples a run, and whether the model allows no other number.
fn batch_size(section: &DataSection, inputs: &[Input], part: &dyn Part) -> Result<(u64, bool), Failure> {
    // Inputs of a shape without a batch take one sample at a time.
    let probe = part.reader().and_then(|mut reader| reader.take(1)).ok();
    let unbatched = |input: &Input| {
        let given =
            probe.as_ref().and_then(|values| values.get(&input.name)).and_then(Value::as_tensor).map(Tensor::rank);
        matches!((given, input.ty.shape.dims()), (Some(given), Some(dims)) if given == dims.len() + 1)
    };
    let mut fixed = None;
    for input in inputs {
        let here = match input.ty.shape.dims() {
            Some(_) if unbatched(input) => Some(1),
            Some([Dim::Known(batch), ..]) => Some(*batch as u64),
            _ => None,
        };
        if let (Some(a), Some(b)) = (fixed, here)
            && a != b
        {
            return Err(Failure::model(format!("the inputs take different numbers of samples at once: {a} and {b}")));
        }
        fixed = fixed.or(here);
    }
    Ok((fixed.or(section.batch).unwrap_or(1).max(1), fixed.is_some()))
}

impl Opened {
    /// How many batches a part gives from so many samples, and how many samples they hold.
    fn usable(&self, samples: u64) -> u64 {
        if self.fixed { samples - samples % self.batch } else { samples }
    }
}

impl Calibration for Opened {
    fn describe(&self) -> String {
        self.description.clone()
    }
    fn samples(&self) -> u64 {
        let mut left = self.limit;
        let mut total = 0;
        for part in &self.parts {
            let here = self.usable(part.samples().min(left));
            total += here;
            left -= here.min(left);
        }
        total
    }
    fn batches(&self) -> Batches<'_> {
        Box::new(Walk { of: self, part: 0, reader: None, left: 0, limit: self.limit })
    }
}

/// One walk through the parts.
struct Walk<'a> {
    of: &'a Opened,
    part: usize,
    reader: Option<Box<dyn PartReader + 'a>>,
    /// Samples left of the present part, and of the limit.
    left: u64,
    limit: u64,
}

impl Iterator for Walk<'_> {
    type Item = Result<Batch, CalibrationError>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.reader.is_none() {
                let part = self.of.parts.get(self.part)?;
                self.left = self.of.usable(part.samples().min(self.limit));
                self.part += 1;
                match part.reader() {
                    Ok(reader) => self.reader = Some(reader),
                    Err(error) => return Some(Err(error)),
                }
            }
            let samples = self.left.min(self.of.batch);
            if samples == 0 {
                self.reader = None;
                continue;
            }
            self.left -= samples;
            self.limit -= samples;
            let values = self.reader.as_mut()?.take(samples);
            return Some(values.map(|values| Batch { values, samples }));
        }
    }
}

fn wrong(place: impl Into<String>, message: impl ToString) -> CalibrationError {
    CalibrationError { place: place.into(), message: message.to_string() }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The paths of a list, for messages.
#[cfg(feature = "images")]
fn sorted(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths
}
