//! How much of reviews is taken in at once. The API server's are small and answered at once; any pod may send others, and
//! shall neither fill the memory nor take the API server's turn.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::MAX_REVIEW;

/// What a review takes at least, in bytes of its text.
const SHARE: usize = 512 * 1024;
/// Shares of all reviews together. What a text is read into is up to some tens of times its size.
const SHARES: usize = 64;
/// Shares of one address, so that others get through beside it.
const SHARES_OF_ONE: usize = SHARES / 2;
/// Connections of one address at once.
const CONNECTIONS_OF_ONE: usize = 128;

/// The room of one port.
pub(super) struct Room {
    shares: Arc<Semaphore>,
    peers: Mutex<HashMap<IpAddr, Peer>>,
}

struct Peer {
    connections: usize,
    shares: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { shares: Arc::new(Semaphore::new(SHARES)), peers: Mutex::default() })
    }

    /// A place for one more connection from an address; none when it has as many as it may.
    pub(super) fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = address.to_canonical();
        let mut peers = self.peers.lock();
        let peer = peers
            .entry(address)
            .or_insert_with(|| Peer { connections: 0, shares: Arc::new(Semaphore::new(SHARES_OF_ONE)) });
        if peer.connections == CONNECTIONS_OF_ONE {
            return None;
        }
        peer.connections += 1;
        let own = Arc::clone(&peer.shares);
        Some(Seat { room: Arc::clone(self), address, own })
    }
}

/// One connection's place.
pub(super) struct Seat {
    room: Arc<Room>,
    address: IpAddr,
    own: Arc<Semaphore>,
}

impl Seat {
    /// Room for a review of this length in bytes, once there is; of an unknown length as for the largest.
    pub(super) async fn take(&self, length: Option<usize>) -> Taken {
        let shares = length.unwrap_or(MAX_REVIEW).min(MAX_REVIEW).div_ceil(SHARE).max(1);
        let count = u32::try_from(shares).unwrap_or(u32::MAX);
        // An address' own first, so that it queues behind itself. Neither is ever closed.
        let own = Arc::clone(&self.own).acquire_many_owned(count).await.ok();
        let all = Arc::clone(&self.room.shares).acquire_many_owned(count).await.ok();
        Taken { limit: shares * SHARE, _shares: [own, all] }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut peers = self.room.peers.lock();
        if let Entry::Occupied(mut entry) = peers.entry(self.address) {
            let peer = entry.get_mut();
            peer.connections -= 1;
            if peer.connections == 0 {
                entry.remove();
            }
        }
    }
}

/// Room that is taken as long as this value lives.
pub(super) struct Taken {
    /// Bytes that the review may have.
    pub(super) limit: usize,
    _shares: [Option<OwnedSemaphorePermit>; 2],
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_address_cannot_take_all_of_it_and_two_can() {
        let room = Room::new();
        let (one, two, three) = (room.seat(address(1)), room.seat(address(2)), room.seat(address(3)));
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        let again = room.seat(address(1)).unwrap();
        let mut taken: Vec<_> = (0..SHARES_OF_ONE).map(|_| one.take(Some(2_000)).now_or_never().unwrap()).collect();
        assert!(again.take(Some(2_000)).now_or_never().is_none(), "another connection of the address waits");
        // Of unknown length they are as large as may be.
        let large = two.take(None).now_or_never().unwrap();
        assert_eq!(large.limit, MAX_REVIEW);
        let rest = SHARES - SHARES_OF_ONE - MAX_REVIEW / SHARE;
        let _small: Vec<_> = (0..rest).map(|_| two.take(Some(SHARE)).now_or_never().unwrap()).collect();
        assert!(three.take(Some(0)).now_or_never().is_none(), "all of it is taken");
        taken.pop();
        assert_eq!(three.take(Some(0)).now_or_never().unwrap().limit, SHARE);
    }

    #[test]
    fn connections_of_one_address_are_bounded_and_forgotten() {
        let room = Room::new();
        let seats: Vec<_> = (0..CONNECTIONS_OF_ONE).map(|_| room.seat(address(1)).unwrap()).collect();
        assert!(room.seat("::ffff:10.0.0.1".parse().unwrap()).is_none());
        assert!(room.seat(address(2)).is_some());
        drop(seats);
        assert!(room.peers.lock().is_empty());
        assert!(room.seat(address(1)).is_some());
    }
}
