//! What machines tell, in words for a person at a terminal.

use serde_json::Value;

/// An event as one line or several; none where there is nothing for a person to know.
pub(in crate::cli) fn words(event: &Value) -> Option<String> {
    let text = |field: &str| plain(&event[field]);
    let peer = text("peer");
    Some(match event["event"].as_str()? {
        "registered" => format!("is registered for {} s", text("expires_s")),
        "registration_failed" => {
            let why = [text("status"), text("reason")].join(" ");
            format!("is not registered: {}; it tries again in {} s", why.trim_start(), text("retry_in_s"))
        }
        "unregistered" => "is not registered any more".to_owned(),
        "incoming" => format!("rings: {peer} calls{}", aside("sent on by", &text("diverted_from"))),
        "ringing" => format!("hears that {peer} rings"),
        "answered" => format!("talks with {peer}{}", aside("codec", &text("codec"))),
        "held" => format!("holds {peer}"),
        "resumed" => format!("talks with {peer} again"),
        "remote_hold" => format!("is held by {peer}"),
        "remote_resume" => format!("is held by {peer} no more"),
        "peer_changed" => format!("talks with {peer} now"),
        "transferred" => format!("has transferred {peer}{}", aside("status", &text("status"))),
        "forwarded" => format!("sends {peer} on to {} ({})", text("to"), text("reason")),
        "ended" => ended(event, &peer),
        "dtmf" => format!("hears the key {} of {peer}", text("digit")),
        "lamp" if text("meaning") == "unknown" => return None,
        "lamp" if text("colour") == "off" => format!("key {} is off: {}", text("key"), text("meaning")),
        "lamp" => {
            format!("key {} is {} {}: {}", text("key"), text("rhythm"), text("colour"), text("meaning"))
        }
        "messages" => format!("has {} new messages", text("new")),
        "value" => format!("{} = {} (from {})", text("key"), text("value"), text("source")),
        "error" => format!("cannot do that: {}{}", text("message"), possible(&event["possible"])),
        "status" => status(event),
        "history" => list("calls", &event["calls"], call),
        "directory" => list("numbers", &event["entries"], contact),
        "resync" => format!("fetches its configuration: {}", text("why")),
        "provision_source" => format!("is served by {} ({})", text("url"), text("source")),
        "configuration" => text("text"),
        "imported" => format!(
            "has read a configuration, {} settings are new{}",
            text("changed"),
            faults(&event["faults"])
        ),
        "provisioned" => format!("has its configuration, {} settings are new", text("changed")),
        "provision_failed" => format!("has no new configuration: {}", text("reason")),
        "reboot" => format!("starts again: {}", text("why")),
        _ => return None,
    })
}

/// What is wrong with a file, one line each.
fn faults(all: &Value) -> String {
    let line = |fault: &Value| {
        let line = fault["line"].as_u64().map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("\n    {line}{}", fault["message"].as_str().unwrap_or_default())
    };
    all.as_array().into_iter().flatten().map(line).collect()
}

fn ended(event: &Value, peer: &str) -> String {
    let status = aside("status", &plain(&event["status"]));
    let heard = event["rtp"]["rx_packets"].as_u64().map(|packets| format!(", {packets} packets heard"));
    format!("the call with {peer} is over: {}{status}{}", plain(&event["reason"]), heard.unwrap_or_default())
}

fn possible(words: &Value) -> String {
    let words: Vec<_> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { String::new() } else { format!("; possible: {}", words.join(", ")) }
}

fn list(what: &str, rows: &Value, row: fn(&Value) -> String) -> String {
    let rows: Vec<String> = rows.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() { format!("knows no {what}") } else { rows.join("\n    ") }
}

fn call(row: &Value) -> String {
    let [at, kind, number, name] = ["at", "kind", "number", "name"].map(|field| plain(&row[field]));
    let lasted = row["duration_s"].as_u64().filter(|lasted_s| *lasted_s > 0);
    let lasted = lasted.map(|lasted_s| format!(", {lasted_s} s")).unwrap_or_default();
    format!("{at}  {kind} {number}{}{lasted}", aside("name", &name))
}

