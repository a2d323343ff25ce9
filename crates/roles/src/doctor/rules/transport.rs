//! Connections that do not come about, and TLS that fails.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Carries, Connection, Tls};
use super::case::{Case, Findings};
use super::certificate::Certificate;
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "transport.tcp-refused",
        title: "The server refuses TCP connections for SIP",
        seen: "A SYN to the SIP port is answered with RST.",
        hurts: "Nothing of the account works as long as it uses TCP or TLS there.",
        example: "SYN to 192.168.50.19:5060 · RST",
        remedy: &[
            "Set the account's transport to one that the server has (`account.N.sip_server.1.transport_type`: 0 UDP, 1 TCP, 2 TLS).",
            "Check the port, and whether the server listens for TCP or TLS at all. `offhook lab reg-wrong-transport --once` shows such a trace.",
        ],
        reference: "RFC 9293 §3.5.2; RFC 3261 §18.1.1",
    },
    Explanation {
        code: "transport.tcp-no-answer",
        title: "Nobody answers TCP connections for SIP",
        seen: "SYNs to the SIP port stay without any answer.",
        hurts: "Nothing of the account works as long as it uses TCP or TLS there.",
        example: "SYN to 192.168.50.19:5060, again after 1 s, 3 s, 7 s",
        remedy: &[
            "Check server address and network environment; look for a firewall that drops TCP to this port.",
            "Set the account's transport to one that the server has.",
        ],
        reference: "RFC 9293 §3.8.3",
    },
    Explanation {
        code: "tls.unknown-ca",
        title: "The certificate is signed by an authority that the other side does not know",
        seen: "TLS ends with the alert unknown_ca.",
        hurts: "No signalling by TLS.",
        example: "ClientHello · ServerHello, Certificate · alert unknown_ca",
        remedy: &[
            "Load the authority's certificate into the phone as trusted (`offhook phone --ca FILE`).",
            "Give the server a certificate of a public authority, with its whole chain.",
        ],
        reference: "RFC 8446 §6.2, RFC 5246 §7.2.2",
    },
    Explanation {
        code: "tls.expired",
        title: "The certificate is not valid at this time",
        seen: "TLS ends with certificate_expired, or the certificate's dates do not hold the time of the capture.",
        hurts: "No signalling by TLS.",
        example: "Certificate (not after 2021-12-31) · alert certificate_expired",
        remedy: &[
            "Renew the certificate of the server.",
            "Check the clock of the phone: without NTP it lives in 1970 and takes no certificate.",
        ],
        reference: "RFC 5280 §4.1.2.5, RFC 8446 §6.2",
    },
    Explanation {
        code: "tls.name-mismatch",
        title: "The certificate is for another name than the phone asked for",
        seen: "TLS fails and the certificate does not hold the name of the server, or the server says unrecognized_name.",
        hurts: "No signalling by TLS.",
        example: "server name 192.168.50.19, certificate for pbx.example",
        remedy: &[
            "Set the account's server to the name that stands in the certificate.",
            "Give the server a certificate with the name (or address) that the phones use.",
        ],
        reference: "RFC 5922 §7.1, RFC 6125",
    },
    Explanation {
        code: "tls.version",
        title: "Both sides have no TLS version or cipher in common",
        seen: "TLS ends with protocol_version, insufficient_security or handshake_failure before a certificate.",
        hurts: "No signalling by TLS.",
        example: "ClientHello (TLS 1.0) · alert protocol_version",
        remedy: &[
            "Update the older side so that both speak TLS 1.2 or newer.",
            "Where that is impossible, allow the older version at the server for these phones alone.",
        ],
        reference: "RFC 8446 §6.2, RFC 8996",
    },
    Explanation {
        code: "prov.tls",
        title: "Provisioning fails at TLS",
        seen: "A phone's HTTPS connection to its provisioning server ends with a TLS alert.",
        hurts: "The phone gets no configuration.",
        example: "ClientHello to rps.example:443 · Certificate · alert unknown_ca",
        remedy: &[
            "Load the authority of the provisioning server into the phone, or use a certificate of a public authority.",
            "Check the certificate's dates and names, and the phone's clock.",
        ],
        reference: "RFC 8446 §6.2; deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.no-server",
        title: "Nobody answers at the provisioning server",
        seen: "The server's address is known, and its connections are refused or stay without any answer.",
        hurts: "The phone gets no configuration.",
        example: "SYN to 192.168.50.165:80, again, again",
        remedy: &[
            "Check auto provisioning URL and network environment.",
            "Look whether the web or FTP service runs at that address and port.",
        ],
        reference: "RFC 9293 §3.8.3; deck, Auto Provisioning-Troubleshooting",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for connection in &case.tracks.connections {
        match connection.accepted {
            None => not_accepted(case, found, connection),
            Some(_) => {
                if let Some(tls) = &connection.tls {
                    failed_tls(case, found, connection, tls);
                }
            }
        }
    }
}

