//! The life of a downstream connection: look, choose a chain, finish the TLS handshake, serve.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, TlsStream};
use weft_policy::config::{ChainKind, Codec, FilterChain, HttpChain, Listener, Transport};

use super::{
    Chain, Hello, Look, Peer, Registration, Seen, Stream, Tcp, captured, choose, downstream::Beginning, peek,
    peek_further,
};
use crate::{
    error::{Error, Kind},
    http::server::{DRAIN_GRACE, Protocol},
    inbound, outbound, tls,
    workers::{Connection, Worker},
};

/// A client must finish its TLS handshake within, where the chain does not say.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// First bytes are waited for at most so long where the configuration sets no limit.
const FIRST_BYTES: Duration = Duration::from_secs(60);

/// Serves one connection to its end: the workers' handler.
pub fn serve(worker: Rc<Worker>, connection: Connection) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        let shared = worker.shared.clone();
        let (peer, name) = (connection.peer, connection.listener.clone());
        if let Err(error) = run(worker, connection).await {
            shared.stats.malformed(error.kind);
            // No request is counted of it, so without this line nobody learns why a caller fails.
            if error.kind == Kind::PlaintextRefused && shared.stats.tells(SystemTime::now()) {
                tracing::warn!(%peer, listener = %name, "plaintext was refused: TLS is required here");
            }
            let source = error.source.as_ref().map(ToString::to_string);
            tracing::debug!(%peer, listener = %name, kind = %error.kind, source, "connection ended");
        }
    })
}

async fn run(worker: Rc<Worker>, connection: Connection) -> Result<(), Error> {
    let Connection { stream, peer, local, original, listener } = connection;
    let Some(listener) = worker.shared.config.load().listeners.get(&listener).cloned() else {
        // Removed between accept and here.
        return Ok(());
    };
    let (local, listener) = match listener.original_destination {
        true => {
            let original = original.or_else(|| captured::original_destination(&stream, local));
            captured::listener_for(&worker.shared.config.load(), &worker.shared.node, listener, original)?
        }
        false => (local, listener),
    };
    let mut stream = TcpStream::from_std(stream).map_err(|error| Error::caused(Kind::Internal, error))?;
    // Only changes how soon packets leave.
    let _ = stream.set_nodelay(true);
    let registration = Registration::enter(&worker.shared, listener.name.clone());
    let begun = (SystemTime::now(), Instant::now());

    let (seen, bytes) = tokio::select! {
        looked = look(&listener, &mut stream, peer, local) => looked?,
        // Nothing that decides has come, and nothing more will be waited for.
        () = registration.signal().over(DRAIN_GRACE) => return Ok(()),
    };
    let Some(seen) = seen else { return Ok(()) };
    let (transport, hello, protocols) = told(seen);
    let beginning = Beginning { worker, listener, peer, local, transport, hello, protocols, begun, registration };
    let facts = beginning.facts();
    let Some(chain) = choose(&beginning.listener, &facts, &beginning.protocols) else {
        return Err(refusal(&beginning.listener, transport).into());
    };
    let (settings, handshake) = (chain.tls.clone(), chain.handshake_timeout.unwrap_or(HANDSHAKE));
    let kind = Followed::of(chain);
    match settings {
        None if transport == Transport::Tls && matches!(kind, Followed::Http(_)) => Err(Kind::TlsRefused.into()),
        None => dispatch(beginning, kind, Stream::Tcp(Tcp::with_seen(stream, bytes)), None, false).await,
        Some(_) if transport == Transport::Raw => Err(Kind::PlaintextRefused.into()),
        Some(settings) => {
            let config = tls::server_config(&beginning.worker.shared, &settings);
            let config = config.map_err(|error| Error::caused(Kind::DownstreamTls, error))?;
            let session = timeout(handshake, TlsAcceptor::from(config).accept(Tcp::with_seen(stream, bytes))).await;
            let session = match session {
                Ok(Ok(session)) => session,
                Ok(Err(error)) => return Err(Error::caused(Kind::DownstreamTls, error)),
                Err(_) => return Err(Kind::DownstreamTls.into()),
            };
            let (identity, h2) = {
                let (_, session) = session.get_ref();
                let h2 = matches!(session.alpn_protocol(), Some(b"h2" | b"istio-h2"));
                (identity_of(session), h2)
            };
            let stream = Stream::Tls(Box::new(TlsStream::Server(session)));
            dispatch(beginning, kind, stream, identity, h2).await
        }
    }
}

/// What follows TLS, kept apart from the listener that it came from.
enum Followed {
    Http(Arc<HttpChain>),
    Tcp(Arc<weft_policy::config::TcpChain>),
}

impl Followed {
    fn of(chain: &FilterChain) -> Self {
        match &chain.kind {
            ChainKind::Http(http) => Self::Http(http.clone()),
            ChainKind::Tcp(tcp) => Self::Tcp(tcp.clone()),
        }
    }
}

