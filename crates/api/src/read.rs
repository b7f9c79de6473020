//! Reads a JSON value into a type by the rules of protobuf JSON, remembering what it did not know.
//!
//! serde's own `Value` deserializer can neither say where in the object it stopped nor suggest a field's right name; this
//! one sees the names that each struct knows. In [`Rules::Protobuf`] numbers may be strings, a null list or map is an
//! empty one and snake_case names are taken for camelCase ones. A null field is an absent one under both rules.

mod access;
mod failure;

use std::cell::RefCell;

use serde::{
    Deserialize,
    de::{Error as _, IntoDeserializer, Unexpected, Visitor},
};
use serde_json::Value;

use crate::{error::UnknownField, field};
use access::{Entries, Items};
pub(crate) use failure::Failure;

/// How forgiving reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Protobuf JSON, as Istio's own kinds are read.
    Protobuf,
    /// As written, for Kubernetes' own kinds.
    Plain,
}

/// What was read, and the fields that the type does not have. Unknown fields' paths begin with `prefix`.
pub(crate) fn read<'v, T: Deserialize<'v>>(
    value: &'v Value,
    rules: Rules,
    prefix: &str,
    unknown: &mut Vec<UnknownField>,
) -> Result<T, Failure> {
    let found = RefCell::new(Vec::new());
    let result = T::deserialize(Reader { value, rules, at: &Place::Root(prefix), unknown: &found });
    unknown.append(&mut found.into_inner());
    result.map_err(|failure| failure.under(prefix))
}

/// Where in the object reading stands: a list on the stack, written out only when something is to be said.
enum Place<'p> {
    Root(&'p str),
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root(prefix) => (*prefix).to_owned(),
            Self::Key(parent, key) => {
                let mut path = parent.path();
                field::push_key(&mut path, key);
                path
            }
            Self::Index(parent, index) => {
                let mut path = parent.path();
                field::push_index(&mut path, *index);
                path
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'v, 'p> {
    value: &'v Value,
    rules: Rules,
    at: &'p Place<'p>,
    unknown: &'p RefCell<Vec<UnknownField>>,
}

impl<'v> Reader<'v, '_> {
    fn unexpected(&self) -> Unexpected<'v> {
        match self.value {
            Value::Null => Unexpected::Other("nothing"),
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Number(n) => n
                .as_u64()
                .map(Unexpected::Unsigned)
                .or_else(|| n.as_i64().map(Unexpected::Signed))
                .unwrap_or_else(|| Unexpected::Float(n.as_f64().unwrap_or(f64::NAN))),
            Value::String(s) => Unexpected::Str(s),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn number<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Number(n) => {
                if let Some(n) = n.as_u64() {
                    visitor.visit_u64(n)
                } else if let Some(n) = n.as_i64() {
                    visitor.visit_i64(n)
                } else {
                    let float = n.as_f64().unwrap_or(f64::NAN);
                    // 2^53: beyond it a float no longer tells which integer was meant.
                    if self.rules == Rules::Protobuf && float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 {
                        visitor.visit_i64(float as i64)
                    } else {
                        visitor.visit_f64(float)
                    }
                }
            }
            Value::String(text) if self.rules == Rules::Protobuf => {
                let text = text.trim();
                if let Ok(n) = text.parse::<u64>() {
                    visitor.visit_u64(n)
                } else if let Ok(n) = text.parse::<i64>() {
                    visitor.visit_i64(n)
                } else if let (Ok(n), false) = (text.parse::<f64>(), text.is_empty()) {
                    visitor.visit_f64(n)
                } else {
                    Err(Failure::invalid_type(self.unexpected(), &visitor))
                }
            }
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn entries<V: Visitor<'v>>(self, known: Option<&'static [&'static str]>, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Object(map) => visitor.visit_map(Entries::new(self, map.iter(), known)),
            Value::Null if self.rules == Rules::Protobuf => {
                visitor.visit_map(Entries::new(self, serde_json::map::Map::iter(&EMPTY), known))
            }
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }
}

static EMPTY: std::sync::LazyLock<serde_json::Map<String, Value>> = std::sync::LazyLock::new(serde_json::Map::new);

macro_rules! numbers {
    ($($method:ident)+) => {
        $( fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> { self.number(visitor) } )+
    };
}

impl<'v> serde::Deserializer<'v> for Reader<'v, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => visitor.visit_u64(n),
                (None, Some(n)) => visitor.visit_i64(n),
                _ => visitor.visit_f64(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(s) => visitor.visit_borrowed_str(s),
            Value::Array(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Object(map) => visitor.visit_map(Entries::new(self, map.iter(), None)),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Bool(b) => visitor.visit_bool(*b),
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::String(s) => visitor.visit_borrowed_str(s),
            Value::Bool(_) | Value::Number(_) => Err(Failure::invalid_type(self.unexpected(), &visitor)
                .advise(format!("write it in quotes: \"{}\"", self.value))),
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_any(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Array(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Null if self.rules == Rules::Protobuf => visitor.visit_seq(Items::new(self, &[])),
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.entries(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.entries(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.value {
            Value::String(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            _ => Err(Failure::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests;
