//! Transfer as transferor, transferee and target, and conference (deck, Call Transfer).

use super::*;

#[test]
fn a_party_that_changes_during_a_call_is_named_anew() {
    for (method, changed, number) in [
        ("INVITE", "P-Asserted-Identity: \"Anna\" <sip:7011@192.168.50.19>", "7011"),
        ("UPDATE", "Remote-Party-ID: <sip:7012@192.168.50.19>;party=calling", "7012"),
    ] {
        let mut bench = Bench::registered(&[]);
        let ok = bench.be_called("in");
        assert_eq!(bench.phone.view().calls[0].peer, "7007");
        bench.request_inside(&ok, method, changed, SDP);
        assert_eq!(bench.phone.view().calls[0].peer, number, "{method}");
        assert_eq!(bench.told("peer_changed").expect("it is told")["peer"], number);
        bench.forget();
        bench.command("hangup");
        bench.wait_ms(300);
        assert_eq!(bench.told("ended").expect("ended")["peer"], number);
    }
}

#[test]
fn a_from_that_names_somebody_else_is_believed() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    let renamed = String::from_utf8_lossy(&ok)
        .replace("sip:7007@192.168.50.19>;tag=fin", "sip:7013@192.168.50.19>;tag=fin");
    bench.request_inside(renamed.as_bytes(), "UPDATE", "", "");
    assert_eq!(bench.phone.view().calls[0].peer, "7013");
    let mut bench = Bench::registered(&[("account.1.refresh_remote_id.enable", "0")]);
    bench.be_called("in");
    bench.request_inside(renamed.as_bytes(), "UPDATE", "", "");
    assert_eq!(bench.phone.view().calls[0].peer, "7007", "where the settings do not believe it");
}

/// The NOTIFY that tells how a transfer gets on.
fn tell(bench: &mut Bench, invite: &[u8], status: &str, over: bool) {
    let state = if over { "terminated;reason=noresource" } else { "active;expires=60" };
    let headers = format!("Event: refer\r\nSubscription-State: {state}");
    bench.request_inside(invite, "NOTIFY", &headers, &format!("SIP/2.0 {status}\r\n"));
}

/// A transfer to 7001 that the server has accepted.
fn accepted(bench: &mut Bench) {
    bench.command("transfer 7001");
    bench.accept(Method::Invite, SDP);
    let refer = bench.take(Method::Refer).expect("a REFER");
    bench.answer(&refer, "202 Accepted", "", "");
}

#[test]
fn a_blind_transfer() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7007");
    bench.forget();
    bench.command("transfer 7001");
    bench.accept(Method::Invite, SDP);
    let refer = bench.take(Method::Refer).expect("a REFER");
    let text = String::from_utf8_lossy(&refer).into_owned();
    for line in [
        "Referred-By: <sip:7002@192.168.50.19>",
        "Refer-To: <sip:7001@192.168.50.19:5060>",
        "Event: refer",
        "Contact: <sip:7002@192.168.80.20:5060>",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} is not in\n{text}");
    }
    bench.answer(&refer, "202 Accepted", "", "");
    tell(&mut bench, &invite, "100 Trying", false);
    tell(&mut bench, &invite, "180 Ringing", false);
    tell(&mut bench, &invite, "200 OK", true);
    bench.accept(Method::Bye, "");
    bench.check(
        "p>s INVITE(sendonly, c=0.0.0.0); s>p 200; p>s ACK; p>s REFER; s>p 202; s>p NOTIFY(100); p>s 200; \
         s>p NOTIFY(180); p>s 200; s>p NOTIFY(200); p>s 200; p>s BYE; s>p 200",
    );
    bench.check_events(
        "held done transferred(200) ended(null,local)".replace("held done", "done held").as_str(),
    );
}

