//! What a phone refuses, and by which status.

use super::*;

#[test]
fn an_unregistered_account_does_not_call() {
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    bench.input(Input::Command(Command::read("dial 7006")));
    bench.now += Duration::from_secs(20);
    bench.input(Input::Wake);
    let refused = |event: &EventKind| matches!(event, EventKind::Error { message, .. } if message.contains("not registered"));
    assert!(bench.events.iter().any(refused));
    let mut bench = Bench::new(&[("account.1.advanced.outgoing_call_without_registration", "1")]);
    bench.input(Input::Start);
    bench.forget();
    bench.command("dial 7006");
    bench.check("p>s INVITE");
}

#[test]
fn options_are_answered() {
    let mut bench = Bench::registered(&[]);
    bench.request("OPTIONS", "o", "", "");
    bench.check("s>p OPTIONS; p>s 200");
    assert!(bench.last().contains("Allow: ACK,BYE,CANCEL,OPTIONS,INVITE"), "{}", bench.last());
}

#[test]
fn what_a_phone_does_not_do_is_refused_by_its_name() {
    let check = |method: &str, headers: &str, status: &str| {
        let mut bench = Bench::registered(&[]);
        bench.request(method, "x", headers, "");
        bench.check(&format!("s>p {method}; p>s {status}"));
    };
    check("SUBSCRIBE", "Event: presence", "489");
    check("REGISTER", "", "405");
    check("REFER", "Refer-To: <sip:7001@h>", "403");
    check("NOTIFY", "Event: dialog\r\nSubscription-State: active", "481");
    check("NOTIFY", "Event: talk\r\nSubscription-State: active", "489");
    check("INVITE", "Require: precondition", "420");
    check("INFO", "", "481");
}

#[test]
fn a_session_description_is_found_among_other_parts() {
    let check = |kind: &str, other: &str, ladder: &str| {
        let mut bench = Bench::registered(&[]);
        let body = format!(
            "--b\r\n{other}\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
        );
        bench.request("INVITE", "x", &format!("Content-Type: {kind};boundary=b"), &body);
        bench.check(ladder);
        if ladder.ends_with("180") {
            bench.command("answer");
            let ok = String::from_utf8(bench.reply(200)).expect("text");
            assert!(ok.contains("a=rtpmap:101 telephone-event/8000"), "the answer is to their offer: {ok}");
        } else {
            assert!(bench.last().contains("\r\nAccept: application/sdp\r\n"));
        }
    };
    let isup = "Content-Type: application/isup\r\nContent-Disposition: signal;handling=";
    let rings = "s>p INVITE; p>s 100; p>s 180";
    check("multipart/mixed", &format!("{isup}optional"), rings);
    check("multipart/mixed", &format!("{isup}required"), "s>p INVITE; p>s 415");
    check("multipart/alternative", "Content-Type: text/plain", rings);
}

#[test]
fn a_change_with_a_body_that_must_be_understood_is_refused() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("x");
    bench.ladder.clear();
    bench.request_inside(&ok, "INVITE", "Content-Type: application/isup", "x");
    bench.check("s>p INVITE; p>s 415");
}

#[test]
fn a_user_that_is_no_account_is_not_found_unless_the_check_is_off() {
    let stranger = |bench: &mut Bench| {
        bench.receive(
            "INVITE sip:9999@192.168.80.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.19:5060;branch=z9hG4bKq\r\n\
             From: <sip:1@h>;tag=1\r\nTo: <sip:9999@h>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nContact: <sip:1@h>\r\n\
             Content-Length: 0\r\n\r\n",
        );
    };
    let mut bench = Bench::registered(&[]);
    stranger(&mut bench);
    bench.check("s>p INVITE; p>s 404");
    let mut bench = Bench::registered(&[("account.1.advanced.request_uri_user_check", "0")]);
    stranger(&mut bench);
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn only_the_server_may_call_where_that_is_set() {
    let check = |silence: &str, ladder: &str| {
        let only = ("account.1.advanced.only_recv_request_from_server", "1");
        let mut bench = Bench::registered(&[only, ("account.1.advanced.only_recv_silence", silence)]);
        bench.receive_from(
            "10.0.0.9:5060",
            "INVITE sip:7002@192.168.80.20 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKq\r\n\
             From: <sip:1@h>;tag=1\r\nTo: <sip:7002@h>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nContact: <sip:1@h>\r\n\
             Content-Length: 0\r\n\r\n",
        );
        bench.check(ladder);
    };
    check("0", "s>p INVITE; p>s 403");
    check("1", "s>p INVITE");
}

#[test]
fn a_check_sync_is_obeyed_from_the_server_alone() {
    let notify = "NOTIFY sip:flyingvoice@192.168.20.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.20.165:7778\r\n\
        To: sip:flyingvoice@192.168.20.2:5060\r\nFrom: sip:pbx@192.168.20.165\r\nCSeq: 10 NOTIFY\r\n\
        Call-ID: 1234@192.168.20.165\r\nEvent: check-sync;reboot=true\r\nContent-Length: 0\r\n\r\n";
    let mut bench = Bench::registered(&[]);
    bench.receive(notify);
    bench.check("s>p NOTIFY; p>s 200");
    bench.check_events("reboot");
    let mut bench = Bench::registered(&[]);
    bench.receive(&notify.replace(";reboot=true", ""));
    bench.check_events("resync provision_failed");
    let mut bench = Bench::registered(&[]);
    bench.receive_from("192.168.20.165:7778", notify);
    bench.check("s>p NOTIFY; p>s 403");
    bench.check_events("");
}

#[test]
fn dial_rules_hold() {
    let mut bench = Bench::registered(&[
        ("dialplan.replace.prefix.1", "0(.)"),
        ("dialplan.replace.replace.1", "49$1"),
        ("dialplan.block_out.number.1", "9."),
    ]);
    assert!(bench.refused("dial 911").contains("may not be dialled"));
    bench.command("dial 0123");
    assert!(bench.last().starts_with("INVITE sip:49123@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn every_port_has_its_end() {
    let mut bench = Bench::registered(&[("phone_setting.call_appearance.calls_per_linekey", "24")]);
    bench.phone.desk.place.rtp_ports = 10_000..=10_003;
    for number in 0..3 {
        bench.request("INVITE", &format!("c{number}"), "", SDP);
    }
    bench.check("s>p INVITE; p>s 100; p>s 180; s>p INVITE; p>s 100; p>s 180; s>p INVITE; p>s 100; p>s 486");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_phone_fall(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), cut in 0usize..400) {
        let mut bench = Bench::registered(&[]);
        bench.receive(&String::from_utf8_lossy(&bytes));
        let invite = format!("INVITE sip:7002@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKq\r\nFrom: <sip:1@h>;tag=1\r\n\
            To: <sip:7002@h>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n{}", String::from_utf8_lossy(&bytes));
        bench.receive(&String::from_utf8_lossy(&invite.as_bytes()[..cut.min(invite.len())]));
        bench.wait_ms(100);
    }
}