fn contact(row: &Value) -> String {
    format!("{} {}", plain(&row["number"]), plain(&row["name"]))
}

/// What a phone's screen shows, a line for each account, call and key.
fn status(event: &Value) -> String {
    let mut lines = vec![format!("is at {}", plain(&event["network"]["ip"]))];
    let rows = |name: &str| event[name].as_array().cloned().unwrap_or_default();
    lines.extend(rows("accounts").iter().map(|row| {
        format!("account {}: {} {}", plain(&row["account"]), plain(&row["number"]), plain(&row["state"]))
    }));
    lines.extend(rows("calls").iter().map(|row| {
        format!("call {}: {} with {}", plain(&row["call"]), plain(&row["phase"]), plain(&row["peer"]))
    }));
    lines.extend(rows("keys").iter().filter(|row| row["meaning"] != "unknown").map(|row| {
        let [key, label, rhythm, colour] = ["key", "label", "rhythm", "colour"].map(|name| plain(&row[name]));
        format!("key {key} {label}: {rhythm} {colour}")
    }));
    lines.join("\n    ")
}

fn aside(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(" ({name} {value})") }
}

/// Words without quotes; nothing for what is unknown.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(event: Value, expected: &str) {
        assert_eq!(words(&event).unwrap_or_default(), expected);
    }

    #[test]
    fn events_in_words() {
        check(json!({ "event": "registered", "account": 1, "expires_s": 120 }), "is registered for 120 s");
        check(
            json!({ "event": "incoming", "peer": "7001", "diverted_from": "7002" }),
            "rings: 7001 calls (sent on by 7002)",
        );
        check(
            json!({ "event": "lamp", "key": 2, "rhythm": "steady", "colour": "red", "meaning": "busy" }),
            "key 2 is steady red: busy",
        );
        check(
            json!({ "event": "ended", "peer": "7002", "status": null, "reason": "BYE", "rtp": { "rx_packets": 50 } }),
            "the call with 7002 is over: BYE, 50 packets heard",
        );
        check(
            json!({ "event": "error", "message": "no call", "possible": ["dial NUMBER"] }),
            "cannot do that: no call; possible: dial NUMBER",
        );
        check(
            json!({ "event": "registration_failed", "status": null, "reason": "nobody answers", "retry_in_s": 30 }),
            "is not registered: nobody answers; it tries again in 30 s",
        );
        check(json!({ "event": "history", "calls": [] }), "knows no calls");
        let missed = json!({
            "kind": "missed", "number": "7001", "name": "Jack", "at": "2026-03-01T10:00:00.000Z", "duration_s": 0,
        });
        let dialled = json!({
            "kind": "dialled", "number": "7003", "name": "", "at": "2026-03-01T09:00:00.000Z", "duration_s": 65,
        });
        check(
            json!({ "event": "history", "calls": [missed, dialled] }),
            "2026-03-01T10:00:00.000Z  missed 7001 (name Jack)\n    2026-03-01T09:00:00.000Z  dialled 7003, 65 s",
        );
        check(
            json!({ "event": "directory", "entries": [{ "number": "7001", "name": "Jack" }] }),
            "7001 Jack",
        );
    }

    #[test]
    fn names_from_the_wire_cannot_steer_the_terminal() {
        check(json!({ "event": "held", "peer": "7002\u{1b}[2J\n" }), "holds 7002[2J");
    }

    #[test]
    fn what_says_nothing_to_a_person_is_left_out() {
        assert_eq!(words(&json!({ "event": "done", "id": "1" })), None);
        assert_eq!(words(&json!({ "event": "log", "line": "x" })), None);
        assert_eq!(words(&json!({ "event": "lamp", "key": 4, "meaning": "unknown" })), None);
    }
}
