//! Reads the answer of an instant query row by row. A mesh-wide answer is tens of thousands of rows with a dozen labels
//! each; as a map of strings for each row it costs more memory and time than everything that is made of it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Labels of one row, in the order of the answer.
pub type Row<'a> = [(Cow<'a, str>, Cow<'a, str>)];

/// Calls `add` with the labels and the value of each row; the value may be no finite number. `None` when the body is no vector.
pub(super) fn read<T>(body: &[u8], state: &mut T, add: fn(&mut T, &Row<'_>, f64)) -> Option<()> {
    let mut json = serde_json::Deserializer::from_slice(body);
    Answer { state, add }.deserialize(&mut json).ok()
}

struct Answer<'s, T> {
    state: &'s mut T,
    add: fn(&mut T, &Row<'_>, f64),
}

/// A string that is borrowed from the body where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, T> DeserializeSeed<'de> for Answer<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T> Visitor<'de> for Answer<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of Prometheus")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(Text(key)) = map.next_key()? {
            if key == "data" {
                map.next_value_seed(Data(Rows { state: self.state, add: self.add }))?;
                seen = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if seen { Ok(()) } else { Err(A::Error::missing_field("data")) }
    }
}

struct Data<'s, T>(Rows<'s, T>);

impl<'de, T> DeserializeSeed<'de> for Data<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T> Visitor<'de> for Data<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result of type vector")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut rows = Some(self.0);
        while let Some(Text(key)) = map.next_key()? {
            match (&*key, rows.take()) {
                ("resultType", unread) => {
                    rows = unread;
                    let Text(kind) = map.next_value()?;
                    if kind != "vector" {
                        return Err(A::Error::custom("not a vector"));
                    }
                }
                ("result", Some(unread)) => map.next_value_seed(unread)?,
                (_, unread) => {
                    rows = unread;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if rows.is_none() { Ok(()) } else { Err(A::Error::missing_field("result")) }
    }
}

struct Rows<'s, T> {
    state: &'s mut T,
    add: fn(&mut T, &Row<'_>, f64),
}

impl<'de, T> DeserializeSeed<'de> for Rows<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T> Visitor<'de> for Rows<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut labels: Vec<(Cow<'de, str>, Cow<'de, str>)> = Vec::new();
        while let Some(value) = rows.next_element_seed(OneRow(&mut labels))? {
            if let Some(value) = value {
                (self.add)(self.state, &labels, value);
            }
        }
        Ok(())
    }
}

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

    fn all(body: &str) -> Option<Vec<(String, f64)>> {
        let mut rows = Vec::new();
        let add = |rows: &mut Vec<(String, f64)>, row: &Row<'_>, value: f64| {
            // NaN equals nothing, itself included.
            let value = if value.is_nan() { f64::INFINITY } else { value };
            rows.push((row.iter().map(|(k, v)| format!("{k}={v};")).collect(), value));
        };
        read(body.as_bytes(), &mut rows, add).map(|()| rows)
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
        for bad in ["", "[]", "{}", r#"{"data":{"resultType":"matrix","result":[]}}"#, r#"{"data":{}}"#, "<html>"] {
            assert_eq!(all(bad), None, "{bad}");
        }
    }
}
