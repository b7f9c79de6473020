//! `weft-console ready` asks the console that runs beside it how it is. A kubelet does not reach a pod's loopback, but it can
//! start a program there.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};

use super::plain::READY;

/// How long it may take to be connected.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
/// How long an answer may take: longer than a statement waits for a database, which then says what is wrong. Together less
/// than a kubelet waits for this program.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);
/// Bytes of the answer that are read.
const MAX_ANSWER: u64 = 4 * 1024;

/// Asks the console that listens at `listen`, this machine's own address where that is every one.
///
/// # Errors
/// It does not answer, or is not ready, with its words.
pub fn ready(listen: SocketAddr) -> anyhow::Result<()> {
    let everywhere = listen.ip().is_unspecified();
    let address = if everywhere { SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())) } else { listen };
    let answer = ask(address).with_context(|| format!("the console at {address} does not answer"))?;
    let (head, words) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    match head.split_ascii_whitespace().nth(1) {
        Some("200") => Ok(()),
        Some(status) => bail!("the console at {address} is not ready ({status}): {}", words.trim()),
        None => bail!("what answers at {address} is no console"),
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECTED_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    stream.set_write_timeout(Some(CONNECTED_WITHIN))?;
    stream.write_all(format!("GET {READY} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What is said of a console that answers like this.
    fn said(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let console = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 512];
            let read = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        let said = ready(address).map_err(|error| format!("{error:#}"));
        assert!(console.join().unwrap().starts_with("GET /healthz/ready HTTP/1.1\r\n"));
        said
    }

    #[test]
    fn a_console_says_itself_how_it_is() {
        assert_eq!(said("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n"), Ok(()));
        let locked = said("HTTP/1.1 503 Service Unavailable\r\n\r\nthe database is locked\n").unwrap_err();
        assert!(locked.ends_with("is not ready (503): the database is locked"), "{locked}");
        assert!(said("").unwrap_err().ends_with("is no console"));
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let away = ready(nobody).map_err(|error| format!("{error:#}")).unwrap_err();
        assert!(away.starts_with(&format!("the console at {nobody} does not answer")), "{away}");
    }
}
