//! How much is cut: a share of the weights, or a pattern N:M.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much is cut. In a pipeline a number (`0.5`: half of the weights become zero) or a text (`"2:4"`).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target {
    /// This share of the weights becomes zero, 0 to 1.
    Share(f64),
    /// Of every `group` weights along the input channels, `keep` stay.
    Pattern {
        /// Weights that stay.
        keep: u32,
        /// Of so many.
        group: u32,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Share(share) => write!(f, "{} %", share * 100.0),
            Target::Pattern { keep, group } => write!(f, "{keep}:{group}"),
        }
    }
}

impl std::str::FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no pattern; write \"2:4\" for two weights that stay of every four");
        let (keep, group) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let (keep, group) = (number(keep)?, number(group)?);
        if keep == 0 || keep >= group || group > 1024 {
            return Err(format!("'{text}' cannot be: N:M keeps N of every M, with 0 < N < M and M at most 1024"));
        }
        Ok(Target::Pattern { keep, group })
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Target;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a share such as 0.5 or a pattern such as \"2:4\"")
            }
            fn visit_f64<E: Error>(self, share: f64) -> Result<Target, E> {
                if (0.0..1.0).contains(&share) {
                    return Ok(Target::Share(share));
                }
                let percent = if (1.0..100.0).contains(&share) {
                    format!("; {share} % is {}", share / 100.0)
                } else {
                    String::new()
                };
                Err(E::custom(format!("a share of {share} cannot be: it is 0 or more and less than 1{percent}")))
            }
            fn visit_i64<E: Error>(self, share: i64) -> Result<Target, E> {
                self.visit_f64(share as f64)
            }
            fn visit_u64<E: Error>(self, share: u64) -> Result<Target, E> {
                self.visit_f64(share as f64)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Target::Share(share) => serializer.serialize_f64(*share),
            Target::Pattern { .. } => serializer.collect_str(self),
        }
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Sparsity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "the share of weights that become zero, or N:M: of every M along the input channels N stay",
            "anyOf": [
                { "type": "number", "minimum": 0, "exclusiveMaximum": 1 },
                { "type": "string", "pattern": "^[0-9]+:[0-9]+$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_and_refused() {
        assert_eq!("2:4".parse(), Ok(Target::Pattern { keep: 2, group: 4 }));
        for wrong in ["4:4", "0:4", "5:4", "2", "a:b", "2:4:8", "1:9999", "-1:4"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
