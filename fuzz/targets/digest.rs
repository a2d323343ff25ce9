//! Challenges and credentials: read, answered and verified. What a stranger writes is never right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sip::Message;
use proto::sip::digest::{
    Attempt, Challenge, Client, Credentials, Guard, GuardSettings, Ha1, Presented, Secret, Verdict,
};
use proto::{Rng, Time};

fuzz_target!(|value: &[u8]| {
    let _ = Challenge::parse(value);
    let mut rng = Rng::from_number(1);
    let mut guard = Guard::new(GuardSettings::default(), &mut rng);
    let (now, source) = (Time::from_secs(1_640_930_319), [192, 168, 80, 20].into());
    let presented =
        Presented { source, header: Some(value), method: "REGISTER", uri: "sip:192.168.50.19", body: b"" };
    let ha1 = Ha1 { md5: [7; 16], sha256: [7; 32] };
    assert!(!matches!(guard.verify(now, &presented, |_| Some(ha1)), Verdict::Ok(_)));

    let response = [b"SIP/2.0 401 x\r\nWWW-Authenticate: ", value, b"\r\n\r\n"].concat();
    let Ok(response) = Message::parse(&response) else { return };
    let credentials = Credentials { username: "7005".into(), secret: Secret::Ha1(ha1), realm: None };
    let mut client = Client::new(credentials, false);
    if client.challenged(&mut Attempt::default(), &response, true).is_ok() {
        assert_eq!(client.headers("REGISTER", "sip:a", b"", &mut rng).len(), 1);
    }
});
