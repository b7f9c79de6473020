//! Rows of boxes: namespaces whose columns do not meet share a band, so boxes never overlap. Bands of different clusters do
//! not mix, so the boxes around clusters do not overlap either; what is in none comes last.

use std::collections::BTreeMap;

use super::{Topology, cluster_of};
use crate::order::Order;

/// For each node its group, and for each group its band, top to bottom. A node without a namespace is its own group.
#[derive(Clone, Debug, Default)]
pub struct Bands {
    /// Group of each node.
    pub group: Vec<usize>,
    /// Band of each group.
    pub band: Vec<usize>,
    /// First and last column of each group.
    pub span: Vec<(usize, usize)>,
    /// For each band, which cluster's it is.
    pub section: Vec<usize>,
}

/// Puts the largest groups into the first band that has room for them.
pub fn bands(topology: &Topology, ranks: &[usize]) -> Bands {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = Bands::default();
    let mut size: Vec<usize> = Vec::new();
    let mut cluster: Vec<&str> = Vec::new();
    for (index, (_, namespace)) in topology.nodes.iter().enumerate() {
        let next = out.span.len();
        let group = if namespace.is_empty() { next } else { *names.entry(namespace).or_insert(next) };
        if group == next {
            out.span.push((ranks[index], ranks[index]));
            size.push(0);
            cluster.push(cluster_of(namespace));
        }
        let span = &mut out.span[group];
        *span = (span.0.min(ranks[index]), span.1.max(ranks[index]));
        size[group] += 1;
        out.group.push(group);
    }
    let mut order: Vec<usize> = (0..size.len()).collect();
    // Clusters by name, and what is in none behind them.
    let section = |group: &usize| (cluster[*group].is_empty(), cluster[*group]);
    order.order_by_key(|group| (section(group), std::cmp::Reverse(size[*group]), *group));
    out.band = vec![0; size.len()];
    for (number, groups) in order.chunk_by(|a, b| section(a) == section(b)).enumerate() {
        let start = out.section.len();
        let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
        for group in groups {
            let (first, last) = out.span[*group];
            let free = |spans: &Vec<(usize, usize)>| spans.iter().all(|(from, to)| last < *from || *to < first);
            let band = taken.iter().position(free).unwrap_or_else(|| {
                taken.push(Vec::new());
                taken.len() - 1
            });
            taken[band].push((first, last));
            out.band[*group] = start + band;
        }
        out.section.resize(start + taken.len(), number);
    }
    out
}
