//! What the exchange tells, in words for a person at a terminal.

use proto::Time;
use roles::exchange::{CallRecord, CallView, Event};
use roles::relay::RelayFigures;

/// An event as one line.
pub(super) fn words(event: &Event) -> String {
    let line = match event {
        Event::CheckSynced { number, contact, status: Some(status) } => {
            format!("{number} at {contact} has answered check-sync with {status}")
        }
        Event::CheckSynced { number, contact, .. } => {
            format!("{number} at {contact} does not answer check-sync")
        }
        Event::DeviceRegistered { number, user, .. } => format!("device {user} has registered as {number}"),
        Event::Registered { number, source, .. } => format!("{number} has registered from {source}"),
        Event::Unregistered { number, contact, reason } => {
            format!("{number} is not registered at {contact} any more: {reason}")
        }
        Event::Blocked { number, source, rule } => format!("{number} at {source} is refused: {rule}"),
        Event::Reachable { number, contact, reachable: true } => {
            format!("{number} answers again at {contact}")
        }
        Event::Reachable { number, contact, .. } => format!("{number} does not answer at {contact}"),
        Event::CallStarted(call) => about(call, "calls"),
        Event::CallAnswered(call) => about(call, "talks with"),
        Event::CallEnded(record) => ended(record),
        Event::Parked { call, place, caller } => format!("call {call}: {caller} is parked at {place}"),
        Event::CallMeasured { call, from_caller, from_callee } => format!(
            "call {call}: from the caller {}, from the called {}",
            measured(from_caller),
            measured(from_callee)
        ),
        Event::Banned(ban) => {
            let until = Time::from_secs(ban.until_s).rfc3339();
            match &ban.account {
                Some(account) => {
                    format!("{} may not use account {account} until {until}: {}", ban.source, ban.reason)
                }
                None => format!("{} is banned until {until}: {}", ban.source, ban.reason),
            }
        }
        Event::Besieged { number } => format!(
            "many have guessed at the password of {number}: its known devices go on, new ones are let in slowly"
        ),
        Event::MediaStranger { call: Some(call), side, from } => {
            format!("call {call}: {from} sends sound in the {side}'s place; it is dropped")
        }
        Event::MediaStranger { from, .. } => format!("{from} sends sound to a call that is over"),
        Event::Behind { waited_ms } => format!(
            "more is asked than can be done (messages wait {waited_ms} ms): new calls are told to come again"
        ),
        Event::InTime { turned_away } => {
            format!("what is asked can be done again; {turned_away} requests were told to come again")
        }
        Event::RelayFailed { reason, .. } => format!("a call has no sound: {reason}"),
        other => format!("{other:?}"),
    };
    printable(&line)
}

fn about(call: &CallView, does: &str) -> String {
    format!("call {}: {} {does} {}", call.call, call.caller.number, call.callee.number)
}

fn ended(record: &CallRecord) -> String {
    let CallRecord { call, caller, callee, ended_at_ms, reason, .. } = record;
    match record.answered_at_ms {
        Some(answered_at_ms) => {
            let talked_s = ended_at_ms.saturating_sub(answered_at_ms) as f64 / 1_000.0;
            format!("call {call}: {caller} and {callee} have talked for {talked_s:.1} s: {reason}")
        }
        None => format!("call {call}: {callee} has not answered {caller}: {reason}"),
    }
}

fn measured(figures: &RelayFigures) -> String {
    let RelayFigures { packets, lost, jitter_ms, .. } = figures;
    let lost = lost.map(|lost| format!(", {lost} lost")).unwrap_or_default();
    let jitter = jitter_ms.map(|jitter_ms| format!(", jitter {jitter_ms:.1} ms")).unwrap_or_default();
    format!("{packets} packets{lost}{jitter}")
}

/// Texts of strangers do nothing to the terminal that shows them: control characters and those that turn
/// the direction of writing are shown by their numbers.
fn printable(text: &str) -> String {
    let does = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let show = |c: char| if does(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers_do_nothing_to_a_terminal() {
        let contact = "sip:\u{1b}]0;x\u{7}\u{9b}2J\u{202e}ü".to_owned();
        let event = Event::Unregistered { number: "7001".to_owned(), contact, reason: "removed" };
        let expected = "7001 is not registered at sip:\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}ü any more: removed";
        assert_eq!(words(&event), expected);
    }

    #[test]
    fn events_in_words() {
        let record = |answered_at_ms| CallRecord {
            call: 3,
            caller: "7001".to_owned(),
            callee: "7002".to_owned(),
            started_at_ms: 0,
            answered_at_ms,
            ended_at_ms: 5_000,
            reason: "BYE".to_owned(),
            from_caller: None,
            from_callee: None,
        };
        let talked = words(&Event::CallEnded(record(Some(500))));
        assert_eq!(talked, "call 3: 7001 and 7002 have talked for 4.5 s: BYE");
        assert_eq!(words(&Event::CallEnded(record(None))), "call 3: 7002 has not answered 7001: BYE");
        let heard =
            RelayFigures { packets: 50, lost: Some(2), jitter_ms: Some(0.54), ..RelayFigures::default() };
        let event = Event::CallMeasured { call: 3, from_caller: heard, from_callee: RelayFigures::default() };
        let expected = "call 3: from the caller 50 packets, 2 lost, jitter 0.5 ms, from the called 0 packets";
        assert_eq!(words(&event), expected);
    }
}