/// What a connection is for, as far as a phone opens it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    Sip,
    Provisioning,
}

fn purpose(case: &Case<'_>, connection: &Connection) -> Option<Purpose> {
    let (from, to) = (connection.path.source.ip(), connection.path.destination);
    let is_sip_port = (5_040..5_100).contains(&to.port());
    let by_sip = case.tracks.registrations.iter().any(|it| it.path.destination == to);
    if is_sip_port || by_sip || matches!(connection.carries, Carries::Sip | Carries::WebSocket) {
        return Some(Purpose::Sip);
    }
    let by_run = case
        .tracks
        .provisioning
        .iter()
        .any(|run| run.address == from && run.url.as_deref().is_some_and(|url| names(url, to)));
    let is_device = case.tracks.devices.iter().any(|device| {
        device.addresses.contains(&from) && (device.model.is_some() || !device.accounts.is_empty())
    });
    let by_lease = case.tracks.leases.iter().any(|lease| {
        lease.address == Some(from) && lease.option66.as_deref().is_some_and(|url| names(url, to))
    });
    let is_file_port = matches!(to.port(), 21 | 80 | 443 | 990 | 8_080 | 8_443);
    (by_run || by_lease || (is_device && is_file_port && !case.is_registrar(from)))
        .then_some(Purpose::Provisioning)
}

/// Whether a URL names that address.
fn names(url: &str, to: SocketAddr) -> bool {
    url.contains(&to.ip().to_string())
}

fn not_accepted(case: &Case<'_>, found: &mut Findings, connection: &Connection) {
    let Some(&first) = connection.syns.first() else { return };
    let to = connection.path.destination;
    let healed =
        case.tracks.connections.iter().any(|it| {
            it.path.destination == to && it.accepted.is_some_and(|accepted| accepted.at > first.at)
        });
    let Some(purpose) = purpose(case, connection).filter(|_| !healed) else { return };
    let refused = connection.reset.filter(|(_, by_opener)| !by_opener).map(|(proof, _)| proof);
    let last = connection.syns.last().copied().unwrap_or(first);
    let waited = last.at.since(first.at).max(case.rest(last));
    let icmp = case.tracks.icmp.iter().find(|it| {
        it.quoted.is_some_and(|path| path.destination == to && path.source == connection.path.source)
    });
    if refused.is_none() && icmp.is_none() && (connection.syns.len() < 2 || waited < Duration::from_secs(3)) {
        return;
    }
    let subject = case.account_at(connection.path.source.ip()).map_or_else(|| to.to_string(), str::to_owned);
    let (code, subject, cause) = match (purpose, refused.is_some()) {
        (Purpose::Sip, true) => (
            "transport.tcp-refused",
            subject,
            format!("The machine {} lives, and nobody listens for TCP at its port {}.", to.ip(), to.port()),
        ),
        (Purpose::Sip, false) => (
            "transport.tcp-no-answer",
            subject,
            format!(
                "No packet comes back from {to}: the address is wrong, the server is down, or a firewall drops TCP."
            ),
        ),
        (Purpose::Provisioning, true) => (
            "prov.no-server",
            to.ip().to_string(),
            format!("The machine {} lives, and no service listens at its port {}.", to.ip(), to.port()),
        ),
        (Purpose::Provisioning, false) => {
            ("prov.no-server", to.ip().to_string(), format!("No packet comes back from {to}."))
        }
    };
    let mut finding = Finding::new(code, Severity::Error, subject).cause(cause);
    for syn in connection.syns.iter().take(4) {
        finding.prove(Some(*syn), "SYN");
    }
    finding.prove(refused, "RST");
    finding.prove(icmp.map(|it| it.proof), "ICMP: not delivered");
    found.add(finding);
}

