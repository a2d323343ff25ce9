//! Registrations: the deck's ladders, and the rules of RFC 3261 §10.3.

use super::*;

#[test]
fn a_phone_registers_as_in_the_deck() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    bench.register(&mut phone);
    bench.check("7001>s REGISTER; s>7001 401; 7001>s REGISTER; s>7001 200");
    let ok = bench.heard(&phone, "SIP/2.0 200");
    assert!(ok.contains("Contact: <sip:7001@192.0.2.1:5060>;expires=3600\r\n"), "{ok}");
    assert!(bench.changes.iter().any(|change| matches!(change, Change::Binding(_))));
    assert!(matches!(bench.events.last(), Some(Event::Registered { .. })));
}

#[test]
fn a_phone_that_starts_removes_its_binding_first() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    let request = phone.register("0");
    bench.say(&phone, &request);
    phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
    let request = phone.register("0");
    bench.say(&phone, &request);
    bench.check("7001>s REGISTER; s>7001 401; 7001>s REGISTER; s>7001 200");
    assert!(!bench.heard(&phone, "SIP/2.0 200").contains("Contact: "));
}

#[test]
fn wrong_password_and_unknown_user_are_answered_alike() {
    let refused = |number, password| {
        let (mut bench, mut phone) = (Bench::new(), Phone::with_password(number, password));
        let request = phone.register("3600");
        bench.say(&phone, &request);
        phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
        let request = phone.register("3600");
        bench.say(&phone, &request);
        let ladder = bench.ladder.join("; ").replace(number, "p");
        (ladder, bench.heard(&phone, "SIP/2.0 403").len())
    };
    let (ladder, length) = refused("7001", "wrong");
    assert_eq!(ladder, "p>s REGISTER; s>p 401; p>s REGISTER; s>p 403");
    assert_eq!(refused("7009", "secret"), (ladder, length));
}

#[test]
fn too_short_a_time_is_refused_with_the_least() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let request = phone.register("59");
    bench.say(&phone, &request);
    assert!(bench.heard(&phone, "SIP/2.0 423").contains("Min-Expires: 60\r\n"));
    let request = phone.register("999999");
    bench.say(&phone, &request);
    assert!(bench.heard(&phone, "SIP/2.0 200").contains(";expires=7200\r\n"));
}

#[test]
fn a_registration_ends_by_itself_or_by_an_asterisk() {
    let mut bench = Bench::new();
    let [mut first, ..] = bench.ready();
    let request = first.register_contact("*", "0");
    bench.say(&first, &request);
    assert_eq!(bench.exchange.registrations(bench.now, None).len(), 2);
    let request = first.register_contact("*", "1");
    bench.say(&first, &request);
    bench.heard(&first, "SIP/2.0 400");
    bench.wait(3_601);
    assert_eq!(bench.exchange.registrations(bench.now, None).len(), 0);
    let gone = bench.changes.iter().filter(|change| matches!(change, Change::BindingRemoved { .. }));
    assert_eq!(gone.count(), 3);
}

#[test]
fn an_old_request_changes_nothing() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    phone.cseq = 0;
    let request = phone.register("0");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 500");
    assert_eq!(bench.exchange.registrations(bench.now, None).len(), 3);
}

#[test]
fn devices_are_limited() {
    let check = |replace_oldest, expected: &[&str]| {
        let mut bench = Bench::new();
        let mut extension = Extension::new("7001", "offhook", "secret");
        extension.devices = Devices { most: 2, replace_oldest };
        bench.command(What::SetExtension(Box::new(extension)));
        let [mut phone, ..] = bench.ready();
        for port in [5_062, 5_063] {
            phone.address.set_port(port);
            let request = phone.register("3600");
            bench.say(&phone, &request);
        }
        let all = bench.exchange.registrations(bench.now, None);
        let ports: Vec<String> =
            all.iter().filter(|b| b.number == "7001").map(|b| b.remote.port().to_string()).collect();
        assert_eq!(ports, expected);
    };
    check(true, &["5062", "5063"]);
    check(false, &["5060", "5062"]);
}

#[test]
fn blocked_devices_are_told_nothing_but_no() {
    let terms = Terms { blocks: vec![Block::UserAgent("test/".into())], ..Terms::default() };
    let (mut bench, mut phone) = (Bench::with(Config { terms, ..Config::default() }), Phone::new("7001"));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 403");
    let told = bench
        .events
        .iter()
        .any(|event| matches!(event, Event::Blocked { rule, .. } if rule.contains("test/")));
    assert!(told);
    let Answer::Blocked(rows) = bench.command(What::Blocked) else { panic!("no rows") };
    assert_eq!((&*rows[0].number, &*rows[0].user_agent, rows[0].count), ("7001", "Test/1", 1));
}

