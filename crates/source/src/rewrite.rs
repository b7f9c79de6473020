//! Makes a document say something else and keeps as much of its text as can be kept: comments, order, quotes, and what
//! nobody asked to change. Where a change cannot be made in place, the nearest mapping or item around it is written anew;
//! what comes out is read back and thrown away for a plain text should it not say exactly what was wanted.

mod block;

use std::ops::Range;

use serde_json::{Map, Value};

use self::block::{Style, entry, flow, item};
use crate::{
    patch::equal,
    yaml::{self, Entry, Kind, Layout, Node, scalar},
};

/// The text of a document that says `wanted`, as near to `text` as can be.
pub fn rewrite(text: &str, wanted: &Value) -> String {
    kept(text, wanted).filter(|new| says(new, wanted)).unwrap_or_else(|| written(wanted))
}

/// The text of a new document.
pub fn written(value: &Value) -> String {
    let plain = block::document(value);
    if says(&plain, value) { plain } else { crate::draft::to_yaml(value) }
}

fn says(text: &str, wanted: &Value) -> bool {
    yaml::parse(text).ok().flatten().is_some_and(|tree| same(&tree.to_value(), wanted))
}

/// 90 and 90.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => equal(a, b),
    }
}

fn kept(text: &str, wanted: &Value) -> Option<String> {
    let tree = yaml::parse(text).ok().flatten()?;
    let mut work = Work { text, style: Style::of(text, &tree), cuts: Vec::new() };
    work.merge(&tree, wanted)?;
    let mut cuts = work.cuts;
    // From the back, so that places in front stay where they are.
    cuts.sort_by_key(|(range, _)| (range.start, range.end));
    if cuts.windows(2).any(|pair| pair[0].0.end > pair[1].0.start) {
        return None;
    }
    let mut out = text.to_owned();
    for (range, new) in cuts.into_iter().rev() {
        out.replace_range(range, &new);
    }
    Some(out)
}

struct Work<'a> {
    text: &'a str,
    style: Style,
    cuts: Vec<(Range<usize>, String)>,
}

