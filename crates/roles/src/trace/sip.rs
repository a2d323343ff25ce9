//! What a message says, in one line, as a capture's list of packets shows it.

use proto::sdp::attribute::Direction;
use proto::sdp::description::{Description, Media};
use proto::sip::flow::Transport;
use proto::sip::header::{Address, Diversion, Reason};
use proto::sip::line_token::without_token;
use proto::sip::message::Message;
use proto::sip::sipfrag::Sipfrag;
use proto::sip::{Method, Name};

/// `Request: REGISTER sip:192.168.50.19 (remove 1 binding)`, `Status: 401 Unauthorized (REGISTER)`.
pub fn info(message: &Message<'_>) -> String {
    info_over(Transport::Udp, message)
}

/// The same; what does not come by UDP says how it comes.
pub(super) fn info_over(transport: Transport, message: &Message<'_>) -> String {
    let carried = (transport != Transport::Udp).then(|| transport.via_name().to_owned());
    let notes: Vec<String> = carried.into_iter().chain(notes(message)).collect();
    let notes = notes.join(", ");
    let notes = if notes.is_empty() { notes } else { format!(" ({notes})") };
    match message.status() {
        Some(status) => {
            let method = message.cseq().map_or_else(String::new, |cseq| format!(" ({})", cseq.method));
            format!("Status: {status} {}{method}{notes}", message.reason())
        }
        None => {
            let method = String::from_utf8_lossy(message.method_text());
            let inside = if in_dialog(message) { ", in-dialog" } else { "" };
            let told = message_fragment(message);
            let told = told.map_or_else(String::new, |told| format!(", with Sipfrag({told})"));
            // The token of a registration is a secret, and a ladder is shown to others.
            let uri = without_token(message.request_uri());
            format!("Request: {method} {uri}{inside}{told}{notes}")
        }
    }
}

/// Whether a request belongs to a dialog; ACK, BYE and NOTIFY nearly always do, so that it need not be said.
fn in_dialog(message: &Message<'_>) -> bool {
    let said = !matches!(message.method(), Some(Method::Ack | Method::Bye | Method::Cancel | Method::Notify));
    said && !message.to_tag().is_empty()
}

fn notes(message: &Message<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(bindings(message));
    notes.extend(sound(message));
    notes.extend(message.text(Name::Event).map(str::to_owned));
    if message.text(Name::ReferTo).is_some_and(|to| to.contains("Replaces=")) {
        notes.push("Replaces".to_owned());
    }
    notes.extend(diversion(message).map(|why| format!("Diversion {why}")));
    notes.extend(cause(message));
    notes.extend(message.text(Name::MinExpires).map(|least| format!("Min-Expires {least}")));
    notes.extend(message.text(Name::RetryAfter).map(|wait| format!("Retry-After {wait}")));
    notes
}

/// How many bindings a REGISTER or its answer brings, and how many a REGISTER takes back.
fn bindings(message: &Message<'_>) -> Vec<String> {
    if message.cseq().is_none_or(|cseq| cseq.method != Method::Register) {
        return Vec::new();
    }
    let counted = |count: usize| format!("{count} binding{}", if count == 1 { "" } else { "s" });
    let contacts = || message.values(Name::Contact);
    if !message.is_request() {
        let shown = contacts().count() > 0 || message.status() == Some(200);
        return shown.then(|| counted(contacts().count())).into_iter().collect();
    }
    let for_all = message.number(Name::Expires);
    let own = |value| Address::parse(value).and_then(|contact| contact.params.number("expires"));
    let removed = contacts().filter(|value| own(value).or(for_all) == Some(0)).count();
    let kept = contacts().count() - removed;
    let kept = (kept > 0).then(|| counted(kept));
    let removed = (removed > 0).then(|| format!("remove {}", counted(removed)));
    kept.into_iter().chain(removed).collect()
}

/// Whether a REGISTER takes its bindings back.
pub(super) fn removes(message: &Message<'_>) -> bool {
    let by_contact = message.contact().and_then(|contact| contact.params.number("expires"));
    by_contact.or_else(|| message.number(Name::Expires)) == Some(0)
}

/// Codecs of the sound, whether it is encrypted, and its direction and address where they are not the usual ones.
fn sound(message: &Message<'_>) -> Option<String> {
    let description = description(message)?;
    let index = description.audio_index()?;
    let media = description.media.get(index)?;
    let mut notes = Vec::new();
    notes.extend(codecs(media));
    if media.port() == 0 {
        notes.push("no audio".to_owned());
    }
    if description.direction_of(index) != Direction::SendRecv {
        notes.push(description.direction_of(index).name().to_owned());
    }
    if description.connection_of(index).is_some_and(|connection| connection.is_unspecified()) {
        notes.push("c=0.0.0.0".to_owned());
    }
    (!notes.is_empty()).then(|| notes.join(", "))
}