#[test]
fn an_area_is_blocked_by_its_list() {
    let area = Area::parse("test net", "192.0.2.0/30").expect("sound");
    let terms = Terms { blocks: vec![Block::Area(area)], ..Terms::default() };
    let mut bench = Bench::with(Config { terms, ..Config::default() });
    let refused = |bench: &mut Bench, mut phone: Phone| {
        let request = phone.register("3600");
        bench.say(&phone, &request);
        phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
        let request = phone.register("3600");
        bench.say(&phone, &request);
        bench.inbox[&phone.address].last().expect("an answer").starts_with("SIP/2.0 403")
    };
    assert!(refused(&mut bench, Phone::new("7003")));
    let mut outside = Phone::new("7003");
    outside.address.set_ip([192, 0, 2, 4].into());
    assert!(!refused(&mut bench, outside));
    assert!(matches!(bench.command(What::Blocks), Answer::Blocks(all) if all == ["area test net"]));
}

#[test]
fn one_device_alone_and_no_other() {
    let mut bench = Bench::new();
    let mut extension = Extension::new("7001", "offhook", "secret");
    extension.devices = Devices { most: 1, replace_oldest: false };
    bench.command(What::SetExtension(Box::new(extension)));
    let [mut phone, ..] = bench.ready();
    phone.address.set_port(5_062);
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 403");
    phone.address.set_port(5_060);
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 200");
}

#[test]
fn a_disabled_extension_is_refused_and_loses_nothing() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let edit = |text: &str| What::EditExtension {
        number: "7001".into(),
        edit: Box::new(serde_json::from_str(text).expect("sound")),
    };
    bench.command(edit(r#"{"enabled":false}"#));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 403");
    bench.command(edit(r#"{"enabled":true}"#));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 200");
}

#[test]
fn sha_256_is_offered_where_it_is_set() {
    let mut bench = Bench::with(Config { offers_sha256: true, ..Config::default() });
    let mut phone = Phone::new("7001");
    let request = phone.register("3600");
    bench.say(&phone, &request);
    let challenge = bench.heard(&phone, "SIP/2.0 401");
    let (first, second) = (challenge.find("algorithm=SHA-256"), challenge.find("algorithm=MD5"));
    assert!(first.is_some() && first < second, "{challenge}");
    phone.challenged(&challenge);
    let request = phone.register("3600");
    assert!(request.contains("algorithm=SHA-256"), "{request}");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 200");
}

#[test]
fn registrations_outlive_the_exchange() {
    let mut bench = Bench::new();
    bench.ready();
    let bindings: Vec<Binding> = bench
        .changes
        .iter()
        .filter_map(
            |change| if let Change::Binding(binding) = change { Some(Binding::clone(binding)) } else { None },
        )
        .collect();
    let extensions = ["7001", "7002"].map(|n| Extension::new(n, "offhook", "secret")).to_vec();
    let restored = Restored { extensions, bindings, ..Restored::default() };
    let bench = Bench::restored(Config::default(), restored);
    assert_eq!(bench.exchange.registrations(bench.now, None).len(), 2);
}

#[test]
fn devices_that_do_not_answer_are_told() {
    let mut bench = Bench::with(Config { qualify_s: Some(60), ..Config::default() });
    let [phone, ..] = bench.ready();
    bench.wait(61);
    let options = bench.heard(&phone, "OPTIONS");
    assert!(options.starts_with("OPTIONS sip:7001@192.0.2.1:5060 "), "{options}");
    bench.wait(40);
    let lost = bench.events.iter().filter(|event| matches!(event, Event::Reachable { reachable: false, .. }));
    assert_eq!(lost.count(), 3);
}

#[test]
fn calls_go_by_the_proxies_that_a_registration_came_through() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let with_path = |request: String| {
        request.replace(
            "Contact: ",
            "Supported: path\r\nPath: <sip:edge.example;lr>, <sip:inner.example;lr;ob>\r\nContact: ",
        )
    };
    let request = with_path(phones[1].register("3600"));
    bench.say(&phones[1], &request);
    let told = bench.heard(&phones[1], "SIP/2.0 200");
    assert!(told.contains("Path: <sip:edge.example;lr>\r\nPath: <sip:inner.example;lr;ob>\r\n"), "{told}");
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    let routes = "Route: <sip:edge.example;lr>\r\nRoute: <sip:inner.example;lr;ob>\r\n";
    assert!(asked.starts_with("INVITE sip:7002@192.0.2.2:5060 ") && asked.contains(routes), "{asked}");
    // The answer says by which of them the dialog goes (RFC 3261 §12.1.2).
    let answer = phones[1].answer(&asked, 200, "Record-Route: <sip:edge.example;lr>\r\n", SDP);
    bench.say(&phones[1], &answer);
    let ack = bench.heard(&phones[1], "ACK");
    assert!(ack.contains("Route: <sip:edge.example;lr>\r\n") && !ack.contains("inner"), "{ack}");
    let kept = bench.changes.iter().rev().find_map(|change| match change {
        Change::Binding(binding) => Some(binding.path.clone()),
        _ => None,
    });
    assert_eq!(kept, Some(vec!["<sip:edge.example;lr>".to_owned(), "<sip:inner.example;lr;ob>".to_owned()]));
    let request = phones[1].register("3600").replace("Contact: ", "Path: nonsense\r\nContact: ");
    bench.say(&phones[1], &request);
    bench.heard(&phones[1], "SIP/2.0 400");
}

#[test]
fn who_called_last_is_known_after_a_restart() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (invite, _) = calls::ringing(&mut bench, &mut phones);
    let cancel = invite.replace("INVITE sip", "CANCEL sip").replace(" INVITE\r\n", " CANCEL\r\n");
    let cancel =
        cancel.split("Content-Type").next().unwrap_or_default().to_owned() + "Content-Length: 0\r\n\r\n";
    bench.say(&phones[0], &cancel);
    let records = bench.changes.iter().filter_map(|change| match change {
        Change::CallRecord(record) => Some(record.clone()),
        _ => None,
    });
    let extensions = ["7001", "7002"].map(|number| Extension::new(number, "offhook", "secret")).to_vec();
    let restored = Restored { extensions, records: records.collect(), ..Restored::default() };
    let mut bench = Bench::restored(Config::default(), restored);
    let mut phones = [Phone::new("7001"), Phone::new("7002")];
    phones.iter_mut().for_each(|phone| bench.register(phone));
    let back = phones[1].invite("*69", "back", "");
    bench.say(&phones[1], &back);
    assert!(bench.heard(&phones[0], "INVITE").contains("From: \"7002\""));
}

#[test]
fn a_register_is_done_as_a_whole_or_not_at_all() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let edit = Edit { devices: Some(Devices { most: 2, replace_oldest: false }), ..Edit::default() };
    bench.command(What::EditExtension { number: "7001".into(), edit: Box::new(edit) });
    phone.address.set_port(5_070);
    let contacts = "<sip:7001@192.0.2.1:5070>, <sip:7001@192.0.2.1:5080>";
    let request = phone.register_contact(contacts, "3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 403");
    assert_eq!(
        bench.exchange.registrations(bench.now, None).iter().filter(|b| b.number == "7001").count(),
        1
    );
    // One goes as another comes.
    let contacts =
        "<sip:7001@192.0.2.1:5060>;expires=0, <sip:7001@192.0.2.1:5070>, <sip:7001@192.0.2.1:5080>";
    let request = phone.register_contact(contacts, "3600");
    bench.say(&phone, &request);
    assert_eq!(
        bench.exchange.registrations(bench.now, None).iter().filter(|b| b.number == "7001").count(),
        2
    );
}

