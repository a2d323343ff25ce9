//! What a capture cannot show.

use super::Sample;
use super::calls::{CALL, CALLEE, CALLER, answer, ends, invites, offer, stands};
use super::registration::registers;
use crate::doctor::tape::{PHONE, SERVER, Tape, sdp};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "capture.sip-only", faulty: || ends(stands(), 9_000), healthy: || ends(stands(), 900) },
    Sample {
        code: "capture.truncated",
        faulty: || registers(Tape::default(), 0, 1).cut_to(200),
        healthy: || registers(Tape::default(), 0, 1),
    },
    Sample { code: "capture.one-sided", faulty: one_sided, healthy: || ends(stands(), 900) },
    Sample {
        code: "capture.drops",
        faulty: || registers(Tape::default(), 0, 1).drops(9),
        healthy: || registers(Tape::default(), 0, 1).drops(0),
    },
    Sample { code: "capture.clock", faulty: || again_at(30_000, 0), healthy: || again_at(30_000, 29_900) },
    Sample { code: "capture.unjudged", faulty: || with_video(5_006), healthy: || with_video(0) },
    Sample { code: "capture.no-sip", faulty: of_another_port, healthy: || registers(Tape::default(), 0, 1) },
];

/// What the called side says is missing.
fn one_sided() -> Tape {
    Tape::default()
        .udp(0, PHONE, SERVER, CALL.ask("INVITE", 1, &offer()))
        .udp(900, PHONE, SERVER, CALL.inside().ask("ACK", 1, ""))
        .udp(9_000, PHONE, SERVER, CALL.inside().ask("BYE", 2, ""))
}

fn again_at(first_ms: u64, second_ms: u64) -> Tape {
    registers(registers(Tape::default(), first_ms, 1), second_ms, 5)
}

fn with_video(port: u16) -> Tape {
    let more = format!("m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n");
    let tape = invites(Tape::default(), 0, &sdp(CALLER, "RTP/AVP", "8", &more));
    ends(super::calls::answers(tape, 100, &format!("{}{more}", answer())), 900)
}

fn of_another_port() -> Tape {
    Tape::default().udp(0, CALLER, CALLEE, "hello")
}
