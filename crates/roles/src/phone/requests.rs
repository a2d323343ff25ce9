//! Requests of others: whose they are, who may send them, and what those outside of calls get.

use proto::event::{dialog_info, mwi};
use proto::sip::endpoint::ServerId;
use proto::sip::flow::Flow;
use proto::sip::header::Event;
use proto::sip::message::{Message, Method, Name};
use proto::sip::uri::Uri;
use proto::sip::{Reply, body};

use super::Phone;
use super::event::EventKind;

/// The packages whose NOTIFYs are understood.
const PACKAGES: &str = "dialog, message-summary, refer, check-sync";
/// The extensions that a request may demand (RFC 3261 §8.2.2.3).
const EXTENSIONS: &[&str] = &["100rel", "replaces", "timer"];
/// What the phone takes outside of a call.
const ALLOW: &str = "ACK,BYE,CANCEL,OPTIONS,INVITE,NOTIFY,REFER,INFO,UPDATE,PRACK";

/// What becomes of a request that belongs to no call.
#[derive(Debug)]
enum Verdict {
    /// It is for that account.
    For(u8),
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
            Verdict::For(account) => self.on_request_for(account, flow, request),
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
            let id = self.desk.endpoint.accept(self.desk.now, flow, request);
            self.on_call_request(number, Some(id), request);
        } else if let Some(owner) = subscriber {
            let id = self.desk.endpoint.accept(self.desk.now, flow, request);
            self.on_notify(owner, id, request);
        } else {
            self.refuse(flow, request, Reply::new(481));
        }
    }

    fn judge(&self, flow: Flow, request: &Message<'_>) -> Verdict {
        let refuse = |reply: Reply| Verdict::Refuse(Box::new(reply));
        if let Some(reply) = unacceptable(request) {
            return refuse(reply);
        }
        let Some(uri) = Uri::parse(request.request_uri()).filter(|uri| uri.is_sip() || uri.is_tel()) else {
            return refuse(Reply::new(416));
        };
        let user = uri.plain_user();
        let sender_check = |account: u8| self.check_sender(account, flow);
        // NOTIFY check-sync is for the phone, whoever it names (deck, Auto Provisioning).
        if request.method() == Some(Method::Notify) || request.method() == Some(Method::Options) {
            let account = self.account_of(&user, flow).unwrap_or_else(|| self.default_account());
            return sender_check(account).unwrap_or(Verdict::For(account));
        }
        match self.account_of(&user, flow) {
            Some(account) => sender_check(account).unwrap_or(Verdict::For(account)),
            None if self.lines.accounts.is_empty() || self.is_direct_call(&user, flow) => Verdict::For(0),
            None => {
                let default = self.default_account();
                let line = self.lines.line_ref(default);
                if line.is_none_or(|line| line.settings.advanced.request_uri_user_check) {
                    return refuse(Reply::new(404));
                }
                sender_check(default).unwrap_or(Verdict::For(default))
            }
        }
    }

    /// "Only Recv Request From Server": others get 403, or silence.
    fn check_sender(&self, account: u8, flow: Flow) -> Option<Verdict> {
        let line = self.lines.line_ref(account)?;
        let advanced = &line.settings.advanced;
        let stranger = advanced.only_from_server && !line.is_server(flow.remote);
        let silence = advanced.silence_for_others;
        stranger.then(|| if silence { Verdict::Silence } else { Verdict::Refuse(Box::new(Reply::new(403))) })
    }

    /// The account whose number a request names; of several, the one whose server sent it.
    fn account_of(&self, user: &str, flow: Flow) -> Option<u8> {
        let named = || self.lines.accounts.iter().filter(|account| account.line.settings.user == user);
        let by_server = named().find(|account| account.line.is_server(flow.remote));
        by_server.or_else(|| named().next()).map(|account| account.number())
    }

    fn is_direct_call(&self, user: &str, flow: Flow) -> bool {
        let from_server = self.lines.accounts.iter().any(|account| account.line.is_server(flow.remote));
        self.general.sip.ip_calls && !from_server && (user.is_empty() || user == self.desk.place.mac_text())
    }

    fn on_request_for(&mut self, account: u8, flow: Flow, request: &Message<'_>) {
        match request.method() {
            Some(Method::Invite) => self.on_new_call(account, flow, request),
            Some(Method::Options) => {
                let line = self.lines.line_ref(account);
                let reply = Reply::new(200)
                    .header(Name::Allow, ALLOW)
                    .header(Name::Accept, "application/sdp")
                    .header(Name::AllowEvents, PACKAGES)
                    .header(Name::Supported, line.map_or("replaces,timer", |line| line.identity.supported));
                self.answer(flow, request, reply);
            }
            Some(Method::Notify) => self.on_notify_outside(account, flow, request),
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

    fn on_new_call(&mut self, account: u8, flow: Flow, request: &Message<'_>) {
        if account == 0 {
            if !self.general.sip.ip_calls {
                return self.refuse(flow, request, Reply::new(404));
            }
            self.lines.open_direct(&self.general, &self.desk.place, self.settings.model());
        }
        if let Err(fault) = request.check_body(&[body::SDP]) {
            return self.answer(flow, request, fault.reply(&[body::SDP]));
        }
        let id = self.desk.endpoint.accept(self.desk.now, flow, request);
        self.on_invite(id, flow, request, account);
    }

    /// NOTIFY outside of any dialog that we know.
    fn on_notify_outside(&mut self, account: u8, flow: Flow, request: &Message<'_>) {
        if let Some(owner) = self.subscriber_of(request) {
            let id = self.desk.endpoint.accept(self.desk.now, flow, request);
            return self.on_notify(owner, id, request);
        }
        let event = request.text(Name::Event).and_then(Event::parse);
        let package = event.as_ref().map(|event| event.package.to_ascii_lowercase()).unwrap_or_default();
        let reboot = event.and_then(|event| event.params.get("reboot"));
        match &*package {
            "check-sync" | "resync" | "reboot" => {
                let reboot = match reboot {
                    Some(value) => value.eq_ignore_ascii_case("true"),
                    None => package == "reboot",
                };
                self.on_check_sync(flow, request, reboot || self.general.sip.notify_restarts);
            }
            "message-summary" => {
                let line = self.lines.line_ref(account);
                let trusted = line.is_some_and(|line| line.settings.mwi.shown && line.is_server(flow.remote));
                if !trusted {
                    return self.answer(flow, request, Reply::new(481));
                }
                self.answer(flow, request, Reply::new(200));
                self.on_unasked_messages(account, request.content(mwi::MEDIA_TYPE).unwrap_or_default());
            }
            "dialog" if self.lines.line_ref(account).is_some_and(|line| line.is_server(flow.remote)) => {
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
    /// A stranger must not be able to do that: only the servers of our accounts may, and anybody while
    /// the phone has no account and waits for its first configuration.
    fn on_check_sync(&mut self, flow: Flow, request: &Message<'_>, reboot: bool) {
        if !self.general.sip.resync_by_notify {
            return self.answer(flow, request, Reply::new(489).header(Name::AllowEvents, PACKAGES));
        }
        let accounts = &self.lines.accounts;
        let trusted =
            accounts.is_empty() || accounts.iter().any(|account| account.line.is_server(flow.remote));
        if !trusted {
            self.desk
                .warn(&format!("NOTIFY check-sync from {} refused: not the server's address", flow.remote));
            return self.answer(flow, request, Reply::new(403));
        }
        self.answer(flow, request, Reply::new(200));
        let why = format!("NOTIFY check-sync from {}", flow.remote);
        if reboot {
            return self.desk.restart(&why);
        }
        self.desk.note(&why);
        self.desk.tell(EventKind::Resync { why });
    }

    /// Answers in a transaction of its own.
    fn answer(&mut self, flow: Flow, request: &Message<'_>, reply: Reply) {
        let id: ServerId = self.desk.endpoint.accept(self.desk.now, flow, request);
        let product = self.product();
        let reply = reply.header(Name::UserAgent, product);
        // A transaction that was just opened can be answered.
        let _ = self.desk.endpoint.reply(self.desk.now, id, &reply, &mut self.desk.transmits);
    }

    /// Refuses without keeping anything (RFC 3261 §8.2.7); an INVITE needs a transaction for its ACK.
    fn refuse(&mut self, flow: Flow, request: &Message<'_>, reply: Reply) {
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
