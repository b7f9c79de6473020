//! What a kubelet hands out of a pod's logs. It counts lines from the end, but bytes from where those lines begin: where
//! its own limit is met, the newest are missing. So the end is kept here.

use std::{collections::VecDeque, pin::pin};

use futures::{AsyncBufReadExt, future::join_all};
use http::Request;
use kube::Client;
use serde_json::Value;

use super::{Found, Wanted, moment, object, segment, shown, whole};

/// Bytes of a container's log that are kept at once.
const MOST_KEPT: usize = 1024 * 1024;
/// Bytes of one answer of the kubelet that are read: where it has more, it is asked for fewer lines.
const MOST_READ: usize = 4 * MOST_KEPT;
/// Lines in which one request is looked for.
const SEARCHED: usize = 5_000;

/// Lines of every container of a pod, proxies that start as init containers included, each container's by themselves.
pub async fn read(client: &Client, namespace: &str, pod: &str, wanted: &Wanted) -> Result<Found, kube::Error> {
    let found = object(client, namespace, pod).await?;
    let list = |path: &str| found.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let sidecars = list("/spec/initContainers").into_iter().filter(|one| one["restartPolicy"] == "Always");
    let containers: Vec<String> = list("/spec/containers")
        .into_iter()
        .chain(sidecars)
        .filter_map(|one| one["name"].as_str().map(str::to_owned))
        .collect();
    let lines = if wanted.trace.is_empty() { wanted.lines } else { SEARCHED };
    let asked = containers.iter().map(|container| async move {
        let log = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true",
            segment(namespace),
            segment(pod),
            segment(container)
        );
        newest(client, &log, lines).await
    });
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (container, answer) in containers.iter().zip(join_all(asked).await) {
        let (text, cut) = answer?;
        let told = |line: &str| {
            let (at, rest) = line.split_once(' ').unwrap_or(("", line));
            shown(moment(at), pod, container, if moment(at).is_some() { rest } else { line })
        };
        let all_of_it = text.lines().count();
        let found: Vec<&str> = text.lines().filter(|line| wanted.has(line)).collect();
        // What was asked for comes as it is; of what was looked for, no more than was asked for.
        let older = if wanted.trace.is_empty() { 0 } else { found.len().saturating_sub(wanted.lines) };
        let log: Vec<_> = found.iter().skip(older).map(|line| told(line)).collect();
        if !wanted.trace.is_empty() {
            if log.is_empty() && (cut || all_of_it >= SEARCHED) {
                problems.push(format!(
                    "Of container {container} in {namespace}/{pod} the last {all_of_it} lines were searched."
                ));
            }
        } else if cut {
            problems.push(format!(
                "Of container {container} in {namespace}/{pod} the newest lines are shown, {} of the {lines} asked for: \
                 with more it would be over 1 MiB. Use the command for older ones.",
                log.len()
            ));
        }
        all.push(log);
    }
    Ok((all, problems))
}

/// The newest of the last `lines` lines of a log, and whether older ones of them are left out.
async fn newest(client: &Client, log: &str, lines: usize) -> Result<(String, bool), kube::Error> {
    let mut asked = lines;
    loop {
        let (kept, read) = end(client, &format!("{log}&tailLines={asked}&limitBytes={MOST_READ}")).await?;
        if read < MOST_READ || asked <= 1 {
            let cut = kept.len() < read;
            return Ok((whole(&kept, cut), cut || asked < lines));
        }
        asked = (asked / 4).max(1);
    }
}

/// The end of an answer, and how many bytes of it were read.
async fn end(client: &Client, uri: &str) -> Result<(Vec<u8>, usize), kube::Error> {
    let request = Request::get(uri).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let mut body = pin!(client.request_stream(request).await?);
    let (mut kept, mut read) = (VecDeque::<u8>::new(), 0);
    // The bound holds also for a server that does not know the limit.
    while read < MOST_READ {
        let some = body.fill_buf().await.map_err(|error| kube::Error::Service(error.into()))?;
        let length = some.len();
        if length == 0 {
            break;
        }
        kept.extend(some);
        kept.drain(..kept.len().saturating_sub(MOST_KEPT));
        body.consume_unpin(length);
        read += length;
    }
    Ok((kept.into(), read))
}

#[cfg(test)]
mod tests;
