//! The textual form of the edgesmith IR: parser with spans, printer, seeded synthetic weights.
