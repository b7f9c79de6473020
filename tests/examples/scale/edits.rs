//! Edits of one VirtualService, each followed to the last proxy.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, channel::mpsc::UnboundedReceiver};
use http::Request;
use kube::Client;
use serde_json::json;
use tokio::time::{sleep, timeout};
use weft_model::sync::{ObjectAck, ProxySync};

use crate::{
    operator::Operator,
    proxies::{News, Proxy},
};

/// How long an edit may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two edits; the first one's acknowledgements are in by then.
const PAUSE: Duration = Duration::from_millis(400);

/// How one edit went.
pub struct Edit {
    /// From the API server's answer until the last proxy had received the change.
    pub received: Duration,
    /// From the API server's answer until the operator took the change up.
    pub taken_up: Duration,
    /// From then until the operator had the last acknowledgement.
    pub acknowledged: Duration,
    /// Processor time of the operator.
    pub cpu: Duration,
    /// The most that a proxy was sent, in bytes.
    pub bytes: u64,
}

/// The one that is edited.
pub struct Edited<'e> {
    /// Namespace.
    pub namespace: &'e str,
    /// Name.
    pub name: &'e str,
}

/// Waits until every proxy has acknowledged everything.
///
/// # Errors
/// When that takes more than a minute.
pub async fn settle(operator: &Operator, proxies: usize) -> Result<()> {
    let started = Instant::now();
    loop {
        let rows: Vec<ProxySync> = operator.page("/debug/syncz").await?;
        let synced = rows.iter().filter(|row| row.types.iter().all(|state| state.synced)).count();
        if synced == proxies {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            bail!("{synced} of {proxies} proxies are in sync");
        }
        sleep(Duration::from_millis(200)).await;
    }
}

impl Edited<'_> {
    /// Changes its weights `count` times.
    ///
    /// # Errors
    /// When a change is refused, does not arrive, or a proxy loses its stream.
    pub async fn edit(
        &self,
        client: &Client,
        operator: &Operator,
        proxies: &[Proxy],
        news: &mut UnboundedReceiver<News>,
        count: usize,
    ) -> Result<Vec<Edit>> {
        let mut edits = Vec::with_capacity(count);
        for number in 0..count {
            // Never 90:10, which it begins with, and never the same twice.
            edits.push(self.once(client, operator, proxies, news, 20 + number % 2 * 30 + number % 20).await?);
            sleep(PAUSE).await;
        }
        Ok(edits)
    }

    async fn once(
        &self,
        client: &Client,
        operator: &Operator,
        proxies: &[Proxy],
        news: &mut UnboundedReceiver<News>,
        weight: usize,
    ) -> Result<Edit> {
        let Self { namespace, name } = self;
        let path = format!("/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}");
        let patch = json!([
            { "op": "replace", "path": "/spec/http/1/route/0/weight", "value": 100 - weight },
            { "op": "replace", "path": "/spec/http/1/route/1/weight", "value": weight },
        ]);
        let request = Request::patch(path).header("content-type", "application/json-patch+json");
        let before: Vec<u64> = proxies.iter().map(Proxy::received).collect();
        let cpu = operator.cpu()?;
        let content = self.row(operator).await?.content;

        client.request_text(request.body(patch.to_string().into_bytes())?).await.context("the edit")?;
        let (answered, answered_at) = (Instant::now(), SystemTime::now());
        let mut last = answered;
        for received in 0..proxies.len() {
            match timeout(PATIENCE, news.next()).await {
                Ok(Some(News::Changed(at))) => last = last.max(at),
                Ok(Some(News::Lost(error))) => bail!("a proxy lost its stream: {error}"),
                Ok(None) => bail!("no proxy is left"),
                Err(_) => bail!("the edit reached {received} of {} proxies within {PATIENCE:?}", proxies.len()),
            }
        }
        let row = loop {
            let row = self.row(operator).await?;
            if row.content != content && row.acked_at_ms.is_some() {
                break row;
            }
            if answered.elapsed() > PATIENCE {
                bail!("the edit is not acknowledged by {:?}", row.pending);
            }
            sleep(Duration::from_millis(20)).await;
        };
        let answered_ms = answered_at.duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64;
        let acked_ms = row.acked_at_ms.unwrap_or_default();
        let sent = proxies.iter().zip(before).map(|(proxy, before)| proxy.received() - before);
        Ok(Edit {
            received: last - answered,
            taken_up: Duration::from_millis(row.changed_at_ms.saturating_sub(answered_ms)),
            acknowledged: Duration::from_millis(acked_ms.saturating_sub(row.changed_at_ms)),
            cpu: operator.cpu()?.saturating_sub(cpu),
            bytes: sent.max().unwrap_or_default(),
        })
    }

    /// What the operator knows of it.
    async fn row(&self, operator: &Operator) -> Result<ObjectAck> {
        let rows: Vec<ObjectAck> = operator.page("/debug/acks").await?;
        let mut found = rows.into_iter().filter(|row| {
            row.object.kind == "VirtualService"
                && row.object.namespace == self.namespace
                && row.object.name == self.name
        });
        found.next().context("the operator does not know the VirtualService")
    }
}
