//! Walking lists and mappings.

use std::{borrow::Cow, str::FromStr};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value::StrDeserializer};
use serde_json::Value;

use super::{Place, Reader, Rules, failure::Failure};
use crate::error::{UnknownField, did_you_mean};

pub(super) struct Items<'v, 'p> {
    list: Reader<'v, 'p>,
    items: std::iter::Enumerate<std::slice::Iter<'v, Value>>,
}

impl<'v, 'p> Items<'v, 'p> {
    pub(super) fn new(list: Reader<'v, 'p>, items: &'v [Value]) -> Self {
        Self { list, items: items.iter().enumerate() }
    }
}

impl<'v> SeqAccess<'v> for Items<'v, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'v>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        let Some((index, value)) = self.items.next() else { return Ok(None) };
        let at = Place::Index(self.list.at, index);
        seed.deserialize(Reader { value, at: &at, ..self.list }).map(Some).map_err(|failure| failure.under_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

pub(super) struct Entries<'v, 'p> {
    map: Reader<'v, 'p>,
    entries: serde_json::map::Iter<'v>,
    /// The fields of the struct that is read; `None` for a mapping whose keys are the user's.
    known: Option<&'static [&'static str]>,
    current: Option<(&'v str, &'v Value)>,
}

impl<'v, 'p> Entries<'v, 'p> {
    pub(super) fn new(
        map: Reader<'v, 'p>,
        entries: serde_json::map::Iter<'v>,
        known: Option<&'static [&'static str]>,
    ) -> Self {
        Self { map, entries, known, current: None }
    }

    /// The struct's own name for `key`; unknown ones are noted and skipped.
    fn name_of(&self, key: &'v str, known: &[&str]) -> Option<Cow<'v, str>> {
        if known.contains(&key) {
            return Some(Cow::Borrowed(key));
        }
        if self.map.rules == Rules::Protobuf && key.contains('_') {
            let camel = camel_case(key);
            if known.contains(&camel.as_str()) {
                return Some(Cow::Owned(camel));
            }
        }
        let suggestion = did_you_mean(key, known.iter().copied());
        let field = Place::Key(self.map.at, key).path();
        self.map.unknown.borrow_mut().push(UnknownField { field, suggestion });
        None
    }
}

impl<'v> MapAccess<'v> for Entries<'v, '_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'v>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        while let Some((key, value)) = self.entries.next() {
            let Some(known) = self.known else {
                self.current = Some((key, value));
                return seed.deserialize(Key(key)).map(Some).map_err(|failure| failure.under_key(key));
            };
            let Some(name) = self.name_of(key, known) else { continue };
            if value.is_null() {
                continue;
            }
            self.current = Some((key, value));
            return seed.deserialize(StrDeserializer::new(&name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'v>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let Some((key, value)) = self.current.take() else {
            return Err(serde::de::Error::custom("a value was asked for before its key"));
        };
        let at = Place::Key(self.map.at, key);
        seed.deserialize(Reader { value, at: &at, ..self.map }).map_err(|failure| {
            // Nobody asks for the keys that follow, and the one that is wrong may not be the one that was meant.
            if let Some(known) = self.known {
                for (key, _) in self.entries.clone() {
                    self.name_of(key, known);
                }
            }
            failure.under_key(key)
        })
    }
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        match c {
            '_' => raise = true,
            c if raise => {
                camel.push(c.to_ascii_uppercase());
                raise = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

/// A mapping's key: JSON writes numbers as strings there.
struct Key<'v>(&'v str);

impl Key<'_> {
    fn parse<T: FromStr>(&self) -> Result<T, Failure> {
        self.0
            .parse()
            .map_err(|_| serde::de::Error::custom(format_args!("expected a number as key, found {:?}", self.0)))
    }
}

macro_rules! number_keys {
    ($($method:ident $visit:ident)+) => {
        $( fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.parse()?)
        } )+
    };
}

impl<'v> Deserializer<'v> for Key<'v> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_borrowed_str(self.0)
    }

    number_keys! {
        deserialize_i32 visit_i32 deserialize_i64 visit_i64 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'v>>
        bool i8 i16 i128 u8 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
