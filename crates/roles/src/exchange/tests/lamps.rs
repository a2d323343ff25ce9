//! Lamps: who watches whom is told what is true.

use super::*;

pub(super) fn subscribe(bench: &mut Bench, phone: &mut Phone, watched: &str, event: &str, expires: u32) {
    let to = format!("<sip:{watched}@192.0.2.100>");
    let fields = format!("Contact: {}\r\nEvent: {event}\r\nExpires: {expires}\r\n", phone.contact());
    let request = phone.request(
        "SUBSCRIBE",
        &to[1..to.len() - 1],
        &to,
        "",
        &format!("sub-{}", phone.number),
        &fields,
        "",
    );
    bench.say(phone, &request);
}

/// The exchange after a restart, with the subscription that was kept last.
fn restarted(before: &Bench) -> Bench {
    let kept = before.changes.iter().rev().find_map(|change| match change {
        Change::Subscription(kept) => Some(Subscription::clone(kept)),
        _ => None,
    });
    let extensions = ["7002", "7003"].map(|n| Extension::new(n, "offhook", "secret")).to_vec();
    let subscriptions = vec![kept.expect("a subscription is kept")];
    let restored = Restored { extensions, subscriptions, ..Restored::default() };
    let mut bench = Bench::restored(Config::default(), restored);
    bench.give(Input::Start);
    bench
}

#[test]
fn a_lamp_follows_a_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    bench.check("7003>s SUBSCRIBE; s>7003 200; s>7003 NOTIFY");
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("version=\"0\"") && !notify.contains("<dialog "), "{notify}");
    let ok = phones[2].answer(&notify, 200, "", "");
    bench.say(&phones[2], &ok);
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("version=\"1\"") && notify.contains(">early<"), "{notify}");
    assert!(notify.contains("direction=\"recipient\"") && notify.contains("sip:7001@"), "{notify}");
}

#[test]
fn a_device_that_does_not_answer_is_told_to_watchers() {
    let mut bench = Bench::with(Config { qualify_s: Some(60), ..Config::default() });
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("state=\"registered\""), "{notify}");
    let ok = phones[2].answer(&notify, 200, "", "");
    bench.say(&phones[2], &ok);
    bench.wait(100);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(!notify.contains("state=\"registered\""), "{notify}");
    let ok = phones[2].answer(&notify, 200, "", "");
    bench.say(&phones[2], &ok);
    let Answer::Figures(figures) = bench.command(What::Figures) else { panic!("no figures") };
    assert_eq!((figures.devices, figures.reachable), (3, 0));
    bench.register(&mut phones[1]);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("state=\"registered\""), "it is there again: {notify}");
}

/// The watcher answers the newest NOTIFY, which it returns.
fn noticed(bench: &mut Bench, phone: &Phone) -> String {
    let notify = bench.heard(phone, "NOTIFY");
    let ok = phone.answer(&notify, 200, "", "");
    bench.say(phone, &ok);
    notify
}

#[test]
fn who_holds_is_told_to_watchers() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = calls::talking(&mut bench, &mut phones);
    subscribe(&mut bench, &mut phones[2], "7001", "dialog", 3_600);
    assert!(!noticed(&mut bench, &phones[2]).contains("+sip.rendering"));
    for (way, holds) in [("sendonly", true), ("sendrecv", false)] {
        let sdp = SDP.replace("a=rtpmap", &format!("a={way}\r\na=rtpmap"));
        let change = phones[0].within(&answered, "INVITE", "", &sdp);
        bench.say(&phones[0], &change);
        calls::answer_invite(&mut bench, &phones[1], 200);
        let ok = bench.heard(&phones[0], "SIP/2.0 200");
        let ack = phones[0].ack(&change, &ok);
        bench.say(&phones[0], &ack);
        let told = noticed(&mut bench, &phones[2]);
        // RFC 4235 §4.1.6.2.
        assert_eq!(told.contains("pname=\"+sip.rendering\" pvalue=\"no\""), holds, "{told}");
    }
}

#[test]
fn a_hold_that_the_other_side_refuses_is_none() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = calls::talking(&mut bench, &mut phones);
    let sdp = SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
    let change = phones[0].within(&answered, "INVITE", "", &sdp);
    bench.say(&phones[0], &change);
    assert!(bench.exchange.calls()[0].caller_holds);
    calls::answer_invite(&mut bench, &phones[1], 488);
    assert!(bench.heard(&phones[0], "SIP/2.0 488").contains("CSeq"));
    assert!(!bench.exchange.calls()[0].caller_holds, "RFC 3261 §14.1: the session is as it was");
}

