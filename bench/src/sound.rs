//! One socket that sends sound to many and hears from many: so many datagrams in a system call that
//! the load is not at its end before the relay is.

use std::io;
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use crate::wire::socket;

/// Datagrams in a system call.
pub const AT_A_TIME: usize = 64;
/// RTP header and 20 ms of G.711.
pub const PACKET_BYTES: usize = 172;
/// Room for a packet, also an encrypted one.
const ROOM_BYTES: usize = 256;

/// The socket with its packets.
pub struct Sound {
    socket: UdpSocket,
    sending: Box<Batch>,
    receiving: Box<Batch>,
}

/// What the kernel is handed. The headers point into it, so it never moves.
struct Batch {
    packets: [[u8; ROOM_BYTES]; AT_A_TIME],
    addresses: [libc::sockaddr_in; AT_A_TIME],
    parts: [libc::iovec; AT_A_TIME],
    headers: [libc::mmsghdr; AT_A_TIME],
}

impl Sound {
    /// Binds it.
    ///
    /// # Errors
    /// The address is in use.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let (sending, receiving) = (Batch::new(PACKET_BYTES, true), Batch::new(ROOM_BYTES, false));
        Ok(Self { socket: socket(address)?, sending, receiving })
    }

    /// Sends `count` packets, at most [`AT_A_TIME`], each written by `write`, which says where it goes;
    /// what the kernel does not take is lost.
    pub fn send(&mut self, count: usize, mut write: impl FnMut(&mut [u8]) -> SocketAddrV4) {
        let count = count.min(AT_A_TIME);
        let batch = &mut *self.sending;
        for (packet, address) in batch.packets.iter_mut().zip(&mut batch.addresses).take(count) {
            let to = write(&mut packet[..PACKET_BYTES]);
            address.sin_family = libc::AF_INET as libc::sa_family_t;
            address.sin_port = to.port().to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
        }
        let mut sent = 0;
        while sent < count {
            let left = &mut batch.headers[sent..count];
            // SAFETY: the headers point to packets and addresses of this batch, which live as long.
            let done = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    left.as_mut_ptr(),
                    left.len() as u32,
                    libc::MSG_DONTWAIT,
                )
            };
            // A packet that is refused is lost; those behind it are not.
            sent += usize::try_from(done).unwrap_or(0).max(1);
        }
    }

    /// Passes the packets that are there, at most [`AT_A_TIME`]; how many they were.
    pub fn receive(&mut self, mut take: impl FnMut(&[u8])) -> usize {
        let batch = &mut *self.receiving;
        // SAFETY: the headers point to room of this batch, which lives as long.
        let count = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                batch.headers.as_mut_ptr(),
                AT_A_TIME as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        for (packet, header) in batch.packets.iter().zip(&batch.headers).take(count) {
            take(packet.get(..header.msg_len as usize).unwrap_or_default());
        }
        count
    }
}

impl Batch {
    fn new(length: usize, addressed: bool) -> Box<Self> {
        // SAFETY: all of these are plain numbers and pointers, for which zero is a value.
        let mut batch: Box<Self> = Box::new(unsafe { mem::zeroed() });
        for place in 0..AT_A_TIME {
            batch.parts[place] =
                libc::iovec { iov_base: batch.packets[place].as_mut_ptr().cast(), iov_len: length };
            let header = &mut batch.headers[place].msg_hdr;
            header.msg_iovlen = 1;
            header.msg_iov = &raw mut batch.parts[place];
            if addressed {
                header.msg_name = (&raw mut batch.addresses[place]).cast();
                header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as u32;
            }
        }
        batch
    }
}
