//! edgesmith.
