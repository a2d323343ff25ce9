//! The API of a phone is its `--stdio` in other words.

use super::Program;

fn phone(ip: &str, more: &[&str]) -> Program {
    let arguments =
        ["phone", "--stdio", "--listen", ip, "--account", "7001:sixteen-letters-long@127.0.74.99"];
    Program::start(ip, &[&arguments, more].concat())
}

#[test]
fn commands_are_answered_as_stdio_answers() {
    let mut phone = phone("127.0.74.1", &[]);
    let lines = "@a get account.1.user_name\r\n\n@b dance\ndnd on\n";
    let answer = phone.client.post("/api/commands", lines);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("content-type: application/x-ndjson"), "{answer:?}");
    let said = answer.lines();
    let named: Vec<_> = said.iter().map(|it| (it["event"].as_str().expect("a name"), &it["id"])).collect();
    assert_eq!(named.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["value", "done", "error", "done"]);
    assert_eq!((named[1].1, named[2].1), (&"a".into(), &"b".into()));
    assert!(named[3].1.is_null() && said[0]["value"] == "7001", "{said:?}");
    assert!(said[2]["possible"].as_array().is_some_and(|all| all.len() > 5), "{said:?}");
    assert_eq!(phone.client.get("/api/view").json()["dnd"], true);
    // Standard output is told what happens, but not what was answered elsewhere.
    phone.running.say("@own status");
    assert_eq!(phone.wait("status")["dnd"], true);
    assert_eq!(phone.wait("done")["id"], "own");
}

#[test]
fn all_see_the_same_events() {
    let phone = phone("127.0.74.2", &[]);
    let (mut one, mut other) = (phone.client.events(None), phone.client.events(None));
    phone.client.post("/api/commands", "@x dnd on");
    for stream in [&mut one, &mut other] {
        assert_eq!(stream.wait("done")["id"], "x");
    }
    let mark = one.mark.clone();
    phone.client.post("/api/commands", "@y status");
    let seen = one.next();
    let mut again = phone.client.events(Some(&mark));
    assert_eq!(again.next(), seen, "whoever comes back goes on where it was");
    let mut stranger = phone.client.events(Some("1-1"));
    let first = stranger.next();
    assert!(first["event"] == "lagged" && first["missed"].is_null(), "{first}");
    assert_eq!(stranger.next()["event"], "ready");
}

#[test]
fn the_screen_is_data_and_secrets_are_not_in_it() {
    let phone = phone("127.0.74.3", &[]);
    let name = r#"<img src=x onerror=alert(1)>"Jack"ü"#;
    let set = format!("set account.1.display_name {name}\nset account.1.label <b>{name}\nstatus\n");
    let answer = phone.client.post("/api/commands", &set);
    assert!(!answer.body.contains('<'), "no markup: {answer:?}");
    let secret = phone.client.post("/api/commands", "get account.1.password\n");
    assert!(!secret.body.contains("sixteen-letters"), "{secret:?}");
    let view = phone.client.get("/api/view");
    assert_eq!(view.json()["accounts"][0]["number"], "7001");
    assert!(!view.body.contains("sixteen-letters") && !view.body.contains('<'), "{view:?}");
}

#[test]
fn a_phone_that_quits_answers_first() {
    let mut phone = phone("127.0.74.4", &[]);
    let answer = phone.client.post("/api/commands", "@q quit");
    assert_eq!(answer.lines()[0]["event"], "done", "{answer:?}");
    assert!(phone.running.child.wait().expect("ended").success());
}

#[test]
fn nobody_gets_an_api_by_stdio_alone() {
    let phone = phone("127.0.74.5", &[]);
    assert!(phone.running.ready["web"].is_string());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_offhook"))
        .args(["phone", "--stdio", "--listen", "127.0.74.6"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("ended");
    let ready = String::from_utf8(output.stdout).expect("text");
    assert!(ready.contains("\"web\":null"), "{ready}");
}

#[test]
fn the_whole_configuration_goes_out_without_secrets_and_comes_back() {
    let phone = phone("127.0.74.9", &[]);
    let file = phone.client.get("/api/configuration");
    assert!(
        file.head.contains("content-type: text/plain") && file.body.starts_with("#!version:1.0.0.1"),
        "{file:?}"
    );
    assert!(
        file.body.contains("# account.1.password is a secret") && !file.body.contains("sixteen"),
        "{file:?}"
    );
    let edited = file.body + "account.1.label = Lobby\naccount.1.ptime = 25\n";
    let answer = phone.client.ask("PUT", "/api/configuration", &edited);
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["changed"], &told["faults"][0]["key"]),
        (200, &1.into(), &"account.1.ptime".into())
    );
    let label = phone.client.post("/api/commands", "get account.1.label\n");
    assert!(label.body.contains("Lobby"), "{label:?}");
    let page = phone.client.ask("PUT", "/api/configuration", "<html><body>Log in</body></html>");
    assert!(page.status == 409 && page.body.contains("this is a page"), "{page:?}");
    assert_eq!(phone.client.ask("PUT", "/api/configuration", "").status, 400);
    let line = phone.client.post("/api/commands", "import a.cfg\n");
    assert!(line.body.contains("PUT /api/configuration"), "{line:?}");
}
