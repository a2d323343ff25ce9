//! Registration (deck, Account Registration).

use super::*;

fn statuses(bench: &mut Bench, status: &str, headers: &str) {
    let request = bench.take(Method::Register).expect("a REGISTER");
    bench.answer(&request, status, headers, "");
}

const NO_REMOVAL: (&str, &str) = ("account.1.unregister_on_reboot", "0");

#[test]
fn at_start_the_old_binding_is_removed_and_a_new_one_made() {
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    bench.serve_registration();
    bench.check(
        "p>s REGISTER(expires 0); s>p 401; p>s REGISTER(expires 0); s>p 200; \
         p>s REGISTER; s>p 401; p>s REGISTER; s>p 200",
    );
    bench.check_events("registered");
    let view = bench.phone.view();
    assert_eq!((view.title.as_str(), view.message), ("7002", None));
}

#[test]
fn what_a_register_says() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    let register = bench.last_shown();
    let check =
        |line: &str| assert!(register.contains(&format!("{line}\r\n")), "{line} is not in\n{register}");
    check("REGISTER sip:192.168.50.19 SIP/2.0");
    check("Contact: <sip:7002@192.168.80.20:5060>");
    check("Expires: 1800");
    check("Max-Forwards: 70");
    assert!(register.contains("From: \"7002\" <sip:7002@192.168.50.19>;tag="), "{register}");
    assert!(register.contains("User-Agent: Offhook FIP14G "), "{register}");
}

#[test]
fn it_is_refreshed_at_half_of_its_time() {
    let mut bench = Bench::registered(&[]);
    bench.wait_ms(899_999);
    bench.check("");
    bench.wait_ms(1);
    bench.serve_registration();
    bench.check("p>s REGISTER; s>p 200");
}

#[test]
fn a_wrong_password_is_a_403_and_shown_as_no_account() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    statuses(&mut bench, "401 Unauthorized", CHALLENGE);
    statuses(&mut bench, "403 Forbidden", "");
    bench.check("p>s REGISTER; s>p 401; p>s REGISTER; s>p 403");
    bench.check_events("registration_failed(403)");
    assert_eq!(bench.phone.view().title, "No Account");
    let key = &bench.phone.view().keys[0];
    assert_eq!(
        (key.lamp.colour, key.lamp.meaning),
        (super::super::Colour::Red, super::super::Meaning::Unregistered)
    );
    let log = bench.log();
    assert!(log.contains("]: 0 Register Fail, 403 Forbidden"), "{log}");
    assert!(log.contains("]: 0 Register Terminate(0), 30s later retry"), "{log}");
}

#[test]
fn no_answer_is_a_time_out_after_32_seconds_and_a_retry_30_later() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    bench.wait_ms(31_999);
    bench.check_events("");
    bench.wait_ms(1);
    bench.check_events("registration_failed(null)");
    let log: Vec<_> =
        bench.phone.log().filter_map(|line| line.split_once("]: ")).map(|(_, text)| text).collect();
    let tail = &log[log.len() - 4..];
    assert_eq!(
        tail,
        [
            "0 Registering To:< sip:7002@192.168.50.19",
            "0 Register Fail, Timeout",
            "Reg terminated eReason=0",
            "0 Register Terminate(0), 30s later retry"
        ]
    );
    bench.forget();
    bench.wait_ms(29_999);
    bench.check("");
    bench.wait_ms(1);
    bench.check("p>s REGISTER");
}

#[test]
fn failures_wait_longer_and_longer() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    for wait_s in [30, 60, 120] {
        statuses(&mut bench, "404 Not Found", "");
        bench.forget();
        bench.wait_ms(wait_s * 1_000 - 1);
        bench.check("");
        bench.wait_ms(1);
        bench.check("p>s REGISTER");
    }
}

#[test]
fn an_interval_too_brief_is_raised() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    statuses(&mut bench, "423 Interval Too Brief", "Min-Expires: 3600");
    assert!(bench.last().contains("Expires: 3600\r\n"), "{}", bench.last());
}

