//! One line: the identity of an account and the way to its servers.

use std::net::{IpAddr, SocketAddr};

use proto::sip::dialog::{Dialog, Party};
use proto::sip::digest;
use proto::sip::flow::{Flow, Target, Transport};
use proto::sip::line_token::LineToken;
use proto::sip::message::Message;
use proto::sip::uri::{Uri, escape};
use proto::sip::usage::{Context, Identity};

use super::super::desk::{Desk, Owner, Place};
use super::super::locating::{Way, is_same_host};
use crate::settings::{AccountSettings, Model, PhoneSettings, RPort};

/// What the phone takes (RFC 3261 §20.5).
const ALLOW: &str = "ACK,BYE,CANCEL,OPTIONS,INVITE,NOTIFY,REFER,INFO,UPDATE,PRACK";

/// Who the phone is to one server.
#[derive(Debug)]
pub(in super::super) struct Line {
    pub(in super::super) settings: Box<AccountSettings>,
    pub(in super::super) identity: Identity,
    pub(in super::super) auth: Option<digest::Client>,
    /// The servers, the preferred first: outbound servers where there are some, else SIP servers.
    pub(in super::super) ways: Vec<Way>,
    /// The one in use.
    pub(in super::super) way: usize,
    /// Servers that nothing is sent to, but that may call: those behind an outbound server, and the further
    /// one of the settings.
    pub(in super::super) behind: Vec<Way>,
    /// Where the last answer of the registrar came from.
    registrar: Option<IpAddr>,
    /// What the registrar alone is told, to know its calls by.
    pub(in super::super) token: Option<LineToken>,
    pound_as_23: bool,
    by_outbound: bool,
    /// The local port of its TLS connections, which its Contact names; 0 where none is chosen yet.
    tls_port: u16,
}

/// The ports that TLS connections come from (RFC 6335 §6).
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

impl Line {
    pub(in super::super) fn new(
        settings: AccountSettings,
        general: &PhoneSettings,
        place: &Place,
        model: &Model,
    ) -> Self {
        let settings = with_option_120(settings, place);
        let transport = settings.servers[0].transport.unwrap_or_default();
        let credentials = digest::Credentials {
            username: settings.auth_name.clone(),
            secret: digest::Secret::Password(settings.password.expose().to_owned()),
            realm: None,
        };
        let mut line = Self {
            ways: ways(&settings),
            way: 0,
            behind: behind(&settings),
            registrar: None,
            token: token(&settings, place),
            identity: Identity {
                local: listen(&settings, place, transport),
                contact: String::new(),
                user_agent: user_agent(&settings, general, place, model),
                allow: ALLOW,
                supported: supported(&settings),
                rport: settings.nat.rport != RPort::Disable,
            },
            auth: (settings.number > 0).then(|| digest::Client::new(credentials, false)),
            pound_as_23: general.sip.pound_as_23,
            by_outbound: general.sip.outbound_in_dialog && settings.outbound[0].is_set(),
            settings: Box::new(settings),
            tls_port: 0,
        };
        line.set_contact(line.identity.local, transport);
        line
    }

    /// Takes settings that say the same of servers and identity.
    pub(in super::super) fn take_settings(
        &mut self,
        settings: AccountSettings,
        general: &PhoneSettings,
        place: &Place,
    ) {
        let settings = with_option_120(settings, place);
        self.identity.supported = supported(&settings);
        self.pound_as_23 = general.sip.pound_as_23;
        self.by_outbound = general.sip.outbound_in_dialog && settings.outbound[0].is_set();
        *self.settings = settings;
    }

    /// Whether its servers are those that the settings and DHCP name.
    pub(in super::super) fn has_servers_of(&self, as_set: &AccountSettings, place: &Place) -> bool {
        let wanted = with_option_120(as_set.clone(), place).servers;
        wanted.iter().map(|way| &way.server).eq(self.settings.servers.iter().map(|way| &way.server))
    }