#[test]
fn a_device_whose_connection_is_lost_is_called_where_it_listens() {
    let mut bench = Bench::new();
    let [mut caller, ..] = bench.ready();
    let mut phone = restarted_on_tcp();
    let flow = Flow { transport: Transport::Tcp, ..flow_from(phone.address) };
    let contact = "<sip:7002@192.0.2.2:5070;transport=tcp>";
    let say = |bench: &mut Bench, phone: &mut Phone| {
        let request = phone.register_contact(contact, "3600").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
        bench.give(Input::Message { flow, bytes: request.as_bytes(), waited: Duration::ZERO });
    };
    say(&mut bench, &mut phone);
    phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
    say(&mut bench, &mut phone);
    bench.heard(&phone, "SIP/2.0 200");
    // The phone that was registered over UDP is another device of the same extension.
    bench.inbox.clear();
    let invite = caller.invite("7002", "call-1", "");
    bench.say(&caller, &invite);
    bench.heard(&phone, "INVITE");
    bench.give(Input::FlowFailed { flow, fault: FlowFault::Broken, reason: "closed".into() });
    let listens = SocketAddr::new(phone.address.ip(), 5_070);
    assert!(
        bench.inbox.get(&listens).is_some_and(|all| all[0].starts_with("INVITE sip:7002@192.0.2.2:5070"))
    );
}

fn restarted_on_tcp() -> Phone {
    Phone {
        address: SocketAddr::new([192, 0, 2, 2].into(), 40_000),
        branch: 500,
        cseq: 500,
        ..Phone::new("7002")
    }
}