impl Work<'_> {
    /// Cuts that make a node say `wanted`. `None` when it has to be written anew by whoever holds it.
    fn merge(&mut self, node: &Node, wanted: &Value) -> Option<()> {
        if same(&node.to_value(), wanted) {
            return Some(());
        }
        if node.shared {
            return None;
        }
        match (&node.kind, wanted) {
            (Kind::Scalar(_), Value::Array(_) | Value::Object(_)) => None,
            (Kind::Scalar(_), new) if node.layout == Layout::Inline && node.end > node.start => {
                self.cuts.push((node.start..node.end, scalar::write(new, false)));
                Some(())
            }
            (Kind::Map(entries), Value::Object(new)) if node.layout == Layout::Block => self.mapping(entries, new),
            (Kind::List(items), Value::Array(new)) if node.layout == Layout::Block => self.list(items, new),
            (Kind::Map(entries), Value::Object(new)) if self.same_keys(entries, new) => {
                entries.iter().try_for_each(|entry| self.merge(&entry.value, new.get(&entry.key)?))
            }
            (Kind::List(items), Value::Array(new)) if items.len() == new.len() => {
                items.iter().zip(new).try_for_each(|(item, new)| self.merge(item, new))
            }
            (Kind::Map(_) | Kind::List(_), new) if node.layout == Layout::Flow => {
                self.cuts.push((node.start..node.end, flow(new)));
                Some(())
            }
            _ => None,
        }
    }

    fn same_keys(&self, entries: &[Entry], new: &Map<String, Value>) -> bool {
        entries.len() == new.len() && entries.iter().all(|entry| new.contains_key(&entry.key))
    }

    /// Tries something; what it cut is forgotten when it cannot be done.
    fn tries(&mut self, what: impl FnOnce(&mut Self) -> Option<()>) -> bool {
        let before = self.cuts.len();
        let done = what(self).is_some();
        if !done {
            self.cuts.truncate(before);
        }
        done
    }

    fn mapping(&mut self, entries: &[Entry], new: &Map<String, Value>) -> Option<()> {
        let mut order: Vec<&Entry> = entries.iter().collect();
        order.sort_by_key(|entry| entry.key_start);
        // What `<<` brought in stands elsewhere.
        if order.iter().any(|entry| {
            entry.value.shared && new.get(&entry.key).is_none_or(|new| !same(new, &entry.value.to_value()))
        }) {
            return None;
        }
        let first = order.first()?;
        let column = self.column(first.key_start);
        let stays = order.iter().filter(|entry| new.contains_key(&entry.key)).count();
        if stays == 0 {
            return None;
        }
        for (index, one) in order.iter().enumerate() {
            match new.get(&one.key) {
                Some(wanted) => {
                    if !self.tries(|work| work.merge(&one.value, wanted)) {
                        let end = self.deep_end(&one.value).max(one.key_start + 1);
                        self.cuts.push((one.key_start..end, entry(&one.key, wanted, column, &self.style)));
                    }
                }
                None => {
                    let start = self.line_start(one.key_start);
                    let alone = self.text[start..one.key_start].trim().is_empty();
                    let range = match order.get(index + 1) {
                        // Behind a dash the next key takes its place.
                        Some(next) if !alone => one.key_start..next.key_start,
                        None if !alone => return None,
                        _ => start..self.after_line(self.deep_end(&one.value)),
                    };
                    self.cuts.push((range, String::new()));
                }
            }
        }
        let mut added: Vec<_> = new.iter().filter(|(key, _)| order.iter().all(|entry| entry.key != **key)).collect();
        added.sort_by_key(|(key, _)| block::rank(key));
        let at = self.after_line(self.deep_end(&order.last()?.value));
        let lines = added.into_iter().map(|(key, value)| entry(key, value, column, &self.style));
        let lines: String = lines.map(|lines| format!("{}{lines}\n", " ".repeat(column))).collect();
        self.insert(at, lines);
        Some(())
    }

    fn list(&mut self, items: &[Node], new: &[Value]) -> Option<()> {
        let (first, _) = (items.first()?, new.first()?);
        let dash = self.dash(first)?;
        let column = self.column(dash);
        let mut olds = 0;
        let mut news = 0;
        let mut pairs = common(items, new);
        pairs.push((items.len(), new.len()));
        for (old, fresh) in pairs {
            // Between two items that stay, old ones become new ones in their order; what is left over goes or comes.
            let both = (old - olds).min(fresh - news);
            for step in 0..both {
                let (node, wanted) = (&items[olds + step], &new[news + step]);
                if !self.tries(|work| work.merge(node, wanted)) {
                    let own = self.column(node.start);
                    let end = self.deep_end(node).max(node.start);
                    self.cuts.push((node.start..end, item(wanted, own, &self.style)));
                }
            }
            for node in &items[olds + both..old] {
                let start = self.line_start(self.dash(node)?);
                self.cuts.push((start..self.after_line(self.deep_end(node)), String::new()));
            }
            let at = match (olds + both).checked_sub(1) {
                Some(before) => self.after_line(self.deep_end(&items[before])),
                None => self.line_start(dash),
            };
            let own = column + 2;
            let lines = new[news + both..fresh].iter();
            let lines: String =
                lines.map(|value| format!("{}- {}\n", " ".repeat(column), item(value, own, &self.style))).collect();
            self.insert(at, lines);
            (olds, news) = (old + 1, fresh + 1);
        }
        Some(())
    }

    fn insert(&mut self, at: usize, lines: String) {
        if lines.is_empty() {
            return;
        }
        // The last line of a text may lack its end.
        let lines = if at > 0 && !self.text[..at].ends_with('\n') {
            format!("\n{}", lines.trim_end_matches('\n'))
        } else {
            lines
        };
        self.cuts.push((at..at, lines));
    }

    /// The dash of an item that has a line of its own.
    fn dash(&self, node: &Node) -> Option<usize> {
        let start = self.line_start(node.start);
        let before = &self.text[start..node.start];
        let blank = before.len() - before.trim_start_matches(' ').len();
        let rest = before[blank..].strip_prefix('-')?;
        rest.trim_matches(' ').is_empty().then_some(start + blank)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The start of the line after the one that holds the byte before `at`.
    fn after_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }

    /// The byte after a node's last one that says something.
    fn deep_end(&self, node: &Node) -> usize {
        let deeper = match &node.kind {
            _ if node.layout == Layout::Flow => None,
            Kind::List(items) => items.last().map(|last| self.deep_end(last)),
            Kind::Map(entries) => {
                let last = entries.iter().filter(|entry| !entry.value.shared).max_by_key(|entry| entry.key_start);
                last.map(|last| self.deep_end(&last.value).max(last.key_start + last.key.len()))
            }
            Kind::Scalar(_) => None,
        };
        let end = deeper.unwrap_or(node.end);
        let text = &self.text[..end];
        // A block of text ends with its last line, which may be blank.
        if deeper.is_none() && node.layout == Layout::Block { text.trim_end_matches(['\n', ' ']).len() } else { end }
    }
}

/// Pairs of indices of items that are in both lists, in order: the longest such row of pairs.
fn common(old: &[Node], new: &[Value]) -> Vec<(usize, usize)> {
    /// Beyond this, items are only compared from both ends.
    const MOST: usize = 400;
    let values: Vec<Value> = old.iter().map(Node::to_value).collect();
    let is = |a: usize, b: usize| same(&values[a], &new[b]);
    let (mut front, most) = (0, values.len().min(new.len()));
    while front < most && is(front, front) {
        front += 1;
    }
    let mut back = 0;
    while back < most - front && is(values.len() - 1 - back, new.len() - 1 - back) {
        back += 1;
    }
    let mut out: Vec<_> = (0..front).map(|index| (index, index)).collect();
    let (olds, news) = (values.len() - front - back, new.len() - front - back);
    if olds <= MOST && news <= MOST {
        let mut longest = vec![vec![0u32; news + 1]; olds + 1];
        for a in (0..olds).rev() {
            for b in (0..news).rev() {
                longest[a][b] = if is(front + a, front + b) {
                    longest[a + 1][b + 1] + 1
                } else {
                    longest[a + 1][b].max(longest[a][b + 1])
                };
            }
        }
        let (mut a, mut b) = (0, 0);
        while a < olds && b < news {
            if is(front + a, front + b) {
                out.push((front + a, front + b));
                (a, b) = (a + 1, b + 1);
            } else if longest[a + 1][b] >= longest[a][b + 1] {
                a += 1;
            } else {
                b += 1;
            }
        }
    }
    out.extend((0..back).rev().map(|step| (values.len() - 1 - step, new.len() - 1 - step)));
    out
}

#[cfg(test)]
mod tests;
