//! `bare ADDRESS`: the least that can answer a REGISTER, as a floor for what a registrar can take on a machine.
//!
//! One socket, one thread, no memory: who shows no credentials gets 401, everybody else 200, with his own Via, From,
//! To, Call-ID and `CSeq`. Nothing is checked and nothing kept, so what it takes is the kernel's share of four datagrams
//! and little else.

use std::net::UdpSocket;
use std::process::ExitCode;

use bench::sip;

const COPIED: [&[u8]; 5] = [b"Via", b"From", b"To", b"Call-ID", b"CSeq"];

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    let address = std::env::args().nth(1).ok_or("name an address to listen at")?;
    let socket = UdpSocket::bind(&address).map_err(|error| format!("{address}: {error}"))?;
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
