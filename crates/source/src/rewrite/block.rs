//! Writes values as people write YAML: one entry a line, names before what they name.

use serde_json::Value;

use crate::yaml::{Kind, Layout, Node, scalar};

/// How a text writes its lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether dashes stand further in than the key that they belong to.
    nested: bool,
}

impl Style {
    /// As the first list of a text has it.
    pub(super) fn of(text: &str, tree: &Node) -> Self {
        Self { nested: first_list(text, tree).unwrap_or(true) }
    }
}

fn first_list(text: &str, node: &Node) -> Option<bool> {
    let column = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = &text[start..];
        (at - start, line.len() - line.trim_start_matches(' ').len())
    };
    match &node.kind {
        Kind::Map(entries) => entries.iter().find_map(|entry| match &entry.value {
            Node { kind: Kind::List(items), layout: Layout::Block, .. } if !items.is_empty() => {
                Some(column(items[0].start).1 > column(entry.key_start).0)
            }
            value => first_list(text, value),
        }),
        Kind::List(items) => items.iter().find_map(|item| first_list(text, item)),
        Kind::Scalar(_) => None,
    }
}

/// Keys in the order in which people look for them; others follow by name.
const ORDER: [&str; 28] = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "name",
    "namespace",
    "labels",
    "hosts",
    "host",
    "gateways",
    "selector",
    "matchLabels",
    "action",
    "mtls",
    "portLevelMtls",
    "match",
    "fault",
    "delay",
    "percentage",
    "route",
    "destination",
    "subset",
    "weight",
    "timeout",
    "attempts",
    "from",
    "source",
    "to",
];

/// Where a key stands among others.
pub(super) fn rank(key: &str) -> (usize, &str) {
    (ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len()), key)
}

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    format!("{}\n", item(value, 0, &Style { nested: true }))
}

/// `key: value` for a key at `column`, without the blanks in front of its first line and the end of its last.
pub(super) fn entry(key: &str, value: &Value, column: usize, style: &Style) -> String {
    let key = scalar::write(&Value::from(key), false);
    match value {
        Value::Object(map) if !map.is_empty() => {
            format!("{key}:\n{}{}", " ".repeat(column + 2), item(value, column + 2, style))
        }
        Value::Array(list) if !list.is_empty() => {
            let dash = column + if style.nested { 2 } else { 0 };
            let blank = " ".repeat(dash);
            let items = list.iter().map(|value| format!("\n{blank}- {}", item(value, dash + 2, style)));
            format!("{key}:{}", items.collect::<String>())
        }
        _ => format!("{key}: {}", flow(value)),
    }
}

/// A value whose lines begin at `column`, without the blanks in front of the first.
pub(super) fn item(value: &Value, column: usize, style: &Style) -> String {
    let blank = format!("\n{}", " ".repeat(column));
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| rank(key));
            let lines: Vec<String> = keys.into_iter().map(|(key, value)| entry(key, value, column, style)).collect();
            lines.join(&blank)
        }
        Value::Array(list) if !list.is_empty() => {
            let lines: Vec<String> = list.iter().map(|value| format!("- {}", item(value, column + 2, style))).collect();
            lines.join(&blank)
        }
        _ => flow(value),
    }
}

/// A value on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| rank(key));
            let one = |(key, value): (&String, &Value)| {
                format!("{}: {}", scalar::write(&Value::from(key.as_str()), false), flow(value))
            };
            format!("{{{}}}", keys.into_iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        scalar => scalar::write(scalar, false),
    }
}