#[test]
fn an_unavailable_server_says_when_to_come_again() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    statuses(&mut bench, "503 Service Unavailable", "Retry-After: 7");
    bench.forget();
    bench.wait_ms(6_999);
    bench.check("");
    bench.wait_ms(1);
    bench.check("p>s REGISTER");
}

#[test]
fn the_backup_outbound_server_takes_over_and_gives_back() {
    let mut bench = Bench::new(&[
        NO_REMOVAL,
        ("account.1.outbound_proxy_enable", "1"),
        ("account.1.outbound_proxy.1.address", "192.168.50.21"),
        ("account.1.outbound_proxy.2.address", "192.168.50.22"),
        ("account.1.outbound_proxy_fallback_interval", "120"),
    ]);
    bench.input(Input::Start);
    bench.wait_ms(32_000);
    bench.check_events("registration_failed(null)");
    bench.sent.drain(..bench.sent.len() - 1);
    bench.serve_registration();
    bench.check_events("registered");
    assert_eq!(bench.phone.view().accounts[0].server, "192.168.50.22");
    bench.wait_ms(119_000);
    bench.forget();
    bench.wait_ms(1_001);
    bench.serve_registration();
    bench.check_events("registered");
    assert_eq!(bench.phone.view().accounts[0].server, "192.168.50.21");
}

#[test]
fn behind_a_nat_direct_process_registers_the_address_that_the_server_sees() {
    let mut bench = Bench::new(&[NO_REMOVAL, ("account.1.nat.rport", "2")]);
    bench.input(Input::Start);
    let first = bench.take(Method::Register).expect("a REGISTER");
    let seen = String::from_utf8_lossy(&first).replace(";rport", ";rport=40001");
    bench.answer(seen.as_bytes(), "200 OK", "Expires: 1800", "");
    let shown = bench.last_shown();
    assert!(shown.contains("Contact: <sip:7002@192.168.80.20:40001>\r\n"), "{shown}");
    // The binding of before would ring the phone a second time.
    assert!(bench.last().contains(">;expires=0\r\n"), "{}", bench.last());
    assert!(bench.last().contains("Contact: <sip:7002@192.168.80.20:5060;line="), "{}", bench.last());
    let second = bench.take(Method::Register).expect("a second REGISTER");
    let seen = String::from_utf8_lossy(&second).replace(";rport", ";rport=40001");
    bench.answer(seen.as_bytes(), "200 OK", "Expires: 1800", "");
    assert!(bench.take(Method::Register).is_none());
}

#[test]
fn another_address_is_registered_at_once() {
    let mut bench = Bench::registered(&[]);
    bench.input(Input::Network(Box::new(crate::role::Network::at([192, 168, 80, 77].into()))));
    let shown = bench.last_shown();
    assert!(shown.contains("Contact: <sip:7002@192.168.80.77:5060>"), "{shown}");
}

#[test]
fn settings_change_an_account_without_a_restart() {
    let mut bench = Bench::registered(&[]);
    bench.command("set account.1.enable 0");
    bench.check("p>s REGISTER(expires 0)");
    bench.serve_registration();
    bench.check_events("done unregistered");
    assert_eq!(bench.phone.view().title, "No Account");
    bench.command("set account.1.enable 1");
    bench.serve_registration();
    bench.check_events("done registered");
    assert!(bench.refused("set account.1.enabel 1").contains("enabel"));
}

#[test]
fn quit_takes_the_binding_back() {
    let mut bench = Bench::registered(&[]);
    bench.command("quit");
    bench.serve_registration();
    bench.check("p>s REGISTER(expires 0); s>p 200");
    bench.check_events("done unregistered");
    assert_eq!(bench.wishes, [Wish::SwitchOff]);
}

