//! What is heard: sessions are opened and agreed on by calls, everything else follows from their state.

use proto::rtp::srtp::{MasterKey, Suite};
use proto::sdp::{Agreed, Codec, Description, Local, OfferAnswer, Renumbered, SrtpPolicy};

use super::{CallNumber, Calls, Conversation, Phase, Sound};
use crate::phone::Phone;
use crate::phone::accounts::Line;
use crate::phone::desk::Desk;
use crate::phone::event::EventKind;
use crate::settings::{AccountSettings, CodecName, DtmfInfo, DtmfType, Srtp};
use crate::sound::{SessionId, SoundCommand, SoundEvent, Tone};

/// What is in the ear: a tone, and the sessions that hear one another; and whether the person is heard.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in super::super) struct Scene {
    tone: Option<Tone>,
    focus: Vec<SessionId>,
    muted: bool,
}

impl Phone {
    /// Opens the sound of a call, before anything is offered. `false` where every port is taken.
    pub(super) fn open_sound(&mut self, number: CallNumber) -> bool {
        let Some(port) = self.free_port() else { return false };
        let Some(call) = self.calls.table.get_mut(&number) else { return false };
        let Some(line) = self.lines.line(call.account) else { return false };
        self.calls.last_session = self.calls.last_session.wrapping_add(1).max(1);
        let session = self.calls.last_session;
        let local = local(&line.settings, &mut self.desk, port);
        let talk = OfferAnswer::new(local, self.desk.now.as_secs());
        call.sound = Some(Box::new(Sound { session, port, talk }));
        let local = std::net::SocketAddr::new(self.desk.place.ip(), port);
        self.desk.sound(SoundCommand::Open { session, local });
        true
    }

    /// Tells the media side what both sides agreed on.
    pub(super) fn agree(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let Some(sound) = &call.sound else { return };
        let Some(agreed) = sound.talk.agreed() else { return };
        self.desk.sound(SoundCommand::Agree {
            session: sound.session,
            agreed: Box::new(agreed.clone()),
            held: call.hold.is_on(),
            before_ack: call.before_ack(),
            home: call.home,
        });
    }

    /// Takes their answer to our offer. What is wrong with it, in words.
    pub(super) fn take_answer(&mut self, number: CallNumber, sdp: &[u8]) -> Result<(), String> {
        let sound = self.calls.table.get_mut(&number).and_then(|call| call.sound.as_mut());
        let Some(sound) = sound else { return Ok(()) };
        let answer = Description::parse(sdp).map_err(|error| error.to_string())?;
        sound.talk.receive_answer(&answer).map_err(|refusal| refusal.to_string())?;
        if let Some(Renumbered { ours, theirs }) = sound.talk.renumbered() {
            let note = format!("Answer bears crypto tag {theirs} for our tag {ours}; taken by its suite");
            self.note_call(number, &note);
        }
        self.agree(number);
        Ok(())
    }

    /// What was agreed on last.
    pub(super) fn agreed(&self, number: CallNumber) -> Option<&Agreed> {
        self.calls.table.get(&number)?.sound.as_ref()?.talk.agreed()
    }

