//! `--pcap FILE`: what passes our own sockets, as a file that Wireshark opens. No privilege is needed.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use proto::Time;
use proto::pcap::{self, Writer};
use proto::sip::Transport;

use crate::net::Tap;
use crate::sound::tap::Seen;
use crate::store;

/// A capture file that several parts of the program write to. Clones write to the same file.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Open>>);

struct Open {
    path: PathBuf,
    /// None after a failure: half a packet in the middle would make the rest unreadable.
    file: Option<File>,
    writer: Writer,
    frames: Vec<u8>,
}

impl Capture {
    /// Begins a capture; a file of that name is replaced.
    ///
    /// # Errors
    /// The file cannot be written; the text names it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let create = || {
            let mut file = store::create(path)?;
            file.write_all(&pcap::file_header())?;
            Ok(file)
        };
        let file = create().map_err(|error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("--pcap: {} cannot be written: {error}; give another file", path.display()),
            )
        })?;
        let open =
            Open { path: path.to_owned(), file: Some(file), writer: Writer::new(), frames: Vec::new() };
        Ok(Self(Arc::new(Mutex::new(open))))
    }

    /// Adds one message or packet. It is in the file when this returns, so that a capture is complete
    /// however the program ends.
    pub fn add(&self, at: Time, from: SocketAddr, to: SocketAddr, transport: Transport, bytes: &[u8]) {
        let transport = match transport {
            Transport::Udp => pcap::Transport::Udp,
            Transport::Tcp | Transport::Tls => pcap::Transport::Tcp,
        };
        // A panic elsewhere leaves whole frames: each is written by one call.
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.add(at, from, to, transport, bytes);
    }

    /// What the sockets show their messages to.
    pub fn tap(&self) -> Tap {
        let capture = self.clone();
        Box::new(move |at, from, to, transport, bytes| capture.add(at, from, to, transport, bytes))
    }

    /// What the sound shows its packets to. They are in the file a moment after they have passed, with
    /// the time at which they passed.
    pub fn media_tap(&self) -> Seen {
        let capture = self.clone();
        Box::new(move |packet| {
            capture.add(packet.at, packet.from, packet.to, Transport::Udp, packet.bytes());
        })
    }
}

impl Open {
    fn add(&mut self, at: Time, from: SocketAddr, to: SocketAddr, transport: pcap::Transport, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        self.frames.clear();
        self.writer.write(at, from, to, transport, bytes, &mut self.frames);
        if let Err(error) = file.write_all(&self.frames) {
            complain!("offhook: the capture {} ends here: {error}", self.path.display());
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_in_the_file_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.pcap");
        let capture = Capture::create(&path).expect("created");
        let at = |port| SocketAddr::from(([127, 0, 50, 19], port));
        capture.add(Time::from_secs(1), at(5060), at(5070), Transport::Udp, b"OPTIONS");
        (capture.tap())(Time::from_secs(2), at(5070), at(5060), Transport::Udp, b"SIP/2.0");
        let bytes = std::fs::read(&path).expect("read");
        let frame = 16 + 14 + 20 + 8 + 7;
        assert_eq!(bytes.len(), 24 + 2 * frame);
        assert!(bytes.ends_with(b"SIP/2.0"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = Capture::create(Path::new("/nowhere/a.pcap")).err().expect("no such folder");
        assert!(error.to_string().contains("/nowhere/a.pcap"), "{error}");
    }
}
