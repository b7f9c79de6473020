use std::sync::Arc;

use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;

const BOTH: Look = Look { tls: true, http: true, timeout: Duration::from_millis(200) };

async fn seen(look: Look, parts: &[&[u8]]) -> (Seen, Bytes) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let write = async {
        for part in parts {
            client.write_all(part).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Open until the other side has decided.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = write => unreachable!(),
        result = peek(&mut server, look) => result.unwrap(),
    }
}

#[tokio::test]
async fn tells_http_from_the_rest() {
    assert_eq!(seen(BOTH, &[b"GET / HTTP/1.1\r\n"]).await.0, Seen::Http1);
    assert_eq!(seen(BOTH, &[b"G", b"E", b"T ", b"/"]).await.0, Seen::Http1);
    assert_eq!(seen(BOTH, &[b"OPTIONS * HTTP/1.1\r\n"]).await.0, Seen::Http1);
    assert_eq!(seen(BOTH, &[b"CONNECT a:1 HTTP/1.1\r\n"]).await.0, Seen::Http1);
    assert_eq!(seen(BOTH, &[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"]).await.0, Seen::Http2);
    assert_eq!(seen(BOTH, &[b"PRI * HTTP/1.1\r\n"]).await.0, Seen::Http1);
    assert_eq!(seen(BOTH, &[b"EHLO mail\r\n"]).await.0, Seen::Opaque);
    assert_eq!(seen(BOTH, &[b"\x00\x01\x02"]).await.0, Seen::Opaque);
    assert_eq!(seen(BOTH, &[&[b'A'; 200]]).await.0, Seen::Opaque);
}

#[tokio::test]
async fn silence_is_opaque_after_the_timeout() {
    let look = Look { timeout: Duration::from_millis(20), ..BOTH };
    assert_eq!(seen(look, &[]).await, (Seen::Opaque, Bytes::new()));
    assert_eq!(seen(look, &[b"GE"]).await, (Seen::Opaque, Bytes::from_static(b"GE")));
}

#[tokio::test]
async fn reads_a_client_hello_that_comes_in_pieces() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = vec![b"istio-http/1.1".to_vec(), b"istio".to_vec()];
    let name = "outbound_.8080_.v1_.Order.default.svc.cluster.local".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    let (first, second) = bytes.split_at(100);
    let (seen, read) = seen(BOTH, &[first, second]).await;
    assert_eq!(read, bytes);
    let Seen::Tls(hello) = seen else { panic!("{seen:?}") };
    assert_eq!(hello.server_name.as_deref(), Some("outbound_.8080_.v1_.order.default.svc.cluster.local"));
    assert_eq!(hello.alpn, ["istio-http/1.1", "istio"]);
}

#[tokio::test]
async fn a_broken_hello_is_still_tls() {
    let mut garbage = vec![0x16, 0x03, 0x01, 0x00, 0x10];
    garbage.extend([0xff; 64]);
    assert_eq!(seen(BOTH, &[&garbage]).await.0, Seen::Tls(Hello::default()));
}

#[tokio::test]
async fn plaintext_where_only_tls_matters_is_opaque_at_once() {
    let look = Look { http: false, timeout: Duration::from_secs(60), tls: true };
    assert_eq!(seen(look, &[b"GET / HTTP/1.1\r\n"]).await.0, Seen::Opaque);
}