#[test]
fn who_may_watch_no_longer_is_told_so() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    noticed(&mut bench, &phones[2]);
    let edit = Edit { watchers: Some(Some(vec!["7001".into()])), ..Edit::default() };
    bench.command(What::EditExtension { number: "7002".into(), edit: Box::new(edit) });
    let last = bench.heard(&phones[2], "NOTIFY");
    assert!(last.contains("Subscription-State: terminated;reason=rejected\r\n"), "{last}");
    assert!(
        matches!(bench.command(What::Subscriptions { number: None }), Answer::Subscriptions(all) if all.is_empty())
    );
}

#[test]
fn who_is_no_more_watches_nobody() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    bench.command(What::RemoveExtension("7003".into()));
    assert!(
        matches!(bench.command(What::Subscriptions { number: None }), Answer::Subscriptions(all) if all.is_empty())
    );
}

#[test]
fn who_reads_no_lamps_is_refused() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    for (accept, status) in
        [("application/pidf+xml", 406), ("application/pidf+xml, application/dialog-info+xml;q=0.5", 200)]
    {
        let fields = format!("dialog\r\nAccept: {accept}");
        subscribe(&mut bench, &mut phones[2], "7002", &fields, 3_600);
        bench.heard(&phones[2], &format!("SIP/2.0 {status}"));
    }
}

#[test]
fn a_watcher_behind_a_proxy_is_told_by_it_after_a_restart() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog\r\nRecord-Route: <sip:edge.example;lr>", 3_600);
    let bench = restarted(&bench);
    assert!(bench.heard(&phones[2], "NOTIFY").contains("Route: <sip:edge.example;lr>\r\n"));
}

#[test]
fn what_changed_is_told_alone_where_that_is_set() {
    let mut bench = Bench::with(Config { partial_lamps: true, ..Config::default() });
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    let told = |bench: &mut Bench, phone: &Phone| {
        let notify = bench.heard(phone, "NOTIFY");
        let ok = phone.answer(&notify, 200, "", "");
        bench.say(phone, &ok);
        notify
    };
    assert!(told(&mut bench, &phones[2]).contains("state=\"full\""));
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let notify = told(&mut bench, &phones[2]);
    assert!(notify.contains("state=\"partial\"") && notify.contains(">early<"), "{notify}");
    let offered = bench.heard(&phones[1], "INVITE");
    let busy = phones[1].answer(&offered, 486, "", "");
    bench.say(&phones[1], &busy);
    let notify = told(&mut bench, &phones[2]);
    assert!(notify.contains("state=\"partial\"") && notify.contains(">terminated<"), "{notify}");
    let again = phones[2].invite("7001", "other", "");
    bench.say(&phones[2], &again);
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    assert!(bench.heard(&phones[2], "NOTIFY").contains("state=\"full\""));
}

#[test]
fn watchers_of_one_extension_each_count_their_own_versions() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let told = |bench: &mut Bench, phone: &Phone| {
        let notify = bench.heard(phone, "NOTIFY");
        let ok = phone.answer(&notify, 200, "", "");
        bench.say(phone, &ok);
        notify
    };
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    told(&mut bench, &phones[2]);
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    assert!(told(&mut bench, &phones[2]).contains("version=\"1\""));
    subscribe(&mut bench, &mut phones[0], "7002", "dialog", 3_600);
    assert!(told(&mut bench, &phones[0]).contains("version=\"0\""));
    let offered = bench.heard(&phones[1], "INVITE");
    let busy = phones[1].answer(&offered, 486, "", "");
    bench.say(&phones[1], &busy);
    for (phone, version) in [(&phones[2], "version=\"2\""), (&phones[0], "version=\"1\"")] {
        let notify = bench.heard(phone, "NOTIFY");
        assert!(notify.contains(version) && !notify.contains(">early<"), "{notify}");
    }
}

