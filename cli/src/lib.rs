//! edgesmith: an optimising compiler for edge models.
