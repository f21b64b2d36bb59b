//! A folder of pictures as data: decoded one by one, in the order of their names.

use std::path::{Path, PathBuf};

use edgesmith_exec::{CalibrationError, Value, Values};
use edgesmith_ir::Tensor;
use edgesmith_pass::{Colour, Extent, Layout};
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader};

use super::{Input, Part, PartReader, normalise, shown, sorted, wrong};
use crate::Failure;

/// The pictures of a folder, for the one input of a model.
pub(super) struct Pictures {
    input: Input,
    files: Vec<PathBuf>,
}

impl Pictures {
    pub(super) fn open(folder: &Path, inputs: &[Input]) -> Result<Self, Failure> {
        let [input] = inputs else {
            return Err(Failure::model(format!(
                "{} is a folder of pictures, but the model has {} inputs; give an .npz with an array for each",
                folder.display(),
                inputs.len()
            )));
        };
        if input.section.divide.is_none() && input.ty.dtype.is_float() {
            return Err(Failure::usage(format!(
                "it is not stated how pictures become input '{}' ({})",
                input.name, input.ty.dtype
            ))
            .with_help(format!(
                "in [calibration.inputs.{}] write `divide = 255` (or 127.5, or 1), and `mean`, `std`, `resize`, `crop` as the model was trained",
                input.name
            )));
        }
        let failed = |error: std::io::Error| Failure::model(format!("{}: {error}", folder.display()));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            if matches!(extension.as_str(), "jpg" | "jpeg" | "png") {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(Failure::model(format!("{} holds no picture (.jpg, .jpeg, .png)", folder.display())));
        }
        Ok(Self { input: input.clone(), files: sorted(files) })
    }

    /// One picture as `[1, height, width, channels]` of bytes.
    fn decode(&self, path: &Path) -> Result<Tensor, String> {
        let section = &self.input.section;
        let opened = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|e| e.to_string())?;
        let mut picture = opened.decode().map_err(|error| error.to_string())?;
        picture = match section.colour {
            Colour::Grey => DynamicImage::ImageLuma8(picture.into_luma8()),
            Colour::Rgb | Colour::Bgr => DynamicImage::ImageRgb8(picture.into_rgb8()),
        };
        let (width, height) = (picture.width(), picture.height());
        if let Some(extent) = section.resize {
            let (h, w) = match extent {
                Extent::Both([h, w]) => (h, w),
                Extent::Side(side) if height <= width => (side, scaled(width, side, height)),
                Extent::Side(side) => (scaled(height, side, width), side),
            };
            if (h, w) != (height, width) {
                picture = picture.resize_exact(w.max(1), h.max(1), FilterType::Triangle);
            }
        }
        if let Some(extent) = section.crop {
            let (h, w) = match extent {
                Extent::Side(side) => (side, side),
                Extent::Both([h, w]) => (h, w),
            };
            let (width, height) = (picture.width(), picture.height());
            if h > height || w > width {
                return Err(format!(
                    "it has {height} x {width} pixels, so {h} x {w} cannot be cropped from it; state a `resize`"
                ));
            }
            picture = picture.crop_imm((width - w) / 2, (height - h) / 2, w, h);
        }
        let shape =
            [1, u64::from(picture.height()), u64::from(picture.width()), u64::from(picture.color().channel_count())];
        let mut bytes = picture.into_bytes();
        if section.colour == Colour::Bgr {
            bytes.chunks_exact_mut(3).for_each(<[u8]>::reverse);
        }
        Tensor::from_vec(shape.as_slice(), bytes).map_err(|error| error.to_string())
    }

    /// One picture as the input takes it.
    fn sample(&self, path: &Path) -> Result<Tensor, String> {
        let tensor = normalise::normalised(&self.decode(path)?, Layout::Nhwc, &self.input)?;
        if let Some(dims) = self.input.ty.shape.dims() {
            let fits = dims.len() == tensor.rank()
                && dims
                    .iter()
                    .zip(tensor.shape())
                    .skip(1)
                    .all(|(dim, extent)| dim.extent().is_none_or(|n| n == *extent));
            if !fits {
                return Err(format!(
                    "it becomes {:?}, but the input takes {}; state `resize`, `crop`, `colour` or `layout`",
                    tensor.shape(),
                    self.input.ty.shape
                ));
            }
        }
        Ok(tensor)
    }
}

/// A side scaled as another one is, to the nearest.
fn scaled(side: u32, to: u32, from: u32) -> u32 {
    ((u64::from(side) * u64::from(to) * 2 + u64::from(from)) / (2 * u64::from(from.max(1)))) as u32
}

impl Part for Pictures {
    fn samples(&self) -> u64 {
        self.files.len() as u64
    }
    fn reader(&self) -> Result<Box<dyn PartReader + '_>, CalibrationError> {
        Ok(Box::new(Reader { of: self, at: 0 }))
    }
}

struct Reader<'a> {
    of: &'a Pictures,
    at: usize,
}

impl PartReader for Reader<'_> {
    fn take(&mut self, count: u64) -> Result<Values, CalibrationError> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut shape: Vec<u64> = Vec::new();
        let end = (self.at + count as usize).min(self.of.files.len());
        for path in &self.of.files[self.at..end] {
            let tensor = self.of.sample(path).map_err(|why| wrong(shown(path), why))?;
            if !shape.is_empty() && shape[1..] != tensor.shape()[1..] {
                let sizes = format!(
                    "it becomes {:?}, others of its batch {:?}; state a `crop`",
                    &tensor.shape()[1..],
                    &shape[1..]
                );
                return Err(wrong(shown(path), sizes));
            }
            shape = tensor.shape().to_vec();
            bytes.extend_from_slice(&tensor.dense_bytes().map_err(|error| wrong(shown(path), error))?);
        }
        let samples = (end - self.at) as u64;
        self.at = end;
        if let Some(first) = shape.first_mut() {
            *first = samples;
        }
        let tensor = Tensor::dense(self.of.input.ty.dtype, shape.as_slice(), bytes.into());
        let tensor = tensor.map_err(|error| wrong("pictures", error))?;
        Ok(Values::from_iter([(self.of.input.name.clone(), Value::Tensor(tensor))]))
    }
}
