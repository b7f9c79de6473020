//! What a request holds until its answer is complete.

use std::rc::Rc;

use weft_policy::upstream::{ActiveRequest, Permit};

use super::Lease;
use crate::http::Source;

/// Given back as a whole when the answer ends. Dropped before, it closes the connection.
pub struct Hold {
    /// The connection.
    pub lease: Lease,
    /// Counts at the endpoint, for least-request balancing.
    pub active: ActiveRequest,
    /// Counts against the cluster's limit of requests.
    pub request: Permit,
    /// Counts against the cluster's limit of retries.
    pub retry: Option<Permit>,
    /// The request's body, which may still be on its way.
    pub body: Option<Rc<Source>>,
}

impl Hold {
    /// Whether the endpoint proved an identity of the mesh.
    pub fn is_mesh_peer(&self) -> bool {
        self.lease.facts().is_some_and(|facts| facts.peer.is_some())
    }

    /// The answer is complete: the connection may be used again.
    pub fn complete(self) {
        let sent = self.body.as_ref().is_none_or(|body| body.ended());
        self.lease.complete(sent);
    }
}
