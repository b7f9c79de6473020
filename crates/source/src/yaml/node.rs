//! A node of a document and where it stands.

use serde_json::Value;

/// A value and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
    /// Whether these bytes mean something elsewhere too: an anchor, an alias, or an entry merged in by `<<`.
    pub shared: bool,
    /// How it is written.
    pub layout: Layout,
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On its line: a plain or quoted scalar.
    Inline,
    /// `[…]` or `{…}`.
    Flow,
    /// By indentation, or a block scalar.
    Block,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// null, a boolean, a number or a string.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order it is written.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Key.
    pub key: String,
    /// First byte of the key.
    pub key_start: usize,
    /// Value.
    pub value: Node,
}

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl Node {
    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
            }
        }
    }

    /// The entry of a mapping.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The node at a field path, if it is there.
    pub fn find(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, |node, step| match (step, &node.kind) {
            (Step::Key(key), Kind::Map(_)) => node.entry(key).map(|entry| &entry.value),
            (Step::Index(index), Kind::List(items)) => items.get(*index),
            _ => None,
        })
    }

    /// Where the field, or the nearest of its ancestors that is there, begins: at its key, or at the list's item.
    pub fn nearest(&self, steps: &[Step]) -> usize {
        let (mut node, mut offset) = (self, self.start);
        for step in steps {
            match (step, &node.kind) {
                (Step::Key(key), Kind::Map(_)) => match node.entry(key) {
                    Some(entry) => (node, offset) = (&entry.value, entry.key_start),
                    None => break,
                },
                (Step::Index(index), Kind::List(items)) => match items.get(*index) {
                    Some(item) => (node, offset) = (item, item.start),
                    None => break,
                },
                _ => break,
            }
        }
        offset
    }
}

/// Takes a field path such as `spec.http[0].labels["a.b/c"]` apart. `None` when it is not one.
pub fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if rest.starts_with("[\"") {
            // The key is a JSON string; its reader knows where it ends.
            let mut reader = serde_json::Deserializer::from_str(&rest[1..]).into_iter::<String>();
            let key = reader.next()?.ok()?;
            rest = rest[1 + reader.byte_offset()..].strip_prefix(']')?;
            steps.push(Step::Key(key));
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        } else {
            let after = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Key(after[..end].to_owned()));
            rest = &after[end..];
        }
    }
    Some(steps)
}
