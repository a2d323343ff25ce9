//! Datagram sockets that never wait.

use std::io;
use std::net::{SocketAddr, UdpSocket};

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

    /// Passes all that is there, with its socket. Asks and never sleeps: to wake a sleeper on another core
    /// takes the sender several microseconds, which would be counted as the server's.
    pub fn receive(&mut self, mut take: impl FnMut(usize, &[u8], &Self)) -> usize {
        let mut buffer = std::mem::take(&mut self.buffer);
        let taken = self.drain(&mut buffer, &mut take);
        self.buffer = buffer;
        taken
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
}

pub(crate) fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // More than the system's usual limit needs root; what is given must do otherwise.
    let _ = set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES);
    let _ = set_socket_send_buffer_size_force(&socket, BUFFER_BYTES);
    Ok(socket)
}
