//! What attackers try, by class (advisories against servers of this kind).

use proptest::prelude::*;

use super::calls::{ringing, talking};
use super::lamps::subscribe;
use super::*;

/// A request of 7001 with a line more.
fn smuggling(line: &str) -> String {
    let mut phone = Phone::new("7001");
    let invite = phone.invite("7002", "smuggle", &format!("{line}\r\n"));
    let mut bench = Bench::new();
    bench.register(&mut Phone::new("7002"));
    bench.say(&phone, &invite);
    let answers = bench.inbox.get(&phone.address).cloned().unwrap_or_default();
    assert!(bench.exchange.calls.legs.is_empty(), "{line}: a call without a password");
    answers.last().map(|answer| first_words(answer).to_owned()).unwrap_or_default()
}

#[test]
fn headers_smuggled_past_the_guard_open_nothing() {
    for line in [
        "X-Bypass-me : yes",
        "P-Asserted-Identity: <sip:7001@192.0.2.100>",
        "Remote-Party-ID: <sip:7001@192.0.2.100>;party=calling",
        "Authorization : Digest username=\"7001\"",
        "Proxy-Authorization: Digest username=\"7001\", realm=\"offhook\"",
        "Authorization:\r\n Digest username=\"7001\"",
        "From: <sip:7002@192.0.2.100>;tag=other",
        "Content-Length: 0",
    ] {
        let status = smuggling(line);
        assert!(status == "401" || status == "400", "{line}: {status}");
    }
}

#[test]
fn a_tag_in_to_is_no_way_around_the_password() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    for method in ["INVITE", "SUBSCRIBE", "REGISTER", "BYE", "REFER", "MESSAGE"] {
        let to = "<sip:7002@192.0.2.100>;tag=made-up";
        let request = phone.request(method, "sip:7002@192.0.2.100", to, "", method, "", "");
        bench.say(&phone, &request);
        bench.heard(&phone, "SIP/2.0 481");
    }
    assert!(bench.exchange.calls.legs.is_empty() && bench.exchange.registrations(bench.now, None).is_empty());
}

#[test]
fn nobody_speaks_in_the_name_of_another() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let forged = phones[0].invite("7003", "forged", "").replace("From: <sip:7001@", "From: <sip:7002@");
    bench.say(&phones[0], &forged);
    bench.check("7001>s INVITE; s>7001 403");
    let mut stolen = phones[0].register("3600");
    stolen = stolen.replace("To: <sip:7001@", "To: <sip:7002@");
    bench.say(&phones[0], &stolen);
    bench.check("7001>s REGISTER; s>7001 403");
}

#[test]
fn a_faked_via_leads_no_answer_to_a_victim() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    for faked in
        ["203.0.113.9:5060", "203.0.113.9:9;received=203.0.113.9", "victim.example:5060;maddr=203.0.113.9"]
    {
        let request = phone.register("3600").replace("192.0.2.1:5060;branch", &format!("{faked};branch"));
        bench.say(&phone, &request);
    }
    assert!(bench.inbox.keys().all(|address| address.ip() == phone.address.ip()), "{:?}", bench.inbox.keys());
}

#[test]
fn a_faked_contact_leads_no_call_to_a_victim() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let request = phones[1].register_contact("<sip:7002@203.0.113.9:5060>", "3600");
    bench.say(&phones[1], &request);
    let (_, offered) = ringing(&mut bench, &mut phones);
    assert!(offered.starts_with("INVITE "));
    assert!(bench.inbox.keys().all(|address| address.ip() != IpAddr::from([203, 0, 113, 9])));
}

#[test]
fn credentials_are_good_once_and_from_one_address() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let heard = phones[0].register("3600");
    bench.say(&phones[0], &heard);
    bench.heard(&phones[0], "SIP/2.0 200");
    bench.ladder.clear();
    let again = heard.replace("z9hG4bK7001x", "z9hG4bK7001y").replace("reg-7001", "other");
    bench.say(&phones[0], &again);
    bench.check("7001>s REGISTER; s>7001 401");
    let mut thief = Phone::new("7001");
    thief.address.set_ip([203, 0, 113, 9].into());
    let replayed = again.replace("192.0.2.1:5060", "203.0.113.9:5060");
    bench.say(&thief, &replayed);
    bench.heard(&thief, "SIP/2.0 401");
}

