//! Where a phone's log goes besides the phone's own ring: files in its data folder and a syslog server.
//!
//! A thread of its own writes and sends, so that neither a slow disk nor a silent server stops the
//! phone. Lines that find no room are counted and told as lost.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proto::Time;
use proto::syslog::{Facility, LogLine, Severity};
use roles::settings::SyslogSettings;

use crate::store;

/// Lines that may wait.
const LINES_WAITING: usize = 4_096;
/// A file that has grown to this makes room: it becomes the older one of two.
const MOST_FILE_BYTES: u64 = 1_024 * 1_024;
/// How long a server may take to accept a connection or a line.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a server that failed is left alone.
const RETRY: Duration = Duration::from_secs(10);

/// A phone's log on its way.
pub(super) struct Journal {
    queue: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
    lost: u64,
}

struct Entry {
    at: Time,
    severity: Severity,
    line: String,
    server: SyslogSettings,
}

impl Journal {
    /// Begins; without a folder lines go to a server alone. `ip` is the phone's address.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(dir: Option<&Path>, ip: IpAddr) -> io::Result<Self> {
        let (queue, entries) = mpsc::sync_channel(LINES_WAITING);
        let files = dir.map(|dir| [dir.join("system.log"), dir.join("exception.log")]);
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || Writer { files, remote: Remote::new(ip) }.run(&entries))?;
        Ok(Self { queue: Some(queue), writer: Some(writer), lost: 0 })
    }

    /// Takes a line. Never waits.
    pub(super) fn write(&mut self, at: Time, severity: Severity, line: &str, server: &SyslogSettings) {
        let Some(queue) = &self.queue else { return };
        let line = match self.lost {
            0 => line.to_owned(),
            lost => format!("{line} ({lost} lines before this one were lost)"),
        };
        match queue.try_send(Entry { at, severity, line, server: server.clone() }) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += 1,
        }
    }
}

impl Drop for Journal {
    /// Waits until everything taken is written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic there was printed there.
            let _ = writer.join();
        }
    }
}

