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

/// The usual size at which a capture goes on in a new file, in millions of bytes.
pub const USUAL_SIZE_MB: u32 = 100;

struct Open {
    path: PathBuf,
    /// The file goes on anew when it would grow beyond this.
    most_bytes: u64,
    written_bytes: u64,
    /// Whether it was said that the file goes on anew.
    is_told: bool,
    /// None after a failure: half a packet in the middle would make the rest unreadable.
    file: Option<File>,
    writer: Writer,
    frames: Vec<u8>,
}

impl Capture {
    /// Begins a capture; a file of that name is replaced. When it has grown to `size_mb` millions of bytes it
    /// becomes the older one of two (`a.pcap` becomes `a.old.pcap`), and the capture goes on in a new one.
    ///
    /// # Errors
    /// The file cannot be written; the text names it.
    pub fn create(path: &Path, size_mb: u32) -> io::Result<Self> {
        Self::with_size(path, u64::from(size_mb) * 1_000_000)
    }

    fn with_size(path: &Path, most_bytes: u64) -> io::Result<Self> {
        let file = begin(path).map_err(|error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("--pcap: {} cannot be written: {error}; give another file", path.display()),
            )
        })?;
        // A pipe or a device cannot be put aside.
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let open = Open {
            path: path.to_owned(),
            most_bytes: if is_file { most_bytes } else { u64::MAX },
            written_bytes: pcap::file_header().len() as u64,
            is_told: false,
            file: Some(file),
            writer: Writer::new(),
            frames: Vec::new(),
        };
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
        if self.file.is_none() {
            return;
        }
        self.frames.clear();
        self.writer.write(at, from, to, transport, bytes, &mut self.frames);
        if let Err(error) = self.write() {
            complain!("offhook: the capture {} ends here: {error}", self.path.display());
            self.file = None;
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let more_bytes = self.frames.len() as u64;
        if self.written_bytes + more_bytes > self.most_bytes {
            self.begin_anew()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.frames)?;
        }
        self.written_bytes += more_bytes;
        Ok(())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let old = old(&self.path);
        if !std::mem::replace(&mut self.is_told, true) {
            complain!(
                "offhook: the capture {} is full and goes on anew; {} holds what was in it, until it is full again",
                self.path.display(),
                old.display()
            );
        }
        std::fs::rename(&self.path, &old)?;
        self.file = Some(begin(&self.path)?);
        self.written_bytes = pcap::file_header().len() as u64;
        Ok(())
    }
}

/// A new file with its header.
fn begin(path: &Path) -> io::Result<File> {
    let mut file = store::create(path)?;
    file.write_all(&pcap::file_header())?;
    Ok(file)
}

/// Where a full file goes: `a.pcap` to `a.old.pcap`.
fn old(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(".old");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_in_the_file_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.pcap");
        let capture = Capture::create(&path, USUAL_SIZE_MB).expect("created");
        let at = |port| SocketAddr::from(([127, 0, 50, 19], port));
        capture.add(Time::from_secs(1), at(5060), at(5070), Transport::Udp, b"OPTIONS");
        (capture.tap())(Time::from_secs(2), at(5070), at(5060), Transport::Udp, b"SIP/2.0");
        let bytes = std::fs::read(&path).expect("read");
        let frame = 16 + 14 + 20 + 8 + 7;
        assert_eq!(bytes.len(), 24 + 2 * frame);
        assert!(bytes.ends_with(b"SIP/2.0"));
    }

    #[test]
    fn a_capture_has_a_bound_and_goes_on_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.pcap");
        let most_bytes = 10_000;
        let capture = Capture::with_size(&path, most_bytes).expect("created");
        let at = |port| SocketAddr::from(([127, 0, 50, 19], port));
        for second in 0..1_000 {
            let text = format!("OPTIONS {second:03}");
            capture.add(Time::from_secs(second), at(5060), at(5070), Transport::Udp, text.as_bytes());
        }
        let files = std::fs::read_dir(dir.path()).expect("listed").count();
        assert_eq!(files, 2);
        let read = |path: &Path| std::fs::read(path).expect("there");
        let (new, old) = (read(&path), read(&dir.path().join("a.old.pcap")));
        for file in [&new, &old] {
            assert!(file.starts_with(&pcap::file_header()) && file.len() as u64 <= most_bytes);
        }
        assert!(new.ends_with(b"OPTIONS 999"), "nothing is lost at the end");
        let frame = 16 + 14 + 20 + 8 + 11;
        let last_of_old = 1_000 - (new.len() - 24) / frame - 1;
        assert!(old.ends_with(format!("OPTIONS {last_of_old:03}").as_bytes()), "nor between the two");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error =
            Capture::create(Path::new("/nowhere/a.pcap"), USUAL_SIZE_MB).err().expect("no such folder");
        assert!(error.to_string().contains("/nowhere/a.pcap"), "{error}");
    }
}
