//! Datagram sockets that never wait, and one wait for all of them.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};

const BUFFER_BYTES: usize = 8 << 20;
/// Datagrams taken from one socket before the next has its turn.
const AT_A_TIME: usize = 64;

/// Sockets towards one server.
#[derive(Debug)]
pub struct Wire {
    sockets: Vec<UdpSocket>,
    server: SocketAddr,
    buffer: Vec<u8>,
}

impl Wire {
    /// Binds all addresses.
    ///
    /// # Errors
    /// An address is in use.
    pub fn bind(addresses: &[SocketAddr], server: SocketAddr) -> io::Result<Self> {
        let sockets = addresses.iter().map(|address| socket(*address)).collect::<io::Result<_>>()?;
        Ok(Self { sockets, server, buffer: vec![0; 65_536] })
    }

    /// How many sockets there are.
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// The address of a socket.
    ///
    /// # Panics
    /// There is no such socket.
    pub fn address(&self, socket: usize) -> SocketAddr {
        self.sockets[socket].local_addr().expect("a bound socket has an address")
    }

    /// Sends to the server; what the kernel does not take is lost, as on a full wire.
    pub fn send(&self, socket: usize, bytes: &[u8]) {
        let _ = self.sockets[socket].send_to(bytes, self.server);
    }

    /// Waits at most `wait_us` until something is there and passes all of it, with its socket.
    ///
    /// # Errors
    /// The system's.
    pub fn receive(&mut self, wait_us: u32, mut take: impl FnMut(usize, &[u8], &Self)) -> io::Result<usize> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut taken = self.drain(&mut buffer, &mut take);
        if taken == 0 && wait_us > 0 {
            self.wait(wait_us)?;
            taken = self.drain(&mut buffer, &mut take);
        }
        self.buffer = buffer;
        Ok(taken)
    }

    fn drain(&self, buffer: &mut [u8], take: &mut impl FnMut(usize, &[u8], &Self)) -> usize {
        let mut taken = 0;
        for (index, socket) in self.sockets.iter().enumerate() {
            for _ in 0..AT_A_TIME {
                let Ok(length) = socket.recv(buffer) else { break };
                take(index, &buffer[..length], self);
                taken += 1;
            }
        }
        taken
    }

    fn wait(&self, wait_us: u32) -> io::Result<()> {
        let mut ready: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait_us) * 1_000 };
        poll(&mut ready, Some(&wait))?;
        Ok(())
    }
}

pub(crate) fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // More than the system's usual limit needs root; what is given must do otherwise.
    let _ = set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES);
    let _ = set_socket_send_buffer_size_force(&socket, BUFFER_BYTES);
    Ok(socket)
}
