//! The backend: from a model to the files of an ONNX model.

use edgesmith_backend::{
    Artefact, Backend, BackendInfo, BackendSpec, LowerCx, LowerError, Manifest, ManifestFile, Part, PartName,
    Unsupported,
};
use edgesmith_ir::{GraphId, Model, Name};
use edgesmith_rewrite::Remark;

use crate::encode::{External, ModelFile, encode};
use crate::options::{ExternalData, Options};
use crate::{ir_version, naming, opset, place};

/// The largest protobuf message that the tools read.
const LARGEST: u64 = (1 << 31) - 1;

/// Writes ONNX files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnnxBackend {
    options: Options,
}

impl BackendSpec for OnnxBackend {
    const INFO: BackendInfo =
        BackendInfo { name: "onnx", summary: "writes ONNX at the model's own operator set", extension: "onnx" };
    type Options = crate::Options;
    fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Backend for OnnxBackend {
    fn info(&self) -> BackendInfo {
        Self::INFO
    }

    fn check(&self, model: &Model) -> Vec<Unsupported> {
        match self.encoded(model, "model", &mut Vec::new()) {
            Ok(_) => Vec::new(),
            Err(LowerError::Unsupported(list)) => list,
            Err(error) => vec![general(error.to_string(), None)],
        }
    }

    fn lower(&self, model: &Model, cx: &LowerCx<'_>) -> Result<Artefact, LowerError> {
        let mut remarks = Vec::new();
        let (ir, file) = self.encoded(model, cx.stem, &mut remarks)?;
        let ModelFile { rope, external, operators, weight_bytes, opsets, .. } = file;
        let mut versions = vec![("ir".to_owned(), ir.to_string())];
        for (domain, version) in &opsets {
            let domain = if domain.is_empty() { "ai.onnx" } else { domain.as_str() };
            versions.push((format!("opset {domain}"), version.to_string()));
        }
        let mut parts = Vec::new();
        if let Some(external) = external {
            let (name, bytes) = (data_name(cx.stem), external.len());
            parts.push(Part { name, role: "weights", bytes, content: Box::new(external) });
        }
        parts.push(Part { name: PartName::Main, role: "model", bytes: rope.len(), content: Box::new(rope) });
        let files = parts.iter().map(|part| ManifestFile {
            name: String::new(),
            role: part.role.to_owned(),
            bytes: part.bytes,
        });
        let manifest =
            Manifest { backend: Self::INFO.name.to_owned(), versions, files: files.collect(), operators, weight_bytes };
        Ok(Artefact { parts, manifest, remarks })
    }
}

impl OnnxBackend {
    fn encoded(&self, model: &Model, stem: &str, remarks: &mut Vec<Remark>) -> Result<(i64, ModelFile), LowerError> {
        let main = only_entry(model)?;
        let mut plan = opset::plan(model, main, self.options.opset, remarks).map_err(LowerError::Unsupported)?;
        let homes = place::place(&mut plan);
        let naming = naming::name(&plan, &homes);
        note_renamed(&naming.renamed, remarks);
        let version = ir_version::version(&plan, &homes);
        let source = &model.metadata;
        if source.ir_version > 0 && version.ir > source.ir_version {
            remarks.push(Remark::general(
                "onnx",
                "",
                format!(
                    "the IR version is raised from {} to {}, the lowest that holds what is written",
                    source.ir_version, version.ir
                ),
            ));
        }
        let outside = match self.options.external_data {
            ExternalData::Always => true,
            ExternalData::Never => false,
            ExternalData::Auto => source.external_data,
        };
        let run = |outside: bool| {
            let external = outside.then(|| External::new(0, data_name(stem).len() as u64));
            encode(&plan, &naming, &homes, version, external, self.options.origins)
        };
        let mut file = run(outside);
        if file.rope.len() > LARGEST && self.options.external_data == ExternalData::Auto && !outside {
            file = run(true);
            remarks.push(Remark::general(
                "onnx",
                "",
                "weights go into a file of their own: one file would exceed 2 GiB",
            ));
        }
        if file.rope.len() > LARGEST {
            let reason = format!("the model file would have {} bytes, and ONNX allows 2 GiB", file.rope.len());
            let remedy = match self.options.external_data {
                ExternalData::Never => "allow external data",
                _ => "the bytes are not weights but attributes; make them constants",
            };
            return Err(LowerError::Unsupported(vec![general(reason, Some(remedy.to_owned()))]));
        }
        if let Some(lost) = file.lost.first() {
            return Err(LowerError::Invalid(format!("value '{lost}' is read but not defined")));
        }
        // A data file without data is none.
        file.external = file.external.filter(|external| external.len() > 0);
        Ok((version.ir, file))
    }
}

/// The name of the data file; file systems allow 255 bytes, of which hash and extension need some.
fn data_name(stem: &str) -> PartName {
    let stem: String = stem
        .chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= 200).then_some(c)
        })
        .collect();
    PartName::Hashed { stem, extension: "data" }
}

fn general(reason: String, remedy: Option<String>) -> Unsupported {
    Unsupported { site: Name::default(), operator: String::new(), reason, remedy, at: None }
}

fn only_entry(model: &Model) -> Result<GraphId, LowerError> {
    match (model.main(), model.entries.len()) {
        (Some(main), 1) => Ok(main),
        (None, _) => Err(LowerError::Invalid("it has no graph".into())),
        (_, count) => {
            let names: Vec<&str> = model.entries.keys().map(Name::as_str).collect();
            let reason = format!("the model has {count} graphs ({}), and an ONNX file holds one", names.join(", "));
            Err(LowerError::Unsupported(vec![general(reason, Some("write each to a file of its own".into()))]))
        }
    }
}

/// Values keep their names but for clashes, of which the user hears.
fn note_renamed(renamed: &[(Name, Name)], remarks: &mut Vec<Remark>) {
    let Some((old, new)) = renamed.first() else { return };
    let message = match renamed.len() {
        1 => format!("it is called '{new}' in the file, because the name is taken where it is read"),
        count => format!("it and {} other values have new names in the file, because theirs are taken", count - 1),
    };
    remarks.push(Remark::general("onnx", old, message));
}
