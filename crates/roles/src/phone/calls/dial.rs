//! Calling somebody: from the number typed to the answer.

use std::time::Duration;

use proto::Time;
use proto::sdp::Description;
use proto::sip::dialog::Party;
use proto::sip::flow::Target;
use proto::sip::locate::{Answer, Query};
use proto::sip::message::Name;
use proto::sip::uri::Uri;
use proto::sip::usage::call::{Call, Invitation};

use super::{CallNumber, Cause, Conversation, Due, MAX_CALLS, Peer, Phase, Purpose, Way};
use crate::phone::desk::Owner;
use crate::phone::event::{By, EventKind};
use crate::phone::locating::Located;
use crate::phone::{Phone, Refused};
use crate::role::Output;

/// How a phone without an account gets one.
const NO_ACCOUNT: [&str; 1] = [
    "set account.1.enable 1 account.1.user_name NUMBER account.1.auth_name NUMBER account.1.password SECRET \
     account.1.sip_server.1.address HOST",
];
/// How often a call follows 302 before it gives up.
const MAX_REDIRECTS: u8 = 5;
/// The most addresses that wait for their turn after redirections.
const MAX_CONTACTS: usize = 8;
/// How long the busy tone is heard after a refusal.
const BUSY_TONE: Duration = Duration::from_secs(3);

/// What an outgoing call still has to do, and what it may have to do again.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The address to call.
    to: String,
    /// The numbers called so far, so that nobody is called in a circle.
    tried: Vec<String>,
    /// Where a redirection sends the call if those before do not take it.
    left: Vec<String>,
    headers: Vec<(Name, String)>,
    /// The call that is being held first.
    after: Option<CallNumber>,
    /// Where a call goes that does not go to its account's server.
    way: Option<Way>,
    redirects: u8,
}

/// A busy number that is dialled again.
#[derive(Debug)]
pub(super) struct AutoRedial {
    pub(super) at: Time,
    number: String,
    account: u8,
    left: u16,
}

impl Phone {
    /// Calls a number as a person types it.
    ///
    /// # Errors
    /// Why it cannot be called, and what to do instead.
    pub(in super::super) fn dial(
        &mut self,
        number: &str,
        account: Option<u8>,
        purpose: Purpose,
    ) -> Result<CallNumber, Refused> {
        self.calls.auto_redial = None;
        let number = self.dialled(number, account)?;
        self.dial_with(&number, account, purpose, Vec::new())
    }

    /// Calls a number or address as it stands, with further headers.
    pub(in super::super) fn dial_with(
        &mut self,
        number: &str,
        account: Option<u8>,
        purpose: Purpose,
        headers: Vec<(Name, String)>,
    ) -> Result<CallNumber, Refused> {
        // Calls that ring here keep nobody from calling.
        let own = |call: &Conversation| call.phase != Phase::Ringing;
        if self.calls.live().filter(|(_, call)| own(call)).count() >= MAX_CALLS {
            return Err(Refused::new(format!("{MAX_CALLS} calls stand; end one first"), &["hangup"]));
        }
        let account = self.account_for(number, account)?;
        let shown = shown(number);
        let mut call =
            Conversation::new(account, Peer { number: shown, name: String::new() }, true, self.desk.now);
        call.purpose = purpose;
        let to = self.lines.line_ref(account).map(|line| line.address_of(number)).unwrap_or_default();
        let after = self.talked_in().filter(|_| !matches!(purpose, Purpose::Refer(_)));
        let way = (account == 0).then(|| direct_way(&to)).flatten();
        call.plan = Some(Box::new(Plan { to, headers, after, way, ..Plan::default() }));
        let number = self.calls.add(call);
        match after {
            // The other party is held before the next is called (deck, Call Transfer).
            Some(other) => self.set_hold(other, true),
            None => self.place(number),
        }
        if purpose == Purpose::Plain
            && let Some(call) = self.calls.table.get(&number)
        {
            self.calls.redial = Some((call.peer.number.clone(), account));
        }
        Ok(number)
    }

