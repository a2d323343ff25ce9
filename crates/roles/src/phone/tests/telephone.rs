//! `tel` URIs (RFC 3966): typed, referred to, redirected to and called by.

use super::*;

fn invited(bench: &mut Bench) -> String {
    String::from_utf8_lossy(&bench.take(Method::Invite).expect("an INVITE")).into_owned()
}

#[test]
fn a_telephone_number_is_called_at_the_account_s_server() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial tel:+49-30-1234");
    let text = invited(&mut bench);
    assert!(text.starts_with("INVITE sip:+49301234@192.168.50.19;user=phone SIP/2.0\r\n"), "{text}");
    assert_eq!(bench.phone.view().calls[0].peer, "+49301234");
    bench.command("hangup all");
    bench.command("dial tel:7001;phone-context=192.168.50.19");
    let text = invited(&mut bench);
    assert!(text.starts_with("INVITE sip:7001@192.168.50.19;user=phone SIP/2.0\r\n"), "{text}");
}

#[test]
fn a_transfer_may_name_a_telephone_number() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "REFER", "Refer-To: <tel:+1-212-555-0101>", "");
    bench.check("s>p REFER; p>s 202; p>s NOTIFY(100); p>s INVITE");
    assert!(invited(&mut bench).starts_with("INVITE sip:+12125550101@192.168.50.19;user=phone SIP/2.0\r\n"));

    let mut bench = Bench::registered(&[]);
    bench.talk("7007");
    bench.command("transfer tel:7001");
    bench.accept(Method::Invite, SDP);
    let refer = String::from_utf8_lossy(&bench.take(Method::Refer).expect("a REFER")).into_owned();
    assert!(refer.contains("Refer-To: <sip:7001@192.168.50.19;user=phone>\r\n"), "{refer}");
}

#[test]
fn a_redirection_may_name_a_telephone_number() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    let (head, rest) = ("Contact: <sip:7006@192.168.50.19:5060>", "Contact: <tel:7001>");
    let text = String::from_utf8_lossy(&invite).into_owned();
    let message = Message::parse(&invite).expect("sound");
    let of = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
    assert!(!text.contains(head));
    bench.receive(&format!(
        "SIP/2.0 302 Moved Temporarily\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=srv\r\nCall-ID: {}\r\nCSeq: {}\r\n{rest}\r\n\
         Content-Length: 0\r\n\r\n",
        of(Name::Via),
        of(Name::From),
        of(Name::To),
        of(Name::CallId),
        of(Name::CSeq),
    ));
    assert!(invited(&mut bench).starts_with("INVITE sip:7001@192.168.50.19;user=phone SIP/2.0\r\n"));
}

#[test]
fn a_call_may_come_for_and_from_telephone_numbers() {
    let mut bench = Bench::registered(&[]);
    bench.receive(&format!(
        "INVITE tel:7002 SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bKtel\r\nMax-Forwards: 70\r\n\
         From: <tel:+49-(30)-1234>;tag=f\r\nTo: <tel:7002>\r\nCall-ID: tel\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:gw@192.168.50.19:5060>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len(),
    ));
    bench.check("s>p INVITE; p>s 100; p>s 180");
    assert_eq!(bench.phone.view().calls[0].peer, "+49301234");
}
