//! The parts of a pipeline that say on which data a run is measured and how much a pass may lose.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use crate::loss::Budget;
use crate::pipeline::{Spot, nearest};

/// Where data are and how they become inputs: `[calibration]` and `[labelled]`. This crate reads no file: whoever runs the
/// pipeline opens them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DataSection {
    /// A folder of pictures, an .npz, an .npy, or a list of these, one after the other.
    #[serde(skip_serializing_if = "Paths::is_none")]
    pub data: Paths,
    /// Use only the first so many samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Samples a run, where the batch of the model is symbolic [default: 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// How data become inputs, by the name of the input; an input that is not listed takes data as they are.
    pub inputs: BTreeMap<String, InputSection>,
}

/// One path or several.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Paths {
    /// Not given: the command line gives it.
    #[default]
    None,
    /// One.
    One(String),
    /// Several, one after the other.
    Many(Vec<String>),
}

impl Paths {
    /// Whether no path is given.
    pub fn is_none(&self) -> bool {
        self.list().is_empty()
    }
    /// The paths in order.
    pub fn list(&self) -> &[String] {
        match self {
            Paths::None => &[],
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

/// How data become one input. Pictures are decoded, resized and cropped; then, of pictures and arrays alike, every element x
/// becomes (x / divide − mean) / std, and axes are brought into the layout of the input. The element type is the input's.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct InputSection {
    /// The array of an .npz [default: the input's name].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// Pictures: the length of the shorter side, or [height, width]; bilinear, averaging where it shrinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Extent>,
    /// Pictures: the middle of so many pixels, a side or [height, width].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Extent>,
    /// Pictures: the order of channels.
    pub colour: Colour,
    /// The order of axes that the input has.
    pub layout: Layout,
    /// The order of axes that the array has [default: that of the input]; pictures are stored with channels last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Layout>,
    /// What every element is divided by first; of pictures it must be stated (255, 127.5 or 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divide: Option<f64>,
    /// Subtracted then: one number, or one per channel.
    #[serde(skip_serializing_if = "PerChannel::is_none")]
    pub mean: PerChannel,
    /// Divided by last: one number, or one per channel.
    #[serde(skip_serializing_if = "PerChannel::is_none")]
    pub std: PerChannel,
    /// The element type, for the record: it must be the input's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
}

/// A side, or height and width.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Extent {
    /// One number.
    Side(u32),
    /// Height and width.
    Both([u32; 2]),
}

/// One number for all channels, or one per channel; nothing is none.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PerChannel {
    /// Not given.
    #[default]
    None,
    /// The same for all.
    All(f64),
    /// One per channel.
    Each(Vec<f64>),
}

impl PerChannel {
    /// Whether nothing is given.
    pub fn is_none(&self) -> bool {
        self.list().is_empty()
    }
    /// The numbers: none, one, or one per channel.
    pub fn list(&self) -> &[f64] {
        match self {
            PerChannel::None => &[],
            PerChannel::All(x) => std::slice::from_ref(x),
            PerChannel::Each(xs) => xs,
        }
    }
}

/// The order of the channels of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One channel of luminance.
    Grey,
}

/// The order of axes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

/// A budget with the places of its keys.
#[derive(Clone, PartialEq, Debug)]
pub struct StepBudget {
    /// The limits.
    pub limits: Budget,
    /// Where each limit stands, by its key.
    pub spots: Vec<(&'static str, Spot)>,
}

/// What is wrong with a part: where, what, and what to do.
pub(crate) type Wrong = (Option<Spot>, String, Option<String>);

/// Reads a section of data.
pub(crate) fn data_section(value: Spanned<DeValue<'_>>) -> Result<DataSection, Wrong> {
    use serde::de::IntoDeserializer;
    let read: Result<DataSection, toml::de::Error> = Deserialize::deserialize(value.into_deserializer());
    read.map_err(|error| (error.span().map(Spot::from), error.message().to_owned(), nearest_field(error.message())))
}

/// The nearest field to one that serde does not know: its message lists what there is.
pub(crate) fn nearest_field(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let written = unknown.then(|| quoted.next())??;
    nearest(written, quoted)
}

/// Reads `max-loss = { .. }`.
pub(crate) fn budget(value: Spanned<DeValue<'_>>) -> Result<StepBudget, Wrong> {
    const KEYS: [&str; 3] = ["cosine", "sqnr", "top1-drop"];
    let span = Spot::from(value.span());
    let example = || Some("write max-loss = { cosine = 0.99 }, { sqnr = 20 } or { top1-drop = 0.5 }".to_owned());
    let DeValue::Table(table) = value.into_inner() else {
        return Err((Some(span), "'max-loss' is a table".into(), example()));
    };
    let mut budget = StepBudget { limits: Budget::default(), spots: Vec::new() };
    for (key, value) in table {
        let spot = Spot::from(key.span());
        let Some(name) = KEYS.into_iter().find(|name| *name == key.get_ref().as_ref()) else {
            let written = key.get_ref().as_ref();
            let help = nearest(written, KEYS).or_else(|| Some(format!("the limits are: {}", KEYS.join(", "))));
            return Err((Some(spot), format!("a budget has no '{written}'"), help));
        };
        let place = Spot::from(value.span());
        let number = match value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64),
            DeValue::Float(x) => x.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let Some(number) = number.filter(|x| x.is_finite()) else {
            return Err((Some(place), format!("'{name}' is a number"), None));
        };
        let (slot, range, unit) = match name {
            "cosine" => (&mut budget.limits.cosine, -1.0..=1.0, "a cosine lies between -1 and 1"),
            "sqnr" => (&mut budget.limits.sqnr, f64::MIN..=f64::MAX, ""),
            _ => (&mut budget.limits.top1_drop, 0.0..=100.0, "it is in percentage points, 0 to 100"),
        };
        if !range.contains(&number) {
            return Err((Some(place), format!("'{name}' cannot be {number}"), Some(unit.to_owned())));
        }
        *slot = Some(number);
        budget.spots.push((name, spot));
    }
    if budget.spots.is_empty() {
        return Err((Some(span), "this budget limits nothing".into(), example()));
    }
    Ok(budget)
}
