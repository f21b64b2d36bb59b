//! From stored numbers to the numbers that a model takes: (x / divide − mean) / std, axes in order, one rounding.

use edgesmith_ir::Tensor;
use edgesmith_pass::Layout;

use super::Input;

/// What in a section cannot be, whatever the data.
pub(super) fn check(input: &Input) -> Result<(), String> {
    let section = &input.section;
    if let Some(dtype) = &section.dtype
        && *dtype != input.ty.dtype.to_string()
        && !same_type(dtype, &input.ty.dtype.to_string())
    {
        return Err(format!("'dtype' is {dtype}, but the input takes {}", input.ty.dtype));
    }
    if section.divide.is_some_and(|divide| divide == 0.0) || section.std.list().contains(&0.0) {
        return Err("division by zero".into());
    }
    if arithmetic(input) && !input.ty.dtype.is_float() {
        return Err(format!("divide, mean and std give fractions, but the input takes {}", input.ty.dtype));
    }
    Ok(())
}

/// numpy's names beside ONNX's.
fn same_type(written: &str, dtype: &str) -> bool {
    matches!(
        (written, dtype),
        ("float32" | "f32", "float")
            | ("float16" | "f16", "float16")
            | ("float64" | "f64", "double")
            | ("u8", "uint8")
            | ("i64", "int64")
    )
}

fn arithmetic(input: &Input) -> bool {
    let section = &input.section;
    section.divide.is_some() || !section.mean.is_none() || !section.std.is_none()
}

/// Samples `[n, ...]`, stored in the given order of axes, as the input takes them.
pub(super) fn normalised(stored: &Tensor, order: Layout, input: &Input) -> Result<Tensor, String> {
    let section = &input.section;
    let turned = order != section.layout;
    let dtype = input.ty.dtype;
    if !turned && !arithmetic(input) && stored.dtype() == dtype {
        return Ok(stored.clone());
    }
    if !arithmetic(input) && stored.dtype() != dtype && !(stored.dtype().is_float() && dtype.is_float()) {
        return Err(format!(
            "it holds {}, the input takes {dtype}; state how it becomes that (`divide`, `mean`, `std`)",
            stored.dtype()
        ));
    }
    let shape = stored.shape();
    let at = |axis: usize| shape.get(axis).copied().unwrap_or(1) as usize;
    // (outer, channels, inner) of the stored order, and whether channels come last in it.
    let last = order == Layout::Nhwc;
    let channels = if shape.len() < 2 { 1 } else { at(if last { shape.len() - 1 } else { 1 }) };
    if turned && shape.len() < 3 {
        return Err(format!("axes of {shape:?} cannot be brought into another order: there are no channels"));
    }
    let pick = |numbers: &[f64], what: &str, otherwise: f64| -> Result<Vec<f64>, String> {
        match numbers {
            [] => Ok(vec![otherwise; channels]),
            [one] => Ok(vec![*one; channels]),
            each if each.len() == channels => Ok(each.to_vec()),
            each => Err(format!("'{what}' has {} numbers for {channels} channels", each.len())),
        }
    };
    let (mean, std) = (pick(section.mean.list(), "mean", 0.0)?, pick(section.std.list(), "std", 1.0)?);
    let divide = section.divide.unwrap_or(1.0);
    let elements = stored.to_f64().ok_or("its elements are no numbers")?;
    let samples = at(0);
    let place = if samples == 0 || channels == 0 { 0 } else { elements.len() / samples / channels };
    let mut result = vec![0.0; elements.len()];
    let index = |sample: usize, channel: usize, p: usize, last: bool| {
        if last { (sample * place + p) * channels + channel } else { (sample * channels + channel) * place + p }
    };
    let to_last = if turned { !last } else { last };
    for sample in 0..samples {
        for channel in 0..channels {
            for p in 0..place {
                let x = elements[index(sample, channel, p, last)];
                result[index(sample, channel, p, to_last)] = (x / divide - mean[channel]) / std[channel];
            }
        }
    }
    let mut extents: Vec<u64> = shape.to_vec();
    if turned {
        if last {
            extents[1..].rotate_right(1);
        } else {
            extents[1..].rotate_left(1);
        }
    }
    let made = if dtype.is_float() {
        Tensor::from_f64(dtype, extents.as_slice(), &result)
    } else {
        // Only the order of axes changed: integers of 32 bits and fewer are exact in f64, wider ones are refused.
        integers(stored, &extents, &result)
    };
    made.ok_or_else(|| format!("{dtype} cannot be made from it"))
}

