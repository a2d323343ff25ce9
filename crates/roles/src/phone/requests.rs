//! Requests of others: whose they are, who may send them, and what those outside of calls get.

use proto::event::{dialog_info, mwi};
use proto::sip::endpoint::ServerId;
use proto::sip::flow::Flow;
use proto::sip::header::Event;
use proto::sip::message::{Message, Method, Name};
use proto::sip::uri::Uri;
use proto::sip::{Reply, body};

use super::Phone;
use super::calls::Origin;
use super::discover::Reason;
use super::trust::{Strangers, check_sync_of};

/// The packages whose NOTIFYs are understood.
const PACKAGES: &str = "dialog, message-summary, refer, check-sync";
/// The extensions that a request may demand (RFC 3261 §8.2.2.3).
const EXTENSIONS: &[&str] = &["100rel", "replaces", "timer"];
/// What the phone takes outside of a call.
const ALLOW: &str = "ACK,BYE,CANCEL,OPTIONS,INVITE,NOTIFY,REFER,INFO,UPDATE,PRACK";

/// What becomes of a request that belongs to no call.
#[derive(Debug)]
enum Verdict {
    /// It is for that account, and comes from there.
    For(u8, Origin),
    /// It is answered, and nothing else happens.
    Refuse(Box<Reply>),
    /// It gets no answer.
    Silence,
}

impl Phone {
    /// A request that opens a transaction.
    pub(super) fn on_request(&mut self, flow: Flow, request: &Message<'_>) {
        if !request.to_tag().is_empty() {
            return self.on_request_inside(flow, request);
        }
        match self.judge(flow, request) {
            Verdict::Silence => {}
            Verdict::Refuse(reply) => self.refuse(flow, request, *reply),
            Verdict::For(account, origin) => self.on_request_for(account, origin, flow, request),
        }
    }

    /// A request with a To tag: a call's, a subscription's, or of a dialog that is no more.
    fn on_request_inside(&mut self, flow: Flow, request: &Message<'_>) {
        let call = self.calls.owner_of(request);
        let subscriber = self.subscriber_of(request).filter(|_| request.method() == Some(Method::Notify));
        if let Some(number) = call {
            if let Some(reply) = unacceptable(request) {
                return self.refuse(flow, request, reply);
            }
            let id = self.desk.accept(flow, request);
            self.on_call_request(number, Some(id), request);
        } else if let Some(owner) = subscriber {
            let id = self.desk.accept(flow, request);
            self.on_notify(owner, id, request);
        } else if request.method() == Some(Method::Notify) && self.ended.has(request) {
            // The last word of a subscription that was ended here.
            self.answer(flow, request, Reply::new(200));
        } else {
            self.refuse(flow, request, Reply::new(481));
        }
    }

    fn judge(&self, flow: Flow, request: &Message<'_>) -> Verdict {
        let refuse = |reply: Reply| Verdict::Refuse(Box::new(reply));
        let uri = Uri::parse(request.request_uri()).filter(|uri| uri.is_sip() || uri.is_tel());
        let user = uri.as_ref().map(Uri::plain_user).unwrap_or_default();
        let named = self.account_of(&user, flow, uri.as_ref());
        let account = named.unwrap_or_else(|| self.default_account());
        // NOTIFY check-sync is for the phone, whoever it names, and has a setting of its own (deck, Auto
        // Provisioning).
        if check_sync_of(request).is_some() {
            return Verdict::For(account, self.origin(account, flow, uri.as_ref()));
        }
        let origin = self.origin(account, flow, uri.as_ref());
        let strangers = if origin.trusted { Strangers::Free } else { self.strangers(account) };
        let invited = request.method() == Some(Method::Invite);
        match strangers {
            Strangers::Free => {}
            Strangers::RingOnly(_) if invited => {}
            Strangers::Nothing(refusal) | Strangers::RingOnly(refusal) => {
                return refusal.reply().map_or(Verdict::Silence, refuse);
            }
        }
        if let Some(reply) = unacceptable(request) {
            return refuse(reply);
        }
        if uri.is_none() {
            return refuse(Reply::new(416));
        }
        let for_the_phone = matches!(request.method(), Some(Method::Notify | Method::Options));
        let direct = self.lines.accounts.is_empty()
            || strangers != Strangers::Free
            || named.is_none() && self.is_direct_call(&user, flow, uri.as_ref());
        if named.is_none() && !for_the_phone && !self.takes_user(&user, account, direct) {
            return refuse(Reply::new(404));
        }
        let to = if direct && !for_the_phone { 0 } else { account };
        Verdict::For(to, Origin { trusted: origin.trusted && to > 0, ..origin })
    }

    /// Whether a request may name that user, who has no account here.
    fn takes_user(&self, user: &str, account: u8, direct: bool) -> bool {
        let line = self.lines.line_ref(account);
        let checked = line.is_none_or(|line| line.settings.advanced.request_uri_user_check);
        let own = user.is_empty() || user == self.desk.place.mac_text();
        self.lines.accounts.is_empty() || direct && own || !checked
    }

    fn is_direct_call(&self, user: &str, flow: Flow, uri: Option<&Uri<'_>>) -> bool {
        let own = user.is_empty() || user == self.desk.place.mac_text();
        self.general.sip.ip_calls && own && !self.trusts_as_any(flow, uri)
    }