    /// Calls the last number again.
    pub(in super::super) fn redial(&mut self) -> Result<CallNumber, Refused> {
        let newest = self.history.entries.iter().find(|entry| entry.kind == super::HistoryKind::Dialled);
        let last = self.calls.redial.clone();
        let last = last.or_else(|| newest.map(|entry| (entry.number.clone(), entry.account)));
        let Some((number, account)) = last else {
            return Err(Refused::new("nothing was dialled yet", &["dial NUMBER"]));
        };
        self.dial_with(&number, Some(account), Purpose::Plain, Vec::new())
    }

    /// The account that a number is called by; 0 for a call from address to address.
    fn account_for(&mut self, number: &str, wanted: Option<u8>) -> Result<u8, Refused> {
        if wanted == Some(0) || wanted.is_none() && self.is_foreign(number) {
            if !self.general.sip.ip_calls {
                let remedy = ["set features.direct_ip_call_enable 1", "dial NUMBER"];
                return Err(Refused::new(
                    format!("{number} is no number but an address, and Allow IP Calls is off"),
                    &remedy,
                ));
            }
            self.lines.open_direct(&self.general, &self.desk.place, self.settings.model());
            return Ok(0);
        }
        let shown = number;
        let number = wanted.unwrap_or_else(|| self.default_account());
        let known: Vec<String> =
            self.lines.accounts.iter().map(|it| format!("dial {shown} account {}", it.number())).collect();
        let Some(account) = self.lines.account(number) else {
            if known.is_empty() {
                return Err(Refused::new("No Account: give one by --account or by `set`", &NO_ACCOUNT));
            }
            return Err(Refused { message: format!("account {number} is not enabled"), possible: known });
        };
        let free = account.line.settings.advanced.call_without_registration;
        if !account.state.is_registered() && !free {
            let message = format!(
                "account {number} is not registered; wait for it, or allow Outgoing Call without Registration"
            );
            return Err(Refused { message, possible: vec!["status".into()] });
        }
        let most = usize::from(account.line.settings.calls_at_once.max(1));
        let own = |call: &Conversation| call.account == number && call.phase != Phase::Ringing;
        if self.calls.live().filter(|(_, call)| own(call)).count() >= most {
            return Err(Refused::new(format!("account {number} has {most} calls already"), &["hangup"]));
        }
        Ok(number)
    }

    /// Whether a number is an address at no account's server.
    pub(in super::super) fn is_foreign(&self, number: &str) -> bool {
        if Uri::parse(number).is_some_and(|uri| uri.is_tel()) {
            return false;
        }
        let bare = number.strip_prefix("sip:").unwrap_or(number);
        let host = match bare.rsplit_once('@') {
            Some((_, host)) => host,
            None if bare.matches('.').count() == 3 => bare,
            None => return false,
        };
        let host = host.split([';', '?']).next().unwrap_or_default();
        let name = proto::sip::uri::host_port(host).map_or(host, |(name, _)| name);
        let ours = |line: &crate::phone::accounts::Line| {
            line.settings.home().eq_ignore_ascii_case(name)
                || name.parse().is_ok_and(|ip| line.is_server(std::net::SocketAddr::new(ip, 0)))
        };
        !self.lines.accounts.iter().any(|account| ours(&account.line))
    }

    /// The account that calls are made by when none is named: as chosen, else the first registered.
    pub(in super::super) fn default_account(&self) -> u8 {
        let accounts = &self.lines.accounts;
        let registered = accounts.iter().find(|account| account.state.is_registered());
        let first = registered.or(accounts.first()).map_or(1, |account| account.number());
        self.chosen_account.filter(|number| accounts.iter().any(|it| it.number() == *number)).unwrap_or(first)
    }

    /// The call in which people talk now, and which is to be held before another.
    pub(super) fn talked_in(&self) -> Option<CallNumber> {
        let talking = |call: &Conversation| call.is_up() && !call.hold.is_wanted();
        self.calls.live().find(|(_, call)| talking(call)).map(|(number, _)| number)
    }

    /// A call that waited for the end or hold of another goes on.
    pub(super) fn go_on_after(&mut self, other: CallNumber) {
        let waits = |call: &Conversation| call.plan.as_ref().is_some_and(|plan| plan.after == Some(other));
        let waiting: Vec<_> =
            self.calls.table.iter().filter(|(_, call)| waits(call)).map(|(number, _)| *number).collect();
        for number in waiting {
            if let Some(plan) = self.calls.table.get_mut(&number).and_then(|call| call.plan.as_mut()) {
                plan.after = None;
            }
            self.place(number);
        }
    }