fn failed_tls(case: &Case<'_>, found: &mut Findings, connection: &Connection, tls: &Tls) {
    if tls.established {
        return;
    }
    let Some(purpose) = purpose(case, connection) else { return };
    let fatal = tls.alerts.iter().find(|(_, kind, ..)| *kind != CLOSE_NOTIFY && *kind != USER_CANCELED);
    let broken = connection.reset.or(connection.finished).map(|(proof, _)| proof);
    let why = fatal.map(|(_, kind, by_client, proof)| (*kind, *by_client, *proof));
    let certificate =
        tls.certificate.as_ref().and_then(|(der, proof)| Some((Certificate::parse(der)?, *proof)));
    let Some((code, cause)) =
        reason(tls, why, certificate.as_ref().filter(|_| broken.is_some() || why.is_some()))
    else {
        return;
    };
    let to = connection.path.destination;
    let subject = match (purpose, case.account_at(connection.path.source.ip())) {
        (Purpose::Sip, Some(account)) => account.to_owned(),
        _ => tls.server_name.as_deref().map_or_else(|| to.to_string(), str::to_owned),
    };
    let code = if purpose == Purpose::Provisioning { "prov.tls" } else { code };
    let mut finding = Finding::new(code, Severity::Error, subject).cause(cause);
    finding.prove(tls.client_hello, "ClientHello");
    finding.prove(certificate.map(|(_, proof)| proof), "Certificate");
    finding.prove(why.map(|(.., proof)| proof), "TLS alert");
    finding.prove(broken.filter(|_| why.is_none()), "the connection ends");
    found.add(finding);
}

const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

/// The code and the cause (alerts: RFC 8446 §6.2, RFC 5246 §7.2.2).
fn reason(
    tls: &Tls,
    alert: Option<(u8, bool, Proof)>,
    certificate: Option<&(Certificate, Proof)>,
) -> Option<(&'static str, String)> {
    let dated = certificate.filter(|(it, proof)| !it.is_valid_at(proof.at.as_secs()));
    let named = certificate.filter(|(it, _)| tls.server_name.as_deref().is_some_and(|name| !it.is_for(name)));
    let (kind, by_client) = alert.map_or((None, true), |(kind, by_client, _)| (Some(kind), by_client));
    let expired = |cause: &str| Some(("tls.expired", cause.to_owned()));
    match kind {
        Some(48) => Some((
            "tls.unknown-ca",
            "The phone does not know the authority that signed the server's certificate.".to_owned(),
        )),
        Some(45) => expired("The certificate has run out, or the phone's clock is wrong."),
        Some(70 | 71 | 86) => {
            Some(("tls.version", "The two sides have no version of TLS in common.".to_owned()))
        }
        Some(40) if tls.server_hello.is_none() => {
            Some(("tls.version", "The two sides have no version or cipher of TLS in common.".to_owned()))
        }
        Some(112) => Some((
            "tls.name-mismatch",
            "The server does not serve the name that the phone asked for.".to_owned(),
        )),
        Some(42..=46 | 49) | None if dated.is_some() => {
            expired("The certificate's dates do not hold the time of the capture.")
        }
        Some(42..=46) | None if named.is_some() => {
            let name = tls.server_name.as_deref().unwrap_or_default();
            Some(("tls.name-mismatch", format!("The certificate is not for `{name}`.")))
        }
        Some(42..=46) if by_client => Some((
            "tls.unknown-ca",
            "The phone does not accept the server's certificate: most likely it does not know its authority."
                .to_owned(),
        )),
        _ => None,
    }
}
