//! Seams inside the crates: no circles of modules, and walls between the rooms of `roles`.

use std::collections::BTreeSet;

use super::modules::Modules;
use super::{relative, sources};

/// Which rooms of `roles` may use which.
const ROOMS: &[(&str, &[&str])] = &[
    ("dhcp_service", &[]),
    ("doctor", &["settings"]),
    ("exchange", &["object", "relay", "role", "stamp"]),
    (
        "lab",
        &[
            "dhcp_service",
            "exchange",
            "mac",
            "phone",
            "provision",
            "relay",
            "role",
            "settings",
            "sound",
            "trace",
        ],
    ),
    ("mac", &[]),
    ("object", &[]),
    ("phone", &["mac", "repeats", "role", "settings", "sound", "stamp"]),
    ("provision", &["mac", "settings", "stamp"]),
    ("relay", &[]),
    ("repeats", &[]),
    ("role", &["settings"]),
    ("settings", &[]),
    ("sound", &[]),
    ("stamp", &[]),
    ("trace", &[]),
];

#[test]
fn no_module_uses_one_that_uses_it() {
    let circles = modules().circles();
    assert!(circles.is_empty(), "move what both need to a file that uses neither: {circles:#?}");
}

#[test]
fn the_walls_inside_roles_stand() {
    let used = modules().rooms("roles");
    for (room, others) in &used {
        let allowed = ROOMS.iter().find(|(name, _)| name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("ROOMS does not say what roles/{room} may use"));
        let foreign: Vec<_> = others.iter().filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(foreign.is_empty(), "roles/{room} must not use {foreign:?}");
    }
    for (room, allowed) in ROOMS {
        let others = used.get(*room).cloned().unwrap_or_default();
        let unused: BTreeSet<_> = allowed.iter().filter(|other| !others.contains(**other)).collect();
        assert!(unused.is_empty(), "roles/{room} does not use {unused:?}: take it out of ROOMS");
    }
}

fn modules() -> Modules {
    let texts: Vec<_> = sources().map(|path| (relative(&path), super::text_of(&path))).collect();
    Modules::read(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}
