//! All phones are told to fetch their settings, one after the other.

use super::prelude::*;

/// What the server has.
const FILES: Files =
    Files { files: &[("y000000000000.cfg", "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n")], ..Files::NONE };

/// The phones fetch when they are told to.
const ON_DEMAND: &[(&str, &str)] = &[
    ("auto_provision.pnp_enable", "0"),
    ("auto_provision.server.url", "tftp://127.0.50.80/"),
    ("auto_provision.power_on", "0"),
];

/// The case.
pub(super) const CASE: Case = Case {
    slug: "push-to-all",
    title: "All phones are told, one after the other",
    deck: "Resync from SIP: the server sends NOTIFY with Event: check-sync.",
    teaches: "A second lies between two NOTIFYs, so that neither the server nor the network is hit by all phones at once.",
    desks: &[
        Desk::with("7001", 600, ON_DEMAND),
        Desk::with("7002", 800, ON_DEMAND),
        Desk::with("7007", 1000, ON_DEMAND),
    ],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::Up(&["7001", "7002", "7007"]),
        Step::CheckSync("7001", false),
        Step::Pass(1_000),
        Step::CheckSync("7002", false),
        Step::Pass(1_000),
        Step::CheckSync("7007", false),
        Step::Pass(1_000),
        Step::Event("7001", "provisioned", &[], 10_000),
        Step::Event("7002", "provisioned", &[], 10_000),
        Step::Event("7007", "provisioned", &[], 10_000),
        Step::Pass(8_000),
    ],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/push-to-all.txt"),
    ..PROVISIONING
};