    /// Sends the INVITE, once it is known where to.
    fn place(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let Some(plan) = call.plan.as_mut() else { return };
        let Some(line) = self.lines.line(call.account) else { return };
        let targets = match &mut plan.way {
            None => line.targets(),
            Some(way) => match way.locate(self.desk.now, &mut self.desk.rng) {
                Located::Known => way.targets.clone(),
                Located::Ask(queries) => {
                    self.desk.out.extend(queries.into_iter().map(Output::Resolve));
                    return;
                }
            },
        };
        self.invite(number, targets);
    }

    /// The DNS has answered, perhaps about a direct call.
    pub(in super::super) fn on_call_resolved(&mut self, query: &Query, answer: &Answer) {
        let now = self.desk.now;
        for number in self.calls.table.keys().copied().collect::<Vec<_>>() {
            let call = self.calls.table.get_mut(&number);
            let Some(way) = call.and_then(|call| call.plan.as_mut()?.way.as_mut()) else { continue };
            match way.answer(now, query, answer) {
                Some(Located::Ask(queries)) => {
                    self.desk.out.extend(queries.into_iter().map(Output::Resolve));
                }
                Some(Located::Known) => {
                    let targets = way.targets.clone();
                    self.invite(number, targets);
                }
                None => {}
            }
        }
    }

    fn invite(&mut self, number: CallNumber, targets: Vec<Target>) {
        if targets.is_empty() {
            let cause = Cause::new(None, "no address is known for the server", By::Network);
            return self.finish(number, cause);
        }
        let opened = self.calls.table.get(&number).is_some_and(|call| call.sound.is_some());
        if !opened && !self.open_sound(number) {
            self.desk.fault("every RTP port is taken");
            let cause = Cause::new(None, "every RTP port is taken", By::Local);
            return self.finish(number, cause);
        }
        let ringback_s = self.general.dialling.ringback_s;
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let (Some(plan), Some(sound)) = (&call.plan, call.sound.as_mut()) else { return };
        let Some(line) = self.lines.line(call.account) else { return };
        let timer = &line.settings.session_timer;
        let mut invitation = Invitation {
            sdp: Some(sound.talk.offer().to_bytes()),
            headers: plan.headers.clone(),
            session_s: timer.enabled.then_some(timer.expires_s),
            refresher_is_callee: timer.refresher_is_uas,
        };
        let mut party = line.party();
        if line.settings.anonymous.call.enabled {
            invitation.headers.push((Name::Privacy, "id".into()));
            invitation.headers.push((Name::PPreferredIdentity, format!("<{}>", line.address_of_record())));
            if !line.settings.anonymous.by_server_only {
                party = Party::new("Anonymous", "sip:anonymous@anonymous.invalid");
            }
        }
        let to = plan.to.clone();
        let dialog = line.dialog(&mut self.desk, party, to.clone());
        let pinned = line.pinned();
        let is_at_server = targets.iter().all(|target| line.is_server(target.remote));
        let mut context = line.context(&mut self.desk, Owner::Call(number));
        // A redirection may name a stranger, who could guess the password from one digest response.
        context.auth.take_if(|_| !is_at_server);
        let mut signalling = match Call::dial(&mut context, dialog, targets, invitation) {
            Ok(signalling) => Box::new(signalling),
            Err(why) => return self.finish(number, Cause::new(None, why.to_string(), By::Local)),
        };
        signalling.pin_to_all(pinned);
        call.signalling = Some(signalling);
        call.phase = Phase::Calling;
        if let Some(ringback_s) = ringback_s {
            call.wait(self.desk.now + Duration::from_secs(u64::from(ringback_s)), Due::RingbackOut);
        }
        self.note_call(number, &format!("Calling To:< {to}"));
    }