#[test]
fn a_stranger_neither_cancels_nor_ends_a_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (invite, _) = ringing(&mut bench, &mut phones);
    let cancel = cancel_of(&invite);
    let mut thief = Phone::new("7003");
    thief.address.set_ip([203, 0, 113, 9].into());
    bench.say(&thief, &cancel);
    assert_eq!(bench.exchange.calls().len(), 1);
    assert!(bench.exchange.calls.bridges.values().all(|bridge| !bridge.b.is_empty()));
}

#[test]
fn a_request_in_the_dialog_of_another_is_refused() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let [_, _, other] = &mut phones;
    bench.ladder.clear();
    let bye = other.within(&answered, "BYE", "", "");
    bench.say(other, &bye);
    bench.check("7003>s BYE; s>7003 403");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn a_stranger_changes_no_standing_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let mut thief = Phone::with_password("7003", "guess");
    thief.address.set_ip([203, 0, 113, 9].into());
    for (method, fields) in [
        ("BYE", ""),
        ("REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n"),
        ("INVITE", ""),
        ("UPDATE", ""),
        ("INFO", ""),
    ] {
        let request = thief.within(&answered, method, fields, SDP);
        bench.say(&thief, &request);
    }
    let calls = bench.exchange.calls();
    assert_eq!((calls.len(), &*calls[0].caller.number, &*calls[0].callee.number), (1, "7001", "7002"));
    assert!(bench.media.iter().all(|command| !matches!(command, RelayCommand::Close { .. })));
}

#[test]
fn loops_end() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let spent = phones[0].invite("7002", "spent", "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    bench.say(&phones[0], &spent);
    bench.check("7001>s INVITE; s>7001 483");
    for (number, target) in [("7001", "7002"), ("7002", "7003"), ("7003", "7001")] {
        let mut extension = Extension::new(number, "offhook", "secret");
        extension.forward.always = Some(target.into());
        bench.command(What::SetExtension(Box::new(extension)));
    }
    let invite = phones[0].invite("7002", "circle", "");
    bench.say(&phones[0], &invite);
    bench.check("7001>s INVITE; s>7001 100; s>7001 482");
}

#[test]
fn known_and_unknown_users_cannot_be_told_apart() {
    let answers = |number: &'static str, method: &str| {
        let mut bench = Bench::new();
        let mut phone = Phone::with_password(number, "guess");
        let to = format!("<sip:{number}@192.0.2.100>");
        let mut seen = Vec::new();
        for _ in 0..3 {
            let request = phone.request(method, &to[1..to.len() - 1], &to, "", "x", "", "");
            bench.say(&phone, &request);
            let answer = bench.inbox[&phone.address].last().expect("an answer").clone();
            seen.push((first_words(&answer).to_owned(), answer.len()));
            if answer.starts_with("SIP/2.0 401") {
                phone.challenged(&answer);
            }
        }
        seen
    };
    for method in
        ["REGISTER", "INVITE", "SUBSCRIBE", "OPTIONS", "MESSAGE", "REFER", "NOTIFY", "PUBLISH", "BYE"]
    {
        assert_eq!(answers("7001", method), answers("7009", method), "{method}");
    }
}

#[test]
fn a_besieged_account_keeps_its_devices() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    for source in 0..200_u8 {
        let mut guesser = Phone::with_password("7001", "guess");
        guesser.address.set_ip([198, 51, 100, source].into());
        let request = guesser.register("3600").replace("reg-", &format!("reg-{source}-"));
        bench.say(&guesser, &request);
        guesser.challenged(&bench.heard(&guesser, "SIP/2.0 401"));
        let request = guesser.register("3600").replace("reg-", &format!("reg-{source}-"));
        bench.say(&guesser, &request);
        bench.heard(&guesser, "SIP/2.0 403");
    }
    let told =
        bench.events.iter().filter(|event| matches!(event, Event::Besieged { number } if number == "7001"));
    assert_eq!(told.count(), 1);
    let mut lucky = Phone::new("7001");
    lucky.address.set_ip([203, 0, 113, 1].into());
    let request = lucky.register("3600").replace("reg-", "lucky-");
    bench.say(&lucky, &request);
    lucky.challenged(&bench.heard(&lucky, "SIP/2.0 401"));
    let request = lucky.register("3600").replace("reg-", "lucky-");
    bench.say(&lucky, &request);
    bench.heard(&lucky, "SIP/2.0 403");
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 200");
    bench.wait(60);
    let request = lucky.register("3600").replace("reg-", "lucky-");
    bench.say(&lucky, &request);
    bench.heard(&lucky, "SIP/2.0 200");
}

/// Datagrams that somebody sends in the name of a phone's address, from another port.
fn in_the_name_of(phone: &Phone) -> Phone {
    let mut forger = Phone::with_password(phone.number, "guess");
    forger.address = SocketAddr::new(phone.address.ip(), 6_000);
    forger
}

