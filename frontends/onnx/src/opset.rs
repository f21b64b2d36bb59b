//! Operator sets: which versions are read, and what an operator is at one of them.

use edgesmith_frontend::{Diagnostics, Subject};
use edgesmith_ir::Name;
use edgesmith_onnx_proto::OperatorSetIdProto;
use edgesmith_onnx_proto::schema::{Schema, first_appearance, schema, versions};
use indexmap::IndexMap;

use crate::error::ImportError;
use crate::{ImportOptions, names::Names};

/// The oldest operator set that is read whole. Older ones are read as long as every operator still has its form of then
/// at this one.
pub const OLDEST_OPSET: i64 = 7;
/// The newest operator set that is known.
pub const NEWEST_OPSET: i64 = 28;

/// `ai.onnx` and the empty domain are one.
pub(crate) fn domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// Reads the imports of a model or a function.
pub(crate) fn imports(
    protos: &[OperatorSetIdProto],
    names: &mut Names,
    options: &ImportOptions,
    diagnostics: &mut Diagnostics,
) -> Result<IndexMap<Name, i64>, ImportError> {
    let mut opsets = IndexMap::new();
    for proto in protos {
        let key = names.intern(domain(&proto.domain));
        if let Some(old) = opsets.insert(key.clone(), proto.version) {
            let shown = if key.is_empty() { "ai.onnx" } else { key.as_str() };
            diagnostics.warning(
                "edgesmith::onnx::opset-imported-twice",
                || Subject::Model,
                || {
                    format!(
                        "operator set '{shown}' is imported twice, as {old} and as {}; the last counts",
                        proto.version
                    )
                },
            );
        }
    }
    match opsets.get("") {
        Some(version) if *version < 1 => {
            Err(ImportError::Opset(format!("there is no opset {version} of ai.onnx; the file may be damaged")))
        }
        Some(version) if *version > NEWEST_OPSET && !options.allow_unknown_opset => Err(ImportError::Opset(format!(
            "opset {version} of ai.onnx is newer than {NEWEST_OPSET}, the newest that is known; export with an older \
             one, or pass --allow-unknown-opset to read it as if it were {NEWEST_OPSET}"
        ))),
        _ => Ok(opsets),
    }
}

/// The schema of an operator of ai.onnx at a version, or why there is none.
pub(crate) fn standard(operator: &str, opset: i64) -> Result<&'static Schema, String> {
    let found = schema(operator, opset);
    match found {
        // Deprecated for a mistake in its wording only; engines run it and exporters wrote it.
        Some(schema) if schema.deprecated && schema.name != "GroupNormalization" => Err(format!(
            "opset {opset} does not have it any more (deprecated in {}); export the model again or declare an older opset",
            schema.since_version
        )),
        Some(schema) => Ok(schema),
        None if opset < OLDEST_OPSET && !versions(operator).is_empty() => Err(format!(
            "its form in opset {opset} changed later, and forms older than opset {OLDEST_OPSET} are not read; convert the \
             model first (onnx.version_converter)"
        )),
        None => Err(match first_appearance(operator) {
            Some(first) => {
                format!("opset {opset} does not have it; it exists from opset {first} on")
            }
            None => "ai.onnx has no such operator; is its domain missing?".to_owned(),
        }),
    }
}
