//! Reading and writing SIP beside rsipstack, in one run: interleaved batches, CPU time of the
//! thread, 25th percentile, allocations counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use proto::sip::digest::{
    Algorithm, Attempt, Client, Credentials, Guard, GuardSettings, Ha1, Presented, Secret,
};
use proto::sip::{Message, Name, Strictness};
use proto::{Rng, Time};
use rsipstack::sip::headers::ToTypedHeader;
use rsipstack::sip::{HeadersExt, SipMessage};

const BATCHES: usize = 400;
const CALLS: u32 = 500;

struct Counting;

thread_local! {
    static ALLOCATED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|counter| {
            let (count, bytes) = counter.get();
            counter.set((count + 1, bytes + layout.size() as u64));
        });
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One thing that is measured.
struct Case<'a> {
    what: &'static str,
    who: &'static str,
    call: Box<dyn FnMut() + 'a>,
    batches_ns: Vec<u64>,
    allocations: (u64, u64),
}

fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn measure(cases: &mut [Case<'_>]) {
    for case in cases.iter_mut() {
        (case.call)();
        let before = ALLOCATED.get();
        (case.call)();
        let after = ALLOCATED.get();
        case.allocations = (after.0 - before.0, after.1 - before.1);
    }
    for _ in 0..BATCHES {
        for case in cases.iter_mut() {
            let begin = cpu_ns();
            for _ in 0..CALLS {
                (case.call)();
            }
            case.batches_ns.push((cpu_ns() - begin) / u64::from(CALLS));
        }
    }
}

fn quartile_ns(case: &Case<'_>) -> u64 {
    let mut sorted = case.batches_ns.clone();
    sorted.sort_unstable();
    sorted[sorted.len() / 4]
}

fn print(title: &str, cases: &[Case<'_>]) {
    println!("\n{title}");
    println!("{:<20} {:<10} {:>8} {:>8} {:>12} {:>8}", "what", "who", "ns", "ratio", "allocations", "bytes");
    let mut ours = 1;
    for case in cases {
        let ns = quartile_ns(case);
        if case.who == "offhook" {
            ours = ns.max(1);
        }
        let ratio = ns as f64 / ours as f64;
        let (count, bytes) = case.allocations;
        println!("{:<20} {:<10} {ns:>8} {ratio:>7.1}x {count:>12} {bytes:>8}", case.what, case.who);
    }
}

/// What a transaction and a registrar look at: top Via, From, To, Call-ID, CSeq, Contact,
/// Max-Forwards and the Request-URI.
fn typed(bytes: &[u8]) {
    let message = Message::parse(bytes).expect("sound");
    let via = message.via().expect("via");
    black_box((via.host, via.port, via.branch()));
    let (from, to) = (message.from().expect("from"), message.to().expect("to"));
    black_box((from.tag(), from.parsed_uri().expect("uri").user));
    black_box((to.tag(), to.parsed_uri().expect("uri").user));
    black_box((message.call_id(), message.cseq().expect("cseq"), message.number(Name::MaxForwards)));
    black_box(message.contact().and_then(|contact| contact.parsed_uri()).expect("uri").host);
    black_box(proto::sip::Uri::parse(message.request_uri()).expect("uri").host);
}

fn write(bytes: &[u8], out: &mut Vec<u8>) {
    let message = Message::parse(bytes).expect("sound");
    out.clear();
    message.write(out);
}

fn their_typed(bytes: &[u8]) {
    let SipMessage::Request(request) = SipMessage::try_from(bytes).expect("sound") else { return };
    let via = rsipstack::sip::typed::Via::parse(request.via_header().expect("via").value()).expect("via");
    black_box((via.sent_by(), via.branch()));
    let from = request.from_header().expect("from").typed().expect("from");
    let to = request.to_header().expect("to").typed().expect("to");
    black_box((from.tag(), &from.uri, &to.uri));
    let cseq = request.cseq_header().expect("cseq").typed().expect("cseq");
    black_box((request.call_id_header().expect("call-id").value(), cseq.seq));
    black_box(request.max_forwards_header().expect("hops").value().parse::<u32>().expect("number"));
    black_box(&request.contact_header().expect("contact").typed().expect("contact").uri);
    black_box(request.uri());
}

fn case<'a>(what: &'static str, who: &'static str, call: impl FnMut() + 'a) -> Case<'a> {
    Case { what, who, call: Box::new(call), batches_ns: Vec::new(), allocations: (0, 0) }
}

fn messages(title: &str, bytes: &[u8]) {
    let mut out = Vec::with_capacity(2_048);
    write(bytes, &mut out);
    assert_eq!(out, bytes, "what is written is what was read");
    let mut cases = [
        case("parse", "offhook", || drop(black_box(Message::parse(black_box(bytes))))),
        case("parse", "rsipstack", || drop(black_box(SipMessage::try_from(black_box(bytes))))),
        case("parse+typed", "offhook", || typed(black_box(bytes))),
        case("parse+typed", "rsipstack", || their_typed(black_box(bytes))),
        case("parse+serialise", "offhook", || {
            write(black_box(bytes), &mut out);
            black_box(&out);
        }),
        case("parse+serialise", "rsipstack", || {
            drop(black_box(SipMessage::try_from(black_box(bytes)).expect("sound").to_bytes()));
        }),
        case("parse+check lenient", "offhook", || {
            assert!(Message::parse(black_box(bytes)).expect("sound").check(Strictness::Lenient).is_ok());
        }),
        case("parse+check strict", "offhook", || {
            assert!(Message::parse(black_box(bytes)).expect("sound").check(Strictness::Strict).is_ok());
        }),
    ];
    measure(&mut cases);
    print(title, &cases);
}

/// An answer to a challenge of a guard that knows one hash, and what verifying it costs.
fn digest(what: &'static str, algorithm: Algorithm) -> Case<'static> {
    let (now, source) = (Time::from_secs(1_640_930_319), [192, 168, 80, 20].into());
    let mut rng = Rng::from_number(1);
    let settings = GuardSettings { algorithms: vec![algorithm], ..GuardSettings::default() };
    let mut guard = Guard::new(settings, &mut rng);
    let secret = Secret::Password("secret".into());
    let mut client = Client::new(Credentials { username: "7005".into(), secret, realm: None }, false);
    let challenge = guard.challenge(now, source, false).remove(0);
    let response = format!("SIP/2.0 401 x\r\nWWW-Authenticate: {challenge}\r\n\r\n");
    let response = Message::parse(response.as_bytes()).expect("sound");
    client.challenged(&mut Attempt::default(), &response, true).expect("answered");
    let uri = "sip:192.168.50.19";
    let header = client.headers("REGISTER", uri, b"", &mut rng).remove(0).1;
    let ha1 = Ha1::new("7005", "offhook", "secret");
    case(what, "offhook", move || {
        let header = Some(header.as_bytes());
        let presented = Presented { source, header, method: "REGISTER", uri, body: b"" };
        black_box(guard.verify(now, &presented, |_| Some(ha1)));
    })
}

fn main() {
    messages("INVITE, 806 bytes", include_bytes!("../../messages/invite.sip"));
    messages("REGISTER, 680 bytes", include_bytes!("../../messages/register.sip"));
    let mut cases = [digest("verify MD5", Algorithm::Md5), digest("verify SHA-256", Algorithm::Sha256)];
    measure(&mut cases);
    print("Digest", &cases);
}