struct Writer {
    files: Option<[PathBuf; 2]>,
    remote: Remote,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(entry) = entries.recv() {
            self.keep(&entry);
            self.remote.send(&entry);
        }
    }

    /// Appends to the files; one that cannot be written is told once and given up.
    fn keep(&mut self, entry: &Entry) {
        let Some([system, exception]) = &self.files else { return };
        let mut kept = append(system, &entry.line);
        if entry.severity <= Severity::Error {
            kept = kept.and(append(exception, &entry.line));
        }
        if let Err(error) = kept {
            complain!("offhook: the log in {} ends here: {error}", system.display());
            self.files = None;
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = store::append(path)?;
    writeln!(file, "{line}")?;
    if file.metadata()?.len() > MOST_FILE_BYTES {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    Ok(())
}

/// The way to a syslog server.
struct Remote {
    ip: IpAddr,
    server: SyslogSettings,
    way: Option<Way>,
    not_before: Time,
}

enum Way {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
}

impl Remote {
    fn new(ip: IpAddr) -> Self {
        Self { ip, server: SyslogSettings::default(), way: None, not_before: Time::ZERO }
    }

    fn send(&mut self, entry: &Entry) {
        if self.server != entry.server {
            self.server = entry.server.clone();
            (self.way, self.not_before) = (None, Time::ZERO);
        }
        let Some(host) = self.server.server.clone() else { return };
        if entry.at < self.not_before {
            return;
        }
        let sent = self.open(&host).and_then(|()| self.pass(entry));
        if let Err(error) = sent {
            complain!("offhook: syslog server {host}: {error}; look at syslog.server and syslog.server_port");
            (self.way, self.not_before) = (None, entry.at + RETRY);
        }
    }

    fn open(&mut self, host: &str) -> io::Result<()> {
        if self.way.is_some() {
            return Ok(());
        }
        let mut places = (host, self.server.port).to_socket_addrs()?;
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no address is known for it");
        let at = places.find(|at| at.is_ipv4() == self.ip.is_ipv4()).ok_or_else(unknown)?;
        self.way = Some(if self.server.tcp {
            let stream = TcpStream::connect_timeout(&at, PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Way::Tcp(stream)
        } else {
            Way::Udp(UdpSocket::bind((self.ip, 0))?, at)
        });
        Ok(())
    }

    fn pass(&mut self, entry: &Entry) -> io::Result<()> {
        let text = written(entry, &self.ip.to_string());
        match &mut self.way {
            None => Ok(()),
            Some(Way::Udp(socket, at)) => socket.send_to(text.as_bytes(), *at).map(|_| ()),
            // Each line behind its length (RFC 6587 §3.4.1).
            Some(Way::Tcp(stream)) => stream.write_all(format!("{} {text}", text.len()).as_bytes()),
        }
    }
}

/// A line in the form of the settings; `ipphone[PID]: ` of the phone's own form becomes tag and process.
fn written(entry: &Entry, host: &str) -> String {
    let plain = entry.line.split_once("> ").map_or(&*entry.line, |(_, rest)| rest);
    let parts = plain.split_once("]: ").and_then(|(head, text)| Some((head.split_once('[')?, text)));
    let ((tag, pid), message) = parts.unwrap_or((("ipphone", ""), plain));
    let line = LogLine {
        facility: Facility::Local0,
        severity: entry.severity,
        time: entry.at,
        host,
        tag,
        pid: pid.parse().ok(),
        message,
    };
    if entry.server.rfc5424 { line.rfc5424() } else { line.rfc3164() }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    const LINE: &str = "<Tue Nov 2 15:28:24 2021> ipphone[30593]: 0 Register Fail, Timeout";
    const AT: Time = Time::from_secs(1_635_866_904);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn to(port: u16, tcp: bool, rfc5424: bool) -> SyslogSettings {
        SyslogSettings { server: Some("127.0.0.1".into()), port, tcp, rfc5424, level: 3 }
    }

    #[test]
    fn lines_go_to_a_syslog_server() {
        let old = "<134>Nov  2 15:28:24 127.0.0.1 ipphone[30593]: 0 Register Fail, Timeout";
        let new = "<131>1 2021-11-02T15:28:24.000Z 127.0.0.1 ipphone 30593 - - 0 Register Fail, Timeout";
        let server = UdpSocket::bind((HERE, 0)).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let port = server.local_addr().unwrap().port();
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let stream_port = listener.local_addr().unwrap().port();
        let mut journal = Journal::start(None, HERE).unwrap();
        journal.write(AT, Severity::Informational, LINE, &to(port, false, false));
        let mut bytes = [0; 2_048];
        let length = server.recv(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes[..length]), old);
        journal.write(AT, Severity::Error, LINE, &to(stream_port, true, true));
        journal.write(AT, Severity::Informational, LINE, &to(stream_port, true, false));
        drop(journal);
        let mut received = String::new();
        for _ in 0..2 {
            // Another form is another connection.
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_to_string(&mut received).unwrap();
        }
        assert_eq!(received, format!("{} {new}{} {old}", new.len(), old.len()));
    }

    #[test]
    fn lines_are_in_the_files_and_exceptions_in_theirs_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::start(Some(dir.path()), HERE).unwrap();
        let nowhere = SyslogSettings::default();
        journal.write(AT, Severity::Informational, LINE, &nowhere);
        journal.write(AT, Severity::Error, "<x> ipphone[1]: Reboot, command", &nowhere);
        drop(journal);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("system.log"), format!("{LINE}\n<x> ipphone[1]: Reboot, command\n"));
        assert_eq!(read("exception.log"), "<x> ipphone[1]: Reboot, command\n");
    }

    #[test]
    fn a_file_that_has_grown_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("system.log");
        let line = "x".repeat(300_000);
        for _ in 0..9 {
            append(&path, &line).unwrap();
        }
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(
            length(&path) <= MOST_FILE_BYTES && length(&path.with_extension("log.1")) < 2 * MOST_FILE_BYTES
        );
    }

    #[test]
    fn a_server_that_is_not_there_is_left_alone_for_a_while() {
        let mut remote = Remote::new(HERE);
        let closed = TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
        let entry =
            |at| Entry { at, severity: Severity::Error, line: LINE.into(), server: to(closed, true, false) };
        remote.send(&entry(AT));
        assert_eq!(remote.not_before, AT + RETRY);
        remote.send(&entry(AT + Duration::from_secs(1)));
        assert_eq!(remote.not_before, AT + RETRY, "it was not asked again");
    }
}
