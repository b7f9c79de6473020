//! Strict JSON (RFC 8259) with places. YAML's reader would take most of it, but not every escape, nor tabs.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    MAX_DEPTH, SyntaxError,
    node::{Entry, Kind, Layout, Node},
};

/// Reads one value that fills the text.
pub(super) fn value(text: &str) -> Result<Node, SyntaxError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.space();
    let node = reader.node()?;
    reader.space();
    if reader.at < text.len() {
        return reader.error("the text goes on after the end of the value");
    }
    Ok(node)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { offset: self.at.min(self.text.len()), message: message.into() })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn node(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        let (kind, layout) = match self.peek() {
            Some(b'{') => (self.object()?, Layout::Flow),
            Some(b'[') => (self.array()?, Layout::Flow),
            Some(_) => (Kind::Scalar(self.scalar()?), Layout::Inline),
            None => return self.error("the text ends where a value is expected"),
        };
        Ok(Node { start, end: self.at, kind, shared: false, layout })
    }

    fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error(format!("the document is nested deeper than {MAX_DEPTH}"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// After an element: `true` when another one follows, `false` when `close` was read.
    fn more(&mut self, close: u8) -> Result<bool, SyntaxError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => self.error(format!("expected \",\" or {:?}", char::from(close))),
        }
    }

    fn array(&mut self) -> Result<Kind, SyntaxError> {
        self.enter()?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.node()?);
            if !self.more(b']')? {
                return Ok(Kind::List(items));
            }
        }
    }

    fn object(&mut self) -> Result<Kind, SyntaxError> {
        self.enter()?;
        let mut entries = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(Kind::Map(entries));
        }
        let mut seen = HashSet::new();
        loop {
            let key_start = self.at;
            if self.peek() != Some(b'"') {
                return self.error("expected a key in quotes");
            }
            let Value::String(key) = self.scalar()? else { return self.error("expected a key in quotes") };
            if !seen.insert(key.clone()) {
                self.at = key_start;
                return self.error(format!("the key {key:?} is written twice"));
            }
            self.space();
            if self.peek() != Some(b':') {
                return self.error("expected \":\" after the key");
            }
            self.at += 1;
            self.space();
            let value = self.node()?;
            entries.push(Entry { key, key_start, value });
            if !self.more(b'}')? {
                return Ok(Kind::Map(entries));
            }
        }
    }

    /// A scalar: where it ends is told by its form, what it means by serde_json.
    fn scalar(&mut self) -> Result<Value, SyntaxError> {
        let bytes = self.text.as_bytes();
        let mut end = self.at;
        if bytes.get(end) == Some(&b'"') {
            end += 1;
            while let Some(byte) = bytes.get(end) {
                match byte {
                    b'"' => break,
                    b'\\' => end += 2,
                    _ => end += 1,
                }
            }
            end += 1;
        } else {
            while bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
                end += 1;
            }
        }
        let Some(raw) = self.text.get(self.at..end) else { return self.error("the string has no end") };
        match serde_json::from_str::<Value>(raw) {
            Ok(value) => {
                self.at = end;
                Ok(value)
            }
            Err(_) if raw.is_empty() => self.error("expected a value"),
            Err(_) => self.error(format!("{:?} is not a JSON value", raw.chars().take(40).collect::<String>())),
        }
    }
}
