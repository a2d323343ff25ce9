#![allow(clippy::disallowed_methods, reason = "a test reads the folder of torture messages")]
//! RFC 4475 over the real socket: what exchange and phone answer, and that they live on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use proto::sip::Message;

use super::program::Running;

/// How long an answer that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a message of RFC 4475 is to be answered with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    /// A request that is understood: any final or provisional answer but the 400 of what cannot be read.
    Understood,
    /// A request that an element may understand or refuse: any answer.
    Answered,
    /// A request that cannot be acted upon: exactly this status.
    Refused(u16),
    /// A response nobody asked for, or what cannot be answered: nothing at all.
    Silence,
}
use Expected::{Answered, Refused, Silence, Understood};

/// The messages of RFC 4475 by their tags, as a lenient element answers them.
const MESSAGES: &[(&str, Expected)] = &[
    // §3.1.1: valid.
    ("wsinv", Understood),
    ("intmeth", Understood),
    ("esc01", Understood),
    ("escnull", Understood),
    ("esc02", Understood),
    ("lwsdisp", Understood),
    ("longreq", Understood),
    ("dblreq", Understood),
    ("semiuri", Understood),
    ("transports", Understood),
    ("mpart01", Understood),
    ("unreason", Silence),
    ("noreason", Silence),
    // §3.1.2: invalid.
    ("badinv01", Refused(400)),
    ("clerr", Refused(400)),
    ("ncl", Refused(400)),
    ("scalar02", Refused(400)),
    ("scalarlg", Silence),
    ("quotbal", Refused(400)),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    ("mismatch02", Refused(400)),
    ("bigcode", Silence),
    // The same section: an element may be lenient.
    ("ltgtruri", Answered),
    ("lwsruri", Answered),
    ("lwsstart", Answered),
    ("trws", Answered),
    ("escruri", Answered),
    ("baddate", Answered),
    ("regbadct", Answered),
    ("badaspec", Answered),
    ("baddn", Answered),
    // §3.2 to §3.4: mandatory fields and meanings beyond the parser.
    ("badbranch", Understood),
    ("insuf", Refused(400)),
    ("unkscm", Understood),
    ("novelsc", Understood),
    ("unksm2", Understood),
    ("bext01", Understood),
    ("invut", Understood),
    ("regaut01", Understood),
    ("multi01", Refused(400)),
    ("mcl01", Refused(400)),
    ("bcast", Silence),
    ("zeromf", Understood),
    ("cparam01", Understood),
    ("cparam02", Understood),
    ("regescrt", Understood),
    ("sdp01", Understood),
    ("inv2543", Understood),
];

/// A plain request, for messages of our own.
const BASE: &str = "INVITE sip:7001@TARGET SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKtorture1\r\n\
    Max-Forwards: 70\r\n\
    From: \"7009\" <sip:7009@192.0.2.7>;tag=f1\r\n\
    To: <sip:7001@TARGET>\r\n\
    Call-ID: torture-1@192.0.2.7\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:7009@192.0.2.7:5060>\r\n\
    Content-Length: 0\r\n\r\n";

/// Messages of our own with the faults of those sections: what is to be replaced in [`BASE`], and by what.
const OWN: &[(&str, &str, &str, Expected)] = &[
    ("plain", "", "", Understood),
    ("wsinv", "Max-Forwards: 70", "MAX-forwards \t:\r\n  0070", Understood),
    ("intmeth", "INVITE", "!odd-Method_*+`.%it's~", Understood),
    ("unknown header", "Max-Forwards: 70", "Max-Forwards: 70\r\nX-Odd: ;;,,;", Understood),
    ("badinv01", "branch=z9hG4bKtorture1", "branch=z9hG4bKtorture1;;,;,,", Refused(400)),
    ("clerr", "Content-Length: 0", "Content-Length: 9999", Refused(400)),
    ("ncl", "Content-Length: 0", "Content-Length: -999", Refused(400)),
    ("scalar02", "CSeq: 7 INVITE", "CSeq: 36893488147419103232 INVITE", Refused(400)),
    ("quotbal", "<sip:7001@TARGET>\r\n", "\"7001 <sip:7001@TARGET>\r\n", Refused(400)),
    ("badvers", "@TARGET SIP/2.0", "@TARGET SIP/7.0", Refused(505)),
    ("mismatch01", "CSeq: 7 INVITE", "CSeq: 7 OPTIONS", Refused(400)),
    ("insuf", "From: \"7009\" <sip:7009@192.0.2.7>;tag=f1\r\n", "", Refused(400)),
    ("mcl01", "Content-Length: 0", "Content-Length: 0\r\nContent-Length: 5", Refused(400)),
    ("response", "INVITE sip:7001@TARGET SIP/2.0", "SIP/2.0 200 OK", Silence),
    ("binary", BASE, "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}", Silence),
];

