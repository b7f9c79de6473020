//! Small HTTP servers for metrics, readiness and debug pages.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::{Shutdown, StartupError};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds `address` at once, so that a port in use is a startup error; `flag` is the option that moves it. `[::]` is every
/// address of both families; where the kernel has no IPv6 it is every IPv4 address, and the log says so.
pub async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, StartupError> {
    bind_by(address, open).and_then(TcpListener::from_std).map_err(|error| StartupError::bind(address, &error, flag))
}

fn bind_by<T>(address: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match open(address) {
        Err(error) if is_everywhere(address) && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            let instead = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            tracing::warn!(%address, %instead, "this machine has no IPv6: listening on its IPv4 addresses alone");
            open(instead)
        }
        opened => opened,
    }
}

fn open(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if is_everywhere(address) {
        // Whatever the machine's default is (net.ipv6.bindv6only).
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_everywhere(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

/// Serves `router` until shutdown. Requests carry who asks, as `ConnectInfo<SocketAddr>`.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> std::io::Result<()> {
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(address: SocketAddr) -> io::Result<String> {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: page\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn between_the_signal_and_the_end_new_connections_are_served() {
        let listener = bind("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let address = listener.local_addr().unwrap();
        let signal = Shutdown::new();
        let end = signal.later(Duration::from_secs(3));
        let served = tokio::spawn(serve(listener, Router::new().route("/", get(async || "page")), end.clone()));
        signal.begin();
        assert!(ask(address).await.unwrap().ends_with("page"), "serves on");
        assert!(!end.begun(), "this machine took longer to answer than the test allows");
        served.await.unwrap().unwrap();
        assert!(end.begun());
        ask(address).await.unwrap_err();
    }

    /// On a machine without IPv6 this is the way back to IPv4; on any other it is both families.
    #[tokio::test]
    async fn everywhere_is_reached_over_ipv4() {
        let listener = bind("[::]:0".parse().unwrap(), "--listen").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let taken = bind(listener.local_addr().unwrap(), "--listen").await.unwrap_err();
        assert!(taken.to_string().contains("choose another address with --listen"), "{taken}");
    }

    #[test]
    fn without_ipv6_everywhere_is_ipv4_and_nothing_else_is() {
        let asked = RefCell::new(Vec::new());
        let no_ipv6 = |address: SocketAddr| {
            asked.borrow_mut().push(address.to_string());
            if address.is_ipv6() { Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)) } else { Ok(()) }
        };
        bind_by("[::]:20001".parse().unwrap(), no_ipv6).unwrap();
        assert_eq!(*asked.borrow(), ["[::]:20001", "0.0.0.0:20001"]);
        bind_by("[::1]:20001".parse().unwrap(), no_ipv6).unwrap_err();
        assert_eq!(asked.borrow().len(), 3, "one address that is not there is an error");
        let taken = |_: SocketAddr| -> io::Result<()> { Err(io::Error::from_raw_os_error(libc::EADDRINUSE)) };
        assert_eq!(bind_by("[::]:1".parse().unwrap(), taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
