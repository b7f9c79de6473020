//! Of a large topology, columns that are too high for a canvas become several beside each other. Nodes of one column do
//! not call each other, so calls still run to the right.

use std::collections::BTreeMap;

use super::{Direction, Topology, order, place};

/// How much wider than high a canvas usually is.
const CANVAS: f64 = 1.6;
/// Nodes of one box above each other that are tried.
const ROWS: [usize; 11] = [48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];
/// Columns are left as they are unless all is drawn so much larger.
const LARGER: f64 = 1.15;

/// The ranks with which most is seen of a topology that runs to the right.
pub fn wrap(topology: &Topology, ranks: Vec<usize>, edges: &[(usize, usize)]) -> Vec<usize> {
    let least_width = |ranks: &[usize]| columns(ranks) as f64 * Direction::Right.layer() / CANVAS;
    let side = |ranks: &[usize]| {
        let (width, height) = place::extent(&order::build(topology, ranks, edges), Direction::Right);
        (width / CANVAS).max(height)
    };
    let plain = side(&ranks);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for rows in ROWS {
        let tried = wrapped(topology, &ranks, rows);
        // What is too wide already is not built: each call would be led through every column that it passes.
        let least = best.as_ref().map_or(plain / LARGER, |(least, _)| *least);
        if least_width(&tried) >= least {
            continue;
        }
        let side = side(&tried);
        if side < least {
            best = Some((side, tried));
        }
    }
    best.map_or(ranks, |(_, wrapped)| wrapped)
}

fn columns(ranks: &[usize]) -> usize {
    ranks.iter().max().map_or(0, |last| last + 1)
}

/// The ranks with at most `rows` nodes of one box in a column. They go into the new columns in turn, so that those of one
/// caller stay at its height.
fn wrapped(topology: &Topology, ranks: &[usize], rows: usize) -> Vec<usize> {
    let mut boxes: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
    for (index, (_, home)) in topology.nodes.iter().enumerate() {
        boxes.entry((ranks[index], home.as_str())).or_default().push(index);
    }
    let columns = columns(ranks);
    // Where each column begins; first, how many become of the one before.
    let mut starts = vec![0; columns + 1];
    for ((column, _), nodes) in &boxes {
        starts[column + 1] = nodes.len().div_ceil(rows).max(starts[column + 1]);
    }
    for column in 1..=columns {
        starts[column] = starts[column - 1] + starts[column].max(1);
    }
    let mut out = ranks.to_vec();
    for ((column, _), nodes) in boxes {
        let parts = nodes.len().div_ceil(rows);
        for (place, index) in nodes.into_iter().enumerate() {
            out[index] = starts[column] + place % parts;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    fn topology(nodes: usize, home: impl Fn(usize) -> String, caller: impl Fn(usize) -> Option<usize>) -> Topology {
        Topology {
            nodes: (0..nodes).map(|index| (format!("n{index:03}"), home(index))).collect(),
            edges: (0..nodes).filter_map(|index| Some((caller(index)?, index))).collect(),
        }
    }

    /// Ten trees of thirty, of which each node calls three.
    fn caller(index: usize) -> Option<usize> {
        let (tree, place) = (index / 30 * 30, index % 30);
        (place > 0).then(|| tree + (place - 1) / 3)
    }

    #[test]
    fn three_hundred_nodes_fill_a_canvas_and_calls_run_to_the_right() {
        for (what, topology) in [
            ("trees, each in its box", topology(300, |index| format!("ns{}", index / 30), caller)),
            ("trees in one box", topology(300, |_| "shop".to_owned(), caller)),
            ("all called by one", topology(300, |_| "shop".to_owned(), |index| (index > 0).then_some(0))),
        ] {
            assert!(topology.is_large());
            let first = layout(&topology, Direction::Right, None);
            let bounds = first.bounds().unwrap();
            let ratio = bounds.w / bounds.h;
            assert!((0.8..=3.0).contains(&ratio), "{what}: {} by {}", bounds.w, bounds.h);
            for (from, to) in &first.links {
                assert!(first.nodes[from].x < first.nodes[to].x, "{what}: {from} -> {to}");
            }
            assert_eq!(anew(&topology, Direction::Right), first, "{what}");
            assert_eq!(layout(&topology, Direction::Right, Some(&first)), first, "{what}");
        }
    }

    #[test]
    fn only_columns_that_are_too_high_are_wrapped() {
        // Fourteen chains of sixteen, wider than a canvas already.
        let wide = topology(224, |_| "shop".to_owned(), |index| (index % 16 > 0).then(|| index - 1));
        let (ranks, edges) = rank::ranks(&wide);
        assert_eq!(wrap(&wide, ranks.clone(), &edges), ranks);
        let few = topology(4, |_| "shop".to_owned(), |index| (index == 3).then_some(0));
        assert_eq!(wrapped(&few, &[0, 0, 0, 1], 2), [0, 1, 0, 2]);
    }
}
