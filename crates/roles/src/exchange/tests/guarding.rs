//! Strangers, and what they get.

use super::calls::talking;
use super::*;

#[test]
fn a_stranger_gets_at_most_twice_his_size() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    for method in ["REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "BYE", "PUBLISH"] {
        let request =
            phone.request(method, "sip:7001@192.0.2.100", "<sip:7001@192.0.2.100>", "", method, "", "");
        bench.say(&phone, &request);
        let answers = bench.inbox.remove(&phone.address).unwrap_or_default();
        assert_eq!(answers.len(), 1, "{method}");
        assert!(answers[0].starts_with("SIP/2.0 401") && answers[0].len() <= request.len() * 2, "{method}");
    }
    assert_eq!(bench.exchange.turn.endpoint.server_count(), 0);
}

#[test]
fn scanners_are_banned() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    let fields = "User-Agent: friendly-scanner\r\n";
    for call_id in ["1", "2"] {
        let request = phone.request("OPTIONS", "sip:1@192.0.2.100", "<sip:1@h>", "", call_id, fields, "");
        bench.say(&phone, &request);
    }
    bench.check("7001>s OPTIONS; 7001>s OPTIONS");
    assert!(matches!(bench.command(What::Bans), Answer::Bans(bans) if bans.len() == 1));
    assert!(matches!(bench.command(What::Pardon(phone.address.ip())), Answer::Ok));
    bench.register(&mut phone);
}

#[test]
fn guessing_ends_in_a_ban() {
    let (mut bench, mut phone) = (Bench::new(), Phone::with_password("7001", "guess"));
    let request = phone.register("3600");
    bench.say(&phone, &request);
    phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
    for _ in 0..20 {
        let request = phone.register("3600");
        bench.say(&phone, &request);
    }
    let refusals = |bench: &Bench| bench.ladder.iter().filter(|step| *step == "s>7001 403").count();
    assert_eq!(refusals(&bench), 3, "each further answer is held back");
    assert!(bench.events.iter().any(|event| matches!(event, Event::Banned(_))));
    bench.wait(1);
    assert_eq!(refusals(&bench), 4);
}

#[test]
fn a_connection_of_somebody_known_may_stay_and_one_of_somebody_banned_is_closed() {
    let (mut bench, mut phone) = (Bench::new(), Phone::new("7001"));
    let flow = Flow { transport: Transport::Tcp, ..flow_from(phone.address) };
    let say = |bench: &mut Bench, text: &str| {
        bench.give(Input::Message { flow, bytes: text.as_bytes(), waited: Duration::ZERO });
    };
    let request = phone.register("3600");
    say(&mut bench, &request);
    assert_eq!(bench.vouched, []);
    phone.challenged(&bench.heard(&phone, "SIP/2.0 401"));
    let request = phone.register("3600");
    say(&mut bench, &request);
    let [(vouched, _)] = &*bench.vouched else { panic!("{:?}", bench.vouched) };
    assert_eq!((vouched, &*bench.closed), (&flow, &[][..]));
    assert!(matches!(bench.command(What::Ban(phone.address.ip())), Answer::Ok));
    let request = phone.register("3600");
    say(&mut bench, &request);
    assert_eq!(bench.closed, [flow]);
}

/// Somebody at an address of others who guesses at the password of 7001, so many times at once.
fn guess(bench: &mut Bench, at: SocketAddr, count: u32) {
    let mut guesser = Phone::with_password("7001", "guess");
    guesser.address = at;
    let request = guesser.register("3600");
    bench.say(&guesser, &request);
    guesser.challenged(&bench.heard(&guesser, "SIP/2.0 401"));
    for _ in 0..count {
        let request = guesser.register("3600");
        bench.say(&guesser, &request);
    }
}

/// Whether a phone that knows nothing registers.
fn registers(bench: &mut Bench, phone: &mut Phone) -> bool {
    let answered = |bench: &mut Bench, phone: &mut Phone| {
        let heard = bench.inbox.get(&phone.address).map_or(0, Vec::len);
        let request = phone.register("3600");
        bench.say(phone, &request);
        bench.inbox.get(&phone.address).and_then(|all| all.get(heard)).cloned().unwrap_or_default()
    };
    let challenge = answered(bench, phone);
    if challenge.starts_with("SIP/2.0 401") {
        phone.challenged(&challenge);
        return answered(bench, phone).starts_with("SIP/2.0 200");
    }
    challenge.starts_with("SIP/2.0 200")
}

/// A phone that has lost its memory since: nothing it says is a copy of what it said before.
fn restarted(number: &'static str, at: SocketAddr, serial: u32) -> Phone {
    Phone { address: at, branch: serial * 100, cseq: serial * 100, ..Phone::new(number) }
}

fn office(port: u16) -> SocketAddr {
    SocketAddr::new([203, 0, 113, 1].into(), port)
}

