//! The DHCP client (RFC 2131 §4.4): from DISCOVER to the end of a lease, one state at a time.

use std::net::Ipv4Addr;
use std::time::Duration;

use proto::Time;
use proto::dhcp::{Draft, Kind, LEAST_REQUEST_BYTES, Message};
use proto::ethernet::Mac;

use super::lease::Lease;
use super::link::Link;
use super::why::Why;

/// What the client asks for in every message (option 55), beside the options of the settings.
const WANTED: [u8; 15] = [1, 3, 6, 12, 15, 42, 43, 51, 54, 58, 59, 66, 67, 120, 132];
/// The first wait for an answer; each further one is twice as long (RFC 2131 §4.1) …
const FIRST_WAIT: Duration = Duration::from_secs(4);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Chance makes a wait up to this longer or shorter.
const SPREAD_MS: u64 = 1_000;
/// So often an address is asked for that was offered, or that the phone had before.
const MOST_REQUESTS: u32 = 4;
/// Renewals are not tried more often (RFC 2131 §4.4.5).
const LEAST_RENEWAL: Duration = Duration::from_secs(60);
/// How long a client waits after DECLINE (RFC 2131 §3.1).
const AFTER_DECLINE: Duration = Duration::from_secs(10);
/// How long after NAK; twice as long each time, lest two servers play ball with a phone.
const AFTER_NAK: Duration = Duration::from_secs(1);

/// What the client says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) host_name: String,
    pub(super) vendor_class: String,
    pub(super) vlan_options: Vec<u8>,
    pub(super) url_options: Vec<u8>,
}

/// What came of a message or a wait.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A server gives an address that nobody has tried yet: it is to be probed, then used.
    Given,
    /// The server goes on giving the address.
    Renewed,
    /// The address is the phone's no more.
    Lost,
    /// Nobody has answered so many DISCOVERs.
    NoAnswer(u32),
}

#[derive(Debug)]
enum State {
    Off,
    Pausing(Time),
    Selecting(Asking),
    Requesting(Asking, Lease),
    Rebooting(Asking, Ipv4Addr),
    Bound,
    Renewing(Asking),
    Rebinding(Asking),
}

/// A question that is out.
#[derive(Clone, Copy, Debug)]
struct Asking {
    transaction: u32,
    began: Time,
    sent: u32,
    again: Time,
}

/// The client.
#[derive(Debug)]
pub(super) struct Client {
    words: Words,
    state: State,
    lease: Option<Lease>,
    naks: u32,
}

impl Client {
    pub(super) fn new(words: Words) -> Self {
        Self { words, state: State::Off, lease: None, naks: 0 }
    }

    /// What the phone has by it.
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Looks for a server; an address that the phone had before is asked for first (INIT-REBOOT, RFC 2131 §3.2).
    pub(super) fn start(&mut self, link: &mut Link, before: Option<Ipv4Addr>) {
        (self.lease, self.naks) = (None, 0);
        match before {
            Some(ip) => {
                let asking = Asking::new(link);
                self.state = State::Rebooting(asking, ip);
                link.note(format!("DHCP: asks for {ip}, which it had before"));
                self.again(link);
            }
            None => self.discover(link),
        }
    }

    /// Gives the address back, where there is one, and falls silent (RFC 2131 §4.4.6).
    pub(super) fn release(&mut self, link: &mut Link) {
        if let Some(lease) = self.lease.take() {
            let message = Draft::request(Kind::Release, link.rng.u32(), link.mac)
                .client_ip(lease.ip)
                .option(54, &lease.server.octets())
                .finish(LEAST_REQUEST_BYTES);
            link.note(format!("DHCP: gives {} back", lease.ip));
            link.send_dhcp(lease.ip, Some((lease.server, lease.server_mac)), &message);
        }
        self.stop();
    }

    /// Falls silent without a word: the link is down.
    pub(super) fn stop(&mut self) {
        self.state = State::Off;
        self.lease = None;
    }

