//! From the reader's events to a tree.

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;

use super::{
    MAX_DEPTH, MAX_NODES, SyntaxError,
    node::{Entry, Kind, Layout, Node},
    scalar,
};

/// Reads one document.
pub(super) fn document(text: &str) -> Result<Option<Node>, SyntaxError> {
    let mut builder = Builder {
        text,
        offsets: Offsets::new(text),
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        kept: 0,
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let offset = builder.offsets.byte(*error.marker());
                if let Some(tab) = tab_at(text, offset) {
                    return builder.error(tab, TAB);
                }
                return Err(SyntaxError { offset, message: format!("this is not YAML: {}", error.info()) });
            }
        }
    }
    Ok(builder.root)
}

/// The reader counts characters; the tree counts bytes.
struct Offsets {
    /// Byte of each character; none when every character is one byte.
    bytes: Option<Vec<u32>>,
    length: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii())
            .then(|| text.char_indices().map(|(offset, _)| u32::try_from(offset).unwrap_or(u32::MAX)).collect());
        Self { bytes, length: text.len() }
    }

    fn byte(&self, marker: Marker) -> usize {
        match &self.bytes {
            None => marker.index().min(self.length),
            Some(bytes) => bytes.get(marker.index()).map_or(self.length, |offset| *offset as usize),
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    offsets: Offsets,
    stack: Vec<Frame>,
    /// Anchored nodes with the number of nodes in each; `None` while it is still being read.
    anchors: HashMap<usize, Option<(Node, usize)>>,
    nodes: usize,
    /// Nodes that anchors keep.
    kept: usize,
    root: Option<Node>,
    documents: usize,
}

struct Frame {
    start: usize,
    anchor: usize,
    /// Nodes that had been counted when it began.
    before: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, index: HashMap<String, usize>, merges: Vec<Node>, key: Option<(String, usize)> },
}

impl Builder<'_> {
    fn error<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { offset, message: message.into() })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let (start, end) = (self.offsets.byte(span.start), self.offsets.byte(span.end));
        if let Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) = event
            && let Some(tab) = indented_by_tab(self.text, start)
            && !self.stack.iter().any(|frame| matches!(self.text.as_bytes().get(frame.start), Some(b'[' | b'{')))
        {
            return self.error(tab, TAB);
        }
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.error(start, "a second document begins here without a line \"---\"");
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(text, style, tag, start)?;
                let layout = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => Layout::Block,
                    _ => Layout::Inline,
                };
                self.count(1, start)?;
                let (start, end) = extent(self.text, start, end.max(start), style);
                let node = Node { start, end, kind: Kind::Scalar(value), shared: anchor != 0, layout };
                self.remember(anchor, &node, 1)?;
                self.add(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag, "seq", start)?;
                self.open(start, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag, "map", start)?;
                let content =
                    Content::Map { entries: Vec::new(), index: HashMap::new(), merges: Vec::new(), key: None };
                self.open(start, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Alias(anchor) => {
                let (mut node, size) = match self.anchors.get(&anchor) {
                    Some(Some((node, size))) => (node.clone(), *size),
                    Some(None) => return self.error(start, "the alias stands inside what it stands for"),
                    None => return self.error(start, "the alias has no anchor"),
                };
                self.count(size, start)?;
                share(&mut node, start, end);
                self.add(node)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        start: usize,
    ) -> Result<Value, SyntaxError> {
        let resolved = || scalar::resolve(&text).map_err(|message| SyntaxError { offset: start, message });
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain { resolved() } else { Ok(Value::String(text.into_owned())) };
        };
        if tag.handle == "!" && tag.suffix.is_empty() {
            return Ok(Value::String(text.into_owned()));
        }
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "str" | "binary" | "timestamp") => Ok(Value::String(text.into_owned())),
            (true, "int" | "float" | "bool" | "null") => {
                let value = resolved()?;
                let fits = match tag.suffix.as_str() {
                    "bool" => value.is_boolean(),
                    "null" => value.is_null(),
                    _ => value.is_number(),
                };
                if fits { Ok(value) } else { self.error(start, format!("this is no {}", tag.suffix)) }
            }
            _ => self.error(start, format!("the tag {tag} is not known here")),
        }
    }

    fn collection_tag(&self, tag: Option<Cow<'_, Tag>>, expected: &str, start: usize) -> Result<(), SyntaxError> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => {
                self.error(start, format!("the tag {tag} is not known here"))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, start: usize) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return self.error(start, format!("the document has more than {MAX_NODES} values, aliases written out"));
        }
        Ok(())
    }

    /// Keeps an anchored node for its aliases. What is kept counts too: anchors inside anchors hold one node many times.
    fn remember(&mut self, anchor: usize, node: &Node, size: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.kept += size;
            if self.kept > MAX_NODES {
                return self.error(node.start, format!("the anchors stand for more than {MAX_NODES} values"));
            }
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
        Ok(())
    }

    fn open(&mut self, start: usize, anchor: usize, content: Content) -> Result<(), SyntaxError> {
        if self.stack.len() >= MAX_DEPTH {
            return self.error(start, format!("the document is nested deeper than {MAX_DEPTH}"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        let before = self.nodes;
        self.count(1, start)?;
        self.stack.push(Frame { start, anchor, before, content });
        Ok(())
    }

    fn close(&mut self, event_end: usize) -> Result<(), SyntaxError> {
        let Some(frame) = self.stack.pop() else { return self.error(event_end, "a list or mapping ends twice") };
        let flow = matches!(self.text.as_bytes().get(frame.start), Some(b'[' | b'{'));
        let (mut start, kind) = (frame.start, frame.content);
        let kind = match kind {
            Content::List(items) => Kind::List(items),
            Content::Map { mut entries, index, merges, key } => {
                if key.is_some() {
                    return self.error(event_end, "a key has no value");
                }
                merge(&mut entries, &index, merges);
                Kind::Map(entries)
            }
        };
        // Where a block ends is told by the token after it; its last child knows better.
        let end = match &kind {
            _ if flow => event_end,
            Kind::List(items) => items.last().map_or(start, |item| item.end),
            Kind::Map(entries) => {
                start = entries.first().map_or(start, |entry| entry.key_start);
                entries
                    .iter()
                    .filter(|entry| entry.key_start >= frame.start)
                    .map(|e| e.value.end)
                    .max()
                    .unwrap_or(start)
            }
            Kind::Scalar(_) => event_end,
        };
        let layout = if flow { Layout::Flow } else { Layout::Block };
        let node = Node { start, end: end.max(start), kind, shared: frame.anchor != 0, layout };
        self.remember(frame.anchor, &node, self.nodes - frame.before)?;
        self.add(node)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node) -> Result<(), SyntaxError> {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, index, merges, key } => match key.take() {
                None => match key_text(self.text, &node) {
                    Some(text) => *key = Some((text, node.start)),
                    None => return self.error(node.start, "a key must be a plain word or a string"),
                },
                Some((name, _)) if name == "<<" => merges.push(node),
                Some((name, key_start)) => {
                    if index.insert(name.clone(), entries.len()).is_some() {
                        return self.error(key_start, format!("the key {name:?} is written twice"));
                    }
                    entries.push(Entry { key: name, key_start, value: node });
                }
            },
        }
        Ok(())
    }
}