#[test]
fn quit_does_not_wait_for_a_dead_server() {
    let mut bench = Bench::registered(&[]);
    bench.command("quit");
    bench.wait_ms(2_000);
    bench.check_events("done");
    assert_eq!(bench.wishes, [Wish::SwitchOff]);
}

#[test]
fn keep_alives_go_to_the_server() {
    let mut bench = Bench::registered(&[
        ("account.1.nat.udp_update_enable", "4"),
        ("account.1.nat.udp_update_time", "20"),
    ]);
    bench.wait_ms(40_000);
    bench.check("p>s 4 bytes; p>s 4 bytes");
}

/// The DNS says that the server is at this address, for a minute.
fn resolve(bench: &mut Bench, ip: [u8; 4]) {
    use proto::sip::locate::{Answer, Record};
    for query in std::mem::take(&mut bench.asked) {
        let records = if query.name == "pbx.example" { vec![(Record::A(ip.into()), 60)] } else { Vec::new() };
        bench.input(Input::Resolved { query, answer: Answer::Records(records) });
    }
}

/// RFC 3263 §4: an answer of the DNS holds as long as it says; a refresh goes where the server is by then.
#[test]
fn a_refresh_asks_the_dns_again_once_its_answer_is_old() {
    let mut bench = Bench::new(&[NO_REMOVAL, ("account.1.sip_server.1.address", "pbx.example")]);
    bench.input(Input::Start);
    assert!(bench.take(Method::Register).is_none() && !bench.asked.is_empty());
    resolve(&mut bench, [192, 168, 50, 19]);
    bench.serve_registration();
    bench.check_events("registered");
    bench.wait_ms(900_000);
    assert!(bench.take(Method::Register).is_none(), "not before it is known where to");
    assert!(bench.phone.view().accounts[0].state.is_registered());
    resolve(&mut bench, [192, 168, 50, 20]);
    assert_eq!(bench.last_to.map(|to| to.to_string()).as_deref(), Some("192.168.50.20:5060"));
    bench.serve_registration();
    bench.check_events("registered");
    bench.wait_ms(899_000);
    assert!(bench.asked.is_empty() && bench.take(Method::Register).is_none());
}

/// A server that sees another address in each answer causes one move in each cycle.
#[test]
fn direct_process_moves_once_in_a_cycle() {
    let mut bench = Bench::new(&[NO_REMOVAL, ("account.1.nat.rport", "2")]);
    bench.input(Input::Start);
    let mut asked = 0;
    for port in 40_001..40_101 {
        let Some(register) = bench.take(Method::Register) else { break };
        asked += 1;
        let seen = String::from_utf8_lossy(&register).replace(";rport", &format!(";rport={port}"));
        bench.answer(seen.as_bytes(), "200 OK", "Expires: 1800", "");
    }
    assert_eq!(asked, 2);
    assert!(bench.log().contains("The server now sees 192.168.80.20:40002"), "{}", bench.log());
    bench.wait_ms(900_000);
    assert!(bench.take(Method::Register).is_some(), "the next refresh");
}

/// RFC 3261 §10.2.4: whose time counts.
#[test]
fn the_binding_that_is_ours_says_when_to_refresh() {
    let check = |headers: &str, refresh_ms: u64| {
        let mut bench = Bench::new(&[NO_REMOVAL]);
        bench.input(Input::Start);
        let register = bench.take(Method::Register).expect("a REGISTER");
        let message = Message::parse(&register).expect("sound");
        let own = String::from_utf8_lossy(message.header(Name::Contact).expect("a Contact")).into_owned();
        let answer = String::from_utf8_lossy(&register).into_owned();
        let line =
            |name: &str| answer.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        bench.receive(&format!(
            "SIP/2.0 200 OK\r\n{}\r\n{}\r\n{};tag=srv\r\n{}\r\n{}\r\n{}\r\nContent-Length: 0\r\n\r\n",
            line("Via:"),
            line("From:"),
            line("To:"),
            line("Call-ID:"),
            line("CSeq:"),
            headers.replace("OWN", &own)
        ));
        bench.wait_ms(refresh_ms - 1);
        assert!(bench.take(Method::Register).is_none(), "{headers}");
        bench.wait_ms(1);
        assert!(bench.take(Method::Register).is_some(), "{headers}");
    };
    check("Contact: <sip:7002@10.9.9.9:1024>;expires=6", 3_000);
    check(
        "Contact: <sip:7002@192.168.80.20:5060;transport=tcp>;expires=3000\r\nContact: OWN;expires=60",
        30_000,
    );
    check("Contact: <sip:7002@a>;expires=9, <sip:7002@b>;expires=8\r\nExpires: 100", 50_000);
    // Who grants nothing has not registered us: the usual wait, no storm.
    check("Contact: OWN;expires=0", 30_000);
    check("Contact: OWN;expires=1", 2_000);
}