    /// Somebody has the address: the server is told (RFC 2131 §4.4.1).
    pub(super) fn decline(&mut self, link: &mut Link) {
        if let Some(lease) = self.lease.take() {
            let message = Draft::request(Kind::Decline, link.rng.u32(), link.mac)
                .option(50, &lease.ip.octets())
                .option(54, &lease.server.octets())
                .finish(LEAST_REQUEST_BYTES);
            link.send_dhcp(Ipv4Addr::UNSPECIFIED, None, &message);
        }
        self.state = State::Pausing(link.now + AFTER_DECLINE);
    }

    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        Some(match &self.state {
            State::Off => return None,
            State::Pausing(until) => (*until, Why::DhcpPause),
            State::Selecting(asking) => (asking.again, Why::Discover),
            State::Requesting(asking, _) | State::Rebooting(asking, _) => (asking.again, Why::Request),
            State::Bound => {
                let lease = self.lease.as_ref().filter(|lease| lease.renew_at < Time::NEVER)?;
                (lease.renew_at, Why::Renewal)
            }
            State::Renewing(asking) => (asking.again, Why::Renewal),
            State::Rebinding(asking) => (asking.again, Why::Rebinding),
        })
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, link: &mut Link) -> Option<Outcome> {
        self.next_deadline().filter(|(due, _)| *due <= link.now)?;
        match &self.state {
            State::Off => None,
            State::Pausing(_) => {
                self.discover(link);
                None
            }
            State::Selecting(asking) => {
                let unanswered = asking.sent;
                self.again(link);
                Some(Outcome::NoAnswer(unanswered))
            }
            State::Requesting(asking, _) | State::Rebooting(asking, _) if asking.sent >= MOST_REQUESTS => {
                link.warn("DHCP: nobody acknowledges the address; it is looked for anew");
                self.discover(link);
                None
            }
            State::Requesting(..) | State::Rebooting(..) => {
                self.again(link);
                None
            }
            State::Bound => {
                self.state = State::Renewing(Asking::new(link));
                self.again(link);
                None
            }
            State::Renewing(_) | State::Rebinding(_) => self.keep_asking(link),
        }
    }

    /// Takes a message that came from that hardware address.
    pub(super) fn on_message(
        &mut self,
        link: &mut Link,
        from: Mac,
        message: &Message<'_>,
    ) -> Option<Outcome> {
        let awaited = self.transaction().filter(|transaction| *transaction == message.transaction());
        if awaited.is_none() || message.is_request() || message.hardware() != link.mac {
            return None;
        }
        match (message.kind, &self.state) {
            (Kind::Offer, State::Selecting(asking)) => {
                let asking =
                    Asking { began: asking.began, transaction: asking.transaction, sent: 0, again: link.now };
                if let Some(offer) = self.read(link, from, message) {
                    link.note(format!("DHCP: {} offers {}", offer.server, offer.ip));
                    self.state = State::Requesting(asking, offer);
                    self.again(link);
                }
                None
            }
            (Kind::Ack, State::Requesting(_, offer)) if message.option_ip(54) != Some(offer.server) => None,
            (Kind::Ack, State::Requesting(..) | State::Rebooting(..)) => {
                let lease = self.read(link, from, message)?;
                self.naks = 0;
                self.lease = Some(lease);
                self.state = State::Bound;
                Some(Outcome::Given)
            }
            (Kind::Ack, State::Renewing(_) | State::Rebinding(_)) => self.on_renewed(link, from, message),
            (Kind::Nak, State::Requesting(_, offer)) if message.option_ip(54) != Some(offer.server) => None,
            (Kind::Nak, State::Selecting(_) | State::Bound | State::Off | State::Pausing(_)) => None,
            (Kind::Nak, _) => self.on_nak(link, message),
            _ => None,
        }
    }

    fn on_renewed(&mut self, link: &mut Link, from: Mac, message: &Message<'_>) -> Option<Outcome> {
        let lease = self.read(link, from, message)?;
        let had = self.lease.as_ref().map(|lease| lease.ip);
        self.state = State::Bound;
        let is_same = had == Some(lease.ip);
        link.note(format!("DHCP: {} keeps {} for {} s", lease.server, lease.ip, lease.lease_s));
        self.lease = Some(lease);
        Some(if is_same { Outcome::Renewed } else { Outcome::Given })
    }

    fn on_nak(&mut self, link: &mut Link, message: &Message<'_>) -> Option<Outcome> {
        let text = message.option_text(56).map_or_else(String::new, |text| format!(": {text}"));
        let server = message.option_ip(54).map_or_else(|| "the server".to_owned(), |ip| ip.to_string());
        link.warn(format!("DHCP: {server} refuses the address (NAK){text}"));
        let had = self.lease.take().is_some();
        let pause = AFTER_NAK * (1 << self.naks.min(6));
        self.naks = self.naks.saturating_add(1);
        self.state = State::Pausing(link.now + pause);
        had.then_some(Outcome::Lost)
    }

    /// The address that an offer or acknowledgement gives, where a phone can have it.
    fn read(&self, link: &mut Link, from: Mac, message: &Message<'_>) -> Option<Lease> {
        let Words { vlan_options, url_options, .. } = &self.words;
        match Lease::read(link.now, from, message, vlan_options, url_options) {
            Ok(lease) => Some(lease),
            Err(why) => {
                link.warn(format!("DHCP: {} is not taken: {why}", message.kind.name()));
                None
            }
        }
    }

    fn transaction(&self) -> Option<u32> {
        match &self.state {
            State::Selecting(asking)
            | State::Requesting(asking, _)
            | State::Rebooting(asking, _)
            | State::Renewing(asking)
            | State::Rebinding(asking) => Some(asking.transaction),
            State::Off | State::Pausing(_) | State::Bound => None,
        }
    }

    fn discover(&mut self, link: &mut Link) {
        self.state = State::Selecting(Asking::new(link));
        self.again(link);
    }

    /// RENEWING asks its server, REBINDING all; each half of the time that is left, until the lease is over.
    fn keep_asking(&mut self, link: &mut Link) -> Option<Outcome> {
        let (rebind_at, ends_at) = self.lease.as_ref().map(|lease| (lease.rebind_at, lease.ends_at))?;
        if ends_at <= link.now {
            link.fault("DHCP: the lease is over, and no server renews it");
            self.lease = None;
            self.discover(link);
            return Some(Outcome::Lost);
        }
        if rebind_at <= link.now
            && let State::Renewing(asking) = self.state
        {
            self.state = State::Rebinding(asking);
            link.warn("DHCP: the server does not renew the address; any other is asked");
        }
        self.again(link);
        None
    }

    /// Sends the question of the present state, and says when it is sent again. Before it has an address a phone
    /// hears for certain what is sent to all alone (deck, DHCP Option66).
    fn again(&mut self, link: &mut Link) {
        let now = link.now;
        let spread = Duration::from_millis(link.spread.below(2 * SPREAD_MS + 1));
        let lease = self.lease.as_ref();
        let until = |limit: Time| now + (limit.since(now) / 2).max(LEAST_RENEWAL);
        match &mut self.state {
            State::Off | State::Pausing(_) | State::Bound => {}
            State::Selecting(asking) => {
                asking.back_off(now, spread);
                let draft = self.words.draft(Kind::Discover, asking, link, None).broadcast();
                link.send_dhcp(Ipv4Addr::UNSPECIFIED, None, &draft.finish(LEAST_REQUEST_BYTES));
            }
            State::Requesting(asking, offer) => {
                asking.back_off(now, spread);
                let draft = self
                    .words
                    .draft(Kind::Request, asking, link, Some((offer.ip, Some(offer.server))))
                    .broadcast();
                link.send_dhcp(Ipv4Addr::UNSPECIFIED, None, &draft.finish(LEAST_REQUEST_BYTES));
            }
            State::Rebooting(asking, ip) => {
                asking.back_off(now, spread);
                let draft = self.words.draft(Kind::Request, asking, link, Some((*ip, None))).broadcast();
                link.send_dhcp(Ipv4Addr::UNSPECIFIED, None, &draft.finish(LEAST_REQUEST_BYTES));
            }
            State::Renewing(asking) => {
                let Some(lease) = lease else { return };
                asking.sent += 1;
                asking.again = until(lease.rebind_at).min(lease.rebind_at);
                let draft = self.words.draft(Kind::Request, asking, link, None).client_ip(lease.ip);
                let server = Some((lease.server, lease.server_mac));
                link.send_dhcp(lease.ip, server, &draft.finish(LEAST_REQUEST_BYTES));
            }
            State::Rebinding(asking) => {
                let Some(lease) = lease else { return };
                asking.sent += 1;
                asking.again = until(lease.ends_at).min(lease.ends_at);
                let draft = self.words.draft(Kind::Request, asking, link, None).client_ip(lease.ip);
                link.send_dhcp(lease.ip, None, &draft.finish(LEAST_REQUEST_BYTES));
            }
        }
    }
}

