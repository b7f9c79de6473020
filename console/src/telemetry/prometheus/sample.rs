use std::collections::HashMap;

use prometheus_http_query::response::Data;

/// A series' labels. A label that is absent reads as empty, as in PromQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(HashMap<String, String>);

impl Labels {
    /// The value of `name`; empty when absent.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Where it was scraped: `instance` without its port.
    pub fn host(&self) -> &str {
        let instance = self.get("instance");
        instance.rsplit_once(':').map_or(instance, |(host, _)| host).trim_matches(['[', ']'])
    }

    /// The same with other values of some labels.
    #[must_use]
    pub fn with<const N: usize>(mut self, labels: [(&str, &str); N]) -> Self {
        self.0.extend(labels.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// All labels in the order of their names, which tells two series of one metric apart.
    pub fn sorted(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self.0.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        all.sort_unstable();
        all
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }
}

/// One series of an instant query; the value is a finite number.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since the epoch.
    pub at: f64,
    /// The value, finite.
    pub value: f64,
}

/// One series of a range, oldest sample first.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Its labels.
    pub labels: Labels,
    /// Its samples.
    pub points: Vec<Point>,
}

/// `None` when the answer is not a vector.
pub(super) fn vector(data: Data) -> Option<Vec<Series>> {
    let Data::Vector(rows) = data else { return None };
    let rows = rows.into_iter().map(|row| row.into_inner());
    let finite = rows.filter(|(_, sample)| sample.value().is_finite());
    Some(finite.map(|(labels, sample)| Series { labels: Labels(labels), value: sample.value() }).collect())
}

/// `None` when the answer is not a matrix.
pub(super) fn matrix(data: Data) -> Option<Vec<Track>> {
    let Data::Matrix(rows) = data else { return None };
    let tracks = rows.into_iter().map(|row| {
        let (labels, samples) = row.into_inner();
        let finite = samples.iter().filter(|s| s.value().is_finite());
        let points = finite.map(|s| Point { at: s.timestamp(), value: s.value() }).collect();
        Track { labels: Labels(labels), points }
    });
    Some(tracks.filter(|track: &Track| !track.points.is_empty()).collect())
}
