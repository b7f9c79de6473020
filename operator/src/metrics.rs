//! The operator's own metrics.

mod process;

use std::sync::{Arc, atomic::AtomicI64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Seconds from a change to its acknowledgement.
const ACK_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Seconds of an admission review.
const ADMISSION_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.5];

/// Label of accepted connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConnectionLabels {
    /// `accepted`, `refused` (too many strangers), `handshake_failed` or `handshake_timeout`.
    pub result: &'static str,
}

/// Label of certificate requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CsrLabels {
    /// `issued`, `refused`, `invalid`, `busy` or `failed`.
    pub result: &'static str,
}

/// Label of what is counted by xDS type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TypeLabels {
    /// `cds`, `eds`, `lds`, `rds`, `vhds`, `sds` or `wds`.
    pub r#type: &'static str,
}

/// Label of reloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReloadLabels {
    /// `clean`, or `errors` when a file kept its last good version.
    pub result: &'static str,
}

/// Labels of admission reviews.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdmissionLabels {
    /// `inject` or `validate`.
    pub webhook: &'static str,
    /// `admitted`, `patched`, `refused`, `failed`, `invalid` or `timeout`.
    pub result: &'static str,
}

/// Handles to every metric; clones share them.
#[derive(Clone)]
pub struct Metrics {
    /// TLS connections by how they began.
    pub connections: Family<ConnectionLabels, Counter>,
    /// Certificate requests by outcome.
    pub csrs: Family<CsrLabels, Counter>,
    /// Proxies with an open ADS stream.
    pub proxies: Gauge,
    /// ADS streams that were refused.
    pub refused_streams: Counter,
    /// Responses sent, by type.
    pub responses: Family<TypeLabels, Counter>,
    /// Resources sent, by type.
    pub resources: Family<TypeLabels, Counter>,
    /// Responses that a proxy refused in part or whole, by type.
    pub nacks: Family<TypeLabels, Counter>,
    /// Seconds from a change of configuration to the moment when a proxy that it touched had acknowledged all of it.
    pub proxy_ack: Histogram,
    /// Seconds from a change of an object to the acknowledgement of the last proxy that it touched.
    pub object_ack: Histogram,
    /// Seconds that one translation took.
    pub translate: Histogram,
    /// Objects in the present snapshot.
    pub objects: Gauge,
    /// Number of the present snapshot.
    pub generation: Gauge<i64, AtomicI64>,
    /// Reloads by result.
    pub reloads: Family<ReloadLabels, Counter>,
    /// Admission reviews by outcome.
    pub admissions: Family<AdmissionLabels, Counter>,
    /// Seconds that an admission review took.
    pub admission: Histogram,
    /// Files and objects that cannot be taken up as they are.
    pub config_errors: Gauge,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers all of them in a registry of their own.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let acks = || Histogram::new(ACK_BUCKETS);
        let mut metrics = Self {
            connections: Family::default(),
            csrs: Family::default(),
            proxies: Gauge::default(),
            refused_streams: Counter::default(),
            responses: Family::default(),
            resources: Family::default(),
            nacks: Family::default(),
            proxy_ack: acks(),
            object_ack: acks(),
            translate: acks(),
            objects: Gauge::default(),
            generation: Gauge::default(),
            reloads: Family::default(),
            admissions: Family::default(),
            admission: Histogram::new(ADMISSION_BUCKETS),
            config_errors: Gauge::default(),
            registry: Arc::default(),
        };
        let r = &mut registry;
        r.register("weft_operator_connections", "TLS connections by how they began", metrics.connections.clone());
        r.register("weft_operator_csrs", "Certificate requests by outcome", metrics.csrs.clone());
        r.register("weft_operator_proxies", "Proxies with an open ADS stream", metrics.proxies.clone());
        r.register("weft_operator_refused_streams", "ADS streams that were refused", metrics.refused_streams.clone());
        r.register("weft_operator_responses", "xDS responses sent", metrics.responses.clone());
        r.register("weft_operator_resources", "xDS resources sent, removals included", metrics.resources.clone());
        r.register("weft_operator_nacks", "xDS responses refused in part or whole", metrics.nacks.clone());
        r.register(
            "weft_operator_proxy_ack_seconds",
            "Time from a change of configuration until a proxy that it touched acknowledged all of it",
            metrics.proxy_ack.clone(),
        );
        r.register(
            "weft_operator_object_ack_seconds",
            "Time from a change of an object to the acknowledgement of the last proxy that it touched",
            metrics.object_ack.clone(),
        );
        r.register("weft_operator_admissions", "Admission reviews by outcome", metrics.admissions.clone());
        r.register("weft_operator_admission_seconds", "Time of one admission review", metrics.admission.clone());
        r.register("weft_operator_translate_seconds", "Time of one translation", metrics.translate.clone());
        r.register("weft_operator_objects", "Objects in the present snapshot", metrics.objects.clone());
        r.register("weft_operator_generation", "Number of the present snapshot", metrics.generation.clone());
        r.register("weft_operator_reloads", "Reloads by result", metrics.reloads.clone());
        r.register("weft_operator_config_errors", "Errors in the present configuration", metrics.config_errors.clone());
        r.register_collector(Box::new(process::Process::new()));
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Everything in OpenMetrics text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
