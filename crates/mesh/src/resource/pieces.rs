//! Pieces of long lists that are held once, however many lists have them.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

/// Pieces so few that nobody looks for those that are not used.
const FEW: usize = 1024;

/// A part of a list.
pub(crate) type Piece<T> = Arc<[Arc<T>]>;

/// The pieces that lists share.
#[derive(Debug)]
pub(crate) struct Pieces<T>(Mutex<Held<T>>);

#[derive(Debug)]
struct Held<T> {
    pieces: HashSet<ByRows<T>>,
    /// As many as there may be before those that nobody uses are dropped.
    most: usize,
}

/// A piece is the same as another when it has the very same rows.
#[derive(Debug)]
struct ByRows<T>(Piece<T>);

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self(Mutex::new(Held { pieces: HashSet::new(), most: 0 }))
    }
}

impl<T> Pieces<T> {
    /// The piece with these rows, whoever made it.
    pub(crate) fn share(&self, rows: Vec<Arc<T>>) -> Piece<T> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = ByRows(rows.into());
        if let Some(ByRows(shared)) = held.pieces.get(&piece) {
            return Arc::clone(shared);
        }
        if held.pieces.len() >= held.most {
            held.pieces.retain(|ByRows(piece)| Arc::strong_count(piece) > 1);
            held.most = (2 * held.pieces.len()).max(FEW);
        }
        let shared = Arc::clone(&piece.0);
        held.pieces.insert(piece);
        shared
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pieces.len()
    }
}

impl<T> Hash for ByRows<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for row in self.0.iter() {
            Arc::as_ptr(row).hash(state);
        }
    }
}

impl<T> PartialEq for ByRows<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(other.0.iter()).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl<T> Eq for ByRows<T> {}
