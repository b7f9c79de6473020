//! Retries, timeouts, ejections.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3::RouteAction;
use http::StatusCode;
use http_body_util::{BodyExt, Full};

use super::{config::*, fixture::*};

async fn proxied(change: impl FnOnce(&mut RouteAction), endpoints: &[SocketAddr]) -> (Proxy, SocketAddr) {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", change)])));
    let resources = Resources::default().cluster(cluster("order", endpoints));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    (proxy, address)
}

/// Fails the first `failures` requests with 503.
async fn flaky(failures: usize) -> Origin {
    Origin::start(move |number, request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            match number > failures {
                true => http::Response::new(Full::new(body).boxed()),
                false => text(StatusCode::SERVICE_UNAVAILABLE, "not yet"),
            }
        })
    })
    .await
}

#[tokio::test]
async fn failed_attempts_are_repeated_with_their_body() {
    let origin = flaky(2).await;
    let (proxy, address) =
        proxied(|action| action.retry_policy = Some(retries("retriable-status-codes", 2, None)), &[origin.address])
            .await;
    let body = Bytes::from(vec![b'x'; 60_000]);
    let answer = Client::connect(address).await.send(post("/", body.clone())).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body == body);
    assert_eq!(origin.requests(), 3);
    proxy.requests(200, "-", 1.0).await;
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_sent_once() {
    let origin = flaky(1).await;
    let (proxy, address) =
        proxied(|action| action.retry_policy = Some(retries("5xx", 2, None)), &[origin.address]).await;
    let answer = Client::connect(address).await.send(post("/", vec![b'x'; 100_000])).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(origin.requests(), 1);
    proxy.requests(503, "-", 1.0).await;
}

#[tokio::test]
async fn retries_end() {
    let origin = flaky(usize::MAX).await;
    let (proxy, address) =
        proxied(|action| action.retry_policy = Some(retries("5xx", 2, None)), &[origin.address]).await;
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::SERVICE_UNAVAILABLE, &b"not yet"[..]));
    assert_eq!(origin.requests(), 3);
    proxy.requests(503, "URX", 1.0).await;
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_passed_over() {
    let origin = Origin::echo().await;
    let policy = |action: &mut RouteAction| {
        let mut policy = retries("connect-failure", 2, None);
        policy.retry_host_predicate =
            vec![envoy_types::pb::envoy::config::route::v3::retry_policy::RetryHostPredicate {
                name: "envoy.retry_host_predicates.previous_hosts".into(),
                ..Default::default()
            }];
        action.retry_policy = Some(policy);
    };
    let (proxy, address) = proxied(policy, &[free(), origin.address]).await;
    let mut client = Client::connect(address).await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    proxy.requests(200, "-", 10.0).await;
}

#[tokio::test]
async fn nobody_at_home() {
    let (proxy, address) = proxied(|_| {}, &[free()]).await;
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body.starts_with(b"upstream connect error or disconnect/reset before headers"));
    proxy.requests(503, "UF", 1.0).await;

    let (proxy, address) = proxied(|_| {}, &[]).await;
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::SERVICE_UNAVAILABLE, &b"no healthy upstream"[..]));
    proxy.requests(503, "UH", 1.0).await;
}

async fn slow(path_delay: Duration) -> Origin {
    Origin::start(move |number, _| {
        Box::pin(async move {
            if number == 1 {
                tokio::time::sleep(path_delay).await;
            }
            text(StatusCode::OK, "late")
        })
    })
    .await
}

#[tokio::test]
async fn a_request_has_a_time_limit() {
    let origin = slow(Duration::from_secs(30)).await;
    let (proxy, address) =
        proxied(|action| action.timeout = Some(proto(Duration::from_millis(100))), &[origin.address]).await;
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::GATEWAY_TIMEOUT, &b"upstream request timeout"[..]));
    proxy.requests(504, "UT", 1.0).await;
}

#[tokio::test]
async fn an_attempt_has_one_of_its_own() {
    let origin = slow(Duration::from_secs(30)).await;
    let change = |action: &mut RouteAction| {
        action.timeout = Some(proto(Duration::from_secs(5)));
        action.retry_policy = Some(retries("5xx", 1, Some(Duration::from_millis(100))));
    };
    let (proxy, address) = proxied(change, &[origin.address]).await;
    let answer = Client::connect(address).await.get("/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"late"[..]));
    assert_eq!(origin.requests(), 2);
    proxy.requests(200, "-", 1.0).await;
}

#[tokio::test]
async fn an_answer_that_stops_halfway_is_cut_off() {
    let origin = Origin::start(|_, _| {
        Box::pin(async {
            let frames = futures::stream::unfold(0, |number| async move {
                if number > 0 {
                    std::future::pending::<()>().await;
                }
                let frame = http_body::Frame::data(Bytes::from_static(b"begun"));
                Some((Ok::<_, std::convert::Infallible>(frame), number + 1))
            });
            http::Response::new(http_body_util::BodyExt::boxed(http_body_util::StreamBody::new(SyncStream(Box::pin(
                frames,
            )))))
        })
    })
    .await;
    let (proxy, address) =
        proxied(|action| action.timeout = Some(proto(Duration::from_millis(200))), &[origin.address]).await;
    assert!(Client::connect(address).await.send(get("/")).await.is_err());
    proxy.requests(200, "UT", 1.0).await;
}

/// Lets a stream that is polled from one task only be part of a body that asks for `Sync`.
struct SyncStream<S>(std::pin::Pin<Box<S>>);

impl<S: futures::Stream> futures::Stream for SyncStream<S> {
    type Item = S::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

#[tokio::test]
async fn a_failing_endpoint_is_ejected() {
    let broken = Origin::start(|_, _| Box::pin(async { text(StatusCode::INTERNAL_SERVER_ERROR, "") })).await;
    let sound = Origin::echo().await;
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(ejecting(cluster("order", &[broken.address, sound.address]), 3));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    let mut client = Client::connect(address).await;
    for _ in 0..20 {
        client.get("/").await;
    }
    assert_eq!(broken.requests(), 3);
    proxy.requests(500, "-", 3.0).await;
    proxy.requests(200, "-", 17.0).await;
}
