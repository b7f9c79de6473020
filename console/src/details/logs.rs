//! What instances and their proxies wrote: from the kubelet on a cluster, from files on a machine of one's own.

mod access;
mod files;
mod kubelet;
mod merge;

use std::{path::Path, time::Duration};

use futures::future::join_all;
use http::Request;
use kube::Client;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use weft_model::details::{LogLine, Logs};

use self::merge::Merge;

/// Instances whose logs are read for one answer.
pub const MOST_INSTANCES: usize = 12;
/// Pods of one answer that are read at once.
const PODS_AT_ONCE: usize = 6;
/// Answers that are read at once: each may hold a megabyte for every container of its pods that are being read.
const ANSWERS: usize = 4;
/// How long an answer waits for its turn, and how long one pod may take: together less than the 15 seconds of the page.
const PATIENCE: Duration = Duration::from_secs(2);
const POD_WITHIN: Duration = Duration::from_secs(6);
/// The longest line that is shown, in characters.
const LONGEST: usize = 2_000;

/// What is wanted of each log.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How many lines, the newest.
    pub lines: usize,
    /// Only those that name this trace; all when empty.
    pub trace: String,
}

impl Wanted {
    fn has(&self, line: &str) -> bool {
        self.trace.is_empty() || line.contains(&self.trace)
    }
}

/// Lines of several logs, each log's by themselves, and what could not be read or is left out.
type Found = (Vec<Vec<LogLine>>, Vec<String>);

static TURNS: Semaphore = Semaphore::const_new(ANSWERS);

/// A turn to read; `None` when others keep reading for as long as that.
async fn turn(turns: &Semaphore, patience: Duration) -> Option<SemaphorePermit<'_>> {
    timeout(patience, turns.acquire()).await.ok()?.ok()
}

/// Reads what is wanted of the logs of each instance's containers; `instances` are `(namespace, name)`. On a cluster `client`
/// reads them, in the name of whoever asks; elsewhere they are files in `dir`, as `weft demo` writes them.
pub async fn read(client: Option<Client>, dir: Option<&Path>, instances: &[(String, String)], wanted: &Wanted) -> Logs {
    let mut logs = Logs { available: true, ..Logs::default() };
    if instances.len() > MOST_INSTANCES {
        logs.problems.push(format!(
            "Of {} instances the first {MOST_INSTANCES} are read. Open one workload, or use the command.",
            instances.len()
        ));
    }
    let instances = &instances[..instances.len().min(MOST_INSTANCES)];
    let Some(_turn) = turn(&TURNS, PATIENCE).await else {
        logs.problems.push("Other logs are being read at present; ask again in a moment.".to_owned());
        return logs;
    };
    let mut merge = Merge::default();
    match (&client, dir) {
        (None, None) => {
            logs.available = false;
            logs.problems.push(
                "This console is not told where logs are: on a cluster they are the kubelet's; for a directory of \
                 manifests, name the directory of the logs with --logs-dir."
                    .to_owned(),
            );
        }
        (None, Some(dir)) => {
            for (namespace, name) in instances {
                let (dir, namespace, name, wanted) = (dir.to_owned(), namespace.clone(), name.clone(), wanted.clone());
                let shown = dir.join(format!("{name}.access.json"));
                logs.commands.push((format!("The access log of {name}"), format!("tail -f {}", shown.display())));
                let read = tokio::task::spawn_blocking(move || files::read(&dir, &namespace, &name, &wanted)).await;
                match read {
                    Ok((found, problems)) => {
                        found.into_iter().for_each(|one| merge.add(one));
                        logs.problems.extend(problems);
                    }
                    Err(error) => logs.problems.push(error.to_string()),
                }
            }
        }
        (Some(client), _) => {
            for some in instances.chunks(PODS_AT_ONCE) {
                let asked = some.iter().map(|(namespace, name)| async move {
                    (namespace, name, timeout(POD_WITHIN, kubelet::read(client, namespace, name, wanted)).await)
                });
                for (namespace, name, answer) in join_all(asked).await {
                    let command =
                        format!("kubectl logs {name} -n {namespace} --all-containers --tail={}", wanted.lines);
                    logs.commands.push((format!("The logs of {name}"), command));
                    let why = match answer {
                        Ok(Ok((found, problems))) => {
                            found.into_iter().for_each(|log| merge.add(log));
                            logs.problems.extend(problems);
                            continue;
                        }
                        Ok(Err(error)) => refused(namespace, &error),
                        Err(_) => format!("they did not come within {} seconds", POD_WITHIN.as_secs()),
                    };
                    logs.problems.push(format!("The logs of {namespace}/{name} cannot be read: {why}."));
                }
            }
        }
    }
    let (lines, older) = merge.finish();
    logs.lines = lines;
    if older > 0 {
        logs.problems.push(format!(
            "{older} older lines are left out: ask for fewer of each log, open one workload, or use the command."
        ));
    }
    logs
}

