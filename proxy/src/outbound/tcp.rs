//! Opaque connections: authorization, an endpoint, bytes in both directions.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use weft_policy::{
    balance::{PickRequest, xxh64},
    config::{Direction, Discovery, EndpointAddress, TcpChain},
    upstream::{Host, Limit, LocalFailure, Outcome, Permit, Upstream},
};

use super::{
    copy::{Copied, Limits, copy},
    edge,
};
use crate::{
    error::{Error, Kind},
    inbound,
    listener::{Downstream, Stream},
    telemetry::{self, LogFields, ResponseFlags, TcpRecord},
    upstream::Connected,
};

/// A connection on which no byte moves is closed after, where the chain does not say.
const IDLE: Duration = Duration::from_secs(3600);

/// Serves an opaque connection to its end.
pub async fn serve(downstream: Downstream, chain: &TcpChain, mut stream: Stream) {
    let mut log = LogFields {
        downstream_local_address: Some(downstream.local),
        downstream_remote_address: Some(downstream.peer),
        requested_server_name: downstream.sni.clone(),
        ..LogFields::default()
    };
    let worker = &downstream.worker;
    let mut end = End { flags: ResponseFlags::NONE, edge: downstream.edge(None), copied: Copied::default() };
    let mut series = None;
    match connect(&downstream, chain, &mut log, &mut end).await {
        Err(error) => {
            end.flags.set(error.flag);
            log.upstream_transport_failure_reason = error.source.as_ref().map(ToString::to_string);
            worker.shared.stats.failed(error.kind);
        }
        Ok((mut connected, _permit, active)) => {
            let open = worker.recorder.tcp_opened(&end.edge);
            let idle = chain.idle_timeout.filter(|idle| !idle.is_zero()).unwrap_or(IDLE);
            let limits = Limits { idle: Some(idle), until: chain.max_duration.map(|age| downstream.started + age) };
            end.copied = copy(&mut stream, &mut connected.stream, limits, |received, sent| {
                open.received(received);
                open.sent(sent);
            })
            .await;
            if let Some(flag) = end.copied.flag() {
                end.flags.set(flag);
            }
            drop(active);
            series = Some(open);
        }
    }
    let series = series.unwrap_or_else(|| worker.recorder.tcp_opened(&end.edge));
    let record = TcpRecord {
        edge: end.edge,
        start: downstream.start,
        duration: downstream.started.elapsed(),
        flags: end.flags,
        bytes_received: end.copied.received,
        bytes_sent: end.copied.sent,
        log,
    };
    worker.recorder.tcp_closed(series, &record);
}

/// What is told of a connection when it is over.
struct End {
    flags: ResponseFlags,
    edge: std::rc::Rc<telemetry::Edge>,
    copied: Copied,
}

async fn connect(
    downstream: &Downstream,
    chain: &TcpChain,
    log: &mut LogFields,
    end: &mut End,
) -> Result<(Connected, Permit, weft_policy::upstream::ActiveRequest), Error> {
    let worker = &downstream.worker;
    let config = worker.shared.config.load_full();
    let cluster = chain.clusters.pick(rand::rng().random()).ok_or(Kind::NoCluster)?;
    log.upstream_cluster = Some(cluster.cluster.clone());
    let upstream = config.upstream(&cluster.cluster);
    end.edge = downstream.edge(upstream.map(|upstream| &upstream.cluster));
    if let Some(why) = inbound::refused_connection(&chain.authz, &downstream.facts()) {
        log.connection_termination_details = Some(why);
        return Err(Kind::Denied.into());
    }
    let upstream = upstream.ok_or(Kind::NoCluster)?;
    let permit = upstream.acquire(Limit::Connections).map_err(|_| {
        worker.shared.stats.overflow(&upstream.cluster.name, telemetry::Overflow::Connections);
        Kind::Overflow
    })?;
    let mut tried: Vec<Arc<Host>> = Vec::new();
    loop {
        let hash = chain.hash_source_ip.then(|| xxh64(downstream.peer.ip().to_string().as_bytes(), 0));
        let host = pick(downstream, upstream, hash, &tried).ok_or(Kind::NoHealthyUpstream)?;
        match host.address() {
            EndpointAddress::Socket(address) => log.upstream_host = Some(*address),
            EndpointAddress::Pipe(path) => log.upstream_path = Some(path.to_string_lossy().into()),
        }
        let active = host.begin();
        let outcome = worker.pools.dedicated(upstream, &host).await;
        let told = match &outcome {
            Ok(_) => Outcome::Connected,
            Err(_) => Outcome::Failed(LocalFailure::Connect),
        };
        upstream.report(&host, told, worker.shared.now(), rand::rng().random());
        if downstream.direction == Direction::Outbound {
            let proven = outcome.as_ref().ok().and_then(|connected| connected.peer.as_ref());
            end.edge = edge::edge(worker, Some(&host), proven, upstream.cluster.services.first());
        }
        match outcome {
            Ok(connected) => {
                log.upstream_local_address = connected.local;
                return Ok((connected, permit, active));
            }
            Err(error) => {
                tried.push(host);
                if tried.len() >= chain.max_connect_attempts.max(1) as usize {
                    return Err(error);
                }
            }
        }
    }
}

fn pick(downstream: &Downstream, upstream: &Upstream, hash: Option<u64>, avoid: &[Arc<Host>]) -> Option<Arc<Host>> {
    if let Discovery::OriginalDestination = upstream.cluster.discovery {
        return Some(downstream.worker.pools.original(upstream, downstream.local));
    }
    upstream.pick(&PickRequest { hash, random: rand::rng().random(), avoid, ..PickRequest::default() }).ok().cloned()
}
