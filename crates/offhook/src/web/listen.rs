//! Where the API is served.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// The first port that is tried where none is asked for.
pub const USUAL_PORT: u16 = 8_088;
/// How many ports are tried.
const PORTS_TRIED: u16 = 100;

/// Listens at `at`.
///
/// # Errors
/// The address is in use or none of this machine's; the text names it and the remedy.
pub fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    open(at).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; give another port by --web",
            io::ErrorKind::AddrNotAvailable => "it is no address of this machine; give another by --web",
            io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; give another by --web",
            _ => "give another by --web",
        };
        io::Error::new(error.kind(), format!("the HTTP API cannot listen at {at}: {error}: {remedy}"))
    })
}

/// Listens at the first free port of `ip` from [`USUAL_PORT`] on.
///
/// # Errors
/// All ports that were tried are in use, or the address is none of this machine's.
pub fn bind_usual(ip: IpAddr) -> io::Result<TcpListener> {
    for port in USUAL_PORT..USUAL_PORT + PORTS_TRIED {
        match open(SocketAddr::new(ip, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Ok(listener) => return Ok(listener),
            Err(_) => break,
        }
    }
    bind(SocketAddr::new(ip, USUAL_PORT))
}

fn open(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_port_is_taken() {
        let ip = IpAddr::from([127, 0, 73, 1]);
        let (first, second) = (bind_usual(ip).unwrap(), bind_usual(ip).unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        assert_eq!((port(&first), port(&second)), (USUAL_PORT, USUAL_PORT + 1));
        let fault = bind(first.local_addr().unwrap()).unwrap_err().to_string();
        assert!(fault.contains("127.0.73.1:8088") && fault.contains("--web"), "{fault}");
    }
}
