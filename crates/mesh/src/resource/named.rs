//! Resources of one type by name, in pieces that many such sets share. Where a piece begins depends on nothing but the
//! names, so two sets that differ in one resource differ in one piece, whatever they came from.

use std::{
    cmp::Ordering,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, OnceLock},
};

use super::{
    Resource,
    pieces::{self, Pieces},
};

/// Rows in order of their names; never empty.
type Piece = pieces::Piece<Resource>;

/// Rows of a piece, on average.
const ROWS: u64 = 32;

/// Resources of one type, ordered by name. A clone costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Named {
    pieces: Arc<[Piece]>,
    len: usize,
}

/// A set without resources.
pub(super) fn none() -> &'static Named {
    static NONE: OnceLock<Named> = OnceLock::new();
    NONE.get_or_init(Named::default)
}

impl Named {
    /// Collects rows; the first of a name stays. Whether no two had one name.
    pub(crate) fn collect(mut rows: Vec<Arc<Resource>>, pieces: Option<&Pieces<Resource>>) -> (Self, bool) {
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        let all = rows.len();
        rows.dedup_by(|later, first| later.name == first.name);
        let apart = rows.len() == all;
        let mut builder = Builder::new(pieces);
        for row in rows {
            builder.row(row);
        }
        (builder.finish(), apart)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every resource, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|resource| resource.name.as_str())
    }

    /// One resource.
    pub fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        let piece = self.pieces.partition_point(|piece| first(piece) <= name).checked_sub(1)?;
        let piece = self.pieces.get(piece)?;
        let at = piece.binary_search_by(|row| row.name.as_str().cmp(name)).ok()?;
        piece.get(at)
    }

    /// Whether both are the very same. Sets that are not may still be equal.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces) || (self.is_empty() && other.is_empty())
    }

    /// With these rows in the place of those of their names, and without these names.
    pub fn with<'n>(
        &self,
        put: impl IntoIterator<Item = Arc<Resource>>,
        gone: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        self.edited(put, gone, None)
    }

    /// The same, in pieces that are shared.
    pub(crate) fn edited<'n>(
        &self,
        put: impl IntoIterator<Item = Arc<Resource>>,
        gone: impl IntoIterator<Item = &'n str>,
        pieces: Option<&Pieces<Resource>>,
    ) -> Self {
        let gone = gone.into_iter().map(|name| (name.to_owned(), None));
        let put = put.into_iter().map(|row| (row.name.clone(), Some(row)));
        let edits: std::collections::BTreeMap<String, Option<Arc<Resource>>> = gone.chain(put).collect();
        if edits.is_empty() {
            return self.clone();
        }
        let mut edits = edits.into_iter().peekable();
        let mut builder = Builder::new(pieces);
        for (index, piece) in self.pieces.iter().enumerate() {
            // A piece ends where the next one begins.
            let end = self.pieces.get(index + 1).map(first);
            let within = |name: &str| end.is_none_or(|end| name < end);
            if !edits.peek().is_some_and(|(name, _)| within(name)) {
                builder.piece(piece);
                continue;
            }
            let mut rows = piece.iter().peekable();
            loop {
                let order = match (rows.peek(), edits.peek().filter(|(name, _)| within(name))) {
                    (Some(row), Some((name, _))) => row.name.as_str().cmp(name),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => break,
                };
                let old = if order.is_le() { rows.next() } else { None };
                match if order.is_ge() { edits.next() } else { None } {
                    Some((_, new)) => new.into_iter().for_each(|row| builder.row(row)),
                    None => old.into_iter().for_each(|row| builder.row(Arc::clone(row))),
                }
            }
        }
        edits.filter_map(|(_, new)| new).for_each(|row| builder.row(row));
        builder.finish()
    }

    /// Takes the pieces of `other` where they are equal.
    pub fn adopt(&mut self, other: &Self) {
        let mut adopted = Vec::with_capacity(self.pieces.len());
        let mut at = 0;
        for piece in self.pieces.iter() {
            while other.pieces.get(at).is_some_and(|theirs| first(theirs) < first(piece)) {
                at += 1;
            }
            let theirs = other.pieces.get(at).filter(|theirs| *theirs == piece);
            adopted.push(Arc::clone(theirs.unwrap_or(piece)));
        }
        let whole = adopted.len() == other.pieces.len()
            && adopted.iter().zip(other.pieces.iter()).all(|(a, b)| Arc::ptr_eq(a, b));
        self.pieces = if whole { Arc::clone(&other.pieces) } else { adopted.into() };
    }

    /// What differs between this and `other`, by name: here, and there. Pieces that both have cost next to nothing.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Difference<'a>> {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let (mut ours, mut theirs) = (self.pieces.iter().peekable(), other.pieces.iter().peekable());
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                    ours.next();
                    theirs.next();
                    continue;
                }
                (Some(a), Some(b)) => first(a).cmp(first(b)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            here.extend(if order.is_le() { ours.next() } else { None });
            there.extend(if order.is_ge() { theirs.next() } else { None });
        }
        let mut here = here.into_iter().flat_map(|piece| piece.iter()).peekable();
        let mut there = there.into_iter().flat_map(|piece| piece.iter()).peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (here.peek(), there.peek()) {
                    (Some(a), Some(b)) => a.name.cmp(&b.name),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => return None,
                };
                let a = if order.is_le() { here.next() } else { None };
                let b = if order.is_ge() { there.next() } else { None };
                if a != b {
                    return Some(Difference { here: a, there: b });
                }
            }
        })
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || self.differences(other).next().is_none()
    }
}