/// Kubernetes' own reader says `found character that cannot start any token`.
const TAB: &str = "a tab indents this line; YAML takes only spaces there";

/// The first tab of the white space with which the line of `offset` begins, if only white space stands before `offset`.
fn indented_by_tab(text: &str, offset: usize) -> Option<usize> {
    let before = text.as_bytes().get(..offset)?;
    let blank = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line = offset - blank;
    if line > 0 && before[line - 1] != b'\n' {
        return None;
    }
    before[line..].iter().position(|byte| *byte == b'\t').map(|tab| line + tab)
}

/// A tab that indents the line at which the reader gave up, or the next one that says anything: a word that runs on from
/// line to line is told where it begins.
fn tab_at(text: &str, offset: usize) -> Option<usize> {
    let mut start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = 0;
    for line in text[start..].split_inclusive('\n') {
        let content = line.trim_start();
        if !content.is_empty() {
            if let Some(tab) = indented_by_tab(text, start + line.len() - content.len()) {
                return Some(tab);
            }
            lines += 1;
            if lines == 2 {
                break;
            }
        }
        start += line.len();
    }
    None
}

/// The bytes of a scalar. The reader's span of a quoted one may go on into the comment behind it, and that of a missing
/// value may stand in front of the colon.
fn extent(text: &str, start: usize, end: usize, style: ScalarStyle) -> (usize, usize) {
    let bytes = text.as_bytes();
    match (style, bytes.get(start)) {
        (ScalarStyle::SingleQuoted, Some(b'\'')) => {
            let mut at = start + 1;
            while at < end {
                match (bytes.get(at), bytes.get(at + 1)) {
                    (Some(b'\''), Some(b'\'')) => at += 2,
                    (Some(b'\''), _) => return (start, at + 1),
                    _ => at += 1,
                }
            }
            (start, end)
        }
        (ScalarStyle::DoubleQuoted, Some(b'"')) => {
            let mut at = start + 1;
            while at < end {
                match bytes.get(at) {
                    Some(b'\\') => at += 2,
                    Some(b'"') => return (start, at + 1),
                    _ => at += 1,
                }
            }
            (start, end)
        }
        (ScalarStyle::Plain, _) if start == end => {
            let blanks = bytes[start..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            match bytes.get(start + blanks) {
                Some(b':') => (start + blanks + 1, start + blanks + 1),
                _ => (start, end),
            }
        }
        (ScalarStyle::Plain, _) => {
            (start, start + text.get(start..end).map_or(end - start, |raw| raw.trim_end().len()))
        }
        _ => (start, end),
    }
}

/// Keys are strings in JSON; a number or boolean is taken as it is written.
fn key_text(text: &str, node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(Value::String(key)) => Some(key.clone()),
        Kind::Scalar(Value::Bool(_) | Value::Number(_)) => text.get(node.start..node.end).map(str::to_owned),
        _ => None,
    }
}

/// Takes the entries of `<<` in that the mapping does not have itself. Earlier ones win.
fn merge(entries: &mut Vec<Entry>, index: &HashMap<String, usize>, merges: Vec<Node>) {
    let mut taken: std::collections::HashSet<String> = index.keys().cloned().collect();
    let mut take = |node: Node| {
        if let Kind::Map(more) = node.kind {
            for mut entry in more {
                if taken.insert(entry.key.clone()) {
                    entry.value.shared = true;
                    entries.push(entry);
                }
            }
        }
    };
    for node in merges {
        match node.kind {
            Kind::List(items) => items.into_iter().for_each(&mut take),
            _ => take(node),
        }
    }
}

/// Everything under an alias stands where the alias stands, and is not to be edited through it.
fn share(node: &mut Node, start: usize, end: usize) {
    (node.start, node.end, node.shared) = (start, end, true);
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| share(item, start, end)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.key_start = start;
                share(&mut entry.value, start, end);
            }
        }
    }
}
