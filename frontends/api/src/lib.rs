//! What every frontend shares: sources that own memory maps, and diagnostics.
