//! What `docs/http-api.md` shows is what happens.

use std::path::Path;

use serde_json::Value;

use super::{Answer, Client, Program};

/// A request as curl would send it, by the few options that the page uses.
#[derive(Debug)]
struct Curl {
    method: String,
    path: String,
    headers: String,
    body: String,
}

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-api.md");
    std::fs::read_to_string(file).expect("docs/http-api.md")
}

/// The blocks of a section: their language and their text.
fn blocks(section: &str) -> Vec<(String, String)> {
    let page = page();
    let start = page.find(&format!("## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let rest = &page[start + 3..];
    let section = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
    let fenced = section.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The words of a command as a shell sees them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(c),
        }
    }
    words.push(word);
    words
}

impl Curl {
    fn parse(line: &str, client: &Client) -> Self {
        let line = line.replace("$TOKEN", &client.token);
        let mut curl =
            Self { method: String::new(), path: String::new(), headers: String::new(), body: String::new() };
        let mut words = words(&line).into_iter().skip(1);
        while let Some(word) = words.next() {
            let mut argument = || words.next().expect("an argument");
            match &*word {
                "-s" | "-N" => {}
                "-X" => curl.method = argument(),
                "-H" => curl.headers.push_str(&format!("{}\r\n", argument())),
                "-d" | "--data-raw" => curl.body = argument(),
                url => curl.path = url.strip_prefix("$API").expect("an address of the API").to_owned(),
            }
        }
        if curl.method.is_empty() {
            curl.method = if curl.body.is_empty() { "GET" } else { "POST" }.to_owned();
        }
        curl
    }
}

/// Whether all that the page shows is in what was answered; numbers and lists may differ.
fn check_shown(shown: &Value, real: &Value, place: &str) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            for (name, value) in shown {
                let real = real.get(name).unwrap_or_else(|| panic!("{place}.{name} is not in {real:?}"));
                check_shown(value, real, &format!("{place}.{name}"));
            }
        }
        (Value::Number(_), Value::Number(_)) | (Value::Array(_), Value::Array(_)) => {}
        _ => assert_eq!(shown, real, "{place}"),
    }
}

/// Sends what a section shows, one after the other; `between` sees each request before it is sent.
fn replay(section: &str, client: &Client, mut between: impl FnMut(&Curl)) {
    let mut last: Option<Answer> = None;
    for (language, text) in blocks(section) {
        if language == "json" {
            let answer = last.take().expect("a request before its answer");
            let real = answer.body.lines().last().expect("an answer");
            let shown: Value = serde_json::from_str(&text).expect("JSON");
            check_shown(&shown, &serde_json::from_str(real).expect("JSON"), section);
            continue;
        }
        for line in text.lines() {
            assert!(line.starts_with("curl "), "{line}");
            let curl = Curl::parse(line, client);
            between(&curl);
            let answer = client.ask_as(&curl.method, &curl.path, &curl.headers, &curl.body);
            assert!(section == "Answers" || answer.status / 100 == 2, "{curl:?}: {answer:?}");
            last = Some(answer);
        }
    }
}

#[test]
fn the_page_on_the_exchange_is_true() {
    const SECRET: &str = "a-secret-that-is-long-enough";
    let extensions = ["7001", "7002", "7003"].map(|number| format!("{number}:{SECRET}"));
    let mut arguments = vec!["serve", "--json", "--sip", "127.0.78.1:5070"];
    extensions.iter().for_each(|extension| arguments.extend(["--extension", extension]));
    let exchange = Program::start("127.0.78.1", &arguments);
    let phone = |ip: &str, number: &str| {
        let account = format!("{number}:{SECRET}@127.0.78.1:5070");
        let mut phone = Program::start(ip, &["phone", "--stdio", "--listen", ip, "--account", &account]);
        phone.wait("registered");
        phone
    };
    let mut phones = [phone("127.0.78.2", "7001"), phone("127.0.78.3", "7002")];
    replay("Answers", &exchange.client, |_| {});
    // A call can be led elsewhere once it is answered.
    replay("The exchange", &exchange.client, |curl| {
        if curl.path.ends_with("/transfer") {
            for phone in &mut phones {
                phone.wait("incoming");
                phone.client.post("/api/commands", "answer");
            }
            phones[0].wait("answered");
            phones[1].wait("answered");
        }
    });
}

#[test]
fn the_page_on_the_phone_and_its_events_is_true() {
    let arguments =
        ["phone", "--stdio", "--listen", "127.0.78.9", "--account", "7001:sixteen-letters-long@127.0.78.8"];
    let phone = Program::start("127.0.78.9", &arguments);
    replay("The phone", &phone.client, |_| {});
    let shown = blocks("Events");
    assert!(shown[0].1.contains("/api/events"), "{shown:?}");
    let mut events = phone.client.events(None);
    phone.client.post("/api/commands", "status");
    let event = events.wait("done");
    assert!(event["at"].is_string(), "{event}");
}