/// RFC 7616 §3.5.
#[test]
fn the_next_nonce_is_used_for_the_next_request() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    let register = bench.take(Method::Register).expect("a REGISTER");
    bench.answer(&register, "401 Unauthorized", CHALLENGE, "");
    let register = bench.take(Method::Register).expect("credentials");
    let info = "Expires: 60\r\nAuthentication-Info: nextnonce=\"next-1\", qop=auth, rspauth=\"wrong\"";
    bench.answer(&register, "200 OK", info, "");
    bench.wait_ms(30_000);
    let refresh = bench.take(Method::Register).expect("a refresh");
    let refresh = String::from_utf8_lossy(&refresh).into_owned();
    assert!(refresh.contains("nonce=\"next-1\""), "{refresh}");
    assert!(refresh.contains("nc=00000001"), "{refresh}");
    assert!(bench.log().contains("its rspauth is wrong"), "{}", bench.log());
}

/// A REGISTER of one connection to the server.
fn flow_of(bench: &Bench) -> Flow {
    bench.phone.lines.accounts[0].line.flow().expect("a server that is known")
}

/// RFC 5626 §4.5.
#[test]
fn a_lost_connection_is_told_and_made_anew() {
    let mut bench = Bench::registered(&[
        ("account.1.sip_server.1.transport_type", "1"),
        NO_REMOVAL,
        ("linekey.2.type", "16"),
        ("linekey.2.line", "1"),
        ("linekey.2.value", "7007"),
    ]);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "200 OK", "Expires: 1800", "");
    let mut flow = flow_of(&bench);
    assert_eq!(flow.transport, Transport::Tcp);
    bench.forget();
    let stranger = Flow { remote: "192.168.50.77:5060".parse().expect("an address"), ..flow };
    bench.input(Input::FlowFailed { flow: stranger, fault: FlowFault::Broken, reason: "closed".into() });
    bench.check_events("");
    bench.input(Input::FlowFailed {
        flow,
        fault: FlowFault::Broken,
        reason: "the connection was closed".into(),
    });
    bench.check_events("registration_failed(null)");
    let meaning = |bench: &Bench, key: usize| bench.phone.view().keys[key].lamp.meaning;
    assert_eq!(meaning(&bench, 1), super::super::Meaning::Unknown, "nothing is known of whoever is watched");
    bench.wait_ms(2_499);
    bench.check("");
    // The server is not back yet: 15 to 30 seconds, then 30 to 60.
    bench.wait_ms(2_501);
    for least_ms in [15_000, 30_000] {
        bench.check("p>s REGISTER");
        flow = flow_of(&bench);
        bench.input(Input::FlowFailed {
            flow,
            fault: FlowFault::Broken,
            reason: "nobody listens there".into(),
        });
        let told = bench.events.iter().find_map(|event| match event {
            EventKind::RegistrationFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        assert_eq!(told.as_deref(), Some("nobody listens there"), "the cause is told");
        bench.forget();
        bench.sent.clear();
        bench.wait_ms(least_ms - 1);
        bench.check("");
        bench.wait_ms(least_ms + 1);
    }
    bench.serve_registration();
    assert!(bench.take(Method::Subscribe).is_some(), "subscribed anew: {:?}", bench.ladder);
    assert!(bench.events.iter().any(|event| matches!(event, EventKind::Registered { .. })));
}

/// A phone has no certificate to listen with, so its Contact names the connection that it has opened.
#[test]
fn the_contact_of_a_tls_phone_follows_its_connection() {
    let mut bench = Bench::registered(&[("account.1.sip_server.1.transport_type", "2"), NO_REMOVAL]);
    let flow = flow_of(&bench);
    assert_eq!(flow.transport, Transport::Tls);
    assert!(flow.local.port() >= 49_152);
    let contact = |flow: Flow| format!("sip:7002@{};transport=tls", flow.local);
    assert!(bench.phone.lines.accounts[0].line.identity.contact.contains(&contact(flow)));
    bench.input(Input::FlowFailed {
        flow,
        fault: FlowFault::Broken,
        reason: "the connection was closed".into(),
    });
    bench.wait_ms(5_000);
    let again = bench.take(Method::Register).expect("a REGISTER");
    let now = flow_of(&bench);
    assert_ne!(now.local, flow.local);
    let again = String::from_utf8_lossy(&again).into_owned();
    let contacts: Vec<_> = again.lines().filter(|line| line.starts_with("Contact: ")).collect();
    assert_eq!(contacts.len(), 2, "{again}");
    assert!(contacts[0].contains(&contact(now)) && !contacts[0].contains("expires=0"), "{contacts:?}");
    assert!(contacts[1].contains(&contact(flow)) && contacts[1].ends_with(";expires=0"), "{contacts:?}");
}

/// A realm is believed of one server, as long as registering there does not fail.
#[test]
fn a_realm_that_changes_is_told_and_learnt_anew() {
    let mut bench = Bench::registered(&[]);
    let other = CHALLENGE.replace("realm=\"", "realm=\"other-");
    bench.wait_ms(900_000);
    let refresh = bench.take(Method::Register).expect("a refresh");
    bench.answer(&refresh, "401 Unauthorized", &other, "");
    let why = bench.events.iter().find_map(|event| match event {
        EventKind::RegistrationFailed { status, reason, .. } => Some((*status, reason.clone())),
        _ => None,
    });
    let (status, reason) = why.expect("a failure");
    assert!(status == Some(401) && reason.contains("realm \"other-"), "{reason}");
    assert!(bench.log().contains("a challenge for realm \"other-"), "{}", bench.log());
    bench.wait_ms(30_000);
    let again = bench.take(Method::Register).expect("another try");
    bench.answer(&again, "401 Unauthorized", &other, "");
    let proven = bench.take(Method::Register).expect("credentials");
    assert!(String::from_utf8_lossy(&proven).contains("realm=\"other-"));
}

/// A registrar that names a larger least each time would have the phone ask without end.
#[test]
fn a_least_interval_that_rises_is_followed_twice() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    for asked_s in [1_801, 1_802, 1_803] {
        statuses(&mut bench, "423 Interval Too Brief", &format!("Min-Expires: {asked_s}"));
    }
    assert!(bench.take(Method::Register).is_none(), "{:?}", bench.ladder);
    assert!(bench.log().contains("423"), "{}", bench.log());
    bench.wait_ms(30_000);
    assert!(bench.take(Method::Register).is_some(), "it is tried again after the usual wait");
}

#[test]
fn a_least_interval_of_a_century_is_refreshed_within_the_hour() {
    let mut bench = Bench::new(&[NO_REMOVAL]);
    bench.input(Input::Start);
    statuses(&mut bench, "423 Interval Too Brief", "Min-Expires: 4294967295");
    statuses(&mut bench, "200 OK", "Expires: 4294967295");
    bench.forget();
    bench.wait_ms(3_600_000);
    assert!(bench.take(Method::Register).is_some());
}
