use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use futures::future::LocalBoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{state::testing::shared, workers::Connection};

/// Writes the number of its worker, then waits for a byte; panics when told so.
fn handler(worker: Rc<Worker>, connection: Connection) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let mut stream = tokio::net::TcpStream::from_std(connection.stream).unwrap();
        stream.write_all(&[worker.index as u8]).await.unwrap();
        let byte = stream.read_u8().await.unwrap_or_default();
        assert_ne!(byte, b'p', "told to panic");
    })
}

fn dispatch(workers: &Workers, listener: &TcpListener) -> TcpStream {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let local = stream.local_addr().unwrap();
    let connection = Connection { stream, peer, local, original: None, listener: "test".into() };
    workers.dispatcher().dispatch(connection, None).unwrap();
    client
}

fn worker_of(client: &mut TcpStream) -> u8 {
    let mut index = [0];
    std::io::Read::read_exact(client, &mut index).unwrap();
    index[0]
}

async fn reaches(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect(what);
}

#[tokio::test]
async fn the_least_loaded_worker_takes_the_next_connection() {
    let shared = shared();
    let workers = Workers::start(&shared, 2, handler).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut clients: Vec<_> = (0..4).map(|_| dispatch(&workers, &listener)).collect();
    let mut on: Vec<u8> = clients.iter_mut().map(worker_of).collect();
    on.sort_unstable();
    assert_eq!(on, [0, 0, 1, 1]);
    assert_eq!((workers.dispatcher().loads(), shared.drain.live()), (vec![2, 2], 4));
    drop(clients);
    assert_eq!(shared.drain.finished(Duration::from_secs(10)).await, 0);
    reaches("no worker is loaded", || workers.dispatcher().loads() == [0, 0]).await;
    workers.stop().await;
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let shared = shared();
    let workers = Workers::start(&shared, 1, handler).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut first, mut second) = (dispatch(&workers, &listener), dispatch(&workers, &listener));
    assert_eq!((worker_of(&mut first), worker_of(&mut second)), (0, 0));
    std::io::Write::write_all(&mut first, b"p").unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut first, &mut rest).unwrap();
    // The socket closes before the panicking task's guards are dropped.
    reaches("one connection is left", || shared.drain.live() == 1).await;
    let mut third = dispatch(&workers, &listener);
    assert_eq!(worker_of(&mut third), 0);
    drop((second, third));
    assert_eq!(shared.drain.finished(Duration::from_secs(10)).await, 0);
    assert!(crate::telemetry::exposition(&shared, &[]).contains("\nweft_proxy_panics_total 1\n"));
    workers.stop().await;
}
