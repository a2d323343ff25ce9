//! Strangers, and what they get.

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
    assert_eq!(bench.exchange.endpoint.server_count(), 0);
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
    let refusals = bench.ladder.iter().filter(|step| *step == "s>7001 403").count();
    assert_eq!(refusals, 16);
    assert!(bench.events.iter().any(|event| matches!(event, Event::Banned(_))));
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
    assert_eq!((&*bench.vouched, &*bench.closed), (&[flow][..], &[][..]));
    assert!(matches!(bench.command(What::Ban(phone.address.ip())), Answer::Ok));
    let request = phone.register("3600");
    say(&mut bench, &request);
    assert_eq!(bench.closed, [flow]);
}