    /// Sends digits the way that the account's settings say.
    pub(in super::super) fn send_digits(&mut self, number: CallNumber, digits: &str) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let Some(line) = self.lines.line_ref(call.account) else { return };
        let (kind, info) = (line.settings.dtmf.kind, line.settings.dtmf.info);
        let by_rtp = self.agreed(number).is_some_and(|agreed| agreed.send_dtmf.is_some());
        let session = call.sound.as_ref().map(|sound| sound.session);
        if let (DtmfType::Inband | DtmfType::Rfc2833 | DtmfType::Rfc2833AndInfo, Some(session)) =
            (kind, session)
        {
            // A far end without telephone-event still hears tones.
            let in_band = kind == DtmfType::Inband || !by_rtp;
            self.desk.sound(SoundCommand::Dtmf { session, digits: digits.to_owned(), in_band });
        }
        if matches!(kind, DtmfType::Info | DtmfType::Rfc2833AndInfo) {
            for digit in digits.chars() {
                let (content_type, body) = info_body(info, digit);
                self.speak(number, |call, context| call.info(context, content_type, body.into_bytes()));
            }
        }
    }

    /// INFO came: a digit, in either dialect.
    pub(super) fn on_info(&mut self, number: CallNumber, content_type: &str, body: &[u8]) {
        let Some(digit) = digit_of_info(content_type, body) else { return };
        let call = self.call_ref(number);
        self.desk.tell(EventKind::Dtmf { call, digit, how: "info" });
    }

    /// The media side tells.
    pub(in super::super) fn on_sound(&mut self, event: SoundEvent) {
        let session = match &event {
            SoundEvent::Digit { session, .. }
            | SoundEvent::Closed { session, .. }
            | SoundEvent::Failed { session, .. } => *session,
        };
        let mut calls = self.calls.table.iter();
        let number = calls.find(|(_, call)| call.sound.as_ref().is_some_and(|s| s.session == session));
        let Some(number) = number.map(|(number, _)| *number) else { return };
        match event {
            SoundEvent::Digit { digit, .. } => {
                let call = self.call_ref(number);
                self.desk.tell(EventKind::Dtmf { call, digit, how: "rtp" });
            }
            SoundEvent::Closed { figures, .. } => {
                self.take_timer(number, super::Due::TellEnd);
                self.tell_end(number, figures);
            }
            SoundEvent::Failed { reason, .. } => {
                self.desk.fault(&format!("Sound of call {number} failed: {reason}"));
                self.show(format!("No sound: {reason}"));
            }
        }
    }

    /// Brings what is heard in line with the calls.
    pub(in super::super) fn settle_sound(&mut self) {
        let mut scene = scene(&self.calls);
        scene.tone.take_if(|tone| *tone == Tone::CallWaiting && !self.general.call_waiting.tone);
        if scene == Scene::default() && self.a_watched_party_is_heard() {
            scene.tone = Some(Tone::CallWaiting);
        }
        if scene.tone != self.calls.scene.tone {
            self.desk.sound(SoundCommand::Tone(scene.tone));
        }
        if scene.muted != self.calls.scene.muted {
            self.desk.sound(SoundCommand::Mute(scene.muted));
        }
        if scene.focus != self.calls.scene.focus {
            self.desk.sound(SoundCommand::Focus(scene.focus.clone()));
        }
        self.calls.scene = scene;
    }

    /// An even port that no call uses; they are taken in turn, so that late packets of an old call
    /// find nobody.
    fn free_port(&mut self) -> Option<u16> {
        let (first, last) = (*self.desk.place.rtp_ports.start(), *self.desk.place.rtp_ports.end());
        let first = first.checked_add(first % 2)?;
        let pairs = last.checked_sub(first)?.checked_add(1)? / 2;
        for _ in 0..pairs {
            let next = self.calls.last_port.checked_add(2).filter(|next| (first..last).contains(next));
            self.calls.last_port = next.unwrap_or(first);
            let port = self.calls.last_port;
            let taken = |call: &Conversation| call.sound.as_ref().is_some_and(|sound| sound.port == port);
            if !self.calls.table.values().any(taken) {
                return Some(port);
            }
        }
        None
    }
}

/// What is to be heard, by the state of all calls.
fn scene(calls: &Calls) -> Scene {
    let (mut focus, mut mutes) = (Vec::new(), Vec::new());
    let mut ringing = false;
    let mut ringback = false;
    for (number, call) in calls.live() {
        let in_conference = calls.conference.is_some_and(|(a, b)| a == number || b == number);
        let heard = call.is_up() && (in_conference || !call.hold.is_on()) || has_early_media(call);
        if let (true, Some(sound)) = (heard, &call.sound) {
            focus.push(sound.session);
            mutes.push(call.muted);
        }
        ringing |= call.phase == Phase::Ringing;
        ringback |= call.phase == Phase::Ringback && !has_early_media(call);
    }
    if calls.conference.is_none() && focus.len() > 1 {
        // Two calls are heard together in a conference alone; the newest has the person's ear.
        focus.drain(..focus.len() - 1);
        mutes.drain(..mutes.len() - 1);
    }
    let talking = !focus.is_empty();
    let tone = match (ringing, ringback, talking) {
        (true, _, true) => Some(Tone::CallWaiting),
        (true, _, false) => Some(Tone::Ring),
        (false, true, _) => Some(Tone::Ringback),
        (false, false, false) if calls.busy_until.is_some() => Some(Tone::Busy),
        _ => None,
    };
    // A conference has one microphone: it is off where it is for one of the calls.
    Scene { tone, focus, muted: mutes.contains(&true) }
}

