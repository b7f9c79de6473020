//! How much of proxies is read at once: a dump has tens of megabytes, and several times that once it is read.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinError,
    time::timeout,
};

use crate::http::ApiError;

/// Proxies whose pages are fetched or held at once.
const HELD: usize = 4;
/// Those that are read at once; it keeps a processor busy, so it is done beside the runtime.
const READ: usize = 2;
/// How long somebody waits for a place.
const WAIT: Duration = Duration::from_secs(5);

/// Why a proxy's pages were not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// Others are first.
    #[error("the console is reading as many proxies as it does at once")]
    Busy,
    /// The console itself failed.
    #[error("reading the proxy's pages broke off: {0}")]
    Broken(#[from] JoinError),
}

/// Places for whoever reads proxies.
pub struct Reading {
    held: Arc<Semaphore>,
    read: Arc<Semaphore>,
    wait: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { held: Arc::new(Semaphore::new(HELD)), read: Arc::new(Semaphore::new(READ)), wait: WAIT }
    }
}

impl Reading {
    /// A place to fetch a proxy's pages into.
    pub async fn hold(&self) -> Result<OwnedSemaphorePermit, ReadingError> {
        self.place(&self.held).await
    }

    /// Reads what was fetched into a place. Both places stay taken until that is done, even if nobody waits any more.
    pub async fn read<T: Send + 'static>(
        &self,
        held: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadingError> {
        let place = self.place(&self.read).await?;
        let done = tokio::task::spawn_blocking(move || {
            let _places = (held, place);
            work()
        });
        Ok(done.await?)
    }

    async fn place(&self, of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ReadingError> {
        match timeout(self.wait, of.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes it.
            Ok(Err(_)) | Err(_) => Err(ReadingError::Busy),
        }
    }
}

impl From<ReadingError> for ApiError {
    fn from(error: ReadingError) -> Self {
        match error {
            ReadingError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "The console is reading as many proxies as it does at once.",
                "Try again in a few seconds. weft proxy-config asks the proxy itself meanwhile.",
            ),
            error @ ReadingError::Broken(_) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::{http::header, response::IntoResponse};

    use super::*;

    fn impatient() -> Reading {
        Reading { wait: Duration::from_millis(20), ..Reading::default() }
    }

    #[tokio::test]
    async fn whoever_would_wait_long_is_told_to_come_again() {
        let reading = Arc::new(impatient());
        let mut ends = Vec::new();
        let mut done = Vec::new();
        for _ in 0..READ {
            let (began, begins) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let held = reading.hold().await.unwrap();
            let own = Arc::clone(&reading);
            done.push(tokio::spawn(async move {
                own.read(held, move || {
                    began.send(()).unwrap();
                    ended.recv().is_err()
                })
                .await
            }));
            tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
            ends.push(end);
        }
        let third = reading.hold().await.unwrap();
        assert!(matches!(reading.read(third, || ()).await, Err(ReadingError::Busy)), "two are read at once");
        // Whoever gave up took nothing with him: as many may fetch as before.
        let held = [reading.hold().await.unwrap(), reading.hold().await.unwrap()];
        let error = reading.hold().await.unwrap_err();
        assert!(matches!(error, ReadingError::Busy), "and four held: {error:?}");
        let answer = ApiError::from(error).into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "5");

        drop((ends, held));
        for one in done {
            assert!(one.await.unwrap().unwrap());
        }
        let held = reading.hold().await.unwrap();
        assert_eq!(reading.read(held, || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_place_is_taken_while_its_reader_works_for_nobody() {
        let reading = Arc::new(impatient());
        let (began, begins) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let held = reading.hold().await.unwrap();
        let own = Arc::clone(&reading);
        let left = tokio::spawn(async move {
            own.read(held, move || {
                began.send(()).unwrap();
                ended.recv().is_err()
            })
            .await
        });
        tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
        left.abort();
        assert!(left.await.unwrap_err().is_cancelled());
        assert_eq!(reading.read.available_permits(), READ - 1);
        drop(end);
    }
}
