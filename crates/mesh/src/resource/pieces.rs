//! Pieces of resource sets that are held once, however many sets have them.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Resource, named::Piece};

/// Pieces so few that nobody looks for those that are not used.
const FEW: usize = 1024;

/// The pieces that sets share.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    pieces: HashSet<ByRows>,
    /// As many as there may be before those that nobody uses are dropped.
    most: usize,
}

/// A piece is the same as another when it has the very same rows.
#[derive(Debug)]
struct ByRows(Piece);

impl Pieces {
    /// The piece with these rows, whoever made it.
    pub(super) fn share(&self, rows: Vec<Arc<Resource>>) -> Piece {
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

impl Hash for ByRows {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for row in self.0.iter() {
            Arc::as_ptr(row).hash(state);
        }
    }
}

impl PartialEq for ByRows {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(other.0.iter()).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Eq for ByRows {}
