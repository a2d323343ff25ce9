//! Commands that wait: for a registration, for an event, for the end of everything.

use super::*;

fn say(bench: &mut Bench, line: &str) {
    bench.input(Input::Command(Command::read(line)));
}

/// What was answered so far: the name of the answer and of the command.
fn answers(bench: &mut Bench) -> Vec<String> {
    let told = bench.events.drain(..).filter_map(|event| match event {
        EventKind::Done { id } => Some(format!("done {}", id.unwrap_or_default())),
        EventKind::Error { id, .. } => Some(format!("error {}", id.unwrap_or_default())),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_call_waits_for_the_registration_that_is_under_way() {
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    say(&mut bench, "@1 dial 7007");
    assert!(answers(&mut bench).is_empty() && bench.phone.is_waiting());
    bench.serve_registration();
    assert_eq!(answers(&mut bench), ["done 1"]);
    assert!(bench.take(Method::Invite).is_some() && !bench.phone.is_waiting());
}

#[test]
fn a_call_waits_for_no_registration_that_is_refused_or_never_comes() {
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    say(&mut bench, "@1 dial 7007");
    let register = bench.take(Method::Register).expect("sent");
    bench.answer(&register, "403 Forbidden", "", "");
    assert_eq!(answers(&mut bench), ["error 1"]);
    say(&mut bench, "@2 dial 7007");
    assert_eq!(answers(&mut bench), ["error 2"], "it is decided");

    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    say(&mut bench, "@1 dial 7007");
    bench.now += Duration::from_secs(20);
    bench.input(Input::Wake);
    assert_eq!(answers(&mut bench), ["error 1"]);
}

#[test]
fn an_event_is_waited_for_until_it_comes_or_the_time_is_over() {
    let mut bench = Bench::registered(&[]);
    say(&mut bench, "@1 wait registered");
    say(&mut bench, "@2 wait incoming 5");
    say(&mut bench, "@3 wait ended 5");
    assert_eq!(answers(&mut bench), ["done 1"], "it is registered already");
    bench.request("INVITE", "a", "", SDP);
    assert_eq!(answers(&mut bench), ["done 2"]);
    bench.now += Duration::from_secs(5);
    bench.input(Input::Wake);
    assert_eq!(answers(&mut bench), ["error 3"]);
    for wrong in ["wait", "wait tea", "wait ended 0", "wait ended 3601", "wait ended x"] {
        assert!(Command::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::registered(&[]);
    (0..100).for_each(|_| say(&mut bench, "wait ended"));
    assert_eq!(answers(&mut bench).len(), 100 - 64);
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    (0..100).for_each(|_| say(&mut bench, "dial 7007"));
    assert_eq!(answers(&mut bench).len(), 100 - 64);
}

#[test]
fn the_end_of_the_input_ends_the_phone_when_its_calls_are_over() {
    let quits = |bench: &mut Bench| bench.wishes.drain(..).any(|wish| wish == Wish::SwitchOff);
    let end = || Input::Command(Command { id: None, what: super::super::CommandKind::EndOfInput });
    let mut idle = Bench::registered(&[]);
    idle.input(end());
    idle.serve_registration();
    assert!(quits(&mut idle));

    let mut busy = Bench::registered(&[]);
    say(&mut busy, "dial 7007");
    busy.input(end());
    let invite = busy.take(Method::Invite).expect("sent");
    busy.now += Duration::from_secs(10);
    busy.input(Input::Wake);
    assert!(!quits(&mut busy), "its call is not over");
    busy.answer(&invite, "486 Busy Here", "", "");
    busy.serve_registration();
    assert!(quits(&mut busy));
}

#[test]
fn a_parameter_that_does_nothing_says_so_when_it_is_set() {
    let mut bench = Bench::registered(&[]);
    let kept =
        crate::settings::TABLE.iter().find(|row| !row.acts() && !row.key.contains(".X")).expect("a row");
    say(&mut bench, &format!("set {} \"{}\"", kept.key, kept.default));
    let about = bench.events.drain(..).find_map(|event| match event {
        EventKind::Value { about, .. } => about,
        _ => None,
    });
    assert!(about.and_then(|about| about.kept).is_some_and(|why| !why.is_empty()), "{}", kept.key);
    say(&mut bench, "set account.1.display_name Jack");
    assert!(!bench.events.iter().any(|event| matches!(event, EventKind::Value { .. })));
}