    /// Lends everything that a usage needs to speak for this line.
    pub(in super::super) fn context<'a>(
        &'a mut self,
        desk: &'a mut Desk,
        owner: Owner,
    ) -> Context<'a, Owner> {
        Context {
            now: desk.now,
            endpoint: &mut desk.endpoint,
            out: &mut desk.transmits,
            rng: &mut desk.rng,
            auth: self.auth.as_mut(),
            identity: &self.identity,
            owner,
        }
    }

    /// The address that requests to this phone are to go to.
    pub(in super::super) fn set_contact(&mut self, at: SocketAddr, transport: Transport) {
        let parameter = match transport {
            Transport::Udp => String::new(),
            other => format!(";transport={}", other.param_name()),
        };
        self.identity.contact = format!("<sip:{}@{at}{parameter}>", escape(&self.settings.user));
    }

    /// Speaks to the server `way` from now on, from the address that the phone has now.
    pub(in super::super) fn settle(&mut self, desk: &mut Desk, way: usize) {
        let transport = self.transport_of(way);
        let mut local = listen(&self.settings, &desk.place, transport);
        if transport == Transport::Tls {
            if self.tls_port == 0 {
                let many = u64::from(DYNAMIC_PORTS.end() - DYNAMIC_PORTS.start()) + 1;
                self.tls_port = DYNAMIC_PORTS.start() + desk.rng.below(many) as u16;
            }
            // A phone has no certificate to listen with: it is reached by the connection that it opens.
            local.set_port(self.tls_port);
        }
        if local != self.identity.local {
            self.identity.local = local;
            self.set_contact(local, transport);
        }
    }

    /// A TLS connection of this line has ended: the next comes from another port, as its four addresses may be
    /// taken for a while (RFC 9293 §3.6.1).
    pub(in super::super) fn leave_port(&mut self, flow: Flow) {
        if flow.transport == Transport::Tls && flow.local.port() == self.tls_port {
            self.tls_port = 0;
        }
    }

    /// How SIP travels to a server.
    pub(in super::super) fn transport_of(&self, way: usize) -> Transport {
        let way = self.ways.get(way);
        let located = way.and_then(|way| way.targets.first()).map(|target| target.transport);
        located.or(way.and_then(|way| way.transport)).unwrap_or_default()
    }

    /// Where requests go: the server in use, then the others that are known.
    pub(in super::super) fn targets(&self) -> Vec<Target> {
        let used = self.ways.get(self.way).into_iter();
        let others = self.ways.iter().enumerate().filter(|(at, _)| *at != self.way).map(|(_, way)| way);
        used.chain(others).flat_map(|way| way.targets.iter().cloned()).collect()
    }

    /// Where requests inside a call go if not to its Contact: the outbound server, then its backup.
    /// Empty where they go to the Contact.
    pub(in super::super) fn pinned(&self) -> Vec<Target> {
        if self.by_outbound { self.targets() } else { Vec::new() }
    }

    /// The flow to the server in use.
    pub(in super::super) fn flow(&self) -> Option<Flow> {
        let target = self.ways.get(self.way)?.targets.first()?;
        Some(Flow { transport: target.transport, local: self.identity.local, remote: target.remote })
    }

    /// Whether an address is one of this account's servers: one that their names resolve to, or that has
    /// answered as the registrar.
    pub(in super::super) fn is_server(&self, remote: SocketAddr) -> bool {
        let mut known = self.ways.iter().chain(&self.behind).flat_map(|way| &way.targets);
        known.any(|target| is_same_host(target.remote.ip(), remote.ip()))
            || self.registrar.is_some_and(|registrar| is_same_host(registrar, remote.ip()))
    }

    /// Whether an address is to be called where it is: it is at none of this account's servers, or names another port
    /// or transport there (RFC 3261 §8.1.3.4), and no outbound server takes everything.
    pub(in super::super) fn is_elsewhere(&self, address: &str) -> bool {
        let Some(uri) = Uri::parse(address).filter(|_| !self.settings.outbound[0].is_set()) else {
            return false;
        };
        let is_home = uri.host.eq_ignore_ascii_case(self.settings.home());
        if !is_home && !uri.ip().is_some_and(|ip| self.is_server(SocketAddr::new(ip, 0))) {
            return true;
        }
        let known: Vec<_> = self.ways.iter().flat_map(|way| &way.targets).collect();
        let is_other_port =
            uri.port.is_some_and(|port| known.iter().all(|known| known.remote.port() != port));
        let is_other_transport =
            uri.transport().is_some_and(|it| known.iter().all(|known| known.transport != it));
        !known.is_empty() && (is_other_port || is_other_transport)
    }

    /// A server of this account has taken a request. Whether the server has proven the password, where it gives a proof.
    pub(in super::super) fn accepted(&mut self, response: &Message<'_>) -> bool {
        self.auth.as_mut().is_none_or(|auth| auth.accepted(response))
    }

    /// What its server has asked for belongs to that server, and to registrations that do not fail.
    pub(in super::super) fn forget_realm(&mut self) {
        if let Some(auth) = &mut self.auth {
            auth.forget();
        }
    }

    /// The registrar has answered from there.
    pub(in super::super) fn granted_by(&mut self, registrar: SocketAddr) {
        self.registrar = Some(registrar.ip());
    }

    /// Whether a Request-URI holds what the registrar alone was told.
    pub(in super::super) fn gave_token_of(&self, uri: &Uri<'_>) -> bool {
        self.token.as_ref().is_some_and(|token| token.is_in(uri))
    }

    /// `sip:` and the server as From, To and Request-URI write it (deck, SIP Advanced Setup).
    pub(in super::super) fn registrar(&self) -> String {
        format!("sip:{}", self.host())
    }

    /// The account's own address of record.
    pub(in super::super) fn address_of_record(&self) -> String {
        format!("sip:{}@{}", escape(&self.settings.user), self.host())
    }

    /// The address of a number at this account's server; a number that is an address stays one, a `tel`
    /// URI becomes one (RFC 3261 §19.1.6).
    pub(in super::super) fn address_of(&self, number: &str) -> String {
        match Uri::parse(number) {
            Some(uri) if uri.is_sip() => return number.to_owned(),
            Some(uri) if uri.is_tel() => {
                let user = uri.telephone_subscriber(self.settings.home());
                return format!("sip:{user}@{};user=phone", self.host());
            }
            _ => {}
        }
        // A call from address to address has no server: what is dialled is the host itself.
        if self.settings.number == 0 && !number.contains('@') {
            return format!("sip:{number}");
        }
        let (user, host) = match number.rsplit_once('@') {
            Some((user, host)) => (user, host.to_owned()),
            None => (number, self.host()),
        };
        let mut user = escape(user).into_owned();
        if !self.pound_as_23 {
            user = user.replace("%23", "#");
        }
        let phone = if self.settings.user_is_phone { ";user=phone" } else { "" };
        format!("sip:{user}@{host}{phone}")
    }

    /// Whether what was typed is that number at this account's server.
    pub(in super::super) fn names(&self, typed: &str, number: &str) -> bool {
        let key = |address: String| {
            Uri::parse(&address).map(|uri| (uri.plain_user().into_owned(), uri.host.to_owned()))
        };
        key(self.address_of(typed)) == key(self.address_of(number))
    }

    /// The address of a number with the server's port, as REFER and 302 write it (deck, Call
    /// Transfer and Call Forward).
    pub(in super::super) fn address_with_port(&self, number: &str) -> String {
        let address = self.address_of(number);
        let port =
            self.ways.get(self.way).and_then(|way| way.targets.first()).map_or(5_060, |t| t.remote.port());
        match Uri::parse(&address) {
            Some(uri) if uri.port.is_none() && uri.params.0.is_empty() => format!("{address}:{port}"),
            _ => address,
        }
    }

    /// Who calls, as From says it.
    pub(in super::super) fn party(&self) -> Party {
        Party::new(self.settings.display_name.clone(), self.address_of_record())
    }

    /// A dialog to be, in which this account calls `to`.
    pub(in super::super) fn dialog(&self, desk: &mut Desk, local: Party, to: String) -> Dialog {
        let call_id = format!("{}-{}", desk.rng.hex(17), desk.rng.hex(8));
        let local = local.with_tag(desk.rng.hex(8));
        Dialog::outgoing(call_id, local, Party::new("", to.clone()), to)
    }

    fn host(&self) -> String {
        let server = &self.settings.servers[0].server;
        let located = self.ways.get(self.way).and_then(|way| way.targets.first());
        let host = match located {
            Some(target) if !self.settings.advanced.domain_as_written => target.remote.ip().to_string(),
            _ => self.settings.home().to_owned(),
        };
        let host = host.parse().map_or(host, proto::sip::uri::host_of);
        let port = if server.port == 0 { 5_060 } else { server.port };
        // A port other than the usual must be said, or nobody would find the server.
        let direct = !self.settings.outbound[0].is_set() && self.settings.domain.is_none();
        let usual = self.settings.servers[0].transport.unwrap_or_default().default_port();
        let needed = direct && port != usual && server.port != 0;
        if self.settings.number > 0 && (self.settings.advanced.carry_port || needed) {
            format!("{host}:{port}")
        } else {
            host
        }
    }
}

