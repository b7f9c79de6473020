//! Accepting connections and handing them to workers.

use std::{sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::{
    error::Kind,
    state::Shared,
    workers::{Connection, Dispatcher},
};

/// After an error that says that the process is out of something, accepting pauses.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until told to stop.
pub async fn run(
    socket: TcpListener,
    name: &Arc<str>,
    place: &Arc<Place>,
    shared: &Arc<Shared>,
    dispatcher: &Dispatcher,
    stop: &CancellationToken,
) {
    let mut errors = 0u64;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if connection_error(&error) => continue,
            Err(error) => {
                // One line for many failures: they come in hundreds.
                if errors.is_multiple_of(100) {
                    tracing::warn!(listener = %name, %error, "cannot accept connections; raise the limit of open files");
                }
                errors += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        shared.stats.accepted();
        let room = shared.drain.live() < shared.sockets.limits().process;
        let Some(slot) = room.then(|| place.enter()).flatten() else {
            shared.stats.refused();
            shared.stats.malformed(Kind::TooManyConnections);
            continue;
        };
        let (Ok(local), Ok(stream)) = (stream.local_addr(), stream.into_std()) else { continue };
        let connection = Connection { stream, peer, local, original: None, listener: name.clone() };
        if dispatcher.dispatch(connection, Some(slot)).is_err() {
            shared.stats.refused();
        }
    }
}

/// Errors of one connection that its client caused before it was accepted.
fn connection_error(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
