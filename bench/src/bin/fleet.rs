//! Ten thousand desk phones in one process, in virtual time: bytes and CPU of each, with and without
//! lamps. A server of a few lines answers them; its memory is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use bench::figures::quantile;
use bench::sip;
use proto::Time;
use proto::sip::{Flow, Transport};
use roles::phone::{Phone, Place};
use roles::role::{Input, Output, Role};
use roles::settings::{AccountSettings, Model, PhoneSettings, Settings, Source};

const SERVER: &str = "192.0.2.1:5060";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"offhook\", nonce=\"0123456789abcdef\", qop=\"auth\", algorithm=MD5\r\n";

/// Counts what is taken and given back while it is switched on.
struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    let _ = COUNTS.try_with(|counts| {
        if counts.get() {
            LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
        }
    });
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(work: impl FnOnce() -> T) -> T {
    COUNTS.set(true);
    let result = work();
    COUNTS.set(false);
    result
}

type Outputs = Vec<
    Output<<Phone as Role>::Event, <Phone as Role>::Media, <Phone as Role>::Change, <Phone as Role>::Wish>,
>;

/// One phone and what its server knows of it.
struct Desk {
    phone: Phone,
    flow: Flow,
    /// The SUBSCRIBEs that were accepted.
    subscriptions: Vec<Vec<u8>>,
    registered: bool,
}

/// All of them.
struct Fleet {
    desks: Vec<Desk>,
    now: Time,
    out: Outputs,
    cseq: u32,
    settings_bytes: i64,
}

impl Fleet {
    fn new(phones: u32, lamps: u32) -> Self {
        let now = Time::from_secs(1_700_000_000);
        let mut fleet =
            Self { desks: Vec::new(), now, out: Vec::with_capacity(256), cseq: 0, settings_bytes: 0 };
        for number in 0..phones {
            let ip = std::net::Ipv4Addr::from(0x0a00_0001 + number);
            let before = LIVE_BYTES.get();
            let settings = counted(|| settings(10_000 + number, lamps));
            fleet.settings_bytes += LIVE_BYTES.get() - before;
            let mut seed = [7; 32];
            seed[..4].copy_from_slice(&number.to_le_bytes());
            let phone = counted(|| Phone::new(settings, Place::new(ip.into()), seed, now));
            let flow = Flow {
                transport: Transport::Udp,
                local: (ip, 5060).into(),
                remote: SERVER.parse().expect("an address"),
            };
            fleet.desks.push(Desk { phone, flow, subscriptions: Vec::new(), registered: false });
        }
        fleet
    }

    /// Lets one thing happen to a phone, and answers all that it sends.
    fn happen(&mut self, at: usize, bytes: Option<&[u8]>, start: bool) {
        let mut answers = self.input(at, bytes, start);
        while let Some(answer) = answers.pop() {
            answers.extend(self.input(at, Some(&answer), false));
        }
    }

    fn input(&mut self, at: usize, bytes: Option<&[u8]>, start: bool) -> Vec<Vec<u8>> {
        let desk = &mut self.desks[at];
        let input = match bytes {
            Some(bytes) => Input::Message { flow: desk.flow, bytes, waited: Duration::ZERO },
            None if start => Input::Start,
            None => Input::Wake,
        };
        let (out, now) = (&mut self.out, self.now);
        counted(|| desk.phone.handle(now, input, out));
        let mut answers = Vec::new();
        for output in &*out {
            if let Output::Transmit(transmit) = output {
                answers.extend(desk.answer(&transmit.bytes));
            }
        }
        counted(|| out.clear());
        answers
    }

    /// Lets time pass for all.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for at in 0..self.desks.len() {
            while let Some((due, _)) = self.desks[at].phone.next_deadline().filter(|(due, _)| *due <= until) {
                self.now = self.now.max(due);
                self.happen(at, None, false);
            }
            // Each phone lives through the same time by itself.
            self.now = until - time;
        }
        self.now = until;
    }

    /// Tells every lamp that its extension is busy or idle; CPU in ns, and each NOTIFY's own time.
    fn tell_lamps(&mut self, version: u32, state: &str) -> (u64, Vec<u64>) {
        let (mut cpu, mut each) = (0, Vec::new());
        for at in 0..self.desks.len() {
            let subscriptions = std::mem::take(&mut self.desks[at].subscriptions);
            let messages: Vec<Vec<u8>> = subscriptions
                .iter()
                .map(|subscribe| {
                    self.cseq += 1;
                    notify(subscribe, self.cseq, version, state)
                })
                .collect();
            self.desks[at].subscriptions = subscriptions;
            let (desk, out, now) = (&mut self.desks[at], &mut self.out, self.now);
            let begin = cpu_ns();
            for message in &messages {
                let began = Instant::now();
                let input = Input::Message { flow: desk.flow, bytes: message, waited: Duration::ZERO };
                counted(|| {
                    desk.phone.handle(now, input, out);
                    out.clear();
                });
                each.push(began.elapsed().as_nanos() as u64);
            }
            cpu += cpu_ns() - begin;
        }
        each.sort_unstable();
        (cpu, each)
    }
}

impl Desk {
    /// What the server says to a message of the phone.
    fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let is_register = message.starts_with(b"REGISTER ");
        if !is_register && !message.starts_with(b"SUBSCRIBE ") {
            return None;
        }
        if sip::header(message, b"Authorization").is_none() {
            return Some(response(message, "401 Unauthorized", CHALLENGE));
        }
        let seconds = sip::header(message, b"Expires").and_then(sip::number).unwrap_or_default();
        if is_register {
            self.registered |= seconds > 0;
        } else {
            self.subscriptions.push(message.to_vec());
        }
        let contact = format!("Expires: {seconds}\r\nContact: <sip:{SERVER}>\r\n");
        Some(response(message, "200 OK", &contact))
    }
}