/// The extensions that are offered (RFC 3261 §20.37).
fn supported(settings: &AccountSettings) -> &'static str {
    if settings.reliable_provisional { "100rel,replaces,timer" } else { "replaces,timer" }
}

/// Where an account listens: at its own signal port where that is open, else at the phone's.
fn listen(settings: &AccountSettings, place: &Place, transport: Transport) -> SocketAddr {
    let usual = place.listen(transport);
    let own = settings.advanced.signal_port.filter(|port| place.signal_ports.contains(port));
    match transport {
        Transport::Udp | Transport::Tcp => SocketAddr::new(usual.ip(), own.unwrap_or(usual.port())),
        Transport::Tls => usual,
    }
}

/// The server that DHCP names takes the place of the proxy server where the account allows it (deck,
/// Allow DHCP Option 120 to Override SIP Server).
fn with_option_120(mut settings: AccountSettings, place: &Place) -> AccountSettings {
    if let Some((host, port)) = place.network.option_120.clone().filter(|_| settings.advanced.dhcp_option_120)
    {
        settings.servers[0].server = crate::settings::Server { host, port };
    }
    settings
}

fn ways(settings: &AccountSettings) -> Vec<Way> {
    let transport = settings.servers[0].transport;
    let outbound = settings.outbound.iter().map(|server| (server, transport));
    let servers = settings.servers.iter().map(|server| (&server.server, server.transport));
    let chosen: Vec<_> = if settings.outbound[0].is_set() { outbound.collect() } else { servers.collect() };
    let set = chosen.into_iter().filter(|(server, _)| server.is_set());
    set.map(|(server, transport)| Way::new(&server.host, server.port, transport)).collect()
}