async fn dispatch(
    mut beginning: Beginning,
    kind: Followed,
    mut stream: Stream,
    identity: Option<Peer>,
    h2: bool,
) -> Result<(), Error> {
    let terminated = stream.tls().is_some();
    let peeked = beginning.protocols.iter().any(|protocol| protocol == "h2c");
    match kind {
        Followed::Tcp(chain) => {
            let downstream = beginning.downstream(identity, terminated);
            outbound::tcp::serve(downstream, &chain, stream).await;
            Ok(())
        }
        Followed::Http(chain) => {
            let protocol = match chain.codec {
                Codec::Http1 => Protocol::Http1,
                Codec::Http2 => Protocol::Http2,
                Codec::Auto if h2 || peeked => Protocol::Http2,
                Codec::Auto if terminated || !beginning.protocols.is_empty() => Protocol::Http1,
                Codec::Auto => {
                    let sniffed = tokio::select! {
                        sniffed = sniff(&mut stream) => sniffed?,
                        () = beginning.registration.signal().over(DRAIN_GRACE) => None,
                    };
                    let Some(protocol) = sniffed else { return Ok(()) };
                    protocol
                }
            };
            if !terminated && beginning.protocols.is_empty() {
                // What a later version of the listener, which peeks, would have found.
                beginning.protocols.push(if protocol == Protocol::Http2 { "h2c" } else { "http/1.1" }.into());
            }
            let listener = beginning.listener.clone();
            let downstream = beginning.downstream(identity, terminated);
            if let Some(why) = inbound::refused_connection(&chain.connection_authz, &downstream.facts()) {
                return Err(Error::caused(Kind::Denied, why.to_string()));
            }
            outbound::http::serve(downstream, Chain::new(listener, chain.clone()), &chain, protocol, stream).await
        }
    }
}

/// Tells HTTP/2 with prior knowledge from HTTP/1 on a plaintext connection. `None`: closed without a byte.
async fn sniff(stream: &mut Stream) -> Result<Option<Protocol>, Error> {
    let Stream::Tcp(tcp) = stream else { return Ok(Some(Protocol::Http1)) };
    let look = Look { tls: false, http: true, timeout: FIRST_BYTES };
    let (socket, seen) = tcp.look_further();
    let looked = peek_further(socket, seen, look).await;
    let (seen, bytes) = looked.map_err(|error| Error::caused(Kind::ClientGone, error))?;
    tcp.set_seen(bytes);
    Ok(match seen {
        Seen::Closed => None,
        Seen::Http2 => Some(Protocol::Http2),
        // The codec answers what is not HTTP with 400.
        _ => Some(Protocol::Http1),
    })
}

/// Looks at the first bytes as far as the listener needs it. `None`: closed without a byte.
async fn look(
    listener: &Listener,
    stream: &mut TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
) -> Result<(Option<Seen>, Bytes), Error> {
    let (tls, http) = wanted(listener, local);
    if !tls && !http {
        return Ok((Some(Seen::Opaque), Bytes::new()));
    }
    let timeout = if listener.peek_timeout.is_zero() { FIRST_BYTES } else { listener.peek_timeout };
    let looked = peek(stream, Look { tls, http, timeout }).await;
    let (seen, bytes) = looked.map_err(|error: io::Error| Error::caused(Kind::ClientGone, error))?;
    if seen == Seen::Closed {
        return Ok((None, bytes));
    }
    if seen == Seen::Opaque && bytes.is_empty() {
        tracing::trace!(%peer, listener = %listener.name, "no byte came in time, the server speaks first");
        if !listener.continue_on_peek_timeout {
            return Err(Kind::HeadTimeout.into());
        }
    }
    Ok((Some(seen), bytes))
}

/// Whether to look for a ClientHello and for HTTP. Chains that terminate TLS, or that are told apart by it, cannot be
/// chosen without the ClientHello. A listener for many ports only looks where the chains of this port need it: waiting
/// for the first bytes would hold up protocols in which the server speaks first.
fn wanted(listener: &Listener, local: SocketAddr) -> (bool, bool) {
    let needs_hello = |chain: &FilterChain| {
        chain.tls.is_some() || chain.criteria.transport.is_some() || !chain.criteria.server_names.is_empty()
    };
    let needs_protocol = |chain: &FilterChain| !chain.criteria.application_protocols.is_empty();
    let tls = listener.candidates(local.port()).any(needs_hello);
    match listener.original_destination {
        true => (tls, listener.peek_http && listener.candidates(local.port()).any(needs_protocol)),
        false => (tls || listener.peek_tls, listener.peek_http),
    }
}

/// What was seen, in the terms of chain criteria.
fn told(seen: Seen) -> (Transport, Hello, Vec<String>) {
    match seen {
        Seen::Tls(mut hello) => {
            let protocols = std::mem::take(&mut hello.alpn);
            (Transport::Tls, hello, protocols)
        }
        Seen::Http1 => (Transport::Raw, Hello::default(), vec!["http/1.1".into()]),
        Seen::Http2 => (Transport::Raw, Hello::default(), vec!["h2c".into()]),
        Seen::Opaque | Seen::Closed => (Transport::Raw, Hello::default(), Vec::new()),
    }
}

/// Why no chain takes a connection, in words that tell people what to look for.
fn refusal(listener: &Listener, transport: Transport) -> Kind {
    let terminates = listener.chains.iter().chain(&listener.default_chain).any(|chain| chain.tls.is_some());
    match transport {
        Transport::Raw if terminates => Kind::PlaintextRefused,
        Transport::Tls if !terminates => Kind::TlsRefused,
        _ => Kind::NoFilterChain,
    }
}

fn identity_of(session: &rustls::ServerConnection) -> Option<Peer> {
    let certificate = session.peer_certificates()?.first()?;
    let spiffe = tls::spiffe_of(certificate)?;
    let subject = tls_subject(certificate);
    let dns = tls::names_of(certificate).into_iter().filter(|name| !name.contains("://")).map(Into::into).collect();
    let digest = Sha256::digest(certificate);
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Peer { uri: spiffe.to_string().into(), spiffe, hash: hash.into(), subject, dns })
}

/// The subject of a certificate as text; the mesh's own certificates have an empty one.
fn tls_subject(certificate: &rustls::pki_types::CertificateDer<'_>) -> Arc<str> {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => parsed.subject().to_string().into(),
        Err(_) => "".into(),
    }
}
