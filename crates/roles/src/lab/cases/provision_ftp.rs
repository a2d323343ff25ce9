//! A phone fetches its settings by FTP; on real sockets alone.

use super::prelude::*;
use crate::lab::RealCase;

/// The case.
pub(super) const CASE: RealCase = RealCase {
    case: Case {
        slug: "provision-ftp",
        title: "A phone fetches its settings by FTP",
        teaches: "One connection for commands, one more for each file: EPSV first, as firewalls like it.",
        desks: phone_with_rule!("ftp://127.0.50.80:2121/$(MA).cfg"),
        steps: &set_up_by_rule(500),
        // Of SIP alone and without times: on real sockets nobody sees the files pass, and no two runs take as long.
        whole: include_str!("ladders/provision-ftp.txt"),
        ..PROVISIONING
    },
    files: &[RECEPTION],
};
