//! JSON schemas (draft 2020-12) of what edgesmith reads and writes, and options of passes in words, read off them.

use edgesmith_pass::{Budget, DataSection, Entry, Registry};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of pipelines, as JSON: every registered pass with its options. TOML files are checked by it after they are
/// read as JSON; editors with a TOML language server take it as it is.
pub fn pipeline_schema(registry: &Registry) -> Value {
    let mut defs = Map::new();
    let mut steps = Vec::new();
    for entry in registry.passes() {
        let name = format!("pass-{}", entry.info.name);
        let mut schema = adopted(entry.schema.as_value().clone(), &name, &mut defs);
        if let Some(object) = schema.as_object_mut() {
            object.insert("title".into(), entry.info.name.into());
            object.insert("description".into(), entry.info.summary.into());
            object.insert("required".into(), json!(["use"]));
            let properties = object.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("use".into(), json!({ "const": entry.info.name, "description": "the pass" }));
                properties.insert("max-loss".into(), json!({ "$ref": "#/$defs/max-loss" }));
            }
        }
        defs.insert(name.clone(), schema);
        steps.push(json!({ "$ref": format!("#/$defs/{name}") }));
    }
    let presets: Vec<&str> = registry.presets().map(|(name, _)| name).collect();
    steps.push(json!({
        "title": "preset",
        "description": "the passes of a preset",
        "type": "object",
        "properties": { "use": { "enum": presets } },
        "required": ["use"],
        "additionalProperties": false,
    }));
    let mut budget = root_of::<Budget>(false, "max-loss", &mut defs);
    if let Some(object) = budget.as_object_mut() {
        object.insert("additionalProperties".into(), false.into());
    }
    defs.insert("max-loss".into(), budget);
    let data = root_of::<DataSection>(false, "data", &mut defs);
    defs.insert("data".into(), data);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edgesmith pipeline",
        "description": "which passes run, with which options, on which data losses are measured, and what is written",
        "type": "object",
        "properties": {
            "model": {
                "type": "object",
                "properties": { "input": { "type": "string", "description": "the model; the command line wins" } },
                "additionalProperties": false,
            },
            "calibration": { "$ref": "#/$defs/data", "description": "data to measure losses on" },
            "labelled": { "$ref": "#/$defs/data", "description": "data to measure accuracy on" },
            "pass": { "type": "array", "description": "the passes in order", "items": { "anyOf": steps } },
            "emit": {
                "type": "array",
                "description": "what is written",
                "items": {
                    "type": "object",
                    "properties": { "backend": { "type": "string" }, "output": { "type": "string" } },
                    "required": ["backend"],
                    "additionalProperties": false,
                },
            },
        },
        "additionalProperties": false,
        "$defs": defs,
    })
}

/// The schema of what a type is written as.
pub fn written_schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// A schema whose definitions move to `defs`.
fn root_of<T: JsonSchema>(written: bool, name: &str, defs: &mut Map<String, Value>) -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = if written { settings.for_serialize() } else { settings };
    adopted(settings.into_generator().into_root_schema_for::<T>().to_value(), name, defs)
}

/// Moves the definitions of a schema to `defs` under names that start with `name`, and lets references follow.
fn adopted(mut schema: Value, name: &str, defs: &mut Map<String, Value>) -> Value {
    let own = schema.as_object_mut().and_then(|object| {
        object.remove("$schema");
        object.remove("$defs")
    });
    follow(&mut schema, name);
    if let Some(Value::Object(own)) = own {
        for (key, mut value) in own {
            follow(&mut value, name);
            defs.insert(format!("{name}-{key}"), value);
        }
    }
    schema
}

fn follow(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "$ref"
                    && let Some(target) = value.as_str().and_then(|text| text.strip_prefix("#/$defs/"))
                {
                    *value = format!("#/$defs/{name}-{target}").into();
                } else {
                    follow(value, name);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| follow(item, name)),
        _ => {}
    }
}

/// An option of a pass, for people.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct OptionCard {
    /// Its key in pipelines.
    pub name: String,
    /// What it may be: `"tensor" or "global"`, `list of text`.
    pub values: String,
    /// What it is when it is not given, as TOML.
    pub default: String,
    /// What it does.
    pub about: String,
}

/// The options of a pass in the order in which it declares them.
pub fn option_cards(entry: &Entry) -> Vec<OptionCard> {
    let root = entry.schema.as_value();
    let Some(properties) = root.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let card = |(name, schema): (&String, &Value)| OptionCard {
        name: name.clone(),
        values: values(schema, root, 0),
        default: entry.defaults.get(name).map(ToString::to_string).unwrap_or_default(),
        about: schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " "),
    };
    properties.iter().map(card).collect()
}

/// More values than this are not listed one by one.
const VALUES: usize = 6;

/// What a schema allows, in words.
fn values(schema: &Value, root: &Value, depth: usize) -> String {
    // A schema may refer to itself.
    if depth > 8 {
        return "value".into();
    }
    let below = |schema: &Value| values(schema, root, depth + 1);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) {
        return root.pointer(target).map_or_else(|| "value".to_owned(), below);
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        let shown: Vec<String> = all.iter().take(VALUES).map(ToString::to_string).collect();
        let more = if all.len() > VALUES { format!(", ... ({} in all)", all.len()) } else { String::new() };
        return format!("{}{more}", shown.join(", "));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(key).and_then(Value::as_array) {
            let branches = branches.iter().filter(|branch| branch.get("type").is_none_or(|ty| ty != "null"));
            return branches.map(below).collect::<Vec<_>>().join(" or ");
        }
    }
    let word = |ty: &str| match ty {
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match schema.get("items") {
            // The rules of a pass are listed below its options.
            Some(items) if items.get("enum").and_then(Value::as_array).is_some_and(|all| all.len() > VALUES) => {
                "list of names".to_owned()
            }
            Some(items) => format!("list of {}", below(items)),
            None => "list".to_owned(),
        },
        "object" => "table".to_owned(),
        other => other.to_owned(),
    };
    let range = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!(" {least} to {most}"),
        (Some(least), None) if least != 0 => format!(" from {least}"),
        _ => String::new(),
    };
    let text = match schema.get("type") {
        Some(Value::String(ty)) => word(ty),
        Some(Value::Array(types)) => {
            let types = types.iter().filter_map(Value::as_str).filter(|ty| *ty != "null");
            types.map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "value".to_owned(),
    };
    text + &range
}
