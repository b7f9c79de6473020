//! Coordinates: columns at even distances, rows as straight as their order allows.

use super::{Direction, Layout, Topology, order::Grid, order::Slot};
use crate::graph::geometry::Point;

const PASSES: usize = 16;
/// A narrow lane of a long edge.
const LANE: f64 = 5.0;
/// Between the boxes of two bands.
const BETWEEN: f64 = 28.0;

/// Turns the ordered grid into points. Coordinates are those of calls that run to the right until the very end.
pub fn place(topology: &Topology, grid: &Grid, direction: Direction) -> Layout {
    let mut y = vec![0.0; grid.slots.len()];
    let mut top = 0.0;
    let mut near: Vec<[Vec<(usize, f64)>; 2]> = vec![Default::default(); grid.slots.len()];
    for link in &grid.links {
        for pair in link.path.windows(2).filter(|pair| grid.band[pair[0]] == grid.band[pair[1]]) {
            let bends = pair.iter().filter(|slot| matches!(grid.slots[**slot], Slot::Bend(_))).count();
            let weight = [1.0, 2.0, 8.0][bends];
            near[pair[1]][0].push((pair[0], weight));
            near[pair[0]][1].push((pair[1], weight));
        }
    }
    let mut bands: Vec<Vec<Vec<usize>>> = vec![vec![Vec::new(); grid.columns.len()]; grid.sections.len()];
    for (index, column) in grid.columns.iter().enumerate() {
        for slot in column {
            bands[grid.band[*slot]][index].push(*slot);
        }
    }
    for (band, columns) in bands.into_iter().enumerate() {
        settle(grid, &columns, &near, direction, &mut y);
        let slots = || columns.iter().flatten().copied();
        let first = slots().map(|slot| y[slot] - size(grid, slot, direction) / 2.0).fold(f64::INFINITY, f64::min);
        let last = slots().map(|slot| y[slot] + size(grid, slot, direction) / 2.0).fold(f64::NEG_INFINITY, f64::max);
        if first > last {
            continue;
        }
        for slot in slots() {
            y[slot] += top - first;
        }
        top += last - first + direction.padding() + BETWEEN;
        if grid.sections.get(band + 1).is_some_and(|next| *next != grid.sections[band]) {
            top += direction.around();
        }
    }
    let point = |slot: usize| direction.turn(Point::new(grid.column[slot] as f64 * direction.layer(), y[slot].round()));
    let mut out = Layout { links: topology.links(), ..Layout::new(direction) };
    for (index, (id, _)) in topology.nodes.iter().enumerate() {
        out.nodes.insert(id.clone(), point(index));
    }
    for link in &grid.links {
        let bends: Vec<Point> = link
            .path
            .iter()
            .filter(|slot| matches!(grid.slots[**slot], Slot::Bend(_)))
            .map(|slot| point(*slot))
            .collect();
        if !bends.is_empty() {
            let name = |index: usize| topology.nodes[index].0.clone();
            out.bends.insert((name(link.ends.0), name(link.ends.1)), bends);
        }
    }
    out
}

/// How much room a grid takes at least, along the calls and across them.
pub fn extent(grid: &Grid, direction: Direction) -> (f64, f64) {
    let mut bands = vec![0.0_f64; grid.sections.len()];
    for column in &grid.columns {
        for slots in column.chunk_by(|a, b| grid.band[*a] == grid.band[*b]) {
            let each = slots.iter().map(|slot| size(grid, *slot, direction) + gap(grid, [*slot; 2], direction));
            let band = &mut bands[grid.band[slots[0]]];
            *band = f64::max(*band, each.sum());
        }
    }
    let across = bands.iter().map(|height| height + direction.padding() + BETWEEN).sum();
    (grid.columns.len() as f64 * direction.layer(), across)
}

fn size(grid: &Grid, slot: usize, direction: Direction) -> f64 {
    match grid.slots[slot] {
        Slot::Node(_) => direction.node().1,
        Slot::Bend(_) if grid.crowded => LANE,
        Slot::Bend(_) => direction.bend(),
    }
}

/// Between the edges of two neighbours in a column.
fn gap(grid: &Grid, slots: [usize; 2], direction: Direction) -> f64 {
    let bends = slots.iter().filter(|slot| matches!(grid.slots[**slot], Slot::Bend(_))).count();
    match bends {
        2 if grid.crowded => LANE,
        1 if grid.crowded => 3.0 * LANE,
        _ => direction.row() - direction.node().1,
    }
}

/// Moves the slots of one band towards the middle of their neighbours, again and again, without changing any order.
fn settle(grid: &Grid, columns: &[Vec<usize>], near: &[[Vec<(usize, f64)>; 2]], direction: Direction, y: &mut [f64]) {
    for column in columns {
        let mut at = 0.0;
        for (index, slot) in column.iter().enumerate() {
            y[*slot] = at + size(grid, *slot, direction) / 2.0;
            let next = column.get(index + 1).map_or(0.0, |next| gap(grid, [*slot, *next], direction));
            at += size(grid, *slot, direction) + next;
        }
        for slot in column {
            y[*slot] -= at / 2.0;
        }
    }
    for pass in 0..PASSES {
        let side = pass % 2;
        let mut indices: Vec<usize> = (0..columns.len()).collect();
        if side == 1 {
            indices.reverse();
        }
        for index in indices {
            let wishes: Vec<(f64, f64)> = columns[index]
                .iter()
                .map(|slot| {
                    // The last passes look both ways, which centres a caller on all whom it calls.
                    let both = pass + 4 >= PASSES;
                    let around = || {
                        let other = if both { near[*slot][1 - side].as_slice() } else { &[] };
                        near[*slot][side].iter().chain(other)
                    };
                    let weight: f64 = around().map(|(_, weight)| weight).sum();
                    if weight == 0.0 {
                        return (y[*slot], 0.1);
                    }
                    (around().map(|(other, weight)| y[*other] * weight).sum::<f64>() / weight, weight)
                })
                .collect();
            let steps: Vec<f64> = columns[index]
                .windows(2)
                .map(|pair| {
                    let half = (size(grid, pair[0], direction) + size(grid, pair[1], direction)) / 2.0;
                    half + gap(grid, [pair[0], pair[1]], direction)
                })
                .collect();
            for (slot, at) in columns[index].iter().zip(closest(&wishes, &steps)) {
                y[*slot] = at;
            }
        }
    }
}

/// The positions nearest to the wishes (position, weight) that keep the order and at least `steps` between neighbours:
/// isotonic regression by pooling adjacent violators.
pub fn closest(wishes: &[(f64, f64)], steps: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wishes.len());
    let mut offset = 0.0;
    for index in 0..wishes.len() {
        offsets.push(offset);
        offset += steps.get(index).copied().unwrap_or(0.0);
    }
    // Each pool: sum of weighted wishes, weight, members.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(&offsets) {
        let mut pool = ((wish - offset) * weight, *weight, 1);
        while let Some(last) = pools.last() {
            if last.0 / last.1 <= pool.0 / pool.1 {
                break;
            }
            pool = (pool.0 + last.0, pool.1 + last.1, pool.2 + last.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let values = pools.into_iter().flat_map(|(sum, weight, members)| std::iter::repeat_n(sum / weight, members));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}
