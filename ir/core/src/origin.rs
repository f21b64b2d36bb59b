//! Where operators came from: a node of the source, or a rule applied to earlier operators.

use smallvec::SmallVec;

use crate::{Name, OriginId};

/// The provenance of one operator.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// A node of the source model.
    Source {
        /// The node's name; where the file gives none, the name of its first output.
        node: Name,
        /// The operator as the file called it.
        operator: Name,
        /// The module path of the exporter, as `encoder.layer.0.attention`, where the file tells.
        scope: Option<Name>,
    },
    /// Made by a rule from other operators.
    Derived {
        /// The rule.
        rule: Name,
        /// What the rule replaced.
        from: SmallVec<[OriginId; 4]>,
    },
}

/// The scope of a node: what the exporter says, else the folders of a path-like name (`/layer1/conv/Conv` gives
/// `layer1.conv`), else nothing.
pub fn scope_of_name(node: &str) -> Option<Name> {
    let path = node.strip_prefix('/')?;
    let (folders, _) = path.rsplit_once('/')?;
    (!folders.is_empty()).then(|| Name::from(folders.replace('/', ".")))
}