impl Asking {
    fn new(link: &mut Link) -> Self {
        Self { transaction: link.rng.u32(), began: link.now, sent: 0, again: link.now }
    }

    fn back_off(&mut self, now: Time, spread: Duration) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.sent.min(4)).min(LONGEST_WAIT);
        self.sent = self.sent.saturating_add(1);
        self.again = now + wait + spread - Duration::from_millis(SPREAD_MS);
    }
}

impl Words {
    /// The message of that kind; `wanted` is the address that is asked for and the server that offered it.
    fn draft(
        &self,
        kind: Kind,
        asking: &Asking,
        link: &Link,
        wanted: Option<(Ipv4Addr, Option<Ipv4Addr>)>,
    ) -> Draft {
        let seconds = link.now.since(asking.began).as_secs().min(u64::from(u16::MAX)) as u16;
        let mut list = WANTED.to_vec();
        let more = self.vlan_options.iter().chain(&self.url_options);
        more.for_each(|code| {
            if !list.contains(code) {
                list.push(*code)
            }
        });
        // Hardware type and address (RFC 2132 §9.14).
        let client = [&[1][..], &link.mac].concat();
        let (ip, server) =
            wanted.map_or((None, None), |(ip, server)| (Some(ip.octets()), server.map(|it| it.octets())));
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text.len() < 64);
        let (host, class) = (text(&self.host_name), text(&self.vendor_class));
        Draft::request(kind, asking.transaction, link.mac)
            .seconds(seconds)
            .maybe(50, ip.as_ref().map(|it| &it[..]))
            .maybe(54, server.as_ref().map(|it| &it[..]))
            .option(61, &client)
            .maybe(12, host.as_deref().map(str::as_bytes))
            .maybe(60, class.as_deref().map(str::as_bytes))
            .option(55, &list)
    }
}