fn integers(stored: &Tensor, extents: &[u64], elements: &[f64]) -> Option<Tensor> {
    use edgesmith_ir::DType;
    match stored.dtype() {
        DType::U8 => Tensor::from_vec(extents, elements.iter().map(|x| *x as u8).collect()).ok(),
        DType::I8 => Tensor::from_vec(extents, elements.iter().map(|x| *x as i8).collect()).ok(),
        DType::U16 => Tensor::from_vec(extents, elements.iter().map(|x| *x as u16).collect()).ok(),
        DType::I16 => Tensor::from_vec(extents, elements.iter().map(|x| *x as i16).collect()).ok(),
        DType::I32 => Tensor::from_vec(extents, elements.iter().map(|x| *x as i32).collect()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use edgesmith_ir::{DType, Shape, TensorType};
    use edgesmith_pass::{InputSection, PerChannel};

    use super::*;

    fn input(section: InputSection, dtype: DType) -> Input {
        Input { name: "x".into(), ty: TensorType { dtype, shape: Shape::Unranked }, section }
    }

    #[test]
    fn channels_last_bytes_become_normalised_planes() {
        let section = InputSection {
            divide: Some(255.0),
            mean: PerChannel::Each(vec![0.0, 0.2]),
            std: PerChannel::Each(vec![1.0, 0.5]),
            ..InputSection::default()
        };
        let stored = Tensor::from_vec([1, 2, 1, 2].as_slice(), vec![0_u8, 255, 51, 0]).unwrap();
        let made = normalised(&stored, Layout::Nhwc, &input(section, DType::F32)).unwrap();
        assert_eq!(made.shape(), [1, 2, 2, 1]);
        let expected = [0.0, 51.0 / 255.0, 0.8 / 0.5, -0.2 / 0.5].map(|x: f64| x as f32);
        assert_eq!(made.view::<f32>().unwrap().as_ref(), expected);
    }

    #[test]
    fn what_is_not_stated_is_refused() {
        let bytes = Tensor::from_vec([1, 2].as_slice(), vec![0_u8, 255]).unwrap();
        let plain = || input(InputSection::default(), DType::F32);
        assert!(normalised(&bytes, Layout::Nchw, &plain()).unwrap_err().contains("divide"));
        let floats = Tensor::from_vec([1, 2].as_slice(), vec![0.5_f64, 1.0]).unwrap();
        assert_eq!(normalised(&floats, Layout::Nchw, &plain()).unwrap().dtype(), DType::F32);
        let three = InputSection { mean: PerChannel::Each(vec![1.0; 3]), ..InputSection::default() };
        assert!(normalised(&floats, Layout::Nchw, &input(three, DType::F32)).unwrap_err().contains("3 numbers"));
        let divided = InputSection { divide: Some(2.0), ..InputSection::default() };
        assert!(check(&input(divided, DType::U8)).is_err());
        let zero = InputSection { std: PerChannel::All(0.0), ..InputSection::default() };
        assert!(check(&input(zero, DType::F32)).is_err());
    }

    #[test]
    fn integers_are_only_turned() {
        let stored = Tensor::from_vec([1, 1, 2, 2].as_slice(), vec![1_u8, 2, 3, 4]).unwrap();
        let made = normalised(&stored, Layout::Nhwc, &input(InputSection::default(), DType::U8)).unwrap();
        assert_eq!((made.shape(), made.to_ints().unwrap()), ([1, 2, 1, 2].as_slice(), vec![1, 3, 2, 4]));
    }
}
