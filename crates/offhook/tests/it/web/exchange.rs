//! The API of the exchange, with phones at it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::openapi::{check_answer, described};
use super::{Answer, Program};

const SECRET: &str = "a-secret-that-is-long-enough";

/// An exchange all of whose answers are held against its description.
struct Exchange {
    program: Program,
    document: Value,
    /// What was asked, as the description names it.
    asked: BTreeSet<(String, String)>,
}

impl Exchange {
    /// With the extensions 7001, 7002 and 7003.
    fn start(ip: &str) -> Self {
        let sip = format!("{ip}:5070");
        let extensions = ["7001", "7002", "7003"].map(|number| format!("{number}:{SECRET}"));
        let mut arguments = vec!["serve", "--json", "--sip", &sip, "--block-agent", "forbidden"];
        extensions.iter().for_each(|extension| arguments.extend(["--extension", extension]));
        let program = Program::start(ip, &arguments);
        let document = program.client.get("/api/openapi.json").json();
        Self { program, document, asked: BTreeSet::new() }
    }

    /// Asks for a path, whose parameters stand in braces with their values: `/api/calls/{call=3}`.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let (mut template, mut real) = (String::new(), String::new());
        for part in path.split_inclusive(['{', '}']) {
            match part.strip_suffix('}').and_then(|part| part.split_once('=')) {
                Some((name, value)) => {
                    template.push_str(&format!("{name}}}"));
                    real.push_str(value);
                }
                None => {
                    template.push_str(part);
                    real.push_str(part.trim_end_matches('{'));
                }
            }
        }
        let template = template.split('?').next().unwrap_or_default().to_owned();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.program.client.ask(method, &real, &body);
        check_answer(&self.document, method, &template, &answer);
        assert!(!answer.body.contains(SECRET) && !answer.body.contains('<'), "{answer:?}");
        self.asked.insert((method.to_owned(), template));
        answer
    }

    #[track_caller]
    fn check(&mut self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.ask(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Value {
        self.check("GET", path, &Value::Null, 200)
    }

    /// A phone of an extension, registered.
    fn phone(&self, ip: &str, number: &str, secret: &str) -> Program {
        let sip = self.program.running.ready["sip"].as_str().expect("an address");
        let account = format!("{number}:{secret}@{sip}");
        let mut phone = Program::start(ip, &["phone", "--stdio", "--listen", ip, "--account", &account]);
        phone.wait("registered");
        phone
    }
}

fn say(phone: &Program, line: &str) {
    let answer = phone.client.post("/api/commands", line);
    assert!(answer.body.contains("\"done\""), "{line}: {answer:?}");
}

/// Waits until key 5, which watches 7001, means this.
fn lamp(phone: &mut Program, meaning: &str) {
    let fits = |event: &Value| event["event"] == "lamp" && event["key"] == 5 && event["meaning"] == meaning;
    phone.running.wait_for(meaning, fits);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one day of one exchange, told in order")]
fn an_exchange_is_worked_by_its_api_and_answers_as_described() {
    let mut exchange = Exchange::start("127.0.77.1");
    let mut one = exchange.phone("127.0.77.2", "7001", SECRET);
    let mut two = exchange.phone("127.0.77.3", "7002", SECRET);
    let mut three = exchange.phone("127.0.77.4", "7003", SECRET);
    let mut events = exchange.program.client.events(None);
    let registrations = exchange.get("/api/registrations");
    assert_eq!(registrations["registrations"].as_array().map(Vec::len), Some(3));

    // A lamp of 7003 watches 7001.
    say(&three, "set linekey.5.type 16 linekey.5.value 7001");
    lamp(&mut three, "idle");
    let watched = exchange.get("/api/subscriptions");
    assert_eq!(
        (&watched["subscriptions"][0]["watcher"], &watched["subscriptions"][0]["watched"]),
        (&json!("7003"), &json!("7001"))
    );

    // A click: 7001 is rung, then 7002.
    let started = exchange.check("POST", "/api/calls", &json!({ "from": "7001", "to": "7002" }), 202);
    let call = started["call"].as_u64().expect("a number");
    one.wait("incoming");
    say(&one, "answer");
    assert_eq!(two.wait("incoming")["peer"], "7001");
    say(&two, "answer");
    assert_eq!(events.wait("call_answered")["call"], call);
    lamp(&mut three, "busy");
    let calls = exchange.get("/api/calls");
    assert_eq!((&calls["calls"][0]["answered"], &calls["complete"]), (&json!(true), &json!(true)));

    // Changes leave calls and lamps as they are.
    let edit = json!({ "display": "<b>\"Jörg\"", "max_calls": 3,
        "watchers": ["7003"], "pickup_group": "sales", "devices": { "most": 2, "replace_oldest": false } });
    exchange.check("PUT", "/api/extensions/{number=7001}", &edit, 200);
    let shown = exchange.get("/api/extensions/{number=7001}");
    for name in ["display", "max_calls", "watchers", "pickup_group", "devices"] {
        assert_eq!(shown[name], edit[name], "{name}");
    }
    assert_eq!(shown["now"], json!({ "devices": 1, "reachable": 1, "legs": 1, "watchers": 1 }));
    for (path, name, count) in [
        ("/api/calls", "calls", 1),
        ("/api/calls?number=7001", "calls", 1),
        ("/api/calls?number=7003", "calls", 0),
        ("/api/registrations", "registrations", 3),
        ("/api/registrations?number=7002", "registrations", 1),
        ("/api/registrations?number=7009", "registrations", 0),
        ("/api/subscriptions", "subscriptions", 1),
        ("/api/subscriptions?number=7001", "subscriptions", 1),
        ("/api/subscriptions?number=7003", "subscriptions", 1),
        ("/api/subscriptions?number=7002", "subscriptions", 0),
        ("/api/extensions?after=7001", "extensions", 2),
        ("/api/extensions?after=7003", "extensions", 0),
    ] {
        assert_eq!(exchange.get(path)[name].as_array().map(Vec::len), Some(count), "{path}");
    }
    assert_eq!(one.client.get("/api/view").json()["calls"][0]["phase"], "talking");

    // 7002 is led to 7003, and 7001 is hung up.
    let led = json!({ "party": "callee", "to": "7003" });
    let moved = exchange.check("POST", &format!("/api/calls/{{call={call}}}/transfer"), &led, 202);
    three.wait("incoming");
    say(&three, "answer");
    assert_eq!(one.wait("ended")["by"], "remote");
    lamp(&mut three, "idle");

    // And hung up.
    exchange.check("DELETE", &format!("/api/calls/{{call={}}}", moved["call"]), &Value::Null, 204);
    assert_eq!((&two.wait("ended")["by"], &three.wait("ended")["by"]), (&json!("remote"), &json!("remote")));
    while events.wait("call_measured")["call"] != moved["call"] {}
    let page = exchange.get("/api/records?limit=1");
    assert_eq!((&page["records"][0]["call"], &page["next"]), (&moved["call"], &moved["call"]));
    let next = exchange.get(&format!("/api/records?before={}", page["next"]));
    assert_eq!((&next["records"][0]["call"], &next["next"]), (&json!(call), &Value::Null));

    let of_nobody = exchange.get("/api/records?number=7009");
    assert_eq!(of_nobody, json!({ "records": [], "next": null }));
    assert_eq!(exchange.get("/api/records?number=7003")["records"][0]["call"], moved["call"]);

    // Bans.
    exchange.check("PUT", "/api/bans/{source=192.0.2.9}", &Value::Null, 204);
    assert_eq!(exchange.get("/api/bans")["bans"][0]["source"], "192.0.2.9");
    exchange.check("DELETE", "/api/bans/{source=192.0.2.9}", &Value::Null, 204);

    // Rules, and nobody who was hit.
    assert_eq!(
        exchange.get("/api/blocked"),
        json!({ "rules": ["User-Agent with 'forbidden'"], "blocked": [] })
    );

    // Phones that are set up.
    let edit = json!({ "number": "7001", "label": "Front Desk", "approved": true,
        "settings": { "account.1.ptime": "30", "account.2.password": "swordfish" } });
    exchange.check("PUT", "/api/devices/{mac=0021f222b021}", &edit, 200);
    exchange.check("PUT", "/api/devices/{mac=0021f222b021}", &json!({ "model": "Toaster" }), 409);
    let device = exchange.get("/api/devices/{mac=0021f222b021}");
    assert_eq!((&device["number"], &device["rotating"]), (&json!("7001"), &json!(false)));
    assert_eq!(device["settings"]["account.2.password"], "(hidden)");
    exchange.check("POST", "/api/devices/{mac=0021f222b021}/rotate", &Value::Null, 204);
    assert_eq!(exchange.get("/api/devices")["devices"][0]["rotating"], true);
    let file = "/api/devices/{mac=0021f222b021}/files/{name=0021f222b021.cfg}";
    let made = exchange.ask("GET", file, &Value::Null).body;
    assert!(made.contains("account.1.ptime = 30") && made.contains("password = (hidden)"), "{made}");
    let served = "/api/devices/{mac=0021f222b021}/served/{name=0021f222b021.cfg}";
    exchange.check("GET", served, &Value::Null, 404);
    let table = exchange.ask("GET", "/api/devices.csv", &Value::Null).body;
    assert!(table.lines().any(|line| line == "0021f222b021,FIP14G,7001,1,Front Desk,"), "{table}");
    exchange.check("PUT", "/api/devices.csv", &json!({ "mac": "0021f222b021" }), 415);
    exchange.check("POST", "/xmlrpc", &json!({}), 415);
    let push =
        exchange.check("POST", "/api/devices/{mac=0021f222b021}/check-sync", &json!({}), 200)["push"].clone();
    let every = json!({ "devices": "all", "reboot": true, "per_minute": 600, "stop_after": 1 });
    exchange.check("POST", "/api/push", &every, 200);
    exchange.check("POST", "/api/push", &json!({ "devices": ["0021f222b099"] }), 404);
    let rows = exchange.get(&format!("/api/push/{{number={push}}}"));
    assert_eq!(rows["rows"][0]["mac"], "0021f222b021");
    exchange.check("PUT", "/api/window", &json!({ "minutes": 5 }), 200);
    assert!(exchange.get("/api/devices")["window_until"].is_string());
    exchange.check("DELETE", "/api/window", &Value::Null, 204);
    assert_eq!(exchange.get("/api/transfers?limit=5"), json!({ "transfers": [] }));
    exchange.check("DELETE", "/api/devices/{mac=0021f222b021}", &Value::Null, 204);
    exchange.check("DELETE", "/api/devices/{mac=0021f222b021}", &Value::Null, 404);

    // Codes.
    let codes = exchange.get("/api/codes");
    assert_eq!(codes["pickup"], "*04");
    exchange.check("PUT", "/api/codes", &json!({ "pickup": "**" }), 204);
    let changed = exchange.get("/api/codes");
    assert_eq!((&changed["pickup"], &changed["park"]), (&json!("**"), &codes["park"]));

    // Figures.
    let figures = exchange.ask("GET", "/metrics", &Value::Null).body;
    for line in ["offhook_devices 3", "offhook_calls 0", "offhook_events_total{event=\"call_ended\"} 2"] {
        assert!(figures.lines().any(|it| it == line), "{line}: {figures}");
    }
    let other = json!({ "password": "another-secret-of-it" });
    exchange.check("PUT", "/api/extensions/{number=7001}", &other, 200);
    assert_eq!(exchange.get("/api/extensions/{number=7001}")["now"]["devices"], 0, "it knows the old one");
    exchange.check("DELETE", "/api/extensions/{number=7003}", &Value::Null, 204);
    assert_eq!(exchange.get("/api/extensions")["extensions"].as_array().map(Vec::len), Some(2));
    exchange.ask("GET", "/", &Value::Null);

    // What was not asked here: the description itself, and the stream that was read all along.
    let mut asked: BTreeSet<_> = exchange.asked.clone();
    asked.extend(["/api/openapi.json", "/api/events"].map(|path| ("GET".to_owned(), path.to_owned())));
    assert_eq!(asked, described(&exchange.document).into_iter().collect());
}

#[test]
fn an_extension_lives_from_the_moment_it_is_made() {
    let mut exchange = Exchange::start("127.0.77.11");
    let path = "/api/extensions/{number=7042}";
    exchange.check("GET", path, &Value::Null, 404);
    exchange.check("PUT", path, &json!({ "display": "nobody" }), 409);
    for (weak, status) in [("swordfish", 400), ("704270427042", 409), ("password1234", 409)] {
        let told = exchange.check("PUT", path, &json!({ "password": weak }), status);
        assert!(
            told["detail"].as_str().is_some_and(|it| it.contains("chance") && !it.contains(weak)),
            "{told}"
        );
    }
    let made = exchange.check("PUT", path, &json!({ "password": "swordfish-tale" }), 200);
    assert!(
        made["warnings"][0].as_str().is_some_and(|it| it.contains("14") && !it.contains("swordfish")),
        "{made}"
    );
    let phone = exchange.phone("127.0.77.12", "7042", "swordfish-tale");
    assert_eq!(exchange.get(path)["now"]["devices"], 1);
    exchange.check(
        "PUT",
        path,
        &json!({ "forward": { "always": "7001", "busy": null, "no_answer": null,
        "no_answer_s": 20 } }),
        200,
    );
    assert_eq!(exchange.get(path)["forward"]["always"], "7001");
    drop(phone);
    exchange.check("DELETE", path, &Value::Null, 204);
    exchange.check("DELETE", path, &Value::Null, 404);
    assert_eq!(exchange.get("/api/registrations")["registrations"], json!([]));
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let mut exchange = Exchange::start("127.0.77.21");
    let mut refused = |method: &str, path: &str, body: Value, status, word: &str| {
        let answer = exchange.check(method, path, &body, status);
        assert!(
            answer["detail"].as_str().is_some_and(|detail| detail.contains(word)),
            "{path} {body}: {answer}"
        );
    };
    let extension = "/api/extensions/{number=7001}";
    refused("PUT", extension, json!({ "dispaly": "x" }), 400, "dispaly");
    refused("PUT", extension, json!({ "max_calls": 300 }), 400, "300");
    refused("PUT", extension, json!({ "display": "x\r\nVia: y" }), 400, "control");
    refused("PUT", extension, json!({ "password": "" }), 400, "characters");
    refused("PUT", extension, json!({ "password": "password-of-7001" }), 409, "tried first");
    refused("PUT", "/api/extensions/{number=.}", json!({ "password": SECRET }), 400, "number");
    refused("PUT", "/api/extensions/{number=*43}", json!({ "password": SECRET }), 409, "echo");
    refused("PUT", "/api/extensions/{number=70%2001}", json!({ "password": SECRET }), 400, "number");
    refused("PUT", extension, Value::Null, 415, "application/json");
    refused("POST", "/api/calls", json!({ "from": "7001" }), 400, "to");
    refused("POST", "/api/calls", json!({ "from": "7001", "to": "7002" }), 409, "device");
    refused("POST", "/api/calls", json!({ "from": "7999", "to": "7002" }), 409, "7999");
    refused("POST", "/api/calls/{call=7}/transfer", json!({ "party": "caller", "to": "7002" }), 409, "7");
    refused("DELETE", "/api/calls/{call=7}", Value::Null, 404, "7");
    refused("DELETE", "/api/calls/{call=x}", Value::Null, 400, "");
    refused("DELETE", "/api/bans/{source=192.0.2.1}", Value::Null, 404, "192.0.2.1");
    refused("PUT", "/api/bans/{source=evil.example}", Value::Null, 400, "");
    refused("PUT", "/api/codes", json!({ "pickup": "*7", "echo": "*7" }), 409, "*7");
    refused("GET", "/api/registrations?nmber=7001", Value::Null, 400, "nmber");
    refused("GET", "/api/records?limit=x", Value::Null, 400, "");
    refused("GET", "/api/records?limit=1001", Value::Null, 400, "1 to 1000 records");
}
