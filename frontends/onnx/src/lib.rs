//! Reads ONNX models into the edgesmith IR.