    fn on_request_for(&mut self, account: u8, origin: Origin, flow: Flow, request: &Message<'_>) {
        match request.method() {
            Some(Method::Invite) => self.on_new_call(account, origin, flow, request),
            Some(Method::Options) => {
                let line = self.lines.line_ref(account);
                let reply = Reply::new(200)
                    .header(Name::Allow, ALLOW)
                    .header(Name::Accept, "application/sdp")
                    .header(Name::AllowEvents, PACKAGES)
                    .header(Name::Supported, line.map_or("replaces,timer", |line| line.identity.supported));
                self.answer(flow, request, reply);
            }
            Some(Method::Notify) => self.on_notify_outside(account, origin, flow, request),
            // Only within a call may others make this phone call somebody.
            Some(Method::Refer) => self.answer(flow, request, Reply::new(403)),
            Some(Method::Subscribe) => {
                self.answer(flow, request, Reply::new(489).header(Name::AllowEvents, PACKAGES))
            }
            Some(Method::Bye | Method::Info | Method::Update | Method::Prack) => {
                self.answer(flow, request, Reply::new(481));
            }
            Some(Method::Register | Method::Publish | Method::Message) => {
                self.answer(flow, request, Reply::new(405).header(Name::Allow, ALLOW));
            }
            _ => self.answer(flow, request, Reply::new(501).header(Name::Allow, ALLOW)),
        }
    }

    fn on_new_call(&mut self, account: u8, origin: Origin, flow: Flow, request: &Message<'_>) {
        if account == 0 {
            if !self.general.sip.ip_calls {
                return self.refuse(flow, request, Reply::new(404));
            }
            self.lines.open_direct(&self.general, &self.desk.place, self.settings.model());
        }
        if let Err(fault) = request.check_body(&[body::SDP]) {
            return self.answer(flow, request, fault.reply(&[body::SDP]));
        }
        let id = self.desk.accept(flow, request);
        self.on_invite((id, flow, origin), request, account);
    }

    /// NOTIFY outside of any dialog that we know.
    fn on_notify_outside(&mut self, account: u8, origin: Origin, flow: Flow, request: &Message<'_>) {
        if let Some(owner) = self.subscriber_of(request) {
            let id = self.desk.accept(flow, request);
            return self.on_notify(owner, id, request);
        }
        if let Some(reboot) = check_sync_of(request) {
            return self.on_check_sync(flow, request, reboot || self.general.sip.notify_restarts);
        }
        let event = request.text(Name::Event).and_then(Event::parse);
        let package = event.map(|event| event.package.to_ascii_lowercase()).unwrap_or_default();
        match &*package {
            "message-summary" => {
                let line = self.lines.line_ref(account);
                if !origin.trusted || line.is_none_or(|line| !line.settings.mwi.shown) {
                    return self.answer(flow, request, Reply::new(481));
                }
                self.answer(flow, request, Reply::new(200));
                self.on_unasked_messages(account, request.content(mwi::MEDIA_TYPE).unwrap_or_default());
            }
            "dialog" if origin.trusted => {
                let taken = self.on_unasked_dialogs(
                    account,
                    request.content(dialog_info::MEDIA_TYPE).unwrap_or_default(),
                );
                self.answer(flow, request, Reply::new(if taken { 200 } else { 481 }));
            }
            "dialog" | "refer" => self.answer(flow, request, Reply::new(481)),
            "keep-alive" => self.answer(flow, request, Reply::new(200)),
            _ => self.answer(flow, request, Reply::new(489).header(Name::AllowEvents, PACKAGES)),
        }
    }

    /// The server wants the configuration fetched, or the phone restarted (deck, Auto Provisioning).
    fn on_check_sync(&mut self, flow: Flow, request: &Message<'_>, reboot: bool) {
        if !self.general.sip.resync_by_notify {
            return self.answer(flow, request, Reply::new(489).header(Name::AllowEvents, PACKAGES));
        }
        if let Some(reply) = self.refuses_check_sync(flow, request) {
            if reply.status == 403 {
                let why = "neither the server's address nor the password of an account";
                let text = format!("NOTIFY check-sync from {} refused: {why}", flow.remote);
                self.desk.warn_of("refused check-sync", flow.remote.ip(), &text);
            }
            return self.refuse(flow, request, reply);
        }
        self.answer(flow, request, Reply::new(200));
        let why = format!("NOTIFY check-sync from {}", flow.remote);
        if reboot {
            return self.restart(&why);
        }
        self.desk.note(&why);
        self.discover.ask(self.desk.now, Reason::CheckSync);
    }

    /// Answers in a transaction of its own.
    fn answer(&mut self, flow: Flow, request: &Message<'_>, reply: Reply) {
        let id: ServerId = self.desk.accept(flow, request);
        let product = self.product();
        let reply = reply.header(Name::UserAgent, product);
        // A transaction that was just opened can be answered.
        let _ = self.desk.endpoint.reply(self.desk.now, id, &reply, &mut self.desk.transmits);
    }

    /// Refuses without keeping anything (RFC 3261 §8.2.7); an INVITE needs a transaction for its ACK.
    pub(super) fn refuse(&mut self, flow: Flow, request: &Message<'_>, reply: Reply) {
        if request.method() == Some(Method::Invite) {
            return self.answer(flow, request, reply);
        }
        self.desk.endpoint.refuse(flow, request, &reply, &mut self.desk.transmits);
    }
}

/// The answer to a request that demands what the phone does not have (RFC 3261 §8.2.2.3).
fn unacceptable(request: &Message<'_>) -> Option<Reply> {
    let unknown =
        |value: &&[u8]| !EXTENSIONS.iter().any(|known| value.eq_ignore_ascii_case(known.as_bytes()));
    let demanded = request.values(Name::Require).find(unknown)?;
    let demanded = String::from_utf8_lossy(demanded).into_owned();
    Some(Reply::new(420).header(Name::Unsupported, demanded))
}
