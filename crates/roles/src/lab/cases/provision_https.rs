//! A phone fetches its settings by HTTPS; on real sockets alone.

use super::prelude::*;
use crate::lab::RealCase;

/// The case.
pub(super) const CASE: RealCase = RealCase {
    case: Case {
        slug: "provision-https",
        title: "A phone fetches its settings by HTTPS",
        teaches: "The phone checks the server's certificate against an authority that it trusts, and the name in it.",
        desks: phone_with_rule!("https://127.0.50.80:8443/$(MA).cfg"),
        steps: &set_up_by_rule(500),
        // Of SIP alone and without times: on real sockets nobody sees the files pass, and no two runs take as long.
        whole: include_str!("ladders/provision-https.txt"),
        ..PROVISIONING
    },
    files: &[RECEPTION],
};
