//! The least that can do a server's work, as a floor for what that can take on a machine: what the kernel takes for
//! the datagrams, and little else.
//!
//! `bare ADDRESS` answers REGISTERs: one socket, one thread, no memory. Who shows no credentials gets 401, everybody
//! else 200, with his own Via, From, To, Call-ID and `CSeq`. Nothing is checked and nothing kept.
//!
//! `bare ADDRESS SOCKETS FAR` forwards: so many sockets from that address on, at even ports, all connected to the far
//! end; what comes at one goes out at its neighbour. Nothing is looked at and nothing counted.

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

use bench::sip;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const COPIED: [&[u8]; 5] = [b"Via", b"From", b"To", b"Call-ID", b"CSeq"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let served = match arguments.as_slice() {
        [address] => serve(address),
        [address, sockets, far] => relay(address, sockets, far),
        _ => Err("bare ADDRESS [SOCKETS FAR]".to_owned()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Sockets that are told ready at a time.
const EVENTS: usize = 256;

fn relay(address: &str, sockets: &str, far: &str) -> Result<(), String> {
    let first: SocketAddr = address.parse().map_err(|_| format!("{address} is no address"))?;
    let count: u16 = sockets.parse().map_err(|_| format!("{sockets} is no number"))?;
    let open = |index: u16| {
        let socket = UdpSocket::bind((first.ip(), first.port() + 2 * index))?;
        socket.set_nonblocking(true)?;
        socket.connect(far)?;
        Ok(socket)
    };
    let named = |error: std::io::Error| error.to_string();
    let sockets = (0..count).map(open).collect::<std::io::Result<Vec<_>>>().map_err(named)?;
    let ready_set = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| error.to_string())?;
    for (index, socket) in sockets.iter().enumerate() {
        let token = epoll::EventData::new_u64(index as u64);
        epoll::add(&ready_set, socket, token, epoll::EventFlags::IN).map_err(|error| error.to_string())?;
    }
    let mut ready = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; 4_096];
    loop {
        ready.clear();
        epoll::wait(&ready_set, spare_capacity(&mut ready), None).map_err(|error| error.to_string())?;
        for event in &ready {
            let index = event.data.u64() as usize;
            if let Ok(length) = sockets[index].recv(&mut buffer) {
                // What the far end does not take is lost, as on a wire.
                let _ = sockets[index ^ 1].send(&buffer[..length]);
            }
        }
    }
}

fn serve(address: &str) -> Result<(), String> {
    let socket = UdpSocket::bind(address).map_err(|error| format!("{address}: {error}"))?;
    let mut buffer = vec![0; 65_535];
    let mut reply = Vec::with_capacity(1_500);
    loop {
        let (length, from) = socket.recv_from(&mut buffer).map_err(|error| error.to_string())?;
        answer(&buffer[..length], &mut reply);
        // A phone that has gone meanwhile misses its answer.
        let _ = socket.send_to(&reply, from);
    }
}

fn answer(request: &[u8], reply: &mut Vec<u8>) {
    let known = sip::header(request, b"Authorization").is_some();
    reply.clear();
    reply.extend_from_slice(if known { b"SIP/2.0 200 OK\r\n" } else { b"SIP/2.0 401 Unauthorized\r\n" });
    for name in COPIED {
        let value = sip::header(request, name).unwrap_or_default();
        for part in [name, b": ", value, b"\r\n"] {
            reply.extend_from_slice(part);
        }
    }
    if known {
        let contact = sip::header(request, b"Contact").unwrap_or_default();
        for part in [b"Contact: ", contact, b";expires=1800\r\nServer: bare\r\n"] {
            reply.extend_from_slice(part);
        }
    } else {
        reply.extend_from_slice(
            b"WWW-Authenticate: Digest realm=\"offhook\", nonce=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, \
              qop=\"auth\"\r\nServer: bare\r\n",
        );
    }
    reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}
