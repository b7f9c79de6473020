//! One worker thread.

use std::{
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::{Arc, atomic::AtomicUsize},
    thread::JoinHandle,
};

use futures::FutureExt;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::LocalSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Dispatcher, Handler, Worker,
    dispatcher::{Job, Lane, QUEUE},
};
use crate::{state::Shared, telemetry::Recorder, upstream::Pools};

/// Running worker threads.
pub struct Workers {
    dispatcher: Dispatcher,
    stop: CancellationToken,
    threads: Vec<(JoinHandle<()>, oneshot::Receiver<()>)>,
}

impl Workers {
    /// Starts `count` threads (at least one), each of which serves its connections with `handler`.
    pub fn start(shared: &Arc<Shared>, count: usize, handler: Handler) -> std::io::Result<Self> {
        let stop = CancellationToken::new();
        let mut lanes = Vec::new();
        let mut threads = Vec::new();
        for index in 0..count.max(1) {
            let (queue, jobs) = mpsc::channel(QUEUE);
            let (done, ended) = oneshot::channel();
            lanes.push(Lane { load: Arc::new(AtomicUsize::new(0)), queue });
            let (shared, stop) = (shared.clone(), stop.clone());
            // The default of 2 MiB is address space, not memory; handlers' futures live on the heap.
            let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                run(index, shared, jobs, handler, stop);
                // Nobody may be waiting any more.
                let _ = done.send(());
            })?;
            threads.push((thread, ended));
        }
        Ok(Self { dispatcher: Dispatcher::new(lanes, shared.drain.clone()), stop, threads })
    }

    /// Hands connections to the threads.
    pub fn dispatcher(&self) -> Dispatcher {
        self.dispatcher.clone()
    }

    /// Ends the threads; connections that are still open are dropped.
    pub async fn stop(self) {
        self.stop.cancel();
        for (thread, ended) in self.threads {
            // An error means that the thread is gone already, which is what is waited for.
            let _ = ended.await;
            if thread.join().is_err() {
                tracing::error!("a worker thread ended by a panic");
            }
        }
    }
}

fn run(index: usize, shared: Arc<Shared>, mut jobs: mpsc::Receiver<Job>, handler: Handler, stop: CancellationToken) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(worker = index, %error, "cannot start a worker's runtime");
            return;
        }
    };
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let pools = Pools::new(&shared);
        let worker = Rc::new(Worker { index, recorder: Recorder::new(shared.clone()), shared, pools });
        loop {
            let job = tokio::select! {
                job = jobs.recv() => match job { Some(job) => job, None => return },
                () = stop.cancelled() => return,
            };
            tokio::task::spawn_local(serve(worker.clone(), job, handler));
        }
    });
}

/// Serves one connection; a panic is counted and costs nothing but this connection.
async fn serve(worker: Rc<Worker>, job: Job, handler: Handler) {
    let Job { connection, load, live, slot } = job;
    let (peer, listener) = (connection.peer, connection.listener.clone());
    let shared = worker.shared.clone();
    let served = AssertUnwindSafe(async move { handler(worker, connection).await }).catch_unwind().await;
    if let Err(panic) = served {
        shared.stats.panicked();
        let why = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(%peer, %listener, why = why.unwrap_or("unknown"), "a connection was lost to a panic");
    }
    drop((load, live, slot));
}

#[cfg(test)]
mod tests;
