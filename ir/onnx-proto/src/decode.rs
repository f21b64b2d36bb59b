//! Decoding: the scan first, then prost.

use bytes::Bytes;

use crate::error::ProtoError;
use crate::messages::ModelProto;
use crate::report::ScanReport;
use crate::scan::scan;
use crate::wire_table::WireMessage;

/// Decodes a model, the content of an `.onnx` file.
///
/// Weights are not copied: every byte field of the model is a slice of `bytes`, which may be a memory map. The report says
/// what the model holds that these messages do not know; whoever shows the model to people shows that too.
///
/// # Errors
///
/// When the bytes are no model, or one that could not be decoded in bounded memory and depth; see [`ProtoError`].
pub fn decode_model(bytes: Bytes) -> Result<(ModelProto, ScanReport), ProtoError> {
    decode_message(bytes)
}

/// Decodes any message of this crate, such as a [`TensorProto`](crate::TensorProto) from a test data file.
///
/// # Errors
///
/// As [`decode_model`].
pub fn decode_message<M: WireMessage>(bytes: Bytes) -> Result<(M, ScanReport), ProtoError> {
    let report = scan(M::KIND, &bytes)?;
    Ok((M::decode(bytes)?, report))
}