#[test]
fn an_attended_transfer() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7007");
    bench.forget();
    bench.command("consult 7001");
    bench.accept(Method::Invite, SDP);
    let consult = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&consult, "100 Trying", "", "");
    bench.answer(&consult, "180 Ringing", "", "");
    bench.answer(&consult, "200 OK", "", SDP);
    bench.command("complete");
    let refer = bench.take(Method::Refer).expect("a REFER");
    let ids = Message::parse(&consult).expect("sound");
    let replaces = format!(
        "Refer-To: <sip:7001@192.168.50.19?Replaces={}%3Bto-tag%3Dsrv%3Bfrom-tag%3D{}>\r\n",
        ids.call_id(),
        ids.from_tag()
    );
    let text = String::from_utf8_lossy(&refer).into_owned();
    assert!(text.contains(&replaces), "{replaces} is not in\n{text}");
    bench.answer(&refer, "202 Accepted", "", "");
    tell(&mut bench, &invite, "100 Trying", false);
    tell(&mut bench, &invite, "200 OK", true);
    bench.request_inside(&invite, "BYE", "", "");
    bench.check(
        "p>s INVITE(sendonly, c=0.0.0.0); s>p 200; p>s ACK; p>s INVITE; s>p 100; s>p 180; s>p 200; p>s ACK; \
         p>s REFER(Replaces); s>p 202; s>p NOTIFY(100); p>s 200; s>p NOTIFY(200); p>s 200; s>p BYE; p>s 200",
    );
    bench.wait_ms(2_000);
    bench.check("p>s BYE");
    bench.check_events(
        "done held ringing answered done transferred(200) ended(null,remote) ended(null,local)",
    );
}

#[test]
fn a_semi_attended_transfer_cancels_the_consultation() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7007");
    bench.command("consult 7001");
    bench.accept(Method::Invite, SDP);
    let consult = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&consult, "180 Ringing", "", "");
    bench.forget();
    bench.command("complete");
    bench.check("p>s CANCEL; p>s REFER");
}

#[test]
fn a_refused_transfer_gives_the_call_back() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7007");
    accepted(&mut bench);
    bench.forget();
    tell(&mut bench, &invite, "404 Not Found", true);
    bench.accept(Method::Invite, SDP);
    bench.check("s>p NOTIFY(404); p>s 200; p>s INVITE; s>p 200; p>s ACK");
    bench.check_events("transferred(404) resumed");
    assert_eq!(bench.phone.view().message.as_deref(), Some("Transfer failed: 404"));
}

#[test]
fn a_refer_that_is_refused_at_once_gives_the_call_back() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7007");
    bench.command("transfer 7001");
    bench.accept(Method::Invite, SDP);
    let refer = bench.take(Method::Refer).expect("a REFER");
    bench.forget();
    bench.answer(&refer, "603 Decline", "", "");
    bench.check("s>p 603; p>s INVITE");
    bench.check_events("transferred(603)");
}

/// Timer N of RFC 6665 §4.1.2.4: a server that accepts a REFER and then says nothing keeps nobody on hold.
#[test]
fn a_transfer_of_which_nothing_is_heard_gives_the_call_back() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7007");
    accepted(&mut bench);
    bench.forget();
    bench.wait_ms(31_999);
    bench.check("");
    bench.wait_ms(1);
    bench.accept(Method::Invite, SDP);
    bench.check("p>s INVITE; s>p 200; p>s ACK");
    bench.check_events("transferred(null) resumed");
    assert_eq!(bench.phone.view().message.as_deref(), Some("Transfer failed: no answer"));
    // What comes too late is answered and changes nothing; another transfer may be tried.
    tell(&mut bench, &invite, "200 OK", false);
    bench.check("s>p NOTIFY(200); p>s 200");
    bench.command("transfer 7003");
    bench.accept(Method::Invite, SDP);
    assert!(bench.take(Method::Refer).is_some());
}

#[test]
fn after_a_failed_transfer_another_may_follow_although_the_subscription_goes_on() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7007");
    accepted(&mut bench);
    tell(&mut bench, &invite, "100 Trying", false);
    bench.wait_ms(60_000);
    tell(&mut bench, &invite, "486 Busy Here", false);
    bench.accept(Method::Invite, SDP);
    bench.check_events("done ringing answered done held transferred(486) resumed");
    bench.command("transfer 7003");
    bench.accept(Method::Invite, SDP);
    assert!(bench.take(Method::Refer).is_some());
}

#[test]
fn nobody_is_transferred_to_himself() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7007");
    assert!(bench.refused("transfer sip:7007@192.168.50.19").contains("the party of this call itself"));
    assert!(bench.refused("transfer tel:7007").contains("the party of this call itself"));
    assert!(bench.refused("transfer 7007").contains("the party of this call itself"));
    assert!(bench.refused("complete").contains("nobody is being consulted"));
}