/// Whether the far end already sends sound although nobody has answered.
fn has_early_media(call: &Conversation) -> bool {
    let agreed = call.sound.as_ref().and_then(|sound| sound.talk.agreed());
    let early = matches!(call.phase, Phase::Calling | Phase::Ringback) && !call.own_ringback;
    early && agreed.is_some_and(|agreed| agreed.receive)
}

/// What a call of that account can do and wants.
fn local(settings: &AccountSettings, desk: &mut Desk, port: u16) -> Local {
    let mut local = Local::new(desk.place.ip(), port);
    local.codecs = settings.codecs.iter().map(|&name| codec(name)).collect();
    let by_rtp = matches!(settings.dtmf.kind, DtmfType::Rfc2833 | DtmfType::Rfc2833AndInfo);
    local.dtmf_payload_type = by_rtp.then_some(settings.dtmf.payload_type);
    local.ptime_ms = settings.ptime_ms.map_or(20, u32::from);
    (local.says_vad, local.srtp_lifetime) = (settings.advanced.offer_vad_no, settings.srtp_lifetime);
    local.srtp = match settings.srtp {
        Srtp::Off => SrtpPolicy::Off,
        Srtp::Optional => SrtpPolicy::Optional,
        Srtp::Compulsory => SrtpPolicy::Required,
    };
    if local.srtp != SrtpPolicy::Off {
        local.srtp_keys = Suite::ALL.map(|suite| MasterKey::generate(suite, &mut desk.rng)).to_vec();
    }
    local
}

fn codec(name: CodecName) -> Codec {
    match name {
        CodecName::Pcma => Codec::Pcma,
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::G722 => Codec::G722,
    }
}

/// The body of a digit by INFO.
fn info_body(dialect: DtmfInfo, digit: char) -> (&'static str, String) {
    match dialect {
        DtmfInfo::Plain => ("application/dtmf", digit.to_string()),
        DtmfInfo::Relay => ("application/dtmf-relay", format!("Signal={digit}\r\nDuration=160\r\n")),
        DtmfInfo::TelephoneEvent => {
            let number = "0123456789*#ABCD".find(digit).unwrap_or_default();
            ("application/dtmf-relay", format!("Signal={number}\r\nDuration=160\r\n"))
        }
    }
}

/// The digit of an INFO body: `Signal=5` or `5`; 10 and 11 are `*` and `#`, 12 to 15 A to D.
fn digit_of_info(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body.get(..256).unwrap_or(body)).ok()?;
    let signal = match content_type {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("Signal").then_some(value.trim())
        })?,
        "application/dtmf" => text.trim(),
        _ => return None,
    };
    let mut signs = signal.chars();
    match (signs.next()?.to_ascii_uppercase(), signs.next()) {
        (digit, None) => (digit.is_ascii_digit() || "*#ABCD".contains(digit)).then_some(digit),
        _ => "0123456789*#ABCD".chars().nth(signal.parse().ok()?),
    }
}

impl Line {
    /// Whether sound must be encrypted, for the screen.
    pub(in super::super) fn is_secure_only(&self) -> bool {
        self.settings.srtp == Srtp::Compulsory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_by_info_in_both_dialects() {
        let check = |kind: &str, body: &str, digit| {
            assert_eq!(digit_of_info(kind, body.as_bytes()), digit, "{kind} {body}");
        };
        check("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5'));
        check("application/dtmf-relay", "signal= #\n", Some('#'));
        check("application/dtmf-relay", "Signal=11\r\n", Some('#'));
        check("application/dtmf", "d", Some('D'));
        check("application/dtmf", "", None);
        check("application/dtmf-relay", "Signal=77", None);
        check("text/plain", "5", None);
        assert_eq!(info_body(DtmfInfo::TelephoneEvent, '#').1, "Signal=11\r\nDuration=160\r\n");
    }

    proptest::proptest! {
        #[test]
        fn any_info_body_is_read(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = digit_of_info("application/dtmf-relay", &body);
        }
    }
}