    /// 180 or 183 came.
    pub(super) fn on_progress(&mut self, number: CallNumber, status: u16, sdp: Option<Vec<u8>>) {
        let rules = &self.general.sip;
        let (status, sdp) = if rules.treat_183_as_180 { (180, None) } else { (status, sdp) };
        let own_ringback = status == 180 && sdp.is_none() && rules.ringback_after_183;
        if let Some(sdp) = sdp
            && let Err(why) = self.take_answer(number, &sdp)
        {
            self.note_call(number, &format!("Early media not taken: {why}"));
        }
        let call_ref = self.call_ref(number);
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        call.own_ringback |= own_ringback;
        if call.phase == Phase::Calling && matches!(status, 180 | 183) {
            call.phase = Phase::Ringback;
            self.desk.tell(EventKind::Ringing { call: call_ref });
            self.note_call(number, "Ringback");
        }
        self.on_referred_progress(number, status);
    }

    /// 200 came.
    pub(super) fn on_answered(&mut self, number: CallNumber, sdp: Option<Vec<u8>>) {
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.acknowledged = true;
        }
        let taken = match sdp {
            Some(sdp) => self.take_answer(number, &sdp),
            // A reliable 183 has brought the answer (RFC 3261 §13.2.1).
            None if self.agreed(number).is_some() => {
                self.agree(number);
                Ok(())
            }
            None => Err("the answer has no session description".to_owned()),
        };
        if let Err(why) = taken {
            self.note_call(number, &format!("Answer not acceptable: {why}"));
            self.show(format!("Call failed: {why}"));
            return self.hang_up_call(number, Cause::new(Some(488), why, By::Local));
        }
        self.stand(number);
        self.on_referred_progress(number, 200);
    }

    /// The call stands: both sides have confirmed it.
    pub(super) fn stand(&mut self, number: CallNumber) {
        let call_ref = self.call_ref(number);
        let agreed = self.agreed(number);
        let (codec, secure) =
            (agreed.map(|it| it.codec.to_string()), agreed.is_some_and(|it| it.srtp.is_some()));
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        call.stop_waiting();
        call.phase = Phase::Talking;
        call.answered_at.get_or_insert(self.desk.now);
        call.plan = None;
        self.desk.tell(EventKind::Answered { call: call_ref, codec, secure });
        self.note_call(number, "Talking");
        self.tell_remote_hold(number);
    }

    /// 3xx came: the call goes where it says, to one address after the other (RFC 3261 §8.1.3.4).
    pub(super) fn on_redirected(&mut self, number: CallNumber, status: u16, contacts: Vec<String>) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let Some(plan) = call.plan.as_mut() else { return };
        if plan.redirects < MAX_REDIRECTS {
            plan.redirects += 1;
            let is_new = |contact: &String| {
                *contact != plan.to
                    && !plan.tried.contains(contact)
                    && !plan.left.contains(contact)
                    && Uri::parse(contact).is_some_and(|uri| uri.is_sip() || uri.is_tel())
            };
            let new: Vec<String> = contacts.into_iter().filter(is_new).take(MAX_CONTACTS).collect();
            plan.left.splice(..0, new);
            plan.left.truncate(MAX_CONTACTS);
        }
        if !self.try_next_contact(number) {
            self.on_failed(number, Some(status), "redirected in a circle".into());
        }
    }

    /// Calls the next address of a redirection; `false` where none is left.
    fn try_next_contact(&mut self, number: CallNumber) -> bool {
        let Some(call) = self.calls.table.get_mut(&number) else { return false };
        let Some(plan) = call.plan.as_mut().filter(|plan| !plan.left.is_empty()) else { return false };
        let next = plan.left.remove(0);
        let line = self.lines.line_ref(call.account);
        let bare = Uri::as_request_uri(&next);
        let to = line.map_or_else(|| bare.to_string(), |line| line.address_of(&bare));
        // Everything goes to the outbound server, where there is one.
        let is_away = line.is_some_and(|line| line.settings.number == 0 || line.is_elsewhere(&to));
        plan.way = is_away.then(|| direct_way(&to)).flatten();
        plan.tried.push(std::mem::replace(&mut plan.to, to));
        plan.tried.push(next.clone());
        call.stop_waiting();
        call.phase = Phase::Dialling;
        self.note_call(number, &format!("Redirected To:< {next}"));
        self.place(number);
        true
    }

    /// The call did not come about.
    pub(super) fn on_failed(&mut self, number: CallNumber, status: Option<u16>, reason: String) {
        if self.try_next_contact(number) {
            return;
        }
        self.calls.busy_until = Some(self.desk.now + BUSY_TONE);
        let text_of_403 = self.general.sip.text_of_403.clone().filter(|_| status == Some(403));
        let shown = text_of_403.unwrap_or_else(|| reason.clone());
        self.show(match status {
            Some(status) => format!("Call failed: {status} {shown}"),
            None => format!("Call failed: {shown}"),
        });
        self.on_referred_progress(number, status.unwrap_or(408));
        self.plan_auto_redial(number, status);
        let by = if status.is_some() { By::Remote } else { By::Network };
        self.finish(number, Cause::new(status, reason, by));
    }

    /// It rang there long enough.
    pub(super) fn ringback_out(&mut self, number: CallNumber) {
        self.hang_up_call(number, Cause::new(Some(487), "nobody answered", By::Local));
    }

    fn plan_auto_redial(&mut self, number: CallNumber, status: Option<u16>) {
        let rule = &self.general.auto_redial;
        let Some(call) = self.calls.table.get(&number) else { return };
        if !rule.enabled || !matches!(status, Some(486 | 600)) || call.purpose != Purpose::Plain {
            return;
        }
        let left = self.calls.auto_redial.take().map_or(rule.times, |last| last.left);
        let at = self.desk.now + Duration::from_secs(u64::from(rule.interval_s.max(1)));
        let (number, account) = (call.peer.number.clone(), call.account);
        self.calls.auto_redial = left.checked_sub(1).map(|left| AutoRedial { at, number, account, left });
    }

    /// Dials a busy number again when its time has come and nothing else is going on.
    pub(super) fn advance_auto_redial(&mut self) {
        let now = self.desk.now;
        let Some(again) = self.calls.auto_redial.take_if(|again| again.at <= now) else { return };
        if self.calls.live().next().is_some() {
            return;
        }
        let dialled = self.dial_with(&again.number, Some(again.account), Purpose::Plain, Vec::new());
        if dialled.is_ok() {
            let at = Time::NEVER;
            self.calls.auto_redial = Some(AutoRedial { at, ..again });
        }
    }

    /// Takes their offer and makes the answer to it, or makes our offer where they sent none.
    pub(super) fn answer_to(
        &mut self,
        number: CallNumber,
        offer: Option<&[u8]>,
    ) -> Result<Vec<u8>, Rejected> {
        let sound = self.calls.table.get_mut(&number).and_then(|call| call.sound.as_mut());
        let Some(sound) = sound else { return Err(Rejected::new(488, 399, "there is no sound")) };
        let Some(offer) = offer else { return Ok(sound.talk.offer().to_bytes()) };
        let offer = Description::parse(offer).map_err(|error| Rejected::new(400, 399, error))?;
        match sound.talk.receive_offer(&offer) {
            Ok(answer) => Ok(answer.description.to_bytes()),
            Err(why) => Err(Rejected::new(why.status(), why.warning(), why)),
        }
    }
}

