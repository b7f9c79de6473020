use std::sync::Arc;

use weft_model::graph::{CodeRate, Edge, Health, Lock};

use super::round;
use crate::graph::{
    Figures,
    health::{client_error_share, error_share},
    links::{Count, Link},
};

/// Most outcomes that are listed of one edge; what is left over is added up under the code `…`.
const MAX_CODES: usize = 12;

/// Links that one edge stands for.
#[derive(Default)]
pub(super) struct Sum {
    counts: Vec<Count>,
    protocols: [bool; 3],
    opened: f64,
    closed: f64,
    bytes: [f64; 2],
    messages: [f64; 2],
    mtls: f64,
    plaintext: f64,
    /// Of each quantile: sum of rate times value, sum of rates.
    quantiles: [(f64, f64); 3],
    /// Pairs whose HTTP bytes were counted: bytes are of a pair, whatever hosts it was called by.
    pairs: Vec<(Arc<str>, Arc<str>)>,
}

impl Sum {
    pub fn add(&mut self, link: &Link, figures: Option<&Figures>) {
        for count in &link.counts {
            let same = |c: &&mut Count| {
                c.code == count.code && c.flags == count.flags && c.grpc == count.grpc && c.protocol == count.protocol
            };
            match self.counts.iter_mut().find(same) {
                Some(known) => known.rate += count.rate,
                None => self.counts.push(count.clone()),
            }
        }
        for (own, other) in self.protocols.iter_mut().zip(link.protocols) {
            *own |= other;
        }
        self.opened += link.opened;
        self.closed += link.closed;
        self.mtls += link.mtls;
        self.plaintext += link.plaintext;
        for way in 0..2 {
            self.bytes[way] += link.bytes[way];
        }
        let Some(figures) = figures else { return };
        let weight = link.requests().max(f64::MIN_POSITIVE);
        for (sum, value) in self.quantiles.iter_mut().zip(figures.quantiles) {
            if let Some(value) = value {
                *sum = (sum.0 + weight * value, sum.1 + weight);
            }
        }
        let pair = (link.source.id.clone(), link.destination.id.clone());
        if !self.pairs.contains(&pair) {
            self.pairs.push(pair);
            for way in 0..2 {
                self.bytes[way] += figures.bytes[way];
                self.messages[way] += figures.messages[way];
            }
        }
    }

    pub fn finish(self, source: &str, destination: &str) -> Edge {
        let requests =
            self.counts.iter().filter(|count| !count.code.is_empty()).fold(0.0, |sum, count| sum + count.rate);
        // What moves names the protocol; of idle edges it is what there was.
        let moving = |protocol: &str| {
            self.counts
                .iter()
                .any(|count| !count.code.is_empty() && (&*count.protocol == "grpc") == (protocol == "grpc"))
        };
        let tcp_moves = self.opened + self.closed > 0.0 || (requests <= 0.0 && self.bytes[0] + self.bytes[1] > 0.0);
        let seen = [moving("http"), moving("grpc"), tcp_moves && self.protocols[2]];
        let seen = if seen.contains(&true) { seen } else { self.protocols };
        let protocol = match seen {
            [_, false, false] => "http",
            [false, true, false] => "grpc",
            [false, false, true] => "tcp",
            _ => "mixed",
        };
        let mut codes: Vec<CodeRate> = self
            .counts
            .into_iter()
            .map(|count| CodeRate {
                code: count.code.to_string(),
                grpc: count.grpc.to_string(),
                flags: count.flags.to_string(),
                rate: count.rate,
            })
            .collect();
        if requests > 0.0 {
            codes.retain(|code| !code.code.is_empty());
        }
        codes.sort_by(|a, b| b.rate.total_cmp(&a.rate).then_with(|| (&a.code, &a.flags).cmp(&(&b.code, &b.flags))));
        let told = self.mtls + self.plaintext;
        let quantile = |at: usize| {
            let (sum, weight) = self.quantiles[at];
            (weight > 0.0).then(|| sum / weight)
        };
        Edge {
            id: format!("{source}->{destination}"),
            source: source.to_owned(),
            destination: destination.to_owned(),
            protocol: protocol.to_owned(),
            rate: if protocol == "tcp" { self.opened } else { requests },
            error_share: error_share(&codes),
            client_error_share: client_error_share(&codes).unwrap_or_default(),
            share: None,
            p50_ms: quantile(0),
            p95_ms: quantile(1),
            p99_ms: quantile(2),
            bytes_sent: self.bytes[0],
            bytes_received: self.bytes[1],
            opened: self.opened,
            closed: self.closed,
            messages_sent: self.messages[0],
            messages_received: self.messages[1],
            health: Health::Idle,
            lock: match (told > 0.0, self.mtls > 0.0, self.plaintext > 0.0) {
                (false, _, _) => Lock::Unknown,
                (true, true, true) => Lock::Mixed,
                (true, true, false) => Lock::Mtls,
                (true, false, _) => Lock::Plaintext,
            },
            plaintext_share: (told > 0.0).then(|| self.plaintext / told),
            codes,
        }
    }
}

/// Makes an edge as small as it may be on the wire, once everything was derived from it.
pub(super) fn round_off(edge: &mut Edge) {
    let sums = [
        &mut edge.rate,
        &mut edge.client_error_share,
        &mut edge.bytes_sent,
        &mut edge.bytes_received,
        &mut edge.opened,
        &mut edge.closed,
        &mut edge.messages_sent,
        &mut edge.messages_received,
    ];
    let maybe =
        [&mut edge.error_share, &mut edge.p50_ms, &mut edge.p95_ms, &mut edge.p99_ms, &mut edge.plaintext_share];
    for value in sums.into_iter().chain(maybe.into_iter().filter_map(Option::as_mut)) {
        *value = round(*value);
    }
    if edge.codes.len() > MAX_CODES {
        let rest = edge.codes.split_off(MAX_CODES - 1);
        let rate = rest.iter().fold(0.0, |sum, code| sum + code.rate);
        edge.codes.push(CodeRate { code: "…".to_owned(), flags: "-".to_owned(), rate, ..CodeRate::default() });
    }
    for code in &mut edge.codes {
        code.rate = round(code.rate);
    }
}
