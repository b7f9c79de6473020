//! How far this machine's clock is from the API server's. What a wrong clock signs is not valid yet, or no longer, for
//! everybody else. The API server's time is in the `Date` of any answer of its own.

use std::{sync::Arc, time::Duration};

use http::{Request, header::DATE};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::timeout;
use weft_runtime::Shutdown;

/// How far apart the clocks of who signs and of the API server may be: certificates are dated back by as much.
pub const LIMIT: Duration = Duration::from_secs(60);
/// From when on nothing that is signed counts as usable. Up to it, a certificate of a clock that is ahead begins to count at
/// others within four minutes (this less [`LIMIT`]), and one of a clock that is behind lacks as little of its day at its end:
/// new pods wait for a moment, and nothing that runs is touched. What is further off is no matter of waiting.
pub const SEVERE: Duration = Duration::from_secs(300);
/// How often it is asked.
const PERIOD: Duration = Duration::from_secs(60);
/// Time for an answer.
const ASK: Duration = Duration::from_secs(5);

/// What is known of this machine's clock. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Option<i64>>>);

impl Clock {
    /// Seconds that it was ahead at the last look, below 0 when it is behind; nothing before the first.
    pub fn ahead_s(&self) -> Option<i64> {
        *self.0.lock()
    }

    /// Asks again and again until shutdown. What was seen last stays while the API server is away.
    pub async fn follow(self, client: Client, shutdown: Shutdown) {
        loop {
            if let Some(seconds) = ahead(&client).await {
                *self.0.lock() = Some(seconds);
                if let Some(complaint) = complaint("this control plane", Some(seconds), LIMIT) {
                    tracing::error!("{complaint}");
                }
            }
            tokio::select! { () = tokio::time::sleep(PERIOD) => {}, () = shutdown.wait() => return }
        }
    }
}

/// Seconds that this machine's clock is ahead of the API server's, below 0 when it is behind; nothing without an answer.
pub async fn ahead(client: &Client) -> Option<i64> {
    let request = Request::get("/version").body(Body::empty()).ok()?;
    let before = OffsetDateTime::now_utc();
    // A refusal tells the time as well.
    let answer = timeout(ASK, client.send(request)).await.ok()?.ok()?;
    let after = OffsetDateTime::now_utc();
    let date = OffsetDateTime::parse(answer.headers().get(DATE)?.to_str().ok()?, &Rfc2822).ok()?;
    Some(between(date, before, after))
}

/// The least that our clock is off. The other one stood in the second of `date` at some moment between our two looks.
fn between(date: OffsetDateTime, before: OffsetDateTime, after: OffsetDateTime) -> i64 {
    let (least, most) = ((before - date).whole_seconds() - 1, (after - date).whole_seconds());
    if least > 0 { least } else { most.min(0) }
}

/// The one that is further off.
pub fn further(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().max_by_key(|seconds| seconds.unsigned_abs())
}

/// What to tell of a clock that is off by more than `limit`.
pub fn complaint(whose: &str, ahead_s: Option<i64>, limit: Duration) -> Option<String> {
    let seconds = ahead_s?;
    let off = Duration::from_secs(seconds.unsigned_abs());
    if off <= limit {
        return None;
    }
    let (direction, harm) = if seconds > 0 {
        ("ahead of", "are not valid yet for others")
    } else {
        ("behind", "run out too early for others")
    };
    let off = humantime::format_duration(off);
    Some(format!(
        "the clock of {whose} is {off} {direction} the API server's, so that certificates which it signs {harm}: set the \
         clock of its node"
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// An API server whose clock is this far from ours.
    fn api_server(offset: i64) -> Client {
        let answer = move |_: Request<Body>| async move {
            let now = OffsetDateTime::now_utc() + time::Duration::seconds(offset);
            let date = now.format(&Rfc2822).unwrap().replace("+0000", "GMT");
            // Whatever it answers, it says when.
            let answer = http::Response::builder().status(429).header(DATE, date);
            Ok::<_, Infallible>(answer.body(Body::empty()).unwrap())
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test]
    async fn a_clock_is_compared_with_the_api_servers() {
        let off = async |offset: i64| ahead(&api_server(offset)).await.unwrap();
        assert_eq!(off(0).await, 0);
        let behind = off(3600).await;
        assert!((-3600..=-3590).contains(&behind), "{behind}");
        let early = off(-3600).await;
        assert!((3598..=3610).contains(&early), "{early}");
    }

    #[test]
    fn what_can_be_explained_by_the_way_of_the_answer_is_not_told() {
        let date = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let at = |seconds: f64| date + time::Duration::seconds_f64(seconds);
        assert_eq!(between(date, at(0.2), at(0.3)), 0, "of the same second");
        assert_eq!(between(date, at(-90.0), at(90.0)), 0, "a machine that was suspended meanwhile");
        assert_eq!(between(date, at(120.5), at(121.0)), 119);
        assert_eq!(between(date, at(-121.0), at(-120.5)), -120);
    }

    #[test]
    fn a_clock_that_is_off_is_told_in_both_directions() {
        let told = |seconds: i64| complaint("a replica", Some(seconds), LIMIT);
        assert_eq!((told(60), told(-60), complaint("a replica", None, LIMIT)), (None, None, None));
        let text = told(3600).unwrap();
        assert!(text.contains("a replica is 1h ahead of") && text.contains("not valid yet"), "{text}");
        let text = told(-7200).unwrap();
        assert!(text.contains("2h behind") && text.contains("set the clock of its node"), "{text}");
        assert_eq!(
            [further(Some(3), Some(-5)), further(None, Some(2)), further(None, None)],
            [Some(-5), Some(2), None]
        );
    }
}
