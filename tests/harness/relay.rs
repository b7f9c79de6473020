//! A port of this machine that leads somewhere else, known before there is anything that it could lead to.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A port that is held from the start, so that nobody else can have it meanwhile. It goes with the value.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    listener: Option<TcpListener>,
    task: Option<JoinHandle<()>>,
}

impl Relay {
    /// Takes a free port of the loopback address. Whoever connects waits until [`Self::lead_to`].
    pub async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { address, listener: Some(listener), task: None }
    }

    /// Passes every connection on to `target` from now on.
    pub fn lead_to(&mut self, target: SocketAddr) {
        let listener = self.listener.take().expect("it leads nowhere yet");
        self.task = Some(tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        drop(copy_bidirectional(&mut near, &mut far).await);
                    }
                });
            }
        }));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
