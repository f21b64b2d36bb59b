//! Lowers the edgesmith IR to tract, the built-in engine.
