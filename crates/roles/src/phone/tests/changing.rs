//! Changes of calls beyond hold: UPDATE, refreshes, challenges inside a call, moves, accounts that go.

use super::*;

const TIMER: [(&str, &str); 2] =
    [("account.1.session_timer.enable", "1"), ("account.1.session_timer.expires", "200")];
const TAKES_UPDATE: &str = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE";

/// A call to somebody whose 200 has these headers.
fn talk_with(bench: &mut Bench, headers: &str) -> Vec<u8> {
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "200 OK", headers, SDP);
    bench.forget();
    invite
}

/// RFC 4028 §7.4: UPDATE is recommended where Allow names it, and needs no offer.
#[test]
fn a_session_is_refreshed_by_update_where_it_is_taken() {
    let mut bench = Bench::registered(&TIMER);
    talk_with(&mut bench, TAKES_UPDATE);
    bench.wait_ms(100_000);
    bench.check("p>s UPDATE");
    assert!(bench.last().contains("Session-Expires: 200;refresher=uac\r\n"), "{}", bench.last());
    assert!(bench.last().ends_with("Content-Length: 0\r\n\r\n"), "{}", bench.last());
    let update = bench.take(Method::Update).expect("an UPDATE");
    bench.answer(&update, "200 OK", "Session-Expires: 200;refresher=uac", "");
    assert!(bench.log().contains("0 Session Refreshed, 200s"), "{}", bench.log());
    bench.forget();
    bench.wait_ms(100_000);
    let update = bench.take(Method::Update).expect("the next UPDATE");
    bench.answer(&update, "501 Not Implemented", "", "");
    bench.check("p>s UPDATE; s>p 501; p>s INVITE");
    bench.accept(Method::Invite, SDP);
    assert_eq!(bench.phone.view().calls.len(), 1);
}

/// RFC 4028 §7.4: a refresh that is refused by 422 is asked for again with the Min-SE of the refusal.
#[test]
fn a_refresh_takes_the_interval_that_a_422_wants() {
    let mut bench = Bench::registered(&TIMER);
    talk_with(&mut bench, "");
    bench.wait_ms(100_000);
    let refresh = bench.take(Method::Invite).expect("a refresh");
    bench.answer(&refresh, "422 Session Interval Too Small", "Min-SE: 600", "");
    let again = String::from_utf8_lossy(&bench.take(Method::Invite).expect("a second refresh")).into_owned();
    assert!(again.contains("Session-Expires: 600;refresher=uac\r\nMin-SE: 600\r\n"), "{again}");
}

/// RFC 3261 §15.1.1: what comes in the dialog after our BYE belongs to nothing; §14.2: nor does an INVITE
/// before the first is answered.
#[test]
fn a_call_that_was_hung_up_stays_so() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7006");
    bench.command("hangup");
    bench.forget();
    bench.request_inside(&invite, "INVITE", "", SDP);
    bench.request_inside(&invite, "UPDATE", "", SDP);
    bench.check("s>p INVITE; p>s 481; s>p UPDATE; p>s 481");
    assert!(bench.phone.view().calls.is_empty());

    bench.request("INVITE", "in", "", SDP);
    let ringing = bench.reply(180);
    bench.forget();
    bench.request_inside(&ringing, "INVITE", "", SDP);
    bench.check("s>p INVITE; p>s 500");
    assert!(bench.last().contains("Retry-After: "), "{}", bench.last());
}

/// RFC 3311 §5.2: 500 with Retry-After while their own offer has no answer, 491 while ours has none;
/// without an offer it only says where they are now.
#[test]
fn an_update_before_the_answer_waits_for_it() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let ringing = bench.reply(180);
    bench.forget();
    bench.request_inside(&ringing, "UPDATE", "", SDP);
    bench.check("s>p UPDATE; p>s 500");
    assert!(bench.last().contains("Retry-After: "), "{}", bench.last());
    bench.request_inside(&ringing, "UPDATE", "", "");
    bench.check("s>p UPDATE; p>s 200");
    bench.command("answer");
    assert!(String::from_utf8_lossy(&bench.reply(200)).contains("m=audio "), "the first offer is answered");

    let mut bench = Bench::registered(&[("account.1.100rel_enable", "1")]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "183 Session Progress", "", SDP);
    bench.forget();
    bench.request_inside(&invite, "UPDATE", "", SDP);
    bench.check("s>p UPDATE; p>s 491");
    bench.answer(&invite, "183 Session Progress", "Require: 100rel\r\nRSeq: 7", SDP);
    bench.forget();
    bench.request_inside(&invite, "UPDATE", "", &SDP.replace("20000", "20002"));
    bench.check("s>p UPDATE; p>s 200");
    bench.answer(&invite, "200 OK", "", "");
    assert_eq!(bench.phone.view().calls.len(), 1);
}

