//! Makes the captures that the doctor is measured with: `captures rtp|sip FILE CALLS`.
//!
//! `rtp`: so many calls, started one after the other, each with 562 packets of PCMA each way, 20 ms apart: with 4,000
//! calls 4.5 million packets and 1 GB. `sip`: so many calls without sound, seven messages each with SDP: with 108,000
//! calls 756,000 messages. The same arguments always give the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use proto::Time;
use proto::pcap::{Transport, Writer, file_header};
use proto::rtp::Packet;

const PACKETS: u32 = 562;
const SERVER: ([u8; 4], u16) = ([192, 168, 50, 19], 5_060);
const BEGIN: Time = Time::from_secs(1_640_000_000);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, calls] = arguments.as_slice() else { return usage() };
    let Ok(calls) = calls.parse() else { return usage() };
    let made = match kind.as_str() {
        "rtp" => rtp(path, calls),
        "sip" => sip(path, calls),
        _ => return usage(),
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("captures: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: captures rtp|sip FILE CALLS");
    ExitCode::from(2)
}

struct Capture {
    file: BufWriter<File>,
    writer: Writer,
    frames: Vec<u8>,
}

impl Capture {
    fn create(path: &str) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        file.write_all(&file_header())?;
        Ok(Self { file, writer: Writer::new(), frames: Vec::new() })
    }

    fn add(&mut self, at: Time, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        self.frames.clear();
        self.writer.write(at, from, to, Transport::Udp, bytes, &mut self.frames);
        self.file.write_all(&self.frames)
    }
}

/// The phone of a call.
fn phone(call: u32, port: u16) -> SocketAddr {
    let [_, a, b, c] = call.to_be_bytes();
    SocketAddr::from(([10, a, b, c], port))
}

/// The server's port for the sound of a call.
fn relay(call: u32) -> SocketAddr {
    SocketAddr::from((SERVER.0, 10_000 + (call * 2 % 50_000) as u16))
}

/// Call `n` begins 2.5 ms after the one before, so that nearly all of them talk at once.
fn rtp(path: &str, calls: u32) -> io::Result<()> {
    let mut capture = Capture::create(path)?;
    let begin = |call: u32| BEGIN + Duration::from_micros(u64::from(call) * 2_500);
    let span = Duration::from_millis(u64::from(PACKETS) * 20) + Duration::from_micros(u64::from(calls) * 2_500);
    for call in 0..calls {
        setup(&mut capture, begin(call) - Duration::from_secs(2), call)?;
    }
    // Rounds of 20 ms; in each every call that talks sends one packet each way.
    for round in 0..(span.as_millis() as u64 / 20 + 1) {
        let now = BEGIN + Duration::from_millis(round * 20);
        for call in 0..calls {
            let begun = begin(call);
            let step = now.since(begun).as_millis() as u64 / 20;
            if now < begun || step >= u64::from(PACKETS) {
                continue;
            }
            let at = now + Duration::from_micros(u64::from(call) * 4 % 20_000);
            sound(&mut capture, at, phone(call, 10_000), relay(call), call * 2 + 1, step as u32)?;
            sound(&mut capture, at, relay(call), phone(call, 10_000), call * 2 + 2, step as u32)?;
        }
    }
    for call in 0..calls {
        hang_up(&mut capture, BEGIN + span, call)?;
    }
    capture.file.flush()
}

fn sound(capture: &mut Capture, at: Time, from: SocketAddr, to: SocketAddr, ssrc: u32, step: u32) -> io::Result<()> {
    let payload = [0xd5; 160];
    let packet = Packet {
        marker: step == 0,
        payload_type: 8,
        sequence: step as u16,
        timestamp: step * 160,
        ssrc,
        csrc: &[],
        extension: None,
        payload: &payload,
        padding_bytes: 0,
    };
    let mut bytes = Vec::with_capacity(172);
    packet.write(&mut bytes);
    capture.add(at, from, to, &bytes)
}

fn sip(path: &str, calls: u32) -> io::Result<()> {
    let mut capture = Capture::create(path)?;
    let begin = |call: u32| BEGIN + Duration::from_millis(u64::from(call) * 2);
    // A call lasts 200 ms, so that about a hundred are open at a time.
    for call in 0..calls + 100 {
        if call < calls {
            setup(&mut capture, begin(call), call)?;
        }
        if let Some(over) = call.checked_sub(100) {
            hang_up(&mut capture, begin(call) + Duration::from_micros(900), over)?;
        }
    }
    capture.file.flush()
}

fn server() -> SocketAddr {
    SocketAddr::from(SERVER)
}

fn setup(capture: &mut Capture, at: Time, call: u32) -> io::Result<()> {
    let (caller, server) = (phone(call, 5_060), server());
    let sdp = |address: SocketAddr| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 8 0 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n",
            address.ip(),
            address.port()
        )
    };
    let step = |number: u64| at + Duration::from_micros(number * 100);
    let invite = request("INVITE", 1, call, &sdp(phone(call, 10_000)));
    capture.add(step(0), caller, server, invite.as_bytes())?;
    for (number, status, body) in [(1, "100 Trying", String::new()), (2, "180 Ringing", String::new()), (3, "200 OK", sdp(relay(call)))] {
        capture.add(step(number), server, caller, answer(status, "INVITE", 1, call, &body).as_bytes())?;
    }
    capture.add(step(4), caller, server, request("ACK", 1, call, "").as_bytes())
}

fn hang_up(capture: &mut Capture, at: Time, call: u32) -> io::Result<()> {
    let (caller, server) = (phone(call, 5_060), server());
    capture.add(at, caller, server, request("BYE", 2, call, "").as_bytes())?;
    capture.add(at + Duration::from_micros(50), server, caller, answer("200 OK", "BYE", 2, call, "").as_bytes())
}

fn head(method: &str, cseq: u32, call: u32, body: &str) -> String {
    let (host, kind) = (phone(call, 5_060).ip(), if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" });
    let to_tag = if method == "INVITE" { "" } else { ";tag=s" };
    format!(
        "Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{call:08x}{cseq}{method};rport\r\nFrom: \"{0}\" <sip:{0}@192.168.50.19>;tag=c{call:x}\r\n\
         To: <sip:7002@192.168.50.19>{to_tag}\r\nCall-ID: {call:08x}-5f3a-4c1e@{host}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n\
         Contact: <sip:{0}@{host}:5060>\r\nUser-Agent: FLYINGVOICE FIP14G V0.7.3.1\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER\r\n\
         Supported: replaces, timer\r\n{kind}Content-Length: {1}\r\n\r\n{body}",
        7_000 + call % 1_000,
        body.len()
    )
}

fn request(method: &str, cseq: u32, call: u32, body: &str) -> String {
    format!("{method} sip:7002@192.168.50.19 SIP/2.0\r\n{}", head(method, cseq, call, body))
}

fn answer(status: &str, method: &str, cseq: u32, call: u32, body: &str) -> String {
    let head = head(method, cseq, call, body).replace("To: <sip:7002@192.168.50.19>\r\n", "To: <sip:7002@192.168.50.19>;tag=s\r\n");
    format!("SIP/2.0 {status}\r\n{head}")
}
