//! Names to records: the answers that [`proto::sip::locate`] asks for, from the system's resolver.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use proto::sip::locate::{Answer, MAX_RECORDS, Query, QueryKind, Record};
use tokio::task::JoinSet;

/// Questions at a time; more have failed at once. A peer can make us ask by the names in its messages.
const QUESTIONS: usize = 256;
/// One try at one server.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Tries in all.
const ATTEMPTS: usize = 2;

/// Asks the DNS for one role.
pub struct Dns {
    names: Names,
    asking: JoinSet<(Query, Answer)>,
    refused: Vec<(Query, Answer)>,
}

impl Dns {
    /// As the system does: its servers, its search domains, its hosts file.
    ///
    /// On a system without a usable configuration every question fails.
    pub fn system() -> Self {
        let builder = TokioResolver::builder_tokio().ok();
        Self::new(builder.and_then(|mut builder| {
            tune(builder.options_mut());
            builder.build().ok()
        }))
    }

    /// Asks nobody: every question fails. For machines on the loopback that know one another by address.
    pub fn nobody() -> Self {
        Self::new(None)
    }

    /// By servers of one's own choice, over UDP and for long answers TCP.
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        tune(builder.options_mut());
        Self::new(builder.build().ok())
    }

    fn new(resolver: Option<TokioResolver>) -> Self {
        Self { names: Names(resolver), asking: JoinSet::new(), refused: Vec::new() }
    }

    /// The same servers for whoever waits for addresses by himself.
    pub(super) fn names(&self) -> Names {
        self.names.clone()
    }

    /// Begins to ask; the answer comes out of [`Dns::next`].
    pub fn ask(&mut self, query: Query) {
        match &self.names.0 {
            Some(resolver) if self.asking.len() < QUESTIONS => {
                self.asking.spawn(look_up(resolver.clone(), query));
            }
            _ => self.refused.push((query, Answer::Failed)),
        }
    }

    /// The next answer with its question, in any order; waits for ever while nothing is asked. Safe to
    /// cancel.
    pub async fn next(&mut self) -> (Query, Answer) {
        if let Some(refused) = self.refused.pop() {
            return refused;
        }
        loop {
            match self.asking.join_next().await {
                Some(Ok(answered)) => return answered,
                // A question that panicked has no answer; whoever waits for it has a time limit.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
    }
}

/// Looks addresses of hosts up. None where this system names no DNS server that can be asked.
#[derive(Clone)]
pub(super) struct Names(Option<TokioResolver>);

impl Names {
    /// The addresses of a host.
    ///
    /// # Errors
    /// There are none; true where the DNS failed rather than knew none.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, bool> {
        let resolver = self.0.as_ref().ok_or(true)?;
        let name = name_of(host).ok_or(false)?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().take(MAX_RECORDS).collect()),
            Err(error) => Err(!error.is_no_records_found()),
        }
    }
}

/// Answers are kept by whoever asks, for as long as they say.
fn tune(options: &mut hickory_resolver::config::ResolverOpts) {
    options.cache_size = 0;
    options.timeout = TIMEOUT;
    options.attempts = ATTEMPTS;
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.into())
}

async fn look_up(resolver: TokioResolver, query: Query) -> (Query, Answer) {
    let Some(name) = name_of(&query.name) else { return (query, Answer::Records(Vec::new())) };
    let kind = match query.kind {
        QueryKind::Naptr => RecordType::NAPTR,
        QueryKind::Srv => RecordType::SRV,
        QueryKind::A => RecordType::A,
        QueryKind::Aaaa => RecordType::AAAA,
    };
    let answer = match resolver.lookup(name, kind).await {
        Ok(found) => {
            let records =
                found.answers().iter().filter_map(|record| Some((plain(&record.data)?, record.ttl)));
            Answer::Records(
                records.filter(|(record, _)| fits(query.kind, record)).take(MAX_RECORDS).collect(),
            )
        }
        // The servers answered, and know no such record or name.
        Err(error) if error.is_no_records_found() => Answer::Records(Vec::new()),
        Err(_) => Answer::Failed,
    };
    (query, answer)
}

/// A name with a dot is a whole name; only a single word may be one of the search domains'.
fn name_of(text: &str) -> Option<Name> {
    let mut name = Name::from_utf8(text).ok()?;
    if text.contains('.') {
        name.set_fqdn(true);
    }
    Some(name)
}

fn plain(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::SRV(srv) => Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text_of(&srv.target),
        },
        RData::NAPTR(naptr) => Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).to_ascii_lowercase(),
            service: String::from_utf8_lossy(&naptr.services).into_owned(),
            replacement: text_of(&naptr.replacement),
        },
        _ => return None,
    })
}

/// Without the final dot, except for the root, which says that a service is not offered.
fn text_of(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    if text == "." { text } else { text.trim_end_matches('.').to_owned() }
}

fn fits(kind: QueryKind, record: &Record) -> bool {
    matches!(
        (kind, record),
        (QueryKind::A, Record::A(_))
            | (QueryKind::Aaaa, Record::Aaaa(_))
            | (QueryKind::Srv, Record::Srv { .. })
            | (QueryKind::Naptr, Record::Naptr { .. })
    )
}
