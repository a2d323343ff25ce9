//! FTP: files, and nothing else (RFC 959, 2428, 2577).
//!
//! Any user and password are taken, as TFTP asks for none: what protects a file is its secret folder. Nothing
//! is listed, for the names are the secret.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::ftp::{Command, LONGEST_LINE_BYTES, extended_passive_reply, passive_reply};
use roles::provision::{Content, Path, Request, Transport};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Service;
use crate::places::{Limits, Place, Places};

/// Connections at a time, and from one source. Silent ones make room for new ones.
const LIMITS: Limits = Limits { connections: 512, of_one_source: 16 };
/// How long a client may say nothing.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a data connection may take to stand.
const DATA_STANDS: Duration = Duration::from_secs(15);
/// How long a file may take.
const TRANSFER: Duration = Duration::from_secs(600);
/// Ports below are those of services: nobody is connected there (RFC 2577 §3).
const FIRST_OPEN_PORT: u16 = 1_024;

/// Serves until the program ends.
pub(super) async fn serve(listener: TcpListener, service: Service) {
    let places = Places::new(LIMITS);
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = places.take(from.ip()) else {
            // Whoever takes not even this is closed all the same.
            let _ = stream.try_write(b"421 too many files are being sent; come again\r\n");
            continue;
        };
        let (service, own) = (service.clone(), place.clone());
        let task = tokio::spawn(async move {
            // An error means that the client closed the connection: nobody is left to be told.
            let _ = talk(stream, from, service, own).await;
        });
        place.is_served_by(task.abort_handle());
    }
}

async fn talk(stream: TcpStream, from: SocketAddr, service: Service, place: Arc<Place>) -> io::Result<()> {
    let local = stream.local_addr()?;
    // Small answers leave at once; where that cannot be set they are as right but later.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let session = Session {
        write,
        local,
        from,
        service,
        place,
        folder: Vec::new(),
        data: Data::None,
        is_text: false,
        only_extended: false,
    };
    session.run(BufReader::new(read)).await
}

/// One control connection.
struct Session {
    write: OwnedWriteHalf,
    local: SocketAddr,
    from: SocketAddr,
    service: Service,
    place: Arc<Place>,
    folder: Vec<String>,
    data: Data,
    /// Lines end as in ASCII.
    is_text: bool,
    /// EPSV ALL was said.
    only_extended: bool,
}

/// How the next data connection comes to be.
enum Data {
    None,
    Passive(TcpListener),
    Active(SocketAddr),
}