#[test]
fn nobody_has_a_phone_banned_by_forged_datagrams() {
    let patience = Patience { burst: 64, ..Patience::default() };
    let mut bench = Bench::with(Config { patience, ..Config::default() });
    let [mut phone, ..] = bench.ready();
    let mut forger = in_the_name_of(&phone);
    let scan = "User-Agent: friendly-scanner\r\n";
    for serial in 0..200 {
        let call_id = format!("forged-{serial}");
        let fields = match serial % 3 {
            0 => scan.to_owned(),
            // A password that answers no challenge of ours.
            1 => "Authorization: Digest username=\"7001\", realm=\"offhook\", nonce=\"0\", \
                  uri=\"sip:192.0.2.100\", response=\"0\", algorithm=MD5\r\n"
                .to_owned(),
            _ => String::new(),
        };
        let to = "<sip:7001@192.0.2.100>";
        let request = forger.request("REGISTER", "sip:192.0.2.100", to, "", &call_id, &fields, "");
        bench.say(&forger, &request);
    }
    assert!(matches!(bench.command(What::Bans), Answer::Bans(bans) if bans.is_empty()));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    bench.heard(&phone, "SIP/2.0 200");
}

#[test]
fn a_password_is_not_looked_at_where_no_challenge_was_heard() {
    let answers = |password: &'static str| {
        let mut bench = Bench::new();
        let mut phone = Phone::with_password("7001", password);
        let mut other = Phone::new("7001");
        other.address.set_ip([203, 0, 113, 9].into());
        let request = other.register("3600");
        bench.say(&other, &request);
        phone.challenged(&bench.heard(&other, "SIP/2.0 401"));
        let request = phone.register("3600");
        bench.say(&phone, &request);
        let answer = bench.heard(&phone, "SIP/2.0 401");
        assert!(answer.contains("stale=true"), "{answer}");
        answer.len()
    };
    assert_eq!(answers("secret"), answers("guess"));
}

#[test]
fn what_is_answered_without_a_look_is_limited_too() {
    let patience = Patience { burst: 8, per_second: 1, ..Patience::default() };
    let mut bench = Bench::with(Config { patience, ..Config::default() });
    let mut phone = Phone::new("7001");
    for serial in 0..100 {
        let call_id = format!("cancel-{serial}");
        let to = "<sip:7002@192.0.2.100>";
        let request = phone.request("CANCEL", "sip:7002@192.0.2.100", to, "", &call_id, "", "");
        bench.say(&phone, &request);
    }
    assert_eq!(bench.inbox[&phone.address].len(), 8);
}

#[test]
fn nobody_is_banned_for_a_rush() {
    let patience = Patience { burst: 4, per_second: 1, ..Patience::default() };
    let mut bench = Bench::with(Config { patience, ..Config::default() });
    bench.fall_behind(Duration::from_millis(100));
    let mut strangers = [Phone::new("7001"), Phone::new("7002")];
    for _ in 0..100 {
        for phone in &mut strangers {
            let request = phone.register("3600").replace("reg-", &format!("reg-{}-", phone.cseq));
            bench.say(phone, &request);
        }
    }
    assert!(matches!(bench.command(What::Figures), Answer::Figures(figures) if figures.shed > 100));
    assert!(matches!(bench.command(What::Bans), Answer::Bans(bans) if bans.is_empty()));
}

#[test]
fn too_much_is_answered_early_and_cheaply() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    // Behind by longer than a new call may wait: what stands is served, registrations too.
    bench.fall_behind(Duration::from_millis(200));
    let first = bench.inbox[&phones[2].address].len();
    let invite = phones[2].invite("7001", "late", "");
    bench.say(&phones[2], &invite);
    let refusal = &bench.inbox[&phones[2].address][first];
    assert!(refusal.starts_with("SIP/2.0 503") && refusal.contains("Retry-After: "), "{refusal}");
    // From then on less is too much for a call.
    bench.waited = Duration::from_millis(60);
    let request = phones[2].register("3600");
    bench.say(&phones[2], &request);
    assert!(bench.inbox[&phones[2].address][first + 1].starts_with("SIP/2.0 200"));
    bench.waited = Duration::from_secs(1);
    let request = phones[2].register("3600");
    bench.say(&phones[2], &request);
    assert!(bench.inbox[&phones[2].address][first + 2].starts_with("SIP/2.0 503"));
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    assert!(bench.inbox[&phones[0].address].last().is_some_and(|text| text.starts_with("SIP/2.0 200")));
    assert!(matches!(bench.command(What::Figures), Answer::Figures(figures) if figures.shed == 2));
    // In time again.
    bench.waited = Duration::ZERO;
    bench.wait(3);
    let told = |wanted: &dyn Fn(&Event) -> bool| bench.events.iter().filter(|event| wanted(event)).count();
    assert_eq!(told(&|event| matches!(event, Event::Behind { waited_ms: 200 })), 1);
    assert_eq!(told(&|event| matches!(event, Event::InTime { turned_away: 2 })), 1);
    let invite = phones[2].invite("7001", "in-time", "");
    bench.say(&phones[2], &invite);
    let answer = &bench.inbox[&phones[2].address][first + 3];
    assert!(!answer.starts_with("SIP/2.0 503"), "{answer}");
}

