//! Naming layers: which operators a pattern of a user means.
//!
//! A plain pattern (`encoder.layer.1`) is a run of whole components of a scope or name, so that `layer.1` never means
//! `layer.10`. With `*` it is a glob over the whole path: `*` stands for any part of one component, `**` for any number of
//! components. Components are divided by `.` and `/` alike.

use edgesmith_ir::{GraphId, Model, Name, OpId, Origin, OriginId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pattern of the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ScopePattern {
    text: String,
}

impl TryFrom<String> for ScopePattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if components(&text).next().is_none() {
            return Err("a pattern that names nothing; write a scope such as \"encoder.layer.0\"".into());
        }
        Ok(Self { text })
    }
}

impl From<ScopePattern> for String {
    fn from(pattern: ScopePattern) -> Self {
        pattern.text
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '/']).filter(|part| !part.is_empty())
}

impl ScopePattern {
    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern means this path.
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = components(&self.text).collect();
        let path: Vec<&str> = components(path).collect();
        if self.text.contains('*') {
            return glob(
                &pattern,
                &path,
                |pattern, part| {
                    *pattern == "**" || {
                        let (pattern, part): (Vec<char>, Vec<char>) =
                            (pattern.chars().collect(), part.chars().collect());
                        glob(&pattern, &part, |p, c| *p == '*' || p == c, |p| *p == '*')
                    }
                },
                |pattern| *pattern == "**",
            );
        }
        path.windows(pattern.len()).any(|run| run == pattern)
    }
}

/// Whether a sequence fits a pattern in which some items (`many`) stand for any number of items. Quadratic at worst.
fn glob<P, T>(pattern: &[P], items: &[T], one: impl Fn(&P, &T) -> bool, many: impl Fn(&P) -> bool) -> bool {
    let (mut at, mut item) = (0, 0);
    // Where to go back to: the last star, and how many items it has taken.
    let mut back: Option<(usize, usize)> = None;
    while item < items.len() {
        if at < pattern.len() && many(&pattern[at]) {
            back = Some((at, item));
            at += 1;
        } else if at < pattern.len() && one(&pattern[at], &items[item]) {
            at += 1;
            item += 1;
        } else if let Some((star, taken)) = back {
            back = Some((star, taken + 1));
            at = star + 1;
            item = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(many)
}

/// Every name by which a user may mean an operator: its own, and the names and scopes of the source nodes that it came
/// from.
pub fn layer_names(model: &Model, graph: GraphId, op: OpId) -> Vec<Name> {
    let data = model.graph(graph).op(op);
    let mut names: Vec<Name> = Vec::new();
    let mut add = |name: &Name| {
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    };
    add(data.name());
    let mut stack: Vec<OriginId> = vec![data.origin()];
    let mut seen: Vec<OriginId> = Vec::new();
    while let Some(id) = stack.pop() {
        // A chain of rules may join many sources; nobody names a layer by the hundredth of them.
        if seen.contains(&id) || seen.len() > 100 {
            continue;
        }
        seen.push(id);
        match model.origin(id) {
            Origin::Source { node, scope, .. } => {
                add(node);
                if let Some(scope) = scope {
                    add(scope);
                }
            }
            Origin::Derived { from, .. } => stack.extend(from.iter().rev()),
            _ => {}
        }
    }
    names
}

/// The scope of an operator: that of the first source node it came from that has one.
pub fn scope_of(model: &Model, graph: GraphId, op: OpId) -> Option<Name> {
    let mut stack: Vec<OriginId> = vec![model.graph(graph).op(op).origin()];
    let mut steps = 0;
    while let Some(id) = stack.pop() {
        steps += 1;
        match model.origin(id) {
            Origin::Source { scope: Some(scope), .. } => return Some(scope.clone()),
            Origin::Derived { from, .. } if steps < 100 => stack.extend(from.iter().rev()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        ScopePattern::try_from(pattern.to_owned()).unwrap().matches(path)
    }

    #[test]
    fn components_are_whole() {
        assert!(matches("layer.1", "encoder.layer.1.attention"));
        assert!(matches("layer.1", "/encoder/layer.1/attention/MatMul"));
        assert!(!matches("layer.1", "encoder.layer.10.attention"));
        assert!(!matches("layer.1", "encoder.layer.attention.1"));
        assert!(!matches("ayer.1", "encoder.layer.1"));
        assert!(matches("attention", "encoder.layer.3.attention"));
    }

    #[test]
    fn globs_are_anchored() {
        assert!(matches("encoder.layer.*", "encoder.layer.10"));
        assert!(!matches("encoder.layer.*", "encoder.layer.10.attention"));
        assert!(matches("encoder.layer.1*.**", "encoder.layer.10.attention.out"));
        assert!(!matches("encoder.layer.1*.**", "encoder.layer.2.attention"));
        assert!(matches("**.out", "encoder.layer.2.attention.out"));
        assert!(matches("**.out", "out"));
        assert!(!matches("**.out", "encoder.out.x"));
        assert!(matches("**", "anything.at.all"));
        assert!(matches("*.conv*d.*a*a*", "x.conv2d.banana"));
        assert!(!matches("*.conv*d.*a*b", "x.conv2d.banana"));
    }

    #[test]
    fn a_pattern_names_something() {
        assert!(ScopePattern::try_from("./.".to_owned()).is_err());
    }
}
