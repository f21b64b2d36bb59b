//! Rewriting: rules, patches, restructures, the worklist driver, remarks and local checks.
