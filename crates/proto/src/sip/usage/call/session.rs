//! Session timers (RFC 4028): who refreshes, when, and when the call counts as dead.

use std::time::Duration;

use super::{Call, Context, Event, Why};
use crate::Time;
use crate::sip::digest::Attempt;
use crate::sip::header::SessionExpires;
use crate::sip::message::{Message, Method, Name};
use crate::sip::usage::MOST_RAISES;
use crate::sip::{Reply, Request};

/// The least interval that we accept, in seconds (RFC 4028 §5).
pub(super) const MIN_SE_S: u32 = 90;

/// What was asked for before the call was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Wish {
    seconds: u32,
    /// The most that a 422 has asked for, else our own least.
    min_s: u32,
    refresher_uac: Option<bool>,
    peer_supports: bool,
    /// How often a 422 was obeyed.
    raises: u8,
}

impl Wish {
    pub(super) fn new(seconds: u32, refresher_is_callee: bool) -> Self {
        let refresher_uac = refresher_is_callee.then_some(false);
        Self {
            seconds: seconds.max(MIN_SE_S),
            min_s: MIN_SE_S,
            refresher_uac,
            peer_supports: false,
            raises: 0,
        }
    }

    /// From their INVITE; `None` where it does not ask.
    pub(super) fn from_request(request: &Message<'_>) -> Option<Self> {
        let said = SessionExpires::parse(request.text(Name::SessionExpires)?)?;
        let peer_supports = request.has_token(Name::Supported, "timer");
        Some(Self {
            seconds: said.seconds,
            min_s: MIN_SE_S,
            refresher_uac: said.refresher_uac,
            peer_supports,
            raises: 0,
        })
    }

    pub(super) fn ask(&self, request: Request) -> Request {
        let refresher = if self.refresher_uac == Some(false) { ";refresher=uas" } else { "" };
        let value = format!("{}{refresher}", self.seconds);
        request.header(Name::SessionExpires, value).header(Name::MinSe, self.min_s)
    }

    /// After 422: their Min-SE becomes our wish, and is told in the next attempt (RFC 4028 §7.4). Whether
    /// that is any change.
    pub(super) fn raise(&mut self, response: &Message<'_>) -> bool {
        let larger = response.number(Name::MinSe).filter(|&min| min > self.seconds);
        let Some(min) = larger.filter(|_| self.raises < MOST_RAISES) else { return false };
        (self.seconds, self.min_s) = (min, min);
        self.raises += 1;
        true
    }

    pub(super) fn is_below(&self, min_s: u32) -> bool {
        self.seconds < min_s
    }
}

/// A running session timer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionTimer {
    /// The interval, in seconds.
    pub interval_s: u32,
    /// Whether we refresh.
    pub we_refresh: bool,
    /// The last time that both sides agreed.
    since: Time,
    /// When we ask next; never while an attempt has its answer to come.
    ask_at: Time,
    /// The most that a 422 has asked for, else our own least.
    min_s: u32,
    /// How often a 422 was obeyed since the last refresh that went through.
    raises: u8,
}

/// How long we wait before we ask again, after a refusal or while another change is under way.
const ASK_AGAIN: Duration = Duration::from_secs(5);

impl SessionTimer {
    /// At the caller, from the 2xx (RFC 4028 §7.2).
    pub(super) fn for_caller(now: Time, said: Option<SessionExpires>, wish: Option<&Wish>) -> Option<Self> {
        let (interval_s, we_refresh) = match (said, wish) {
            (Some(said), _) => (said.seconds, said.refresher_uac.unwrap_or(true)),
            // They do not know session timers: we keep the session alive by ourselves.
            (None, Some(wish)) => (wish.seconds, true),
            (None, None) => return None,
        };
        Some(Self::begin(now, interval_s, we_refresh))
    }

    /// At the callee, from their INVITE (RFC 4028 §9).
    pub(super) fn for_callee(now: Time, wish: Option<&Wish>) -> Option<Self> {
        let wish = wish?;
        let uac_refreshes = wish.refresher_uac.unwrap_or(wish.peer_supports) && wish.peer_supports;
        Some(Self::begin(now, wish.seconds, !uac_refreshes))
    }

