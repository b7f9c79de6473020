//! A byte stream of any kind that the proxy carries: TCP, a Unix socket, or TLS over TCP.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsStream;

/// A TCP stream whose first bytes were already read while its protocol was found out.
#[derive(Debug)]
pub struct Tcp {
    seen: Bytes,
    io: TcpStream,
}

impl Tcp {
    /// A stream from which nothing was read.
    pub fn new(io: TcpStream) -> Self {
        Self { seen: Bytes::new(), io }
    }

    /// A stream that gives `seen` first.
    pub fn with_seen(io: TcpStream, seen: Bytes) -> Self {
        Self { seen, io }
    }

    /// The socket, and the bytes that were seen but not read, for looking at further ones. Whoever looks gives all that
    /// was seen back by [`Tcp::set_seen`].
    pub fn look_further(&mut self) -> (&mut TcpStream, Bytes) {
        (&mut self.io, std::mem::take(&mut self.seen))
    }

    /// Gives `seen` first from now on.
    pub fn set_seen(&mut self, seen: Bytes) {
        self.seen = seen;
    }

    /// Both parts.
    pub fn into_parts(self) -> (TcpStream, Bytes) {
        (self.io, self.seen)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.seen.is_empty() {
            let length = self.seen.len().min(buf.remaining());
            buf.put_slice(&self.seen[..length]);
            self.seen.advance(length);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// What requests and opaque bytes travel on.
#[derive(Debug)]
pub enum Stream {
    /// Plaintext.
    Tcp(Tcp),
    /// The application on a Unix socket.
    Unix(UnixStream),
    /// TLS, either end of it. Boxed because a TLS session is two orders of magnitude larger than a socket.
    Tls(Box<TlsStream<Tcp>>),
}

impl Stream {
    /// A plaintext TCP stream.
    pub fn tcp(io: TcpStream) -> Self {
        Self::Tcp(Tcp::new(io))
    }

    /// The TLS session, if this is one.
    pub fn tls(&self) -> Option<&TlsStream<Tcp>> {
        match self {
            Self::Tls(tls) => Some(tls),
            _ => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Self::Unix(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => {
                // Peers that close without close_notify are common; HTTP and opaque streams both know their ends
                // otherwise, so it is an end of stream like any other.
                match ready!(Pin::new(io).poll_read(cx, buf)) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                    result => Poll::Ready(result),
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write(cx, buf),
            Self::Unix(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_flush(cx),
            Self::Unix(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Self::Unix(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Unix(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Unix(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }
}
