//! Decoded messages as short readable text: what is empty is left out, what is packed is unpacked, maps are sorted.

use std::fmt::Write;

use envoy_types::pb::{
    envoy::extensions::{
        filters::{
            http::{cors, fault, rbac as http_rbac},
            network::{http_connection_manager, rbac as network_rbac, tcp_proxy},
        },
        transport_sockets::tls,
        upstreams,
    },
    google::protobuf::Any,
};
use prost::{Message, Name};

/// A value as `{:?}` shows it.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Text(String),
    Bare(String),
    List(Vec<Tree>),
    /// Fields of a message or entries of a map.
    Fields(String, Vec<(String, Tree)>),
}

/// Stands for the type's name where the tree is one variant of several.
const ONE_OF: &str = "one of";

/// What enumerations say when they say nothing.
const DEFAULTS: [&str; 22] = [
    "None",
    "false",
    "0",
    "Unspecified",
    "Undefined",
    "Default",
    "Unknown",
    "Any",
    "Auto",
    "Allow",
    "Text",
    "KeepUnchanged",
    "VerifyTrustChain",
    "UseConfiguredProtocol",
    "ServiceUnavailable",
    "PassThroughInternalRedirect",
    "LenientStapling",
    "OneTimeOnFirstByte",
    "AddIfAbsent",
    "Immediate",
    "Hundred",
    "Tcp",
];