fn refused(namespace: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            "the API server does not accept the token: it may have run out, or be another provider's".to_owned()
        }
        kube::Error::Api(status) if status.code == 403 => {
            format!(
                "it takes the right to get pods/log in namespace {namespace}, which the token or account does not have"
            )
        }
        other => other.to_string(),
    }
}

/// How often a pod's containers were started again; `None` when it cannot be read.
pub async fn restarts(client: &Client, namespace: &str, pod: &str) -> Option<u32> {
    let pod = object(client, namespace, pod).await.ok()?;
    let count = |list: &str| {
        let states = pod.pointer(list).and_then(Value::as_array).into_iter().flatten();
        states.filter_map(|state| state["restartCount"].as_u64()).sum::<u64>()
    };
    u32::try_from(count("/status/containerStatuses") + count("/status/initContainerStatuses")).ok()
}

async fn object(client: &Client, namespace: &str, pod: &str) -> Result<Value, kube::Error> {
    let request = Request::get(format!("/api/v1/namespaces/{}/pods/{}", segment(namespace), segment(pod)));
    client.request(request.body(Vec::new()).map_err(kube::Error::HttpError)?).await
}

/// A name as part of a path: a Kubernetes name needs no encoding, and anything else must not become another path.
fn segment(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The whole lines of a log's end, which lacks its beginning if it is `cut`. Of a line that is all of it, what there is.
fn whole(end: &[u8], cut: bool) -> String {
    let first = end.iter().position(|byte| *byte == b'\n').filter(|at| cut && at + 1 < end.len());
    String::from_utf8_lossy(&end[first.map_or(0, |at| at + 1)..]).into_owned()
}

/// A line as it is shown, with its fields if it is one of an access log.
fn shown(at_ms: Option<u64>, instance: &str, container: &str, text: &str) -> LogLine {
    let access = access::read(text);
    let at_ms = access.as_ref().and_then(|(at, _)| *at).or(at_ms).or_else(|| told(text));
    LogLine {
        at_ms,
        instance: instance.to_owned(),
        container: container.to_owned(),
        text: shortened(text),
        access: access.map(|(_, access)| access),
    }
}

fn shortened(text: &str) -> String {
    let cut = text.char_indices().nth(LONGEST).map(|(index, _)| index);
    cut.map_or_else(|| text.to_owned(), |index| format!("{}…", &text[..index]))
}

/// The time that a line of Weft's own log begins with, or that its JSON names.
fn told(text: &str) -> Option<u64> {
    let first = text.split_whitespace().next()?;
    moment(first).or_else(|| {
        let line: Value = serde_json::from_str(text).ok()?;
        moment(line.get("timestamp").or_else(|| line.get("time"))?.as_str()?)
    })
}

/// Milliseconds since the Unix epoch.
fn moment(text: &str) -> Option<u64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests;
