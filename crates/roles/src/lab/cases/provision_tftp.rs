//! A phone fetches its settings by TFTP.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files {
    files: &[
        ("y000000000000.boot", "#!version:1.0.0.1\ninclude:config <site.cfg>\n"),
        ("site.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n"),
    ],
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-tftp",
    title: "A phone fetches its settings by TFTP",
    teaches: "A boot file takes the place of the names that would be asked after it; each file has a transfer of its own.",
    desks: phone_with_rule!("tftp://127.0.50.80/"),
    machines: servers!(FILES),
    steps: &set_up_by_rule(8_000),
    whole: include_str!("ladders/provision-tftp.txt"),
    ..PROVISIONING
};