/// Why an offer is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rejected {
    pub(super) status: u16,
    pub(super) warning: u16,
    pub(super) text: String,
}

impl Rejected {
    pub(super) fn new(status: u16, warning: u16, text: impl ToString) -> Self {
        Self { status, warning, text: text.to_string() }
    }

    /// The answer that says so (RFC 3261 §20.43).
    pub(super) fn reply(&self) -> proto::sip::Reply {
        let text = proto::sip::grammar::quote(&self.text);
        proto::sip::Reply::new(self.status)
            .header(Name::Warning, format_args!("{} phone {text}", self.warning))
    }
}

/// A number as people know it: the user of an address.
pub(in super::super) fn shown(number: &str) -> String {
    let uri = Uri::parse(number).filter(|uri| uri.is_sip() || uri.is_tel());
    let user = uri.map(|uri| uri.plain_user().into_owned());
    user.filter(|user| !user.is_empty()).unwrap_or_else(|| number.to_owned())
}

/// Where the address of a direct call is.
fn direct_way(address: &str) -> Option<Way> {
    let uri = Uri::parse(address)?;
    let transport = uri.transport().or_else(|| uri.ip().map(|_| Default::default()));
    Some(Way::new(uri.host, uri.port.unwrap_or(if uri.ip().is_some() { 5_060 } else { 0 }), transport))
}
