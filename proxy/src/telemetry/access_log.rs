//! The access log: one JSON object a line with Istio's default fields, written by a thread of its own. A worker never
//! waits for the disk: when the queue is full, lines are dropped and counted.

mod line;

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
};

use line::Line;
use rand::Rng;

use super::{RequestRecord, ResponseFlags, TcpRecord};

/// Lines that may wait for the writer.
const QUEUE: usize = 4096;

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere.
    Off,
    /// Standard output (`-`).
    Stdout,
    /// A file; lines are appended.
    File(PathBuf),
}

impl AccessLogTarget {
    /// Reads the flag: `off`, `-` or a path.
    pub fn parse(text: &str) -> Self {
        match text {
            "off" | "" => Self::Off,
            "-" => Self::Stdout,
            path => Self::File(path.into()),
        }
    }
}

/// Takes lines from all workers. Clones write to the same place.
#[derive(Clone, Default)]
pub struct AccessLog {
    queue: Option<SyncSender<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
    sampling: Sampling,
}

/// Which share of what succeeded is written. What failed always is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    percent: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { percent: 100.0 }
    }
}

impl FromStr for Sampling {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self { percent }),
            _ => Err("a share from 0 to 100 percent is needed"),
        }
    }
}

impl Sampling {
    fn takes(self, failed: bool) -> bool {
        failed || self.percent >= 100.0 || rand::rng().random_range(0.0..100.0) < self.percent
    }
}

impl AccessLog {
    /// Opens `target` and starts its writer.
    pub fn open(target: &AccessLogTarget) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = match target {
            AccessLogTarget::Off => return Ok(Self::default()),
            AccessLogTarget::Stdout => Box::new(io::stdout()),
            AccessLogTarget::File(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (queue, lines) = sync_channel(QUEUE);
        let log = Self { queue: Some(queue), dropped: Arc::default(), sampling: Sampling::default() };
        let dropped = log.dropped.clone();
        std::thread::Builder::new().name("access-log".into()).spawn(move || write(output, &lines, &dropped))?;
        Ok(log)
    }

    /// The same log, with fewer lines.
    #[must_use]
    pub fn sampled(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn request(&self, record: &RequestRecord) {
        let failed = record.status >= 500 || record.flags != ResponseFlags::NONE;
        self.send(failed, || Line::of_request(record).to_json());
    }

    pub(super) fn tcp(&self, record: &TcpRecord) {
        self.send(record.flags != ResponseFlags::NONE, || Line::of_tcp(record).to_json());
    }

    fn send(&self, failed: bool, line: impl FnOnce() -> Vec<u8>) {
        let Some(queue) = &self.queue else { return };
        if !self.sampling.takes(failed) {
            return;
        }
        if queue.try_send(line()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes lines as they come; what has piled up is written in one go.
fn write(mut output: Box<dyn Write + Send>, lines: &Receiver<Vec<u8>>, dropped: &AtomicU64) {
    let mut batch = Vec::new();
    while let Ok(line) = lines.recv() {
        let mut count = 1;
        batch.clear();
        batch.extend_from_slice(&line);
        while batch.len() < 64 * 1024 {
            match lines.try_recv() {
                Ok(line) => {
                    batch.extend_from_slice(&line);
                    count += 1;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if let Err(error) = output.write_all(&batch).and_then(|()| output.flush()) {
            tracing::warn!(%error, lines = count, "cannot write the access log");
            dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