/// What is challenged inside a call goes out again with credentials, whatever it carries.
#[test]
fn a_challenged_request_inside_a_call_is_sent_again() {
    let mut bench = Bench::registered(&[("account.1.dtmf.type", "2")]);
    talk_with(&mut bench, "");
    bench.command("dtmf 5");
    let info = bench.take(Method::Info).expect("an INFO");
    bench.answer(&info, "407 Proxy Authentication Required", &CHALLENGE.replace("WWW", "Proxy"), "");
    let again = bench.take(Method::Info).expect("the INFO again");
    let (first, second) = (Message::parse(&info).expect("sound"), Message::parse(&again).expect("sound"));
    assert_eq!(first.body(), second.body());
    assert!(first.cseq().map(|it| it.number) < second.cseq().map(|it| it.number));
    bench.answer(&again, "407 Proxy Authentication Required", &CHALLENGE.replace("WWW", "Proxy"), "");
    assert!(bench.take(Method::Info).is_none(), "at most once");
}

/// A move that comes while a hold is under way, or before the call stands, is told afterwards.
#[test]
fn no_call_forgets_that_the_phone_has_moved() {
    let to = |ip: [u8; 4]| Input::Network(Box::new(crate::role::Network::at(ip.into())));
    let mut bench = Bench::registered(&[("sip.rfc2543_hold", "0")]);
    bench.talk("7006");
    bench.command("hold");
    let hold = bench.take(Method::Invite).expect("a hold");
    bench.input(to([192, 168, 80, 77]));
    assert!(bench.take(Method::Invite).is_none(), "one change at a time");
    bench.answer(&hold, "200 OK", "", SDP);
    let moved = bench.take(Method::Invite).expect("a re-INVITE from the new address");
    let text = String::from_utf8_lossy(&moved).into_owned();
    assert!(text.contains("c=IN IP4 192.168.80.77\r\n") && text.contains("a=sendonly\r\n"), "{text}");

    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "180 Ringing", "", "");
    bench.input(to([192, 168, 80, 77]));
    bench.answer(&invite, "200 OK", "", SDP);
    let moved = bench.take(Method::Invite).expect("a re-INVITE from the new address");
    assert!(String::from_utf8_lossy(&moved).contains("c=IN IP4 192.168.80.77\r\n"));
}

/// Nobody could hang up a call whose account is gone.
#[test]
fn an_account_that_is_switched_off_hangs_up_first() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    bench.forget();
    bench.command("set account.1.enable 0");
    bench.check("p>s BYE; p>s REGISTER(expires 0)");
    bench.check_events("ended(null,local) done");
}

#[test]
fn the_forward_command_sets_the_account_s_forward_where_each_has_its_own() {
    let mut bench = Bench::registered(&[("features.fwd_mode", "1")]);
    bench.command("forward always 7001");
    bench.forget();
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 302");
    bench.command("forward always off");
    bench.forget();
    bench.request("INVITE", "second", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

/// RFC 4028 §7.4, at a far end that names a larger Min-SE each time.
#[test]
fn a_min_se_that_rises_is_followed_twice() {
    let mut bench = Bench::registered(&TIMER);
    bench.command("dial 7006");
    let first = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&first, "401 Unauthorized", CHALLENGE, "");
    let mut asked = 0;
    while let Some(invite) = bench.take(Method::Invite) {
        asked += 1;
        let larger = format!("Min-SE: {}", 1_000 + asked);
        bench.answer(&invite, "422 Session Interval Too Small", &larger, "");
    }
    assert_eq!(asked, 3);
    bench.check_events("done ended(422,remote)");

    let mut bench = Bench::registered(&TIMER);
    talk_with(&mut bench, "");
    bench.wait_ms(100_000);
    let mut asked = 0;
    while let Some(refresh) = bench.take(Method::Invite) {
        asked += 1;
        let larger = format!("Min-SE: {}", 1_000 + asked);
        bench.answer(&refresh, "422 Session Interval Too Small", &larger, "");
    }
    assert_eq!(asked, 3);
}