/// The CANCEL of an INVITE.
fn cancel_of(invite: &str) -> String {
    let head = invite.replace("INVITE", "CANCEL").split("Content-Type").next().expect("a head").to_owned();
    format!("{head}Content-Length: 0\r\n\r\n")
}

#[test]
fn a_forged_cancel_disarms_no_true_one() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (invite, _) = ringing(&mut bench, &mut phones);
    let cancel = cancel_of(&invite);
    let mut forger = Phone::new("7003");
    forger.address.set_ip([203, 0, 113, 9].into());
    bench.say(&forger, &cancel);
    assert!(
        bench
            .inbox
            .values()
            .flatten()
            .all(|text| !text.starts_with("SIP/2.0 200") || !text.contains("CANCEL"))
    );
    bench.ladder.clear();
    // The caller's own, from another port of its address, since its NAT has bound it anew.
    phones[0].address.set_port(40_001);
    bench.say(&phones[0], &cancel);
    bench.check("7001>s CANCEL; s>7001 200; s>7001 487; s>7002 CANCEL");
}

#[test]
fn a_request_of_another_version_of_sip_is_told_so() {
    // RFC 4475 §3.1.2.16.
    let request = "OPTIONS sip:t.watson@example.org SIP/7.0\r\n\
        Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\r\nMax-Forwards:     70\r\n\
        From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe\r\nTo:      T. Watson <sip:t.watson@example.org>\r\n\
        Call-ID: badvers.31417@c.example.com\r\nCSeq:    1 OPTIONS\r\nl: 0\r\n\r\n";
    let (mut bench, phone) = (Bench::new(), Phone::new("7001"));
    let flow = flow_from(phone.address);
    let mut out = Vec::new();
    bench.exchange.handle(
        bench.now,
        Input::Message { flow, bytes: request.as_bytes(), waited: Duration::ZERO },
        &mut out,
    );
    let sent = out.iter().find_map(|output| match output {
        Output::Transmit(transmit) => Some(String::from_utf8_lossy(&transmit.bytes).into_owned()),
        _ => None,
    });
    let answer = sent.expect("an answer");
    assert!(answer.starts_with("SIP/2.0 505 "), "{answer}");
}

#[test]
fn headers_and_bodies_larger_than_any_devices_are_refused_before_they_are_kept() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let before = bench.exchange.turn.endpoint.server_bytes();
    let long = "x".repeat(30_000);
    for field in [
        format!("Subject: {long}\r\n"),
        format!("Record-Route: <sip:{long};lr>\r\n"),
        format!("Via: SIP/2.0/UDP {long}\r\n"),
    ] {
        for method in ["OPTIONS", "SUBSCRIBE", "REGISTER", "INVITE"] {
            let to = "<sip:7002@192.0.2.100>";
            let request = phone.request(
                method,
                "sip:7002@192.0.2.100",
                to,
                "",
                &format!("{method}{}", phone.cseq),
                &field,
                "",
            );
            bench.say(&phone, &request);
            assert!(
                bench.inbox[&phone.address].last().is_some_and(|text| text.starts_with("SIP/2.0 513")),
                "{method}"
            );
        }
    }
    let invite = phone.invite_with("7002", "long-body", &format!("{SDP}a={long}\r\n"));
    bench.say(&phone, &invite);
    bench.heard(&phone, "SIP/2.0 413");
    assert_eq!((bench.exchange.turn.endpoint.server_bytes(), bench.exchange.calls.legs.len()), (before, 0));
}

