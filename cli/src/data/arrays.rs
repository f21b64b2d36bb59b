//! Arrays as data: an .npz whose members are mapped or unpacked row by row, or an .npy.

use std::path::{Path, PathBuf};

use edgesmith_exec::npz::{RowReader, Rows, open_rows};
use edgesmith_exec::{CalibrationError, Value, Values};
use edgesmith_frontend::Source;
use edgesmith_ir::{Name, Tensor};
use indexmap::IndexMap;

use super::{Input, Part, PartReader, normalise, shown, wrong};
use crate::Failure;

/// The array of labels.
const LABELS: &str = "labels";

/// The arrays of one file, one for each input.
pub(super) struct Arrays {
    path: PathBuf,
    inputs: Vec<(Input, Rows)>,
    samples: u64,
}

fn open_file(path: &Path) -> Result<IndexMap<Name, Rows>, Failure> {
    let source = Source::open(path).map_err(|error| Failure::model(error.to_string()))?;
    open_rows(&source.bytes()).map_err(|error| {
        Failure::model(format!("{}: {error}", path.display()))
            .with_help("data are a folder of pictures, an .npz or an .npy")
    })
}

/// The labels of a file.
pub(super) fn labels(path: &Path) -> Result<Vec<i64>, Failure> {
    let arrays = open_file(path)?;
    let missing = || {
        let held: Vec<&str> = arrays.keys().map(Name::as_str).collect();
        Failure::model(format!("{} holds no integer array '{LABELS}'; it holds: {}", path.display(), held.join(", ")))
    };
    let rows = arrays.get(LABELS).ok_or_else(missing)?;
    let failed = |error: edgesmith_exec::npz::NpzError| Failure::model(format!("{}: {error}", path.display()));
    let all = rows.reader().and_then(|mut reader| reader.take(rows.len())).map_err(failed)?;
    let labels = all.map_or(Some(Vec::new()), |tensor| tensor.to_ints()).ok_or_else(missing)?;
    // One label a sample: [n] or [n, 1].
    if labels.len() as u64 != rows.len() {
        return Err(Failure::model(format!(
            "{}: '{LABELS}' holds more than one label for each sample",
            path.display()
        )));
    }
    Ok(labels)
}

impl Arrays {
    pub(super) fn open(path: &Path, inputs: &[Input]) -> Result<Self, Failure> {
        let arrays = open_file(path)?;
        let held = || arrays.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let fail = |message: String| Err(Failure::model(format!("{}: {message}", path.display())));
        let mut chosen: Vec<(Input, Rows)> = Vec::new();
        for input in inputs {
            let rows = match &input.section.array {
                Some(name) => arrays.get(name.as_str()),
                None => arrays.get(&input.name).or_else(|| the_only(&arrays, inputs.len())),
            };
            let Some(rows) = rows else {
                let wanted = input.section.array.as_deref().unwrap_or(&input.name);
                return fail(format!(
                    "there is no array '{wanted}' for input '{}'; there are: {}; say which with `array`",
                    input.name,
                    held()
                ));
            };
            if input.section.resize.is_some() || input.section.crop.is_some() {
                return fail(format!("resize and crop of input '{}' are for pictures, not for arrays", input.name));
            }
            chosen.push((input.clone(), rows.clone()));
        }
        let samples = chosen.first().map_or(0, |(_, rows)| rows.len());
        if let Some((input, rows)) = chosen.iter().find(|(_, rows)| rows.len() != samples) {
            let first = &chosen[0].0.name;
            return fail(format!("'{first}' has {samples} samples, '{}' has {}", input.name, rows.len()));
        }
        Ok(Self { path: path.to_owned(), inputs: chosen, samples })
    }
}

/// For a model of one input: `images`, or the only array that does not hold labels.
fn the_only(arrays: &IndexMap<Name, Rows>, inputs: usize) -> Option<&Rows> {
    if inputs != 1 {
        return None;
    }
    let mut others = arrays.iter().filter(|(name, _)| name.as_str() != LABELS);
    arrays.get("images").or_else(|| match (others.next(), others.next()) {
        (Some((_, rows)), None) => Some(rows),
        _ => None,
    })
}

impl Part for Arrays {
    fn samples(&self) -> u64 {
        self.samples
    }
    fn reader(&self) -> Result<Box<dyn PartReader + '_>, CalibrationError> {
        let open = |(_, rows): &(Input, Rows)| rows.reader().map_err(|error| wrong(shown(&self.path), error));
        let readers = self.inputs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Box::new(Reader { of: self, readers, at: 0 }))
    }
}

struct Reader<'a> {
    of: &'a Arrays,
    readers: Vec<RowReader>,
    at: u64,
}

impl PartReader for Reader<'_> {
    fn take(&mut self, count: u64) -> Result<Values, CalibrationError> {
        let mut values = Values::new();
        let path = shown(&self.of.path);
        for ((input, _), reader) in self.of.inputs.iter().zip(&mut self.readers) {
            let place = || format!("{path}, sample {} of '{}'", self.at, input.name);
            let rows = reader.take(count).map_err(|error| wrong(place(), error))?;
            let rows = rows.ok_or_else(|| wrong(place(), "there is no such sample"))?;
            let order = input.section.stored.unwrap_or(input.section.layout);
            let tensor = normalise::normalised(&rows, order, input).map_err(|why| wrong(place(), why))?;
            let tensor = unbatched(tensor, input).map_err(|why| wrong(place(), why))?;
            values.insert(input.name.clone(), Value::Tensor(tensor));
        }
        self.at += count;
        Ok(values)
    }
}

/// An input whose shape has no batch takes the sample without its first axis.
fn unbatched(tensor: Tensor, input: &Input) -> Result<Tensor, String> {
    let rank = input.ty.shape.dims().map(<[_]>::len);
    if rank == Some(tensor.rank().saturating_sub(1)) && tensor.shape().first() == Some(&1) {
        return tensor.reshaped(&tensor.shape()[1..]).map_err(|error| error.to_string());
    }
    Ok(tensor)
}