fn bans(bench: &mut Bench) -> Vec<(IpAddr, Option<String>)> {
    match bench.command(What::Bans) {
        Answer::Bans(bans) => bans.into_iter().map(|ban| (ban.source, ban.account)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guesser_switches_off_no_office() {
    let mut bench = Bench::new();
    let mut phones = [Phone::new("7001"), Phone::new("7002"), Phone::new("7003")];
    (phones[0].address, phones[1].address) = (office(5_061), office(5_062));
    phones.iter_mut().for_each(|phone| bench.register(phone));
    bench.ladder.clear();
    let (answered, _) = talking(&mut bench, &mut phones);
    guess(&mut bench, office(6_000), 100);
    assert_eq!(bans(&mut bench), [(office(0).ip(), Some("7001".to_owned()))]);
    // The account that is guessed at: its own device, before and after it has lost its memory.
    assert!(registers(&mut bench, &mut phones[0]) && registers(&mut bench, &mut phones[1]));
    bench.wait(20);
    assert!(registers(&mut bench, &mut restarted("7001", office(5_071), 1)));
    assert!(registers(&mut bench, &mut restarted("7002", office(5_072), 1)));
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    assert!(bench.exchange.calls().is_empty(), "what stands can be ended");
    // One that is new here, and the guesser with the right password.
    assert!(registers(&mut bench, &mut restarted("7003", office(5_073), 1)));
    let mut lucky = restarted("7001", office(6_000), 5);
    assert!(!registers(&mut bench, &mut lucky));
}

#[test]
fn an_own_account_does_not_switch_the_guard_off() {
    let mut bench = Bench::new();
    let [mut owner, ..] = bench.ready();
    let at = |port| SocketAddr::new([198, 51, 100, 7].into(), port);
    let mut own = restarted("7003", at(5_060), 1);
    assert!(registers(&mut bench, &mut own));
    for serial in 0..14 {
        guess(&mut bench, at(6_000 + serial), 50);
        assert!(registers(&mut bench, &mut own));
    }
    assert_eq!(bans(&mut bench), [(at(0).ip(), Some("7001".to_owned()))]);
    bench.wait(30);
    assert!(
        !registers(&mut bench, &mut restarted("7001", at(7_000), 2)),
        "the right password, found too late"
    );
    // The owner, where he is and anywhere else.
    assert!(registers(&mut bench, &mut owner));
    let elsewhere = SocketAddr::new([198, 51, 100, 8].into(), 5_060);
    assert!(registers(&mut bench, &mut restarted("7001", elsewhere, 3)));
}

#[test]
fn five_hundred_phones_behind_one_nat_that_restart_together_all_register() {
    let numbers: Vec<&'static str> =
        (0..500).map(|number| &*Box::leak(format!("5{number:03}").into_boxed_str())).collect();
    for guesser_first in [false, true] {
        let extensions =
            numbers.iter().chain(&["7001"]).map(|number| Extension::new(number, "offhook", "secret"));
        let restored = Restored { extensions: extensions.collect(), ..Restored::default() };
        let mut bench = Bench::restored(Config::default(), restored);
        let place = |at: usize, first| office(first + at as u16);
        let mut all = |first: u16, serial| {
            let phones = numbers.iter().enumerate();
            phones
                .filter(|(at, number)| {
                    registers(&mut bench, &mut restarted(number, place(*at, first), serial))
                })
                .count()
        };
        // For the first time, then after a restart behind other ports, with a guesser among them.
        assert_eq!(all(10_000, 1), 500);
        if guesser_first {
            guess(&mut bench, office(6_000), 200);
        }
        let mut all = |first: u16, serial| {
            let phones = numbers.iter().enumerate();
            phones
                .filter(|(at, number)| {
                    registers(&mut bench, &mut restarted(number, place(*at, first), serial))
                })
                .count()
        };
        assert_eq!(all(20_000, 2), 500);
    }
}

#[test]
fn forged_requests_use_up_nobodys_challenges() {
    for method in ["OPTIONS", "REGISTER", "INVITE"] {
        let patience = Patience { burst: 8, per_second: 1, ..Patience::default() };
        let mut bench = Bench::with(Config { patience, ..Config::default() });
        let [phone, ..] = bench.ready();
        let mut forger = restarted("7001", phone.address, 900);
        let mut forge = |bench: &mut Bench| {
            for serial in 0..100 {
                let to = "<sip:7001@192.0.2.100>";
                let call_id = format!("forged-{serial}");
                let request = forger.request(method, "sip:7001@192.0.2.100", to, "", &call_id, "", "");
                bench.say(&forger, &request);
            }
        };
        (0..10).for_each(|_| forge(&mut bench));
        let mut known = restarted("7001", phone.address, 1);
        let registered = (2..14).filter(|serial| {
            bench.pass(Duration::from_millis(500));
            forge(&mut bench);
            bench.pass(Duration::from_millis(500));
            registers(&mut bench, &mut restarted("7001", phone.address, *serial))
        });
        if method != "REGISTER" {
            assert_eq!(registered.count(), 12, "{method}");
        }
        // What is forged exactly as the phone asks takes no phone its nonce: only that can have heard it.
        known.cseq = 5_000;
        bench.pass(Duration::from_secs(60));
        assert!(registers(&mut bench, &mut known), "{method}");
        bench.pass(Duration::from_secs(3_500));
        forge(&mut bench);
        known.cseq = 5_100;
        let request = known.register("3600");
        bench.say(&known, &request);
        bench.pass(Duration::from_secs(200));
        (0..3).for_each(|_| forge(&mut bench));
        assert!(registers(&mut bench, &mut known), "{method}: a nonce that is too old");
    }
}

#[test]
fn a_banned_strangers_standing_call_can_be_ended() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    assert!(matches!(bench.command(What::Ban(phones[0].address.ip())), Answer::Ok));
    let register = phones[0].register("3600");
    bench.ladder.clear();
    bench.say(&phones[0], &register);
    bench.check("7001>s REGISTER");
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    assert!(bench.exchange.calls().is_empty());
}
