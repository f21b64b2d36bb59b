//! Writes the edgesmith IR as ONNX.