    fn begin(now: Time, interval_s: u32, we_refresh: bool) -> Self {
        let mut timer = Self {
            interval_s: interval_s.max(MIN_SE_S),
            we_refresh,
            since: now,
            ask_at: now,
            min_s: MIN_SE_S,
            raises: 0,
        };
        timer.plan();
        timer
    }

    /// Half of the interval is when to ask (RFC 4028 §7.2).
    fn plan(&mut self) {
        self.ask_at = self.since + Duration::from_secs(u64::from(self.interval_s / 2));
    }

    /// Adds the header to an answer; `we_are_uac` in the transaction at hand. Who asked and is to refresh
    /// must know how (RFC 4028 §9).
    pub(super) fn tell(&self, reply: Reply, we_are_uac: bool) -> Reply {
        let reply = reply.header(Name::SessionExpires, self.value(we_are_uac));
        let uac_refreshes = self.we_refresh == we_are_uac;
        if uac_refreshes { reply.header(Name::Require, "timer") } else { reply }
    }

    /// Adds the headers to a request.
    pub(super) fn ask(&self, request: Request, we_are_uac: bool) -> Request {
        request.header(Name::SessionExpires, self.value(we_are_uac)).header(Name::MinSe, self.min_s)
    }

    /// After 422 to a refresh: their Min-SE becomes our wish. Whether that is any change.
    pub(super) fn raise(&mut self, min_s: u32) -> bool {
        let raised = min_s > self.interval_s && self.raises < MOST_RAISES;
        if raised {
            (self.interval_s, self.min_s) = (min_s, min_s);
            self.raises += 1;
        }
        raised
    }

    /// A re-INVITE or UPDATE went through.
    pub(super) fn refreshed(&mut self, now: Time, said: Option<SessionExpires>, we_are_uac: bool) {
        self.since = now;
        self.raises = 0;
        if let Some(said) = said {
            self.interval_s = said.seconds.max(MIN_SE_S);
            if let Some(uac) = said.refresher_uac {
                self.we_refresh = uac == we_are_uac;
            }
        }
        self.plan();
    }

    /// A refresh of ours was refused or not answered: it is tried again until the session expires.
    pub(super) fn try_again(&mut self, now: Time) {
        self.ask_at = now + ASK_AGAIN;
    }

    /// Refresh at half of the interval; without one, whoever refreshes, the end comes a third (at most
    /// 32 s) early (RFC 4028 §10).
    pub(super) fn deadline(&self) -> (Time, Why) {
        let early = (self.interval_s / 3).min(32);
        let expiry = self.since + Duration::from_secs(u64::from(self.interval_s - early));
        if self.we_refresh && self.ask_at < expiry {
            (self.ask_at, Why::SessionRefresh)
        } else {
            (expiry, Why::SessionExpiry)
        }
    }

    fn value(&self, we_are_uac: bool) -> String {
        let refresher = if self.we_refresh == we_are_uac { "uac" } else { "uas" };
        format!("{};refresher={refresher}", self.interval_s)
    }
}

impl Call {
    pub(super) fn on_session_deadline<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        let (at, why) = self.session.as_ref().filter(|_| self.is_answered())?.deadline();
        if at > ctx.now {
            return None;
        }
        if why == Why::SessionExpiry {
            self.send_bye(ctx, Some("SIP;cause=408;text=\"Session timer expired\""));
            return Some(Event::Ended { by_remote: false, reason: "session timer expired".into() });
        }
        self.refresh(ctx);
        None
    }

    /// Refreshes by UPDATE without an offer where they take it, else by a re-INVITE that says the same
    /// again (RFC 4028 §7.4).
    pub(super) fn refresh<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        let (method, sdp) = match self.takes_update {
            true => (Method::Update, None),
            false => (Method::Invite, Some(self.local_sdp.clone())),
        };
        let asked = self.start_modify(ctx, method, sdp, true, Attempt::default());
        if let Some(session) = &mut self.session {
            session.ask_at = if asked { Time::NEVER } else { ctx.now + ASK_AGAIN };
        }
    }
}
