//! Lamps: who watches whom is told what is true.

use super::*;

fn subscribe(bench: &mut Bench, phone: &mut Phone, watched: &str, event: &str, expires: u32) {
    let to = format!("<sip:{watched}@192.0.2.100>");
    let fields = format!("Contact: {}\r\nEvent: {event}\r\nExpires: {expires}\r\n", phone.contact());
    let request = phone.request("SUBSCRIBE", &to[1..to.len() - 1], &to, "", "sub-1", &fields, "");
    bench.say(phone, &request);
}

#[test]
fn a_lamp_follows_a_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
    bench.check("7003>s SUBSCRIBE; s>7003 200; s>7003 NOTIFY");
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("version=\"0\"") && !notify.contains("<dialog "), "{notify}");
    let ok = phones[2].answer(&notify, 200, "", "");
    bench.say(&phones[2], &ok);
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(notify.contains("version=\"1\"") && notify.contains(">early<"), "{notify}");
    assert!(notify.contains("direction=\"recipient\"") && notify.contains("sip:7001@"), "{notify}");
}

#[test]
fn subscriptions_are_refused_by_the_book() {
    let check = |watched: &str, event: &str, expires, status: &str| {
        let mut bench = Bench::new();
        let mut guarded = Extension::new("7001", "offhook", "secret");
        guarded.watchers = Some(vec!["7002".into()]);
        bench.command(What::SetExtension(Box::new(guarded)));
        let [.., mut phone] = bench.ready();
        subscribe(&mut bench, &mut phone, watched, event, expires);
        bench.check(&format!("7003>s SUBSCRIBE; s>7003 {status}"));
    };
    check("7999", "dialog", 3_600, "404");
    check("7001", "dialog", 3_600, "403");
    check("7002", "dialog", 30, "423");
    check("7002", "presence", 3_600, "489");
}
