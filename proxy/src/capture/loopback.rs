//! The address `::6` on the loopback interface, from which the proxy dials its application over IPv6. (Of IPv4, all of
//! 127.0.0.0/8 is there anyway.)

use std::io::{self, Read, Write};

use socket2::{Domain, Protocol, Socket, Type};

use crate::pod::BYPASS_V6;

/// `lo` is the first interface of every network namespace.
const LOOPBACK_INDEX: u32 = 1;
const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
/// NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE and NLM_F_CREATE.
const FLAGS: u16 = 0x1 | 0x4 | 0x100 | 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// Adds it; one that is there already is fine. Speaks rtnetlink, so that the image needs no `ip`.
pub fn add_bypass_address() -> io::Result<()> {
    let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
    socket.write_all(&request())?;
    let mut answer = [0; 4096];
    let length = socket.read(&mut answer)?;
    match error_of(&answer[..length]) {
        Some(0) => Ok(()),
        Some(errno) if errno == libc::EEXIST => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Err(io::Error::other("the kernel's answer cannot be read")),
    }
}

/// `RTM_NEWADDR` (rtnetlink(7)): header, `ifaddrmsg`, the address twice.
fn request() -> Vec<u8> {
    let address = BYPASS_V6.octets();
    let mut body = vec![libc::AF_INET6 as u8, 128, 0, 0];
    body.extend(LOOPBACK_INDEX.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        body.extend((4 + address.len() as u16).to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(address);
    }
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(RTM_NEWADDR.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // Sequence and port: there is one request on this socket.
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(body);
    message
}

/// The error number of an acknowledgement; 0 is success.
fn error_of(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let code = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    (kind == NLMSG_ERROR).then(|| code.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_long_as_it_says() {
        let message = request();
        assert_eq!(message.len(), 64);
        assert_eq!(u32::from_ne_bytes(message[..4].try_into().unwrap()), 64);
    }

    #[test]
    fn garbage_is_no_answer() {
        assert_eq!(error_of(&[]), None);
        assert_eq!(error_of(&[0; 20]), None);
    }
}