/// What the server transactions of one account hold after many requests with long headers.
fn held_after(method: &str, callee: &str) -> usize {
    let limits = Limits { account_bytes: 100_000, ..Limits::default() };
    let mut bench = Bench::with(Config { limits, ..Config::default() });
    let [mut phone, ..] = bench.ready();
    let field = format!("Subject: x\r\nRecord-Route: <sip:{};lr>\r\n", "x".repeat(7_000));
    let to = format!("<sip:{callee}@192.0.2.100>");
    let mut most = 0;
    for serial in 0..100 {
        let uri = format!("sip:{callee}@192.0.2.100");
        let request = phone.request(method, &uri, &to, "", &format!("{method}-{serial}"), &field, "");
        bench.say(&phone, &request);
        bench.inbox.clear();
        most = most.max(bench.exchange.turn.endpoint.server_bytes());
    }
    most
}

#[test]
fn one_account_fills_no_memory() {
    for (method, callee) in
        [("OPTIONS", "7002"), ("INVITE", "7999"), ("SUBSCRIBE", "7999"), ("MESSAGE", "7002")]
    {
        let held = held_after(method, callee);
        assert!((50_000..120_000).contains(&held), "{method}: {held}");
    }
}

#[test]
fn legs_that_one_caller_is_the_cause_of_are_bounded() {
    let mut bench = Bench::new();
    let [mut caller, ..] = bench.ready();
    for serial in 0..400 {
        let invite = caller.invite("7002", &format!("fickle-{serial}"), "");
        bench.say(&caller, &invite);
        bench.say(&caller, &cancel_of(&invite));
    }
    // 7002 answers nothing, so that each leg to it waits.
    let most = 16 * usize::from(Extension::new("7001", "offhook", "secret").max_calls);
    assert!(
        (100..=most + 1).contains(&bench.exchange.calls.legs.len()),
        "{}",
        bench.exchange.calls.legs.len()
    );
    bench.heard(&caller, "SIP/2.0 503");
    bench.wait(60);
    assert!(bench.exchange.calls.legs.is_empty());
    assert_eq!(bench.exchange.calls.held_bytes(), 0);
}

#[test]
fn one_caller_leaves_room_for_others_at_a_phone() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    for serial in 0..8 {
        let invite = phones[0].invite("7002", &format!("busy-{serial}"), "");
        bench.say(&phones[0], &invite);
    }
    assert_eq!(bench.ladder.iter().filter(|step| *step == "s>7001 486").count(), 4);
    bench.ladder.clear();
    let invite = phones[2].invite("7002", "another", "");
    bench.say(&phones[2], &invite);
    bench.check("7003>s INVITE; s>7003 100; s>7002 INVITE");
}

#[test]
fn one_watcher_leaves_room_for_others() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    for serial in 0..3_000 {
        phones[0].address.set_port(10_000 + serial);
        subscribe(&mut bench, &mut phones[0], "7002", "dialog", 3_600);
        bench.inbox.clear();
    }
    let held = |bench: &Bench| bench.exchange.lamps.iter().count();
    assert_eq!(held(&bench), 16);
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    assert!(bench.heard(&phones[2], "SIP/2.0 200").contains("Expires: 3600"));
    assert_eq!(held(&bench), 17);
}

#[test]
fn subscriptions_are_bounded_in_bytes() {
    let limits = Limits { subscriptions_bytes: 10_000, ..Limits::default() };
    let mut bench = Bench::with(Config { limits, ..Config::default() });
    let mut phones = bench.ready();
    for serial in 0..16 {
        for phone in &mut phones {
            phone.address.set_port(10_000 + serial);
            for watched in ["7001", "7002", "7003"] {
                subscribe(&mut bench, phone, watched, "dialog", 3_600);
            }
        }
    }
    let texts = bench.exchange.lamps.held_bytes();
    assert!((10_000..12_048).contains(&texts), "{texts}");
    let long = format!("dialog;id={}", "x".repeat(3_000));
    subscribe(&mut bench, &mut phones[0], "7002", &long, 3_600);
    bench.wait(8_000);
    assert_eq!(bench.exchange.lamps.held_bytes(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_stop_the_exchange(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..1_400) {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (answered, _) = talking(&mut bench, &mut phones);
        let flow = flow_from(phones[0].address);
        let mut out = Vec::new();
        bench.exchange.handle(bench.now, Input::Message { flow, bytes: &bytes, waited: Duration::ZERO }, &mut out);
        // The same bytes in the middle of a sound request.
        let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
        let mut broken = refer.into_bytes();
        let at = at.min(broken.len());
        broken.splice(at..at, bytes.into_iter().take(20));
        bench.exchange.handle(bench.now, Input::Message { flow, bytes: &broken, waited: Duration::ZERO }, &mut out);
    }
}