#[test]
fn the_other_party_sends_us_elsewhere() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "REFER", "Refer-To: <sip:7001@192.168.50.19?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\nReferred-By: <sip:7007@h>", "");
    bench.accept(Method::Notify, "");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    let text = String::from_utf8_lossy(&invite).into_owned();
    assert!(text.starts_with("INVITE sip:7001@192.168.50.19 SIP/2.0\r\n"), "{text}");
    assert!(text.contains("Replaces: c;to-tag=a;from-tag=b\r\n"), "{text}");
    assert!(text.contains("Referred-By: <sip:7007@h>\r\n"), "{text}");
    bench.answer(&invite, "180 Ringing", "", "");
    bench.accept(Method::Notify, "");
    bench.answer(&invite, "200 OK", "", SDP);
    bench.accept(Method::Notify, "");
    bench.request_inside(&ok, "BYE", "", "");
    bench.check(
        "s>p REFER(Replaces); p>s 202; p>s NOTIFY(100); p>s INVITE; s>p 200; s>p 180; p>s NOTIFY(180); s>p 200; s>p 200; \
         p>s ACK; p>s NOTIFY(200); s>p 200; s>p BYE; p>s 200",
    );
    bench.check_events("ringing answered ended(null,remote)");
    assert_eq!(bench.phone.view().calls.len(), 1);
}

#[test]
fn a_transfer_that_fails_is_told_to_whoever_asked() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.request_inside(&ok, "REFER", "Refer-To: <sip:7001@192.168.50.19>", "");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.forget();
    bench.answer(&invite, "486 Busy Here", "", "");
    bench.check("s>p 486; p>s ACK; p>s NOTIFY(486)");
    assert!(bench.last().contains("Subscription-State: terminated;reason=noresource"), "{}", bench.last());
}

#[test]
fn nobody_makes_the_phone_call_itself() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "REFER", "Refer-To: <sip:7002@192.168.50.19>", "");
    bench.check("s>p REFER; p>s 603");
}

#[test]
fn a_call_takes_the_place_of_another() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    let old = Message::parse(&ok).expect("sound");
    let (ours, theirs) = (old.to_tag().to_owned(), old.from_tag().to_owned());
    bench.forget();
    let replaces = format!("Replaces: in;to-tag={ours};from-tag={theirs}");
    bench.request("INVITE", "new", &format!("{replaces};early-only"), SDP);
    bench.check("s>p INVITE; p>s 100; p>s 486");
    bench.request("INVITE", "new2", &replaces, SDP);
    bench.check("s>p INVITE; p>s 100; p>s BYE; p>s 200");
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    bench.check_events("ended(null,remote) answered");
    bench.request("INVITE", "new3", "Replaces: nobody;to-tag=1;from-tag=2", SDP);
    assert!(bench.last().starts_with("SIP/2.0 481 "));
}

#[test]
fn a_call_that_rings_here_is_not_replaced_by_strangers() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let ringing = bench.reply(180);
    let tag = Message::parse(&ringing).expect("sound").to_tag().to_owned();
    bench.forget();
    bench.request("INVITE", "new", &format!("Replaces: in;to-tag={tag};from-tag=fin"), SDP);
    bench.check("s>p INVITE; p>s 100; p>s 481");
}

#[test]
fn three_parties_are_joined_parted_and_left_connected() {
    let mut bench = Bench::registered(&[("account.1.dnd.enable", "0")]);
    bench.be_called("one");
    bench.command("dial 7001");
    bench.accept(Method::Invite, SDP);
    let second = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&second, "200 OK", "", SDP);
    bench.played.clear();
    bench.command("conference");
    bench.accept(Method::Invite, SDP);
    assert!(bench.played.contains(&SoundCommand::Focus(vec![1, 2])), "{:?}", bench.played);
    assert!(bench.phone.view().calls.iter().all(|call| call.conference && !call.held));
    bench.command("split");
    bench.accept(Method::Invite, SDP);
    let held: Vec<bool> = bench.phone.view().calls.iter().map(|call| call.held).collect();
    assert_eq!(held, [true, false]);
    bench.command("conference");
    bench.accept(Method::Invite, SDP);
    bench.command("hangup");
    assert!(bench.phone.view().calls.iter().all(|call| !call.conference));
}