impl Eq for Named {}

/// A name that stands for something else in another set, or for nothing.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// What it is here.
    pub here: Option<&'a Arc<Resource>>,
    /// What it is in the other.
    pub there: Option<&'a Arc<Resource>>,
}

impl<'a> Difference<'a> {
    /// The name.
    pub fn name(&self) -> &'a str {
        self.here.or(self.there).map_or("", |resource| resource.name.as_str())
    }
}

fn first(piece: &Piece) -> &str {
    piece.first().map_or("", |row| row.name.as_str())
}

/// Whether a row of this name begins a piece.
fn begins(name: &str) -> bool {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish().is_multiple_of(ROWS)
}

/// Puts rows and whole pieces together, in order.
struct Builder<'p> {
    pool: Option<&'p Pieces<Resource>>,
    pieces: Vec<Piece>,
    open: Vec<Arc<Resource>>,
    len: usize,
}

impl<'p> Builder<'p> {
    fn new(pool: Option<&'p Pieces<Resource>>) -> Self {
        Self { pool, pieces: Vec::new(), open: Vec::new(), len: 0 }
    }

    fn row(&mut self, row: Arc<Resource>) {
        if begins(&row.name) {
            self.close();
        } else if self.open.is_empty() {
            // Whatever began here before is gone: the piece before goes on.
            self.open = self.pieces.pop().map(|piece| piece.to_vec()).unwrap_or_default();
        }
        self.len += 1;
        self.open.push(row);
    }

    /// A piece as it is, unless its rows have to go with others.
    fn piece(&mut self, piece: &Piece) {
        if begins(first(piece)) || (self.open.is_empty() && self.pieces.is_empty()) {
            self.close();
            self.len += piece.len();
            self.pieces.push(Arc::clone(piece));
        } else {
            piece.iter().for_each(|row| self.row(Arc::clone(row)));
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let rows = std::mem::take(&mut self.open);
            self.pieces.push(match self.pool {
                Some(pool) => pool.share(rows),
                None => rows.into(),
            });
        }
    }

    fn finish(mut self) -> Named {
        self.close();
        Named { pieces: self.pieces.into(), len: self.len }
    }
}

#[cfg(test)]
mod tests;
