//! From which moment a changed setting holds.

use super::*;
use crate::settings::{Kind, TABLE, When};

/// A value that the parameter does not have now.
fn other_value(bench: &Bench, name: &str, kind: Kind) -> String {
    let now = bench.phone.settings().get(name).expect("a known name").expose().to_owned();
    let values = match kind {
        Kind::Bool => vec!["0".to_owned(), "1".to_owned()],
        Kind::Number { min, max, .. } | Kind::Numbers { min, max } => vec![min.to_string(), max.to_string()],
        Kind::Choice(choices) => choices.iter().map(|(value, _)| (*value).to_owned()).collect(),
        Kind::Seconds { .. } => vec!["1".to_owned(), "2".to_owned()],
        Kind::Port => vec!["7".to_owned(), "9".to_owned()],
        _ => vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()],
    };
    values.into_iter().find(|value| *value != now).expect("two values")
}

#[test]
fn a_phone_registers_anew_where_the_row_says_so_and_nowhere_else() {
    for row in TABLE.iter().filter(|row| row.acts()) {
        let name = row.key.replace(".X", ".1").replace(".N", ".1");
        let mut bench = Bench::registered(&[]);
        let value = other_value(&bench, &name, row.kind);
        bench.command(&format!("set {name} {value}"));
        let registers = bench.ladder.iter().any(|step| step.contains("REGISTER"));
        assert_eq!(registers, row.when == When::NewRegistration, "{name} = {value}: {:?}", bench.ladder);
        let waits = bench.phone.waits_for_restart().next().is_some();
        assert_eq!(waits, row.when == When::Restart, "{name}");
    }
}

#[test]
fn another_account_s_change_leaves_an_account_registered() {
    let mut bench = Bench::registered(&[]);
    bench.command("set account.2.user_name 7003 account.2.password x account.2.display_name y");
    bench.check("");
}

#[test]
fn what_holds_at_once_does_so_without_a_new_registration() {
    let mut bench = Bench::registered(&[]);
    bench.command("set account.1.100rel_enable 1 sip.use_23_as_pound 0");
    bench.command("dial 12#3");
    let invite = String::from_utf8_lossy(&bench.take(Method::Invite).expect("an INVITE")).into_owned();
    assert!(invite.starts_with("INVITE sip:12#3@"), "{invite}");
    assert!(invite.contains("Supported: 100rel,replaces,timer\r\n"), "{invite}");
}

#[test]
fn a_factory_reset_forgets_what_files_and_people_set_and_starts_again() {
    let mut bench = Bench::registered(&[]);
    bench.command("set account.1.ptime 30");
    bench.command("factory-reset");
    let settings = bench.phone.settings();
    assert_eq!(settings.entries().count(), 0, "{settings:?}");
    assert!(bench.ladder.iter().any(|step| step.contains("REGISTER(expires 0)")), "{:?}", bench.ladder);
    assert!(bench.wishes.iter().any(|wish| matches!(wish, Wish::Restart)), "{:?}", bench.wishes);
}

#[test]
fn one_parameter_is_explained_and_a_pattern_lists_values() {
    let mut bench = Bench::registered(&[]);
    bench.command("get account.1.advanced.vpn");
    let Some(EventKind::Value { about: Some(about), .. }) = bench.events.first() else {
        panic!("{:?}", bench.events)
    };
    assert!(about.kept.is_some_and(|why| why.starts_with("The network of this machine")), "{about:?}");
    bench.forget();
    bench.command("get account.1.sip_server.*.address");
    let listed = bench.events.iter().filter(|event| matches!(event, EventKind::Value { about: None, .. }));
    assert_eq!(listed.count(), 2);
    bench.forget();
    bench.command("get account.*.password");
    assert!(!format!("{:?}", bench.events).contains("secret-of-7002-long"));
    assert!(bench.refused("get nothing.*.here").contains("no parameter fits"));
}
