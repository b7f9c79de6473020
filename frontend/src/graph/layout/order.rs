//! Rows: within each column the order that makes few crossings, found by barycentre sweeps.

use super::{Topology, bands};

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
    /// Number of bands.
    pub bands: usize,
}

const SWEEPS: usize = 12;
/// Beyond this many pieces, counting crossings costs more than it gains, and the last sweep is taken.
const COUNTED: usize = 1500;

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
    let mut best = (crossings(&grid, &pieces), grid.columns.clone());
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let mut indices: Vec<usize> = (0..grid.columns.len()).collect();
        if !forward {
            indices.reverse();
        }
        for index in indices {
            let heights = heights(&grid);
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
            grid.columns[index] = column;
        }
        let count = crossings(&grid, &pieces);
        if count < best.0 || pieces.len() > COUNTED {
            best = (count, grid.columns.clone());
        }
    }
    grid.columns = best.1;
    grid
}

fn build(topology: &Topology, ranks: &[usize], edges: &[(usize, usize)]) -> Grid {
    let bands = bands::bands(topology, ranks);
    let width = ranks.iter().max().map_or(0, |last| last + 1);
    let mut grid = Grid {
        slots: (0..topology.nodes.len()).map(Slot::Node).collect(),
        column: ranks.to_vec(),
        band: bands.group.iter().map(|group| bands.band[*group]).collect(),
        columns: vec![Vec::new(); width],
        links: Vec::new(),
        bands: bands.band.iter().max().map_or(0, |last| last + 1),
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
    for slot in 0..grid.slots.len() {
        grid.columns[grid.column[slot]].push(slot);
    }
    for column in &mut grid.columns {
        column.sort_by_key(|slot| (grid.band[*slot], *slot));
    }
    grid
}

/// A height for each slot: its place in its column, columns centred on each other.
fn heights(grid: &Grid) -> Vec<f64> {
    let mut out = vec![0.0; grid.slots.len()];
    for column in &grid.columns {
        for (place, slot) in column.iter().enumerate() {
            out[*slot] = place as f64 - (column.len() as f64 - 1.0) / 2.0;
        }
    }
    out
}

fn mean(slots: &[usize], heights: &[f64]) -> Option<f64> {
    if slots.is_empty() {
        return None;
    }
    Some(slots.iter().map(|slot| heights[*slot]).sum::<f64>() / slots.len() as f64)
}

/// How many pairs of pieces between the same two columns cross.
fn crossings(grid: &Grid, pieces: &[(usize, usize)]) -> usize {
    if pieces.len() > COUNTED {
        return 0;
    }
    let mut place = vec![0; grid.slots.len()];
    for column in &grid.columns {
        for (index, slot) in column.iter().enumerate() {
            place[*slot] = index;
        }
    }
    let mut count = 0;
    for (index, a) in pieces.iter().enumerate() {
        for b in &pieces[index + 1..] {
            let same = grid.column[a.0] == grid.column[b.0] && grid.column[a.1] == grid.column[b.1];
            let (left, right) = (place[a.0].cmp(&place[b.0]), place[a.1].cmp(&place[b.1]));
            if same && left != right && left.is_ne() && right.is_ne() {
                count += 1;
            }
        }
    }
    count
}
