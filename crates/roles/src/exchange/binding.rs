//! A registered device as it is kept, and the ways to it. Plain data.

use std::net::SocketAddr;

use proto::Time;
use proto::sip::{Flow, Target, Transport, Uri};
use serde::{Deserialize, Serialize};

/// One device of an extension as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Binding {
    /// Whose.
    pub number: String,
    /// The Contact URI as it came.
    pub contact: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Our address that it registered at.
    pub local: SocketAddr,
    /// Where its packets come from; calls go there, whatever its Contact says.
    pub remote: SocketAddr,
    /// The proxies between, as Route values in the order to be visited (RFC 3327).
    #[serde(default)]
    pub path: Vec<String>,
    /// Seconds since 1970 until which it holds.
    #[serde(rename = "expires_at", alias = "expires_at_s", with = "crate::stamp::s")]
    pub expires_at_s: u64,
    /// The Call-ID of its REGISTERs.
    pub call_id: String,
    /// The CSeq of the last one.
    pub cseq: u32,
    /// Preference in thousandths.
    pub q: u16,
    /// Its User-Agent, cut at 64 bytes.
    pub user_agent: String,
    /// The user of the account of its own with which it registered; none for the extension's account.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether it answers the OPTIONS that it is sent now and then.
    pub reachable: bool,
}

impl Binding {
    /// The flow to it.
    pub fn flow(&self) -> Flow {
        let transport = Transport::from_name(&self.transport).unwrap_or_default();
        Flow { transport, local: self.local, remote: self.remote }
    }

    /// Where its requests go.
    pub fn targets(&self) -> Vec<Target> {
        ways_to(self.flow(), &self.contact)
    }

    /// Whether it still holds at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.expires_at_s > now.as_secs()
    }
}

/// The ways to a device: where its packets come from; and where that was a connection which may be gone,
/// by one of our own to where it says that it listens. That only at the address which it has shown to be its
/// own, so that a faked Contact leads nothing to a victim.
pub(super) fn ways_to(flow: Flow, contact: &str) -> Vec<Target> {
    let way = |remote| Target { transport: flow.transport, remote, name: None };
    let listens = Uri::parse(contact).filter(|_| flow.transport.is_reliable()).and_then(|uri| {
        let ip = uri.ip().filter(|ip| ip.to_canonical() == flow.remote.ip().to_canonical())?;
        let is_same = uri.transport().is_none_or(|transport| transport == flow.transport);
        let port = uri.port.unwrap_or(flow.transport.default_port());
        is_same.then(|| SocketAddr::new(ip, port)).filter(|at| *at != flow.remote)
    });
    std::iter::once(flow.remote).chain(listens).map(way).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_whose_connection_is_gone_is_reached_where_it_listens() {
        let flow = |transport| Flow {
            transport,
            local: "192.0.2.100:5060".parse().expect("sound"),
            remote: "192.0.2.1:40000".parse().expect("sound"),
        };
        let ways = |transport, contact: &str| {
            let ways = ways_to(flow(transport), contact).into_iter();
            ways.map(|way| way.remote.to_string()).collect::<Vec<_>>().join(" ")
        };
        let own = "192.0.2.1:40000";
        assert_eq!(ways(Transport::Tcp, "sip:7001@192.0.2.1;transport=tcp"), format!("{own} 192.0.2.1:5060"));
        assert_eq!(
            ways(Transport::Tls, "sip:7001@192.0.2.1:5081;transport=tls"),
            format!("{own} 192.0.2.1:5081")
        );
        for contact in [
            "sip:7001@203.0.113.9:5060;transport=tcp",
            "sip:7001@192.0.2.1:40000",
            "sip:7001@a.example",
            "sip:7001@192.0.2.1;transport=udp",
        ] {
            assert_eq!(ways(Transport::Tcp, contact), own, "{contact}");
        }
        assert_eq!(ways(Transport::Udp, "sip:7001@192.0.2.1:5062"), own, "a NAT is in between");
    }
}
