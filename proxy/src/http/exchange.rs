//! One request from its head to the last byte of its answer: what is told of it, told exactly once.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, Request, header};

use super::{Activity, grpc, request_body::Source};
use crate::{
    error::Error,
    telemetry::{Edge, Flag, LogFields, RequestRecord, ResponseFlags},
    upstream::Hold,
    workers::Worker,
};

/// A request in progress. Dropping it records it: an answer that was not finished by then counts as the client's
/// leaving.
pub struct Exchange {
    worker: Rc<Worker>,
    activity: Arc<Activity>,
    /// What will be told.
    pub record: RequestRecord,
    /// When the request head was complete.
    pub started: Instant,
    /// The request's body, if it has one.
    pub body: Option<Rc<Source>>,
    /// The upstream connection and the counts that this request holds.
    pub hold: Option<Hold>,
    /// When the answer must be complete.
    pub deadline: Option<Instant>,
    /// How long the answer's stream may stand still.
    pub idle: Option<Duration>,
    finished: bool,
}

impl Exchange {
    /// Begins with what the head of `request` tells.
    pub fn begin<B>(worker: &Rc<Worker>, activity: &Arc<Activity>, edge: Rc<Edge>, request: &Request<B>) -> Box<Self> {
        let started = Instant::now();
        activity.opened(started);
        let headers = request.headers();
        let log = LogFields {
            path: request.uri().path_and_query().cloned(),
            authority: headers.get(header::HOST).cloned(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            ..LogFields::default()
        };
        let record = RequestRecord {
            edge,
            start: SystemTime::now(),
            duration: Duration::ZERO,
            method: request.method().clone(),
            version: request.version(),
            grpc: weft_policy::facts::is_grpc(headers),
            status: 0,
            grpc_status: None,
            flags: ResponseFlags::NONE,
            bytes_received: 0,
            bytes_sent: 0,
            request_messages: 0,
            response_messages: 0,
            attempts: 0,
            trace: None,
            log,
        };
        Box::new(Self {
            worker: worker.clone(),
            activity: activity.clone(),
            record,
            started,
            body: None,
            hold: None,
            deadline: None,
            idle: None,
            finished: false,
        })
    }

    /// The worker that serves it.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// Notes an error's flag.
    pub fn failed(&mut self, error: &Error) {
        self.record.flags.set(error.flag);
        self.worker.shared.stats.failed(error.kind);
    }

    /// Notes the outcome of a gRPC call, from trailers or from a head without a body.
    pub fn grpc_outcome(&mut self, headers: &HeaderMap) {
        if self.record.grpc
            && let Some(status) = grpc::status_of(headers)
        {
            self.record.grpc_status = Some(status);
        }
    }

    /// The answer is complete.
    pub fn finish(mut self: Box<Self>) {
        self.finished = true;
        if let Some(hold) = self.hold.take() {
            hold.complete();
        }
        if let Some(body) = self.body.as_ref().filter(|body| !body.ended()) {
            body.abandon();
        }
    }

    /// The answer ended early by `flag`, which is not the client's doing.
    pub fn abort(mut self: Box<Self>, flag: Flag) {
        self.record.flags.set(flag);
        self.finished = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let now = Instant::now();
        let record = &mut self.record;
        record.duration = now - self.started;
        if let Some(body) = &self.body {
            body.settle();
            record.bytes_received = body.bytes();
            record.request_messages = body.messages();
        }
        if !self.finished {
            record.flags.set(Flag::DownstreamConnectionTermination);
        }
        self.worker.recorder.record(record);
        self.activity.closed(now);
    }
}
