//! A phone fetches its settings by HTTP.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-http",
    title: "A phone fetches its settings by HTTP",
    teaches: "A full address of a file is fetched alone, by one GET with Host, User-Agent and Accept.",
    desks: phone_with_rule!("http://127.0.50.80/$(MA).cfg"),
    machines: servers!(FILES),
    steps: &set_up_by_rule(8_000),
    whole: include_str!("ladders/provision-http.txt"),
    ..PROVISIONING
};
