//! hyper on a single-threaded runtime.

use std::future::Future;

/// Spawns on the present thread. HTTP/2 connections spawn their streams with it.
#[derive(Clone, Copy, Debug)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
