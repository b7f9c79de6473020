//! Why a value could not be read, and where.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::{error::did_you_mean, field};

/// The innermost thing that went wrong. The path grows from the inside out while the error travels up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
}

impl Failure {
    fn new(message: String) -> Self {
        Self { path: String::new(), message, suggestion: None }
    }

    pub(crate) fn advise(mut self, suggestion: String) -> Self {
        self.suggestion = Some(suggestion);
        self
    }

    pub(crate) fn under(mut self, prefix: &str) -> Self {
        self.path = field::join(prefix, &self.path);
        self
    }

    pub(crate) fn under_key(self, key: &str) -> Self {
        let mut prefix = String::new();
        field::push_key(&mut prefix, key);
        self.under(&prefix)
    }

    pub(crate) fn under_index(self, index: usize) -> Self {
        let mut prefix = String::new();
        field::push_index(&mut prefix, index);
        self.under(&prefix)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// serde speaks of sequences and maps; people who write YAML know lists and mappings.
struct Found<'a>(Unexpected<'a>);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Str(text) if text.chars().count() > 80 => f.write_str("a long string"),
            Unexpected::Str(text) => write!(f, "the string {text:?}"),
            Unexpected::Bool(value) => write!(f, "{value}"),
            Unexpected::Unsigned(number) => write!(f, "{number}"),
            Unexpected::Signed(number) => write!(f, "{number}"),
            Unexpected::Float(number) => write!(f, "{number}"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a mapping"),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            other => write!(f, "{other}"),
        }
    }
}

struct Wanted<'a>(&'a dyn Expected);

impl Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.to_string();
        match words.as_str() {
            "a sequence" => f.write_str("a list"),
            "a map" => f.write_str("a mapping"),
            "a boolean" => f.write_str("true or false"),
            "u8" | "u16" | "u32" | "u64" => f.write_str("a whole number from 0"),
            "i8" | "i16" | "i32" | "i64" => f.write_str("a whole number"),
            "f32" | "f64" => f.write_str("a number"),
            other if other.starts_with("struct ") => f.write_str("a mapping"),
            other => f.write_str(other),
        }
    }
}

impl de::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", Wanted(expected), Found(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", Wanted(expected), Found(unexpected)))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let shown: String = word.chars().take(80).collect();
        Self {
            path: String::new(),
            message: format!("{shown:?} is not one of {}", known.join(", ")),
            suggestion: did_you_mean(word, known.iter().copied()),
        }
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(format!("{name} is missing"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(format!("{name} is written twice"))
    }
}