fn settings(number: u32, lamps: u32) -> Settings {
    let mut settings = Settings::new(Model::usual());
    let number = number.to_string();
    let mut set = |key: &str, value: &str| settings.set(key, value, Source::MacCfg).expect("a setting");
    set("account.1.enable", "1");
    set("account.1.user_name", &number);
    set("account.1.display_name", &number);
    set("account.1.password", "a-secret-for-benchmarks");
    set("account.1.sip_server.1.address", "192.0.2.1");
    for lamp in 1..=lamps {
        set(&format!("linekey.{}.type", lamp + 4), "16");
        set(&format!("linekey.{}.line", lamp + 4), "1");
        set(&format!("linekey.{}.value", lamp + 4), &(20_000 + lamp).to_string());
    }
    settings
}

/// What the settings of one account take when they are taken apart.
fn apart_bytes() -> i64 {
    let settings = settings(10_000, 0);
    let before = LIVE_BYTES.get();
    let apart =
        counted(|| (Box::new(PhoneSettings::read(&settings)), Box::new(AccountSettings::read(&settings, 1))));
    let bytes = LIVE_BYTES.get() - before;
    counted(|| drop(apart));
    bytes
}

fn response(request: &[u8], status: &str, headers: &str) -> Vec<u8> {
    let text = |name: &str| {
        String::from_utf8_lossy(sip::header(request, name.as_bytes()).unwrap_or_default()).into_owned()
    };
    let to = text("To");
    let tag = if to.contains("tag=") { "" } else { ";tag=server" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\
         Content-Length: 0\r\n\r\n",
        text("Via"),
        text("From"),
        text("Call-ID"),
        text("CSeq")
    )
    .into_bytes()
}

fn notify(subscribe: &[u8], cseq: u32, version: u32, state: &str) -> Vec<u8> {
    let text = |name: &str| {
        String::from_utf8_lossy(sip::header(subscribe, name.as_bytes()).unwrap_or_default()).into_owned()
    };
    let contact = sip::header(subscribe, b"Contact").and_then(sip::bracketed).unwrap_or_default();
    let entity = subscribe.split(|&b| b == b' ').nth(1).unwrap_or_default();
    let (contact, entity) = (String::from_utf8_lossy(contact), String::from_utf8_lossy(entity));
    let body = format!(
        "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"{entity}\">\r\n<dialog id=\"1\"><state>{state}</state></dialog>\r\n</dialog-info>\r\n"
    );
    format!(
        "NOTIFY {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bKn{cseq}\r\nMax-Forwards: 70\r\n\
         From: {};tag=server\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:{SERVER}>\r\n\
         Event: dialog\r\nSubscription-State: active;expires=3500\r\nContent-Type: application/dialog-info+xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        text("To"),
        text("From"),
        text("Call-ID"),
        body.len()
    )
    .into_bytes()
}

fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A fleet that has started, registered, and come to rest; and its bytes.
fn started(phones: u32, lamps: u32) -> (Fleet, i64) {
    let before = LIVE_BYTES.get();
    let mut fleet = Fleet::new(phones, lamps);
    for at in 0..fleet.desks.len() {
        fleet.happen(at, None, true);
    }
    fleet.pass(Duration::from_secs(60));
    let registered = fleet.desks.iter().filter(|desk| desk.registered).count();
    let watching: usize = fleet.desks.iter().map(|desk| desk.subscriptions.len()).sum();
    assert_eq!(registered, phones as usize, "all phones are registered");
    assert_eq!(watching, (phones * lamps) as usize, "all lamps are accepted");
    (fleet, LIVE_BYTES.get() - before)
}

fn main() {
    let phones = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    const LAMPS: u32 = 10;
    println!("a phone's own structure has {} bytes", size_of::<Phone>());
    let begin = cpu_ns();
    let (fleet, bytes) = started(phones, 0);
    let each = i64::from(phones);
    println!(
        "{phones} registered phones: {} bytes each, and {} of settings; {:.1} us of CPU each to start and register",
        (bytes - fleet.settings_bytes) / each,
        fleet.settings_bytes / each,
        (cpu_ns() - begin) as f64 / 1_000.0 / f64::from(phones)
    );
    println!("of a phone's bytes its settings, taken apart for use, are {}", apart_bytes());
    let without = bytes - fleet.settings_bytes;
    drop(fleet);
    let (mut fleet, bytes) = started(phones, LAMPS);
    fleet.tell_lamps(0, "terminated");
    fleet.pass(Duration::from_secs(60));
    println!(
        "with {LAMPS} lamps each: {} bytes for each subscription",
        (bytes - fleet.settings_bytes - without) / (each * i64::from(LAMPS))
    );
    let (cpu, times) = fleet.tell_lamps(1, "confirmed");
    println!(
        "{} NOTIFYs: {:.2} s of CPU, {:.1} us each; from NOTIFY to lamp p50 {:.1} us, p99 {:.1} us, longest {:.1} us",
        times.len(),
        cpu as f64 / 1e9,
        cpu as f64 / 1_000.0 / times.len().max(1) as f64,
        quantile(&times, 0.5) as f64 / 1_000.0,
        quantile(&times, 0.99) as f64 / 1_000.0,
        times.last().copied().unwrap_or_default() as f64 / 1_000.0
    );
}