fn behind(settings: &AccountSettings) -> Vec<Way> {
    let servers = settings.servers.iter().map(|server| (&server.server, server.transport));
    let servers = servers.filter(|(server, _)| settings.outbound[0].is_set() && server.is_set());
    let further = Some(&*settings.advanced.server_address).filter(|host| !host.is_empty());
    let further = further.map(|host| Way::new(host, 5_060, Some(Transport::Udp)));
    let servers = servers.map(|(server, transport)| Way::new(&server.host, server.port, transport));
    servers.chain(further).collect()
}

/// The token of an account: from the secret that the phone keeps, else from what only phone and registrar
/// know already. None where there is neither.
fn token(settings: &AccountSettings, place: &Place) -> Option<LineToken> {
    let secret = place.secret.as_ref().map_or(settings.password.expose().as_bytes(), |secret| &secret.0[..]);
    let account = format!("{}@{}", settings.user, settings.home());
    LineToken::derive(secret, &account).filter(|_| settings.number > 0)
}

fn user_agent(settings: &AccountSettings, general: &PhoneSettings, place: &Place, model: &Model) -> String {
    let own = format!("Offhook {} {}", model.name, place.version);
    let product = settings.user_agent.clone().unwrap_or(own);
    if general.sip.mac_in_user_agent { format!("{product} {}", place.mac_text()) } else { product }
}
