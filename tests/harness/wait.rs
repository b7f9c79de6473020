//! Waiting on conditions.

use std::time::{Duration, Instant};

/// Rests between two looks.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// Asks again and again until `condition` gives a value; panics with `what` and the last refusal when `limit` is over.
pub async fn until<T, F>(what: &str, limit: Duration, condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    within(limit, condition).await.unwrap_or_else(|reason| panic!("{what}: not within {limit:?}; last: {reason}"))
}

/// Asks again and again until `condition` gives a value, and rests twice as long as a look took: many looks are processes, and
/// a machine that starts one after another has little left for what is waited for. Gives the last refusal when `limit` is over.
pub async fn within<T, F>(limit: Duration, mut condition: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let started = Instant::now();
    loop {
        let asked = Instant::now();
        match condition().await {
            Ok(value) => return Ok(value),
            Err(reason) if started.elapsed() >= limit => return Err(reason),
            Err(_) => tokio::time::sleep((asked.elapsed() * 2).clamp(SHORTEST, LONGEST)).await,
        }
    }
}

/// `Ok` when `holds`, else the refusal that `reason` tells.
pub fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}