/// The text of a message.
pub fn of(message: &dyn std::fmt::Debug) -> String {
    let debug = format!("{message:?}");
    let mut out = String::new();
    if let Some(tree) = simplify(Parser { text: debug.as_bytes(), at: 0 }.value()) {
        print(&tree, 0, &mut out);
    }
    out
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn skip(&mut self, any: &[u8]) {
        while self.at < self.text.len() && any.contains(&self.peek()) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Tree {
        self.skip(b" ,");
        match self.peek() {
            b'"' => Tree::Text(self.string()),
            b'[' => {
                self.at += 1;
                Tree::List(self.values(b']'))
            }
            b'{' => {
                self.at += 1;
                Tree::Fields(String::new(), self.fields())
            }
            _ => {
                let word = self.word();
                match self.peek() {
                    b'(' => {
                        self.at += 1;
                        let mut inner = self.values(b')');
                        let value = if inner.len() == 1 { inner.remove(0) } else { Tree::List(inner) };
                        if word == "Some" { value } else { Tree::Fields(ONE_OF.into(), vec![(word, value)]) }
                    }
                    b' ' if self.text.get(self.at + 1) == Some(&b'{') => {
                        self.at += 2;
                        Tree::Fields(word, self.fields())
                    }
                    _ => Tree::Bare(word),
                }
            }
        }
    }

    fn values(&mut self, close: u8) -> Vec<Tree> {
        let mut values = Vec::new();
        loop {
            self.skip(b" ,");
            if self.peek() == close {
                self.at += 1;
                return values;
            }
            values.push(self.value());
        }
    }

    fn fields(&mut self) -> Vec<(String, Tree)> {
        let mut fields = Vec::new();
        loop {
            self.skip(b" ,");
            if self.peek() == b'}' {
                self.at += 1;
                return fields;
            }
            let key = if self.peek() == b'"' { self.string() } else { self.word() };
            self.skip(b":");
            let value = self.value();
            fields.push((key, value));
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.at < self.text.len() && !b" ,:()[]{}\"".contains(&self.peek()) {
            self.at += 1;
        }
        assert!(self.at > start, "stuck at {}", String::from_utf8_lossy(&self.text[start..]));
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn string(&mut self) -> String {
        let start = self.at + 1;
        self.at = start;
        while self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        String::from_utf8_lossy(&self.text[start..self.at - 1]).replace("\\\\", "\\").replace("\\\"", "\"")
    }
}

/// `None` for what says nothing.
fn simplify(tree: Tree) -> Option<Tree> {
    match tree {
        Tree::Bare(word) => (!DEFAULTS.contains(&word.as_str())).then_some(Tree::Bare(word)),
        Tree::Text(text) => (!text.is_empty()).then_some(Tree::Text(text)),
        Tree::List(items) if items.iter().all(|i| matches!(i, Tree::Bare(w) if w.parse::<u32>().is_ok())) => {
            (!items.is_empty()).then_some(Tree::List(items))
        }
        Tree::List(items) => {
            let items: Vec<Tree> = items.into_iter().filter_map(simplify).collect();
            (!items.is_empty()).then_some(Tree::List(items))
        }
        Tree::Fields(name, mut fields) => match name.as_str() {
            "Any" => Some(unpack(&fields)),
            "BoolValue" | "UInt32Value" | "UInt64Value" | "Percent" => Some(fields.remove(0).1),
            "Duration" => Some(Tree::Bare(format!("{}s+{}ns", bare(&fields[0].1), bare(&fields[1].1)))),
            "SocketAddress" => {
                let part = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
                let port = match part("port_specifier") {
                    Some(Tree::Fields(_, inner)) => bare(&inner[0].1),
                    _ => String::new(),
                };
                Some(Tree::Bare(format!("{}:{port}", bare(&part("address")?))))
            }
            "ConfigSource" => Some(Tree::Bare("ads".into())),
            "Value" | "Struct" | "ListValue" => match fields.remove(0).1 {
                Tree::Fields(one_of, mut inner) if one_of == ONE_OF => simplify(inner.remove(0).1),
                other => Some(simplify(other).unwrap_or(Tree::Fields(String::new(), Vec::new()))),
            },
            ONE_OF => {
                let (variant, value) = fields.remove(0);
                let value = match value {
                    Tree::Bare(word) => Tree::Bare(word),
                    other => simplify(other).unwrap_or(Tree::Fields(String::new(), Vec::new())),
                };
                Some(Tree::Fields(name, vec![(variant, value)]))
            }
            _ => {
                let map = name.is_empty();
                let mut fields: Vec<(String, Tree)> =
                    fields.into_iter().filter_map(|(key, value)| simplify(value).map(|v| unwrapped(key, v))).collect();
                if map {
                    fields.sort_by(|a, b| a.0.cmp(&b.0));
                }
                // A message that says nothing is still there (`google_re2 {}`, an empty filter).
                Some(Tree::Fields(name, fields))
                    .filter(|t| !matches!(t, Tree::Fields(n, f) if n.is_empty() && f.is_empty()))
            }
        },
    }
}

/// A field that is one of several goes by the one that it is.
fn unwrapped(key: String, value: Tree) -> (String, Tree) {
    match value {
        Tree::Fields(name, mut variant) if name == ONE_OF => variant.remove(0),
        other => (key, other),
    }
}

fn bare(tree: &Tree) -> String {
    match tree {
        Tree::Bare(text) | Tree::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn unpack(fields: &[(String, Tree)]) -> Tree {
    let part = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let type_url = part("type_url").map(|t| bare(&t)).unwrap_or_default();
    let value: Vec<u8> = match part("value") {
        Some(Tree::List(bytes)) => bytes.iter().map(|b| bare(b).parse().expect("a byte")).collect(),
        _ => Vec::new(),
    };
    let any = Any { type_url: type_url.clone(), value };
    let short = type_url.rsplit('/').next().unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned();
    let known = [
        show::<http_connection_manager::v3::HttpConnectionManager>(&any),
        show::<tcp_proxy::v3::TcpProxy>(&any),
        show::<http_rbac::v3::Rbac>(&any),
        show::<network_rbac::v3::Rbac>(&any),
        show::<fault::v3::HttpFault>(&any),
        show::<cors::v3::CorsPolicy>(&any),
        show::<tls::v3::UpstreamTlsContext>(&any),
        show::<tls::v3::DownstreamTlsContext>(&any),
        show::<upstreams::http::v3::HttpProtocolOptions>(&any),
    ];
    match known.into_iter().flatten().next() {
        Some(Tree::Fields(_, fields)) => Tree::Fields(short, fields),
        Some(other) => other,
        None => Tree::Fields(short, Vec::new()),
    }
}

fn show<M: Message + Name + Default + std::fmt::Debug>(any: &Any) -> Option<Tree> {
    if any.type_url != M::type_url() {
        return None;
    }
    let message = M::decode(any.value.as_slice()).expect("a message");
    let debug = format!("{message:?}");
    simplify(Parser { text: debug.as_bytes(), at: 0 }.value())
}

fn print(tree: &Tree, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match tree {
        Tree::Text(text) => writeln!(out, "{indent}{text:?}").expect("text"),
        Tree::Bare(word) => writeln!(out, "{indent}{word}").expect("text"),
        Tree::List(items) => {
            for item in items {
                let mut inner = String::new();
                print(item, 0, &mut inner);
                for (n, line) in inner.lines().enumerate() {
                    writeln!(out, "{indent}{}{line}", if n == 0 { "- " } else { "  " }).expect("text");
                }
            }
        }
        Tree::Fields(_, fields) if fields.is_empty() => writeln!(out, "{indent}{{}}").expect("text"),
        Tree::Fields(_, fields) => {
            for (key, value) in fields {
                match value {
                    Tree::Text(text) => writeln!(out, "{indent}{key}: {text:?}").expect("text"),
                    Tree::Bare(word) => writeln!(out, "{indent}{key}: {word}").expect("text"),
                    Tree::List(items) if items.iter().all(|i| matches!(i, Tree::Text(_) | Tree::Bare(_))) => {
                        let items: Vec<String> = items
                            .iter()
                            .map(|i| if let Tree::Text(t) = i { format!("{t:?}") } else { bare(i) })
                            .collect();
                        writeln!(out, "{indent}{key}: [{}]", items.join(", ")).expect("text");
                    }
                    Tree::Fields(_, inner) if inner.is_empty() => writeln!(out, "{indent}{key}: {{}}").expect("text"),
                    _ => {
                        writeln!(out, "{indent}{key}:").expect("text");
                        print(value, depth + 1, out);
                    }
                }
            }
        }
    }
}