impl Session {
    async fn run(mut self, mut read: BufReader<OwnedReadHalf>) -> io::Result<()> {
        self.say("220 Offhook: files for phones\r\n").await?;
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(LONGEST_LINE_BYTES as u64);
            let Ok(length) = timeout(SILENCE, limited.read_until(b'\n', &mut line)).await else {
                return self.say("421 too long silent\r\n").await;
            };
            if length? == 0 {
                return Ok(());
            }
            if line.last() != Some(&b'\n') {
                return self.say("500 this line is too long\r\n").await;
            }
            self.place.is_being_answered();
            let line = String::from_utf8_lossy(&line).into_owned();
            let command = Command::read(line.trim_end_matches(['\r', '\n']));
            if !self.obey(command).await? {
                return Ok(());
            }
            self.place.is_answered();
        }
    }

    /// Does what a command says; false where it was the last.
    async fn obey(&mut self, command: Command<'_>) -> io::Result<bool> {
        let is_other_data = matches!(command, Command::Passive | Command::Active(_));
        if self.only_extended && is_other_data {
            self.say("501 EPSV ALL was said\r\n").await?;
            return Ok(true);
        }
        let said = match command {
            Command::User => "331 any password will do\r\n",
            Command::Pass => "230 files are read here, by RETR\r\n",
            Command::Quit => {
                self.say("221 good bye\r\n").await?;
                return Ok(false);
            }
            Command::Noop => "200 well\r\n",
            Command::System => "215 UNIX Type: L8\r\n",
            Command::Features => {
                "211-offered beyond RFC 959:\r\n EPRT\r\n EPSV\r\n UTF8\r\n211 that is all\r\n"
            }
            Command::Help => "214 USER PASS TYPE PASV EPSV PORT EPRT RETR CWD CDUP PWD QUIT\r\n",
            Command::Folder => {
                let folder = format!("257 \"/{}\"\r\n", self.folder.join("/").replace('"', "\"\""));
                self.say(&folder).await?;
                return Ok(true);
            }
            Command::Enter(path) => self.enter(path),
            Command::Leave => {
                self.folder.pop();
                "250 well\r\n"
            }
            Command::Type(Some(is_text)) => {
                self.is_text = is_text;
                "200 well\r\n"
            }
            Command::Type(None) => "504 types are A and I\r\n",
            Command::Usual(true) => "200 well\r\n",
            Command::Usual(false) => "504 the one mode is S, the one structure F\r\n",
            Command::Passive | Command::ExtendedPassive => {
                self.listen(command == Command::ExtendedPassive).await?;
                return Ok(true);
            }
            Command::OnlyExtendedPassive => {
                self.only_extended = true;
                "200 well\r\n"
            }
            Command::Active(at) => self.will_connect(at),
            Command::Get(path) => return self.get(path).await.map(|()| true),
            Command::List => {
                self.send(&[], "226 nothing is listed here\r\n").await?;
                return Ok(true);
            }
            Command::Abort => {
                self.data = Data::None;
                "226 nothing is under way\r\n"
            }
            Command::Write => "550 nothing is taken here\r\n",
            Command::NotOffered => "502 not offered\r\n",
            Command::Unknown => "500 no such command\r\n",
        };
        self.say(said).await?;
        Ok(true)
    }

    /// Any folder that could be one: whether it is there is told to nobody.
    fn enter(&mut self, path: &str) -> &'static str {
        let wanted = self.path_of(path);
        if wanted.is_empty() {
            self.folder = Vec::new();
            return "250 well\r\n";
        }
        match Path::read(&wanted) {
            Some(_) => {
                self.folder = wanted
                    .split('/')
                    .filter(|name| !name.is_empty() && *name != ".")
                    .map(str::to_owned)
                    .collect();
                "250 well\r\n"
            }
            None => "550 no such folder\r\n",
        }
    }

    /// The whole path, without a slash at its beginning.
    fn path_of(&self, path: &str) -> String {
        match path.strip_prefix('/') {
            Some(path) => path.trim_start_matches('/').to_owned(),
            None => self.folder.iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join("/"),
        }
    }

    async fn listen(&mut self, is_extended: bool) -> io::Result<()> {
        let opened = TcpListener::bind(SocketAddr::new(self.local.ip(), 0)).await;
        let Ok((listener, at)) = opened.and_then(|listener| listener.local_addr().map(|at| (listener, at)))
        else {
            return self.say("425 no port is free\r\n").await;
        };
        let reply = if is_extended { Some(extended_passive_reply(at.port())) } else { passive_reply(at) };
        let Some(reply) = reply else { return self.say("425 over IPv6 use EPSV\r\n").await };
        self.data = Data::Passive(listener);
        self.say(&reply).await
    }

    /// The client itself is connected to, and none of its services (RFC 2577 §3).
    fn will_connect(&mut self, at: Option<SocketAddr>) -> &'static str {
        let is_client = |at: &SocketAddr| at.ip().to_canonical() == self.from.ip().to_canonical();
        match at.filter(is_client).filter(|at| at.port() >= FIRST_OPEN_PORT) {
            Some(at) => {
                self.data = Data::Active(at);
                "200 well\r\n"
            }
            None => "501 your own address, and a port from 1024 on\r\n",
        }
    }

    async fn get(&mut self, path: &str) -> io::Result<()> {
        let path = self.path_of(path);
        let request = Request {
            path: &path,
            user_agent: None,
            from: self.from.ip(),
            transport: Transport::Ftp,
            certified: None,
        };
        let Some(begun) = self.service.begin(&request).await else {
            return self.say("451 nothing can be kept just now; come again\r\n").await;
        };
        if begun.answer == Content::Silence {
            self.service.ended(begun, 0, "throttled");
            self.say("421 come again in a minute\r\n").await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let Some(content) = self.service.content(&begun) else {
            self.service.ended(begun, 0, "not-found");
            return self.say("550 there is no such file\r\n").await;
        };
        let content = if self.is_text { with_line_ends(&content) } else { content };
        match self.send(&content, "226 that is all\r\n").await {
            Ok(true) => self.service.ended(begun, content.len() as u64, "ok"),
            Ok(false) => self.service.ended(begun, 0, "stalled"),
            Err(error) => {
                self.service.ended(begun, 0, "stalled");
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sends bytes over a data connection; false where none stood or it broke.
    async fn send(&mut self, bytes: &[u8], last_word: &str) -> io::Result<bool> {
        let data = std::mem::replace(&mut self.data, Data::None);
        if matches!(data, Data::None) {
            self.say("425 say PASV, EPSV, PORT or EPRT before\r\n").await?;
            return Ok(false);
        }
        self.say("150 here it comes\r\n").await?;
        let Ok(Ok(mut stream)) = timeout(DATA_STANDS, self.stand(data)).await else {
            self.say("425 no data connection\r\n").await?;
            return Ok(false);
        };
        let sent = async {
            stream.write_all(bytes).await?;
            stream.shutdown().await
        };
        if !matches!(timeout(TRANSFER, sent).await, Ok(Ok(()))) {
            self.say("426 the data connection broke\r\n").await?;
            return Ok(false);
        }
        self.say(last_word).await?;
        Ok(true)
    }

    /// Nobody but the client itself is taken at its data port.
    async fn stand(&self, data: Data) -> io::Result<TcpStream> {
        match data {
            Data::None => Err(io::ErrorKind::NotConnected.into()),
            Data::Active(at) => {
                let socket = if at.is_ipv4() {
                    tokio::net::TcpSocket::new_v4()?
                } else {
                    tokio::net::TcpSocket::new_v6()?
                };
                socket.bind(SocketAddr::new(self.local.ip(), 0))?;
                socket.connect(at).await
            }
            Data::Passive(listener) => loop {
                let (stream, from) = listener.accept().await?;
                if from.ip().to_canonical() == self.from.ip().to_canonical() {
                    return Ok(stream);
                }
            },
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        match timeout(SILENCE, self.write.write_all(text.as_bytes())).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Lines as TYPE A has them.
fn with_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut last = 0;
    for &byte in bytes {
        if byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        last = byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_text_end_with_both_signs() {
        assert_eq!(with_line_ends(b"a\nb\r\n\n"), b"a\r\nb\r\n\r\n");
    }
}
