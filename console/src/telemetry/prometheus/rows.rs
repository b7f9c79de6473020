//! Reads the answer of an instant query row by row, as it arrives. A mesh-wide answer is tens of thousands of rows with a dozen
//! labels each: as a map of strings for each row it costs more memory and time than everything that is made of it, and a few
//! of them that are read at once are tens of megabytes even as bytes.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};

/// Labels of one row, in the order of the answer.
pub type Row<'a> = [(Cow<'a, str>, Cow<'a, str>)];

/// How deep the inside of a row is: in the answer, its `data`, the list `result`, and the row.
const INSIDE: usize = 4;
/// Labels that Istio's metrics have at most by which anything is summed, and some more.
const LABELS: usize = 16;

/// An answer that arrives in pieces. Of objects of that depth Prometheus sends none but rows.
pub(super) struct Rows<T> {
    state: T,
    add: fn(&mut T, &Row<'_>, f64),
    /// Brackets that are open.
    depth: usize,
    quoted: bool,
    escaped: bool,
    /// What has come of a row that goes on in the next piece.
    begun: Vec<u8>,
    /// The answer without its rows.
    frame: Vec<u8>,
    /// Whether a row was the last thing.
    after_row: bool,
}

/// What is left of an answer without its rows.
#[derive(Deserialize)]
struct Frame {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<IgnoredAny>,
}

impl<T> Rows<T> {
    /// Before anything came. `add` is called with the labels and the value of each row; the value may be no finite number.
    pub(super) fn new(state: T, add: fn(&mut T, &Row<'_>, f64)) -> Self {
        let (begun, frame) = (Vec::new(), Vec::new());
        Self { state, add, depth: 0, quoted: false, escaped: false, begun, frame, after_row: false }
    }

    /// Takes the next piece; `None` when it belongs to no answer.
    pub(super) fn take(&mut self, piece: &[u8]) -> Option<()> {
        let mut from = 0;
        for (at, byte) in piece.iter().enumerate() {
            match (self.quoted, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.quoted = !self.quoted,
                (true, _) => {}
                (false, b'{' | b'[') => {
                    if self.depth + 1 == INSIDE && *byte == b'{' {
                        self.keep(&piece[from..at]);
                        from = at;
                    }
                    self.depth += 1;
                }
                (false, b'}' | b']') => {
                    self.depth = self.depth.checked_sub(1)?;
                    if self.depth + 1 == INSIDE && *byte == b'}' {
                        self.row(&piece[from..=at])?;
                        from = at + 1;
                    }
                }
                _ => {}
            }
        }
        match self.depth >= INSIDE {
            true => self.begun.extend_from_slice(&piece[from..]),
            false => self.keep(&piece[from..]),
        }
        Some(())
    }

    /// What became of all; `None` when that was no vector, or not all of it.
    pub(super) fn finish(self) -> Option<T> {
        let Frame { data: Data { result_type, result } } = serde_json::from_slice(&self.frame).ok()?;
        (self.begun.is_empty() && result.is_empty() && result_type == "vector").then_some(self.state)
    }

    /// Keeps what is no row, and no comma between two.
    fn keep(&mut self, part: &[u8]) {
        let between = |byte: &u8| self.after_row && (*byte == b',' || byte.is_ascii_whitespace());
        let more = &part[part.iter().take_while(|byte| between(byte)).count()..];
        self.after_row &= more.is_empty();
        self.frame.extend_from_slice(more);
    }

    fn row(&mut self, end: &[u8]) -> Option<()> {
        self.after_row = true;
        if self.begun.is_empty() {
            return self.read(end);
        }
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(end);
        let read = self.read(&whole);
        whole.clear();
        self.begun = whole;
        read
    }

    fn read(&mut self, row: &[u8]) -> Option<()> {
        let mut labels = Vec::with_capacity(LABELS);
        let mut json = serde_json::Deserializer::from_slice(row);
        let value = OneRow(&mut labels).deserialize(&mut json).ok()?;
        if let Some(value) = value {
            (self.add)(&mut self.state, &labels, value);
        }
        Some(())
    }
}

/// A string that is borrowed from the answer where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct OneRow<'r, 'de>(&'r mut Vec<(Cow<'de, str>, Cow<'de, str>)>);

impl<'de> DeserializeSeed<'de> for OneRow<'_, 'de> {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_, 'de> {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<f64>, A::Error> {
        self.0.clear();
        let mut value = None;
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "metric" => map.next_value_seed(Labels(&mut *self.0))?,
                "value" => {
                    let (_, Text(number)): (IgnoredAny, Text<'de>) = map.next_value()?;
                    value = number.parse().ok();
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(value)
    }
}

struct Labels<'r, 'de>(&'r mut Vec<(Cow<'de, str>, Cow<'de, str>)>);

impl<'de> DeserializeSeed<'de> for Labels<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Labels<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            self.0.push((name, value));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of an answer that comes in pieces of `size` bytes.
    fn pieces(body: &str, size: usize) -> Option<Vec<(String, f64)>> {
        let add = |rows: &mut Vec<(String, f64)>, row: &Row<'_>, value: f64| {
            // NaN equals nothing, itself included.
            let value = if value.is_nan() { f64::INFINITY } else { value };
            rows.push((row.iter().map(|(k, v)| format!("{k}={v};")).collect(), value));
        };
        let mut rows = Rows::new(Vec::new(), add);
        body.as_bytes().chunks(size).try_for_each(|piece| rows.take(piece))?;
        rows.finish()
    }

    /// However it comes, it says the same.
    fn all(body: &str) -> Option<Vec<(String, f64)>> {
        let whole = pieces(body, body.len().max(1));
        for size in 1..body.len() {
            assert_eq!(pieces(body, size), whole, "in pieces of {size}: {body}");
        }
        whole
    }

    #[test]
    fn rows_are_read_as_they_come() {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"a":"x","b":"<script>\"\u202e"},"value":[1.5,"2.5"]},
            {"metric":{},"value":[1.5,"NaN"]},{"metric":{},"value":[1.5,"+Inf"]},
            {"metric":{"a":"x","b":"<script>\"\u202e"},"value":[1.5,"-0"]}]},"warnings":["w"]}"#;
        let rows = all(body).unwrap();
        let named = |value| ("a=x;b=<script>\"\u{202e};".to_owned(), value);
        let odd = || (String::new(), f64::INFINITY);
        assert_eq!(rows, [named(2.5), odd(), odd(), named(0.0)]);
        assert_eq!(all(r#"{"data":{"resultType":"vector","result":[]}}"#), Some(vec![]));
        for bad in ["", "[]", "{}", r#"{"data":{"resultType":"matrix","result":[]}}"#, r#"{"data":{}}"#, "<html>", "}"]
        {
            assert_eq!(all(bad), None, "{bad}");
        }
        let cut = |at: usize| pieces(&body[..at], 7);
        assert!((0..body.len()).all(|at| cut(at).is_none()), "what is cut off is no answer");
        let odd = r#"{"data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"2"]}]}}"#;
        assert_eq!(all(odd), None, "a label that is no text");
    }
}
