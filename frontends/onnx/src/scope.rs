//! The module path of a node, as exporters note it.

use edgesmith_ir::{Name, scope_of_name};
use edgesmith_onnx_proto::StringStringEntryProto;

/// The scope of a node: from the notes of PyTorch's exporter where there are any, else from a path-like name.
pub(crate) fn scope(node: &str, metadata: &[StringStringEntryProto]) -> Option<Name> {
    let note = |key: &str| metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    if let Some(scopes) = note("pkg.torch.onnx.name_scopes") {
        return of_name_scopes(scopes);
    }
    if let Some(namespace) = note("namespace") {
        return of_namespace(namespace);
    }
    scope_of_name(node)
}

/// `['', 'layer1', 'layer1.0', 'add_3']`, a Python list: the innermost module comes before the node itself.
fn of_name_scopes(text: &str) -> Option<Name> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut parts: Vec<String> = Vec::new();
    let mut chars = inner.chars();
    while let Some(quote) = chars.find(|c| matches!(c, '\'' | '"')) {
        let mut part = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => part.extend(chars.next()),
                c if c == quote => break,
                c => part.push(c),
            }
        }
        parts.push(part);
    }
    module(parts.iter().map(String::as_str))
}

/// `: package.Net/layer1: package.Block/add_3: aten.add.Tensor`: path and class of each module, the node last.
fn of_namespace(text: &str) -> Option<Name> {
    module(text.split('/').map(|part| part.split_once(':').map_or(part, |(path, _)| path).trim()))
}

fn module<'a>(parts: impl DoubleEndedIterator<Item = &'a str>) -> Option<Name> {
    let path = parts.rev().nth(1)?;
    // What torch.export writes when it has no module to name.
    (!path.is_empty() && !path.starts_with("_empty_nn_module_stack")).then(|| Name::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> Option<String> {
        let entry = StringStringEntryProto { key: key.into(), value: value.into() };
        scope("/ignored/here", &[entry]).map(|name| name.to_string())
    }

    #[test]
    fn exporters_notes_are_read() {
        let scopes = "pkg.torch.onnx.name_scopes";
        assert_eq!(with(scopes, "['', 'layer1', 'layer1.1', 'add_1']").as_deref(), Some("layer1.1"));
        assert_eq!(with(scopes, r#"["it's", 'x']"#).as_deref(), Some("it's"));
        assert_eq!(with(scopes, "['', 'pad']"), None);
        assert_eq!(with(scopes, "['only']"), None);
        assert_eq!(with(scopes, "nonsense"), None);
        let namespace = ": torch.nn.Sequential/layer1: torch.nn.Sequential/layer1.2: m.Block/relu_4: aten.relu.default";
        assert_eq!(with("namespace", namespace).as_deref(), Some("layer1.2"));
        assert_eq!(with("other", "x").as_deref(), Some("ignored"));
    }
}
