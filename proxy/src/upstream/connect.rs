//! Opening one connection to an endpoint: TCP or a Unix socket, then TLS where the cluster asks for it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpSocket, TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, TlsStream};
use weft_model::SpiffeId;
use weft_policy::config::{EndpointAddress, Keepalive, UpstreamTls};

use crate::{
    error::{Error, Kind},
    listener::{Stream, Tcp},
    state::Shared,
    tls,
};

/// What to connect to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub address: EndpointAddress,
    /// TLS, if any, and what will be spoken in it.
    pub tls: Option<(Arc<UpstreamTls>, tls::Offer)>,
    /// Local address to dial from.
    pub source: Option<IpAddr>,
    /// For TCP and TLS handshakes together.
    pub timeout: Duration,
    /// TCP keep-alive.
    pub keepalive: Option<Keepalive>,
}

/// A connection that is ready for use.
#[derive(Debug)]
pub struct Connected {
    /// Its bytes.
    pub stream: Stream,
    /// Our address; `None` for Unix sockets.
    pub local: Option<SocketAddr>,
    /// Whether ALPN chose HTTP/2.
    pub h2: bool,
    /// Who the server proved to be.
    pub peer: Option<SpiffeId>,
}

/// Connects within the target's timeout.
pub async fn connect(shared: &Shared, target: &Target) -> Result<Connected, Error> {
    match timeout(target.timeout, establish(shared, target)).await {
        Ok(result) => result,
        Err(_) => Err(Kind::ConnectTimeout.into()),
    }
}

async fn establish(shared: &Shared, target: &Target) -> Result<Connected, Error> {
    let failed = |error: io::Error| Error::caused(Kind::ConnectFailed, error);
    let address = match &target.address {
        EndpointAddress::Socket(address) => *address,
        EndpointAddress::Pipe(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            return Ok(Connected { stream: Stream::Unix(stream), local: None, h2: false, peer: None });
        }
    };
    let stream = dial(address, target.source).await.map_err(failed)?;
    // Both only change how soon packets leave; without them the connection still works.
    let _ = stream.set_nodelay(true);
    if let Some(keepalive) = target.keepalive {
        let _ = SockRef::from(&stream).set_tcp_keepalive(&settings(keepalive));
    }
    let local = stream.local_addr().ok();
    let Some((settings, offer)) = &target.tls else {
        return Ok(Connected { stream: Stream::tcp(stream), local, h2: false, peer: None });
    };
    let config = tls::client_config(shared, settings, *offer).map_err(|e| Error::caused(Kind::UpstreamTls, e))?;
    let name = server_name(&settings.sni, address)?;
    let session = TlsConnector::from(config).connect(name, Tcp::new(stream)).await;
    let session = session.map_err(|error| Error::caused(Kind::UpstreamTls, error))?;
    let (_, connection) = session.get_ref();
    let h2 = matches!(connection.alpn_protocol(), Some(b"h2" | b"istio-h2"));
    let peer = tls::peer_spiffe(connection);
    Ok(Connected { stream: Stream::Tls(Box::new(TlsStream::Client(session))), local, h2, peer })
}

async fn dial(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(address).await
}

/// The address to dial an endpoint from: the instance's own, by which peers know it. Loopback and other networks do not
/// reach each other, and neither do the families.
pub fn source_address(own: IpAddr, bind: Option<IpAddr>, endpoint: &EndpointAddress) -> Option<IpAddr> {
    let EndpointAddress::Socket(endpoint) = endpoint else { return None };
    let source = bind.unwrap_or(own);
    (source.is_ipv4() == endpoint.is_ipv4() && source.is_loopback() == endpoint.ip().is_loopback()).then_some(source)
}

fn server_name(sni: &str, address: SocketAddr) -> Result<ServerName<'static>, Error> {
    if sni.is_empty() {
        return Ok(ServerName::IpAddress(address.ip().into()));
    }
    ServerName::try_from(sni.to_owned()).map_err(|error| Error::caused(Kind::UpstreamTls, error))
}

fn settings(keepalive: Keepalive) -> TcpKeepalive {
    let mut settings = TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        settings = settings.with_time(time);
    }
    if let Some(interval) = keepalive.interval {
        settings = settings.with_interval(interval);
    }
    if let Some(probes) = keepalive.probes {
        settings = settings.with_retries(probes);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_from_its_own_address_where_that_can_work() {
        let own: IpAddr = "127.31.64.7".parse().unwrap();
        let at = |text: &str| EndpointAddress::Socket(text.parse().unwrap());
        assert_eq!(source_address(own, None, &at("127.31.64.8:8080")), Some(own));
        assert_eq!(source_address(own, None, &at("10.0.0.1:80")), None);
        assert_eq!(source_address(own, None, &at("[::1]:80")), None);
    }
}