/// `PCMA/PCMU`, `SAVP PCMA`: what is spoken in, telephone events aside.
fn codecs(media: &Media) -> Option<String> {
    let name = |number: u8| media.rtpmap(number).map(|map| map.encoding).or_else(|| static_name(number));
    let speech = |name: &String| !name.eq_ignore_ascii_case("telephone-event");
    let names: Vec<String> = media.payload_types().filter_map(name).filter(speech).collect();
    let names = names.join("/");
    let is_secure = media.protocol().contains("SAVP");
    match (is_secure, names.is_empty()) {
        (true, true) => Some("SAVP".to_owned()),
        (true, false) => Some(format!("SAVP {names}")),
        (false, true) => None,
        (false, false) => Some(names),
    }
}

/// The codec of a payload type that needs no `a=rtpmap` (RFC 3551 §6).
fn static_name(payload_type: u8) -> Option<String> {
    let name = match payload_type {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        8 => "PCMA",
        9 => "G722",
        15 => "G728",
        18 => "G729",
        _ => return None,
    };
    Some(name.to_owned())
}

/// The SDP of a message.
pub(super) fn description(message: &Message<'_>) -> Option<Description> {
    Description::parse(message.session_description()?).ok()
}

/// The status that a NOTIFY of a transfer tells.
pub(super) fn fragment(message: &Message<'_>) -> Option<u16> {
    is_fragment(message).then(|| Sipfrag::parse(message.body()).ok())?.map(|fragment| fragment.status)
}

/// The first line of the answer that a NOTIFY of a transfer tells.
fn message_fragment(message: &Message<'_>) -> Option<String> {
    let first = message.body().split(|&byte| byte == b'\r' || byte == b'\n').next()?;
    is_fragment(message).then(|| String::from_utf8_lossy(first).into_owned())
}

fn is_fragment(message: &Message<'_>) -> bool {
    message.content_type().is_some_and(|kind| kind.starts_with("message/sipfrag"))
}

/// Why a call was diverted.
pub(super) fn diversion(message: &Message<'_>) -> Option<String> {
    let value = message.header(Name::Diversion)?;
    Diversion::parse(value).map(|diversion| diversion.reason.to_owned())
}

/// `Q.850 18`.
pub(super) fn cause(message: &Message<'_>) -> Option<String> {
    let reason = Reason::parse(message.text(Name::Reason)?)?;
    Some(format!("{} {}", reason.protocol, reason.cause?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, body: &str, expected: &str) {
        let text = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
        let message = Message::parse(text.as_bytes()).expect("a message");
        assert_eq!(info(&message), expected);
    }

    #[test]
    fn what_a_person_looks_for_is_said() {
        check(
            "REGISTER sip:192.168.50.19 SIP/2.0\nCSeq: 1 REGISTER\nContact: <sip:7001@h>\nExpires: 0",
            "",
            "Request: REGISTER sip:192.168.50.19 (remove 1 binding)",
        );
        check(
            "REGISTER sip:h SIP/2.0\nCSeq: 1 REGISTER\nExpires: 9\nContact: <sip:a@b>\nContact: <sip:a@c>;expires=0",
            "",
            "Request: REGISTER sip:h (1 binding, remove 1 binding)",
        );
        check("SIP/2.0 401 Unauthorized\nCSeq: 1 REGISTER", "", "Status: 401 Unauthorized (REGISTER)");
        check("SIP/2.0 200 OK\nCSeq: 1 REGISTER", "", "Status: 200 OK (REGISTER) (0 bindings)");
        check(
            "INVITE sip:7002@h SIP/2.0\nCSeq: 2 INVITE\nTo: <sip:a@b>;tag=1\nContent-Type: application/sdp",
            "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n",
            "Request: INVITE sip:7002@h, in-dialog (PCMA, sendonly, c=0.0.0.0)",
        );
        check(
            "NOTIFY sip:7002@h SIP/2.0\nCSeq: 3 NOTIFY\nTo: <sip:a@b>;tag=1\nEvent: refer\n\
             Content-Type: message/sipfrag",
            "SIP/2.0 180 Ringing\r\n",
            "Request: NOTIFY sip:7002@h, with Sipfrag(SIP/2.0 180 Ringing) (refer)",
        );
        check(
            "SIP/2.0 480 Temporarily Unavailable\nCSeq: 1 INVITE\nReason: Q.850;cause=18",
            "",
            "Status: 480 Temporarily Unavailable (INVITE) (Q.850 18)",
        );
        check(
            "SIP/2.0 302 Moved Temporarily\nCSeq: 1 INVITE\nDiversion: <sip:7002@h>;reason=user-busy",
            "",
            "Status: 302 Moved Temporarily (INVITE) (Diversion user-busy)",
        );
    }
}