/// Somebody new for each message, so that nobody is banned for those before.
fn stranger(number: usize, port: u16) -> UdpSocket {
    let ip = Ipv4Addr::new(127, 0, 74, u8::try_from(number + 1).expect("few messages"));
    let socket = UdpSocket::bind((ip, port)).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket
}

/// Sends a message and then a question that a living element answers. Returns the status of the answer to
/// the message, if one came before the answer to the question: datagrams of one socket keep their order.
fn answer(target: SocketAddr, number: usize, bytes: &[u8]) -> Option<u16> {
    let via_port = Message::parse(bytes).ok().and_then(|message| message.via().and_then(|via| via.port));
    let socket = stranger(number, via_port.filter(|port| *port > 0).unwrap_or(5_060));
    socket.send_to(bytes, target).expect("sent");
    let at = socket.local_addr().expect("bound");
    let question = format!(
        "OPTIONS sip:{target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch=z9hG4bKalive{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:probe@{at}>;tag=p\r\nTo: <sip:{target}>\r\n\
         Call-ID: alive-{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(question.as_bytes(), target).expect("sent");
    let (mut status, mut buffer) = (None, vec![0; 65_536]);
    loop {
        let length =
            socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{target} lives no more: {error}"));
        let answer = Message::parse(&buffer[..length]).expect("SIP");
        if answer.call_id() == format!("alive-{number}") {
            return status;
        }
        status = status.or(answer.status());
    }
}

/// What was answered otherwise than expected.
fn wrong(whose: &str, target: SocketAddr, messages: &[(String, Vec<u8>, Expected)]) -> Vec<String> {
    (0..)
        .zip(messages)
        .filter_map(|(number, (tag, bytes, expected))| {
            let status = answer(target, number, bytes);
            let is_right = match expected {
                Understood => status.is_some_and(|status| status != 400 && status != 505),
                Answered => status.is_some(),
                Refused(right) => status == Some(*right),
                Silence => status.is_none(),
            };
            (!is_right).then(|| format!("{whose}, {tag}: {status:?} instead of {expected:?}"))
        })
        .collect()
}

fn own(target: SocketAddr) -> Vec<(String, Vec<u8>, Expected)> {
    let one = |&(tag, from, to, expected): &(&str, &str, &str, Expected)| {
        assert!(BASE.contains(from), "{tag}: {from:?} stands nowhere");
        let text = if from.is_empty() { BASE.to_owned() } else { BASE.replace(from, to) };
        // A request of its own each, not one that comes again.
        let text = text.replace("torture", &format!("torture-{}-", tag.replace(' ', "-")));
        (format!("our {tag}"), text.replace("TARGET", &target.to_string()).into_bytes(), expected)
    };
    OWN.iter().map(one).collect()
}

/// The bytes of the RFC, where they are at hand.
fn of_the_rfc() -> Vec<(String, Vec<u8>, Expected)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/torture/rfc4475");
    if !folder.is_dir() {
        eprintln!("skipped: the messages of RFC 4475 are not at {}", folder.display());
        return Vec::new();
    }
    let one = |&(tag, expected): &(&str, Expected)| {
        let bytes = std::fs::read(folder.join(format!("{tag}.dat"))).expect(tag);
        (tag.to_owned(), bytes, expected)
    };
    MESSAGES.iter().map(one).collect()
}

#[test]
fn exchange_and_phone_answer_torture_and_live_on() {
    assert_eq!(MESSAGES.len(), 49);
    let secret = "7001:a-secret-that-is-long-enough";
    let _exchange = Running::start(&["serve", "--json", "--sip", "127.0.73.1:5060", "--extension", secret]);
    let account = format!("{secret}@127.0.73.1");
    let mut phone =
        Running::start(&["phone", "--stdio", "--account", &account, "--listen", "127.0.73.2:5060"]);
    phone.wait("registered");
    // What the phone makes of a message is to be seen, not that it knows a stranger.
    phone.say("set account.1.advanced.only_recv_request_from_server 0");
    phone.wait("done");
    let wrong: Vec<String> = [("exchange", 1), ("phone", 2)]
        .into_iter()
        .flat_map(|(whose, last)| {
            let target = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 73, last)), 5_060);
            wrong(whose, target, &[own(target), of_the_rfc()].concat())
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
