//! A connection on loan to one request.

use std::{rc::Rc, sync::Arc};

use weft_policy::config::Cluster;

use super::{Client, Facts, Pool};

/// A connection for one request.
pub struct Lease {
    client: Option<Client>,
    pool: Rc<Pool>,
    cluster: Arc<Cluster>,
    /// Whether the connection had served a request before: it may have been closed by the server just now.
    pub reused: bool,
}

impl Lease {
    /// Lends `client` out.
    pub(super) fn new(client: Client, pool: Rc<Pool>, cluster: Arc<Cluster>) -> Self {
        client.facts.streams.set(client.facts.streams.get() + 1);
        let reused = client.facts.requests.get() > 0;
        Self { client: Some(client), pool, cluster, reused }
    }

    /// The connection.
    pub fn client(&mut self) -> Option<&mut Client> {
        self.client.as_mut()
    }

    /// What is known of the connection.
    pub fn facts(&self) -> Option<&Facts> {
        self.client.as_ref().map(|client| &*client.facts)
    }

    /// The endpoint's pool.
    pub fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    /// The answer was read to the end: the connection may serve the next request. `sent` says whether the request was
    /// sent to its end too; a connection that still carries one is of no further use.
    pub fn complete(mut self, sent: bool) {
        let Some(client) = self.take() else { return };
        match client.h2() {
            true => {}
            false if sent => self.pool.give_back(client, &self.cluster),
            false => client.close(),
        }
    }

    fn take(&mut self) -> Option<Client> {
        let client = self.client.take()?;
        client.facts.streams.set(client.facts.streams.get() - 1);
        if client.h2() {
            self.pool.stream_freed();
        }
        Some(client)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A connection whose answer was not read to its end is of no further use, either.
        if let Some(client) = self.take() {
            client.close();
        }
    }
}
