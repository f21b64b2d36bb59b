//! Canonicalization: folding, identities, common subexpressions, dead code.
