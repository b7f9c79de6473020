//! Rows: within each column the order that makes few crossings, found by barycentre sweeps.

use super::{Topology, bands};
use crate::order::Order;

/// A place in a column: a node, or a bend of a long edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Index of a node.
    Node(usize),
    /// Index of a link; it passes here.
    Bend(usize),
}

/// A link between columns with everything on its way.
#[derive(Clone, Debug)]
pub struct Link {
    /// Ends, left to right.
    pub ends: (usize, usize),
    /// Indices of slots, both ends included.
    pub path: Vec<usize>,
}

/// Columns of slots, each in order from top to bottom.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// What each slot is.
    pub slots: Vec<Slot>,
    /// The column of each slot.
    pub column: Vec<usize>,
    /// The band of each slot.
    pub band: Vec<usize>,
    /// Slots by column, top to bottom; bands do not mix.
    pub columns: Vec<Vec<usize>>,
    /// The links.
    pub links: Vec<Link>,
    /// For each band, which cluster's it is: these are drawn in boxes of their own.
    pub sections: Vec<usize>,
    /// Whether there are so many long edges that their lanes have to be narrow.
    pub crowded: bool,
}

const SWEEPS: usize = 12;
/// With more bends than so many for each node, the lanes of long edges would take more room than the nodes, whose names
/// nobody could read any more.
const CROWDED: usize = 2;

/// Puts every node and every bend into its column and orders the columns.
pub fn order(topology: &Topology, ranks: &[usize], edges: &[(usize, usize)]) -> Grid {
    let mut grid = build(topology, ranks, edges);
    let pieces: Vec<(usize, usize)> =
        grid.links.iter().flat_map(|link| link.path.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    let mut near: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); grid.slots.len()];
    for (left, right) in &pieces {
        near[*right].0.push(*left);
        near[*left].1.push(*right);
    }
    let mut heights = heights(&grid);
    let mut best = (crossings(&grid, &pieces), grid.columns.clone());
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let mut indices: Vec<usize> = (0..grid.columns.len()).collect();
        if !forward {
            indices.reverse();
        }
        for index in indices {
            let mut column = std::mem::take(&mut grid.columns[index]);
            let mut keyed: Vec<(usize, f64, usize)> = column
                .iter()
                .map(|slot| {
                    let side = if forward { &near[*slot].0 } else { &near[*slot].1 };
                    let others = if side.is_empty() && !forward { &near[*slot].0 } else { side };
                    // What has no calls at all goes below the rest of its box.
                    let lone = near[*slot].0.is_empty() && near[*slot].1.is_empty();
                    let own = if lone { 1e9 } else { heights[*slot] };
                    (grid.band[*slot], mean(others, &heights).unwrap_or(own), *slot)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            column.clear();
            column.extend(keyed.into_iter().map(|(_, _, slot)| slot));
            measure(&column, &mut heights);
            grid.columns[index] = column;
        }
        let count = crossings(&grid, &pieces);
        if count < best.0 {
            best = (count, grid.columns.clone());
        }
    }
    grid.columns = best.1;
    grid
}

/// The columns, not in order yet.
pub fn build(topology: &Topology, ranks: &[usize], edges: &[(usize, usize)]) -> Grid {
    let bands = bands::bands(topology, ranks);
    let width = ranks.iter().max().map_or(0, |last| last + 1);
    let mut grid = Grid {
        slots: (0..topology.nodes.len()).map(Slot::Node).collect(),
        column: ranks.to_vec(),
        band: bands.group.iter().map(|group| bands.band[*group]).collect(),
        columns: vec![Vec::new(); width],
        links: Vec::new(),
        sections: bands.section.clone(),
        crowded: false,
    };
    for (from, to) in edges {
        let mut path = vec![*from];
        for column in ranks[*from] + 1..ranks[*to] {
            // A bend stands in the box of the end that reaches over this column; between boxes the curve runs free.
            let inside = [*to, *from].into_iter().map(|end| bands.group[end]).find(|group| {
                let (first, last) = bands.span[*group];
                (first..=last).contains(&column)
            });
            if let Some(group) = inside {
                path.push(grid.slots.len());
                grid.slots.push(Slot::Bend(grid.links.len()));
                grid.column.push(column);
                grid.band.push(bands.band[group]);
            }
        }
        path.push(*to);
        grid.links.push(Link { ends: (*from, *to), path });
    }
    let nodes = topology.nodes.len();
    grid.crowded = grid.slots.len() - nodes > CROWDED * nodes;
    if grid.crowded && topology.is_large() {
        // Even narrow lanes would take most of the room: long calls run free, as they do between boxes.
        grid.links.iter_mut().for_each(|link| link.path = vec![link.ends.0, link.ends.1]);
        grid.slots.truncate(nodes);
        grid.column.truncate(nodes);
        grid.band.truncate(nodes);
        grid.crowded = false;
    }
    for slot in 0..grid.slots.len() {
        grid.columns[grid.column[slot]].push(slot);
    }
    for column in &mut grid.columns {
        column.order_by_key(|slot| (grid.band[*slot], *slot));
    }
    grid
}

/// A height for each slot: its place in its column, columns centred on each other.
fn heights(grid: &Grid) -> Vec<f64> {
    let mut out = vec![0.0; grid.slots.len()];
    for column in &grid.columns {
        measure(column, &mut out);
    }
    out
}

fn measure(column: &[usize], heights: &mut [f64]) {
    for (place, slot) in column.iter().enumerate() {
        heights[*slot] = place as f64 - (column.len() as f64 - 1.0) / 2.0;
    }
}

fn mean(slots: &[usize], heights: &[f64]) -> Option<f64> {
    if slots.is_empty() {
        return None;
    }
    Some(slots.iter().map(|slot| heights[*slot]).sum::<f64>() / slots.len() as f64)
}

/// How many pairs of pieces between the same two columns cross: in the order of their left ends, the inversions of their
/// right ends (Barth, Mutzel, Jünger 2004).
fn crossings(grid: &Grid, pieces: &[(usize, usize)]) -> usize {
    let mut place = vec![0; grid.slots.len()];
    for column in &grid.columns {
        for (index, slot) in column.iter().enumerate() {
            place[*slot] = index;
        }
    }
    // Left column, right column, left place, right place.
    let mut sorted: Vec<(usize, usize, usize, usize)> =
        pieces.iter().map(|(a, b)| (grid.column[*a], grid.column[*b], place[*a], place[*b])).collect();
    sorted.sort_unstable();
    let between = sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    between.map(|pieces| inversions(&pieces.iter().map(|piece| piece.3).collect::<Vec<_>>())).sum()
}

/// How many earlier values are greater than later ones, by a Fenwick tree over the values.
fn inversions(values: &[usize]) -> usize {
    let width = values.iter().max().map_or(0, |largest| largest + 1);
    let mut tree = vec![0; width + 1];
    let mut count = 0;
    for (earlier, value) in values.iter().enumerate() {
        let mut at = value + 1;
        let mut not_greater = 0;
        while at > 0 {
            not_greater += tree[at];
            at &= at - 1;
        }
        count += earlier - not_greater;
        let mut at = value + 1;
        while at <= width {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_are_counted_as_one_by_one() {
        let values = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
        let slow = (0..values.len()).flat_map(|a| (a + 1..values.len()).map(move |b| (a, b)));
        assert_eq!(inversions(&values), slow.filter(|(a, b)| values[*a] > values[*b]).count());
        assert_eq!((inversions(&[]), inversions(&[7]), inversions(&[2, 1, 0])), (0, 0, 3));
    }
}
