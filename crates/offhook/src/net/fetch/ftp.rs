//! FTP: a file over a data connection of its own (RFC 959, 2428).
//!
//! Passive first, as firewalls like it: EPSV, then PASV; active where neither stands.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use proto::url::Url;
use roles::role::{Fetch, FetchFault, FetchFaultKind as Kind, Found, Known};
use suppaftp::tokio::AsyncFtpStream;
use suppaftp::types::FileType;
use suppaftp::{FtpError, FtpResult, Mode, Status};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{Means, connect, connect_to};

/// User and password where the settings name none (RFC 1635).
const NOBODY: (&str, &str) = ("anonymous", "offhook@");
/// How long a server may take to connect to us.
const ACTIVE_WITHIN: Duration = Duration::from_secs(10);
/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Downloads a file.
///
/// # Errors
/// A sentence that says who is at fault.
pub(super) async fn get(fetch: &Fetch, url: Url, means: &Means) -> Result<Found, FetchFault> {
    let places = means.addresses(&url, fetch.from).await?;
    let mut fault = FetchFault::new(Kind::Broken, format!("{url}: no data connection"));
    // Which way a data connection can go is found out by trying; a server that says no to the file is not
    // asked again.
    for mode in [Mode::ExtendedPassive, Mode::Passive, Mode::Active] {
        match by(mode, fetch, &url, &places).await {
            Ok(bytes) => {
                return Ok(Found::File {
                    bytes: bytes.into(),
                    known: Known::default(),
                    url: url.to_string(),
                });
            }
            Err((other, is_data)) => {
                fault = other;
                if !is_data {
                    break;
                }
            }
        }
    }
    Err(fault)
}

/// A fault, and whether it is one of the data connection.
type Failed = (FetchFault, bool);

async fn by(mode: Mode, fetch: &Fetch, url: &Url, places: &[SocketAddr]) -> Result<Vec<u8>, Failed> {
    let whole = |error: FtpError| (fault(url, &error), false);
    let stream = connect(fetch.from, places).await.map_err(|fault| (fault, false))?;
    let peer = stream.peer_addr().map_err(|error| whole(FtpError::ConnectionError(error)))?;
    let mut ftp = AsyncFtpStream::connect_with_stream(stream)
        .await
        .map_err(whole)?
        .active_mode(ACTIVE_WITHIN)
        .passive_stream_builder(data_from(fetch.from, peer.ip()));
    ftp.set_mode(mode);
    let (user, password) = login(fetch, url);
    ftp.login(&user, &password).await.map_err(whole)?;
    ftp.transfer_type(FileType::Binary).await.map_err(whole)?;
    // Asked apart, for servers refuse both the way and the file with 550.
    let way: Option<(&str, Status)> = match mode {
        Mode::ExtendedPassive => Some(("EPSV", Status::ExtendedPassiveMode)),
        Mode::Passive => Some(("PASV", Status::PassiveMode)),
        Mode::Active => None,
    };
    if let Some((command, expected)) = way {
        let asked = ftp.custom_command(command, &[expected]).await;
        asked.map_err(|error| (fault(url, &error), true))?;
    }
    let mut data = ftp.retr_as_stream(url.file()).await.map_err(|error| {
        let is_about_file = status_of(&error).is_some_and(|status| matches!(status, 450 | 550..=553));
        (fault(url, &error), !is_about_file)
    })?;
    let mut bytes = Vec::new();
    let most = fetch.most_bytes;
    let read = (&mut data).take(most as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| whole(FtpError::ConnectionError(error)))?;
    if bytes.len() > most {
        let text = format!("{url} has more than {most} bytes; is it the right file?");
        return Err((FetchFault::new(Kind::TooLarge, text), false));
    }
    // Whether all of it came is what the server says behind it (RFC 959 §5.4).
    data.finish().await.map_err(whole)?;
    // The file is here; a server that is slow to say good bye is left.
    let _ = tokio::time::timeout(GOODBYE, ftp.quit()).await;
    Ok(bytes)
}

/// Data connections go from the asker's own address to the server that was asked, whatever it names.
fn data_from(
    from: IpAddr,
    server: IpAddr,
) -> impl Fn(SocketAddr) -> Pin<Box<dyn Future<Output = FtpResult<TcpStream>> + Send + Sync>> + Send + Sync + 'static
{
    move |at| {
        let at = SocketAddr::new(server, at.port());
        Box::pin(async move { connect_to(from, at).await.map_err(FtpError::ConnectionError) })
    }
}

fn login(fetch: &Fetch, url: &Url) -> (String, String) {
    if let Some((user, password)) = &url.login {
        return (user.clone(), password.clone());
    }
    let nobody = || (NOBODY.0.to_owned(), NOBODY.1.to_owned());
    let own = fetch.login.as_ref();
    own.map_or_else(nobody, |login| (login.user.clone(), login.password.expose().to_owned()))
}

fn status_of(error: &FtpError) -> Option<u32> {
    match error {
        FtpError::UnexpectedResponse(response) => Some(response.status.code()),
        _ => None,
    }
}

fn fault(url: &Url, error: &FtpError) -> FetchFault {
    let FtpError::UnexpectedResponse(response) = error else {
        return FetchFault::new(Kind::Broken, format!("{url}: the transfer broke off: {error}"));
    };
    let (status, said) = (response.status.code(), String::from_utf8_lossy(&response.body));
    let said: String = said.chars().filter(|sign| !sign.is_control()).take(120).collect();
    let (kind, help) = match response.status {
        Status::NotLoggedIn => {
            (Kind::Denied, "the server does not accept this user and password; set them for provisioning")
        }
        Status::FileUnavailable => {
            (Kind::NotFound, "check the name of the file and its folder on the server")
        }
        Status::CannotOpenDataConnection | Status::TransferAborted => {
            (Kind::Broken, "firewalls must let FTP's data connections through")
        }
        _ => (Kind::Server, "the server's log says more"),
    };
    let fault = FetchFault::new(kind, format!("{url}: the server says `{said}`; {help}"));
    u16::try_from(status).map_or(fault.clone(), |status| fault.with_status(status))
}
