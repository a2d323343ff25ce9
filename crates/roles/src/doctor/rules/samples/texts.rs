//! Logs and configuration files.

use super::{Sample, above_info};
use crate::doctor::tape::Tape;
use crate::doctor::tracks::FileKind;

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        code: "prov.unreachable",
        faulty: || provisioned("File does not exist or server is unreachable..."),
        healthy: || provisioned("Profile is applied"),
    },
    Sample {
        code: "reboot.crash",
        faulty: || Tape::default().log("System start, reason watchdog\n"),
        healthy: || Tape::default().log("System start, reason web\n"),
    },
    Sample {
        code: "cfg.syntax",
        faulty: || cfg("account.1.enable 1\n"),
        healthy: || cfg("account.1.label = a = b\n"),
    },
    Sample {
        code: "cfg.unknown-key",
        faulty: || cfg("account.1.enabel = 1\n"),
        healthy: || cfg("account.1.enable = 1\n"),
    },
    Sample {
        code: "cfg.bad-value",
        faulty: || cfg("account.1.enable = 7\n"),
        healthy: || cfg("account.1.enable = 0\n"),
    },
    Sample {
        code: "cfg.duplicate",
        faulty: || cfg("account.1.label = a\naccount.1.label = b\n"),
        healthy: || cfg("account.1.label = a\naccount.2.label = a\n"),
    },
    Sample {
        code: "cfg.encoding",
        faulty: || cfg("account.1.label = \u{201c}a\u{201d}\n"),
        healthy: || cfg("account.1.label = Zo\u{eb}\n"),
    },
    Sample { code: "cfg.account-disabled", faulty: || account("0"), healthy: || account("1") },
    Sample {
        code: "cfg.blf-incomplete",
        faulty: || cfg("linekey.2.type = 16\nlinekey.2.line = 1\n"),
        healthy: || cfg("linekey.2.type = 16\nlinekey.2.line = 1\nlinekey.2.value = 7007\n"),
    },
    Sample {
        code: "boot.syntax",
        faulty: || boot("time.cfg\n"),
        healthy: || boot("include:config <time.cfg>\n"),
    },
];

fn cfg(lines: &str) -> Tape {
    Tape::default().config(&format!("#!version:1.0.0.1\n{lines}"))
}

fn account(enable: &str) -> Tape {
    cfg(&format!(
        "account.1.enable = {enable}\naccount.1.user_name = 7001\naccount.1.password = a-secret-of-some-length\n"
    ))
}

fn boot(lines: &str) -> Tape {
    Tape::default().text("y000000000000.boot", FileKind::Boot, &format!("#!version:1.0.0.1\n{lines}"))
}

fn provisioned(result: &str) -> Tape {
    Tape::default().log(&format!("Profile Rule [tftp://192.168.50.165/]...\n{result}\n"))
}

/// The lines of the deck and those of web pages are read alike.
#[test]
fn a_log_alone_tells_a_refused_registration() {
    for line in ["0 Register Fail, 403 Forbidden", "403 Fail"] {
        let tape = Tape::default().log(&format!("0 Registering To:< sip:6618@192.168.50.19\n{line}\n"));
        assert_eq!(above_info(tape), ["reg.403"], "{line}");
    }
    let tape = Tape::default().log("0 Register Fail, 403 Forbidden\n0 Register Success, expires 120s\n");
    assert!(above_info(tape).is_empty());
}