#[test]
fn a_mailbox_is_told_to_its_owner_alone() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[0], "7001", "message-summary", 3_600);
    let notify = bench.heard(&phones[0], "NOTIFY");
    assert!(notify.contains("Event: message-summary\r\n"), "{notify}");
    assert!(notify.ends_with(
        "Messages-Waiting: no\r\nMessage-Account: sip:7001@192.0.2.100\r\nVoice-Message: 0/0 (0/0)\r\n"
    ));
    let ok = phones[0].answer(&notify, 200, "", "");
    bench.say(&phones[0], &ok);
    subscribe(&mut bench, &mut phones[1], "7001", "message-summary", 3_600);
    bench.heard(&phones[1], "SIP/2.0 403");
    let edit = Box::new(serde_json::from_str(r#"{"messages":{"new":2,"old":1}}"#).expect("sound"));
    bench.ladder.clear();
    bench.command(What::EditExtension { number: "7001".into(), edit });
    bench.check("s>7001 NOTIFY");
    let notify = bench.heard(&phones[0], "NOTIFY");
    assert!(
        notify.contains("Messages-Waiting: yes\r\n") && notify.contains("Voice-Message: 2/1 (0/0)\r\n"),
        "{notify}"
    );
}

#[test]
fn subscriptions_are_refused_by_the_book() {
    let check = |watched: &str, event: &str, expires, status: &str| {
        let mut bench = Bench::new();
        let mut guarded = Extension::new("7001", "offhook", "secret");
        guarded.watchers = Some(vec!["7002".into()]);
        bench.command(What::SetExtension(Box::new(guarded)));
        let [.., mut phone] = bench.ready();
        subscribe(&mut bench, &mut phone, watched, event, expires);
        bench.check(&format!("7003>s SUBSCRIBE; s>7003 {status}"));
    };
    check("7999", "dialog", 3_600, "404");
    check("7001", "dialog", 3_600, "403");
    check("7002", "dialog", 30, "423");
    check("7002", "presence", 3_600, "489");
}

#[test]
fn versions_and_cseq_go_on_after_a_restart() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    let notify = bench.heard(&phones[2], "NOTIFY");
    let bench = restarted(&bench);
    let later = bench.heard(&phones[2], "NOTIFY");
    assert!(later.contains("CSeq: 2 NOTIFY") && later.contains("version=\"1\""), "{later}");
    assert_eq!(line(&later, "Call-ID: "), line(&notify, "Call-ID: "));
}

#[test]
fn a_watcher_that_never_answers_ages_out() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    bench.wait(40);
    assert!(
        matches!(bench.command(What::Subscriptions { number: None }), Answer::Subscriptions(all) if all.len() == 1)
    );
    bench.wait(120);
    assert!(
        matches!(bench.command(What::Subscriptions { number: None }), Answer::Subscriptions(all) if all.is_empty())
    );
}

#[test]
fn watchers_are_limited() {
    let mut bench = Bench::new();
    let [.., mut phone] = bench.ready();
    subscribe(&mut bench, &mut phone, "7002", "dialog", 3_600);
    let kept = bench.changes.iter().rev().find_map(|change| match change {
        Change::Subscription(kept) => Some(Subscription::clone(kept)),
        _ => None,
    });
    let kept = kept.expect("a subscription is kept");
    let of_many = |number: usize| {
        let (watcher, local_tag) = (format!("8{:03}", number / 16), format!("tag-{number}"));
        Subscription { watcher, local_tag, ..kept.clone() }
    };
    let extensions = ["7001", "7002", "7003"].map(|n| Extension::new(n, "offhook", "secret")).to_vec();
    let subscriptions = (0..2_000).map(of_many).collect();
    let restored = Restored { extensions, subscriptions, ..Restored::default() };
    let mut bench = Bench::restored(Config::default(), restored);
    subscribe(&mut bench, &mut phone, "7002", "dialog", 3_600);
    assert!(bench.heard(&phone, "SIP/2.0 503").contains("Retry-After: 60\r\n"));
}

#[test]
fn a_subscription_follows_its_watcher_and_nobody_else() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    let accepted = bench.heard(&phones[2], "SIP/2.0 200");
    let ended = |phone: &mut Phone| {
        let again = phone.within(&accepted, "SUBSCRIBE", "Event: dialog\r\nExpires: 0\r\n", "");
        again.replace("sip:7001@192.0.2.100>;tag", "sip:7003@192.0.2.100>;tag")
    };
    bench.ladder.clear();
    // 7001 knows the tags, and its own password alone.
    phones[0].cseq = 100;
    let theft = ended(&mut phones[0]);
    bench.say(&phones[0], &theft);
    bench.check("7001>s SUBSCRIBE; s>7001 403");
    // 7003 comes from elsewhere, as behind a NAT that has forgotten it.
    phones[2].cseq = 200;
    phones[2].address.set_ip([203, 0, 113, 9].into());
    let unproven = ended(&mut phones[2]);
    bench.say(&phones[2], &unproven);
    let challenge = bench.inbox[&phones[2].address].last().expect("an answer").clone();
    assert!(challenge.starts_with("SIP/2.0 401"), "{challenge}");
    phones[2].challenged(&challenge);
    let proven = ended(&mut phones[2]);
    bench.say(&phones[2], &proven);
    let told =
        bench.inbox[&phones[2].address].iter().any(|heard| heard.contains("terminated;reason=timeout"));
    assert!(told, "{:?}", bench.inbox[&phones[2].address]);
    assert_eq!(bench.exchange.lamps.iter().count(), 0);
}
