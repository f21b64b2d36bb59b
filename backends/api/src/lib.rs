//! What every backend shares: legality, artefacts, manifests.
