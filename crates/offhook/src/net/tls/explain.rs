//! From rustls's errors to sentences that name the party at fault and the remedy.

use std::io;
use std::net::SocketAddr;

use proto::Time;
use proto::sip::Flow;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};

use crate::net::{FlowError, FlowErrorKind as Kind};

/// Why our handshake with a server failed.
pub(in crate::net) fn explain_connect(flow: Flow, name: &ServerName<'_>, error: &io::Error) -> FlowError {
    let (kind, text) = match tls_error(error) {
        Some(tls) => explain_server(&flow, &name.to_str(), tls),
        None => match error.kind() {
            io::ErrorKind::TimedOut => (
                Kind::TimedOut,
                format!(
                    "{} took the connection but does not speak TLS; check the port and transport",
                    flow.remote
                ),
            ),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => (
                Kind::Tls,
                format!(
                    "{} closed the connection during the TLS handshake; check the port and transport",
                    flow.remote
                ),
            ),
            _ => return FlowError::from_io(flow, error),
        },
    };
    FlowError::new(flow, kind, text)
}

/// Why the handshake for a download failed.
pub(in crate::net) fn explain_https(
    remote: SocketAddr,
    name: &ServerName<'_>,
    error: &io::Error,
) -> roles::role::FetchFault {
    use roles::role::{FetchFault, FetchFaultKind};
    // The sentences are about the other end alone.
    let flow = Flow { transport: proto::sip::Transport::Tls, local: remote, remote };
    let fault = match tls_error(error) {
        Some(Error::InvalidMessage(_)) => {
            let text = format!("{remote} does not speak TLS at this port; check the port, or write http://");
            return FetchFault::new(FetchFaultKind::Certificate, text);
        }
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            let text = format!("{remote} wants a certificate of this phone, and it has none to show");
            return FetchFault::new(FetchFaultKind::Denied, text);
        }
        _ => explain_connect(flow, name, error),
    };
    let is_cut = matches!(fault.kind, Kind::TimedOut | Kind::Broken | Kind::Refused | Kind::Unreachable);
    let kind = if is_cut { FetchFaultKind::Broken } else { FetchFaultKind::Certificate };
    FetchFault::new(kind, fault.text)
}

/// Why a client's handshake with us failed.
pub(in crate::net) fn explain_accept(client: SocketAddr, error: &io::Error) -> String {
    match tls_error(error) {
        Some(Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown,
        )) => {
            format!(
                "{client} does not believe our certificate: give it the file ca.pem of this server's folder"
            )
        }
        Some(Error::AlertReceived(AlertDescription::CertificateExpired)) => {
            format!("{client} finds our certificate expired: check its clock and the certificate's dates")
        }
        Some(Error::InvalidMessage(_)) => {
            format!("{client} does not speak TLS at our TLS port: set its transport to TLS")
        }
        Some(Error::PeerIncompatible(what)) => {
            format!(
                "{client} and this server have no TLS version or cipher in common ({what:?}); TLS 1.2 and 1.3 are offered"
            )
        }
        Some(other) => format!("{client} ended the TLS handshake: {other}"),
        None if error.kind() == io::ErrorKind::TimedOut => {
            format!("{client} did not finish the TLS handshake in time")
        }
        None => format!("{client} left during the TLS handshake: {error}"),
    }
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn explain_server(flow: &Flow, name: &str, error: &Error) -> (Kind, String) {
    let server = flow.remote;
    match error {
        Error::InvalidCertificate(fault) => explain_certificate(server, name, fault),
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(_) => (
            Kind::Version,
            format!(
                "{server} has no TLS version or cipher in common with us ({error}); it must offer TLS 1.2 or 1.3"
            ),
        ),
        Error::InvalidMessage(_) => (
            Kind::Tls,
            format!("{server} does not speak TLS at this port; check the port (usually 5061) and transport"),
        ),
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => (
            Kind::Tls,
            format!("{server} wants a certificate of this phone, which has none; let it ask for none"),
        ),
        Error::AlertReceived(alert) => {
            (Kind::Tls, format!("{server} refused the TLS handshake: {alert:?}; its own log says why"))
        }
        other => (
            Kind::Tls,
            format!("TLS with {server} failed: {other}; check the port and what TLS the server is set to"),
        ),
    }
}

fn explain_certificate(server: SocketAddr, name: &str, fault: &CertificateError) -> (Kind, String) {
    match fault {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            Kind::UnknownCa,
            format!(
                "the certificate of {name} ({server}) is signed by an authority that is not trusted here; \
                 give that authority's certificate by --ca FILE (`offhook serve` writes it as ca.pem in its folder)"
            ),
        ),
        CertificateError::ExpiredContext { not_after, .. } => (
            Kind::Expired,
            format!(
                "the certificate of {name} ({server}) expired on {}; renew it there, or set this machine's clock",
                day(*not_after)
            ),
        ),
        CertificateError::NotValidYetContext { not_before, .. } => (
            Kind::Expired,
            format!(
                "the certificate of {name} ({server}) is valid only from {}; set this machine's clock",
                day(*not_before)
            ),
        ),
        CertificateError::Expired | CertificateError::NotValidYet => (
            Kind::Expired,
            format!(
                "the certificate of {name} ({server}) is not valid today; renew it, or set this machine's clock"
            ),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => (
            Kind::NameMismatch,
            format!(
                "the certificate of {server} is not for {name} but for {}; use that name as the server's address, \
                 or have the certificate made for {name}",
                names(presented)
            ),
        ),
        CertificateError::NotValidForName => (
            Kind::NameMismatch,
            format!("the certificate of {server} is not for {name}; use the name that it bears"),
        ),
        other if is_an_authority(other) => (
            Kind::UnknownCa,
            format!(
                "the certificate of {name} ({server}) is an authority's own, as one that signed itself is; give that \
                 very certificate by --ca FILE, or let the server have one that an authority signed"
            ),
        ),
        CertificateError::Revoked => (
            Kind::Tls,
            format!("the certificate of {name} ({server}) was revoked by its authority; have a new one made"),
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            Kind::Tls,
            format!(
                "the certificate of {name} ({server}) is not for a server; have one made with the extended key usage \
                 serverAuth"
            ),
        ),
        CertificateError::BadEncoding => (
            Kind::Tls,
            format!(
                "the certificate of {name} ({server}) is damaged or of a version before 3; have it made anew"
            ),
        ),
        other => (
            Kind::Tls,
            format!("the certificate of {name} ({server}) is not accepted ({other}); have another one made"),
        ),
    }
}

/// The library has no name of its own for this one.
fn is_an_authority(fault: &CertificateError) -> bool {
    fault.to_string().contains("CaUsedAsEndEntity")
}

fn day(time: UnixTime) -> String {
    Time::from_micros(time.as_secs().saturating_mul(1_000_000)).rfc3339().chars().take(10).collect()
}

/// `DnsName("a.example")` is how a certificate's names come out of the check; people want the name.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    let plain = presented.iter().map(|name| match name.split_once('(') {
        Some((_, rest)) => rest.trim_end_matches(')').trim_matches('"'),
        None => name,
    });
    plain.collect::<Vec<_>>().join(", ")
}
