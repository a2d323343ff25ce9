//! Who is served what, and what is noted of it.

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 70, 1));
const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const NOW: Time = Time::from_secs(1_700_000_000);

fn mac(last: u8) -> Mac {
    Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, last])
}

fn provision() -> Provision {
    let renderer = Renderer::new(Vec::new(), Layers::default()).expect("sound templates");
    let site = Site { sip_host: "127.0.50.19".into(), sip_port: 5_060, sip_transport: 0 };
    let base = Some("http://127.0.50.19:8069".to_owned());
    Provision::new(renderer, site, base, Restored::default(), [1; 32])
}

fn with_device() -> Provision {
    let mut provision = provision();
    let edit = Edit { number: Some(Some("7001".into())), approved: Some(true), ..Edit::default() };
    provision.edit(mac(0x21), edit).expect("a device");
    provision
}

fn ask(provision: &mut Provision, path: &str, from: IpAddr, user_agent: Option<&str>) -> Content {
    let request = Request { path, user_agent, from, transport: Transport::Http, certified: None };
    let begun = provision.begin(NOW, &request);
    let content = begun.answer.clone();
    provision.ended(NOW, begun, 7, "ok");
    content
}

fn folder(provision: &Provision) -> String {
    let url = provision.url_of(mac(0x21)).expect("a folder");
    url.trim_start_matches("http://127.0.50.19:8069").to_owned()
}

#[test]
fn a_device_is_served_from_its_secret_folder_wherever_it_is() {
    let mut provision = with_device();
    let folder = folder(&provision);
    let Content::Text(text) = ask(&mut provision, &format!("{folder}0021f222b021.cfg"), FAR, None) else {
        panic!("not served")
    };
    assert!(text.contains("account.1.user_name = 7001\n"), "{text}");
    assert!(text.contains(&format!("server.url = http://127.0.50.19:8069{folder}")), "{text}");
    for name in ["0021f222b021.boot", "0021f222b021", "y000000000000.cfg", "0021f222b022.cfg", ""] {
        assert_eq!(ask(&mut provision, &format!("{folder}{name}"), FAR, None), Content::NotFound, "{name}");
    }
}

#[test]
fn by_its_bare_name_a_device_is_served_on_the_loopback_or_in_the_window() {
    let mut provision = with_device();
    let path = "0021F222B021.cfg";
    assert_eq!(ask(&mut provision, path, FAR, None), Content::NotFound);
    assert!(matches!(ask(&mut provision, path, LOOPBACK, None), Content::Text(_)));
    provision.open_window(NOW, 10);
    assert!(matches!(ask(&mut provision, path, FAR, None), Content::Text(_)));
    assert_eq!(ask(&mut provision, "0021f222b022.cfg", FAR, None), Content::NotFound);
    assert_eq!(provision.strangers().map(|it| it.mac).collect::<Vec<_>>(), [mac(0x22)]);
    provision.close_window();
    assert_eq!(ask(&mut provision, path, FAR, None), Content::NotFound);
}

/// Known and unknown MAC addresses and tokens look the same, and have one end.
#[test]
fn guessing_is_no_oracle_and_is_throttled() {
    for known in [0x21, 0x22] {
        let mut provision = with_device();
        let path = format!("0021f222b0{known:02x}.cfg");
        let answers: Vec<_> = (0..30).map(|_| ask(&mut provision, &path, FAR, None)).collect();
        let silent = answers.iter().filter(|answer| **answer == Content::Silence).count();
        assert_eq!((silent, answers.len() - silent), (10, 20), "{path}");
        assert!(matches!(ask(&mut provision, &path, LOOPBACK, None), Content::Text(_) | Content::NotFound));
        assert_eq!(provision.transfers(1).next().map(|it| it.peer), Some(LOOPBACK));
    }
    let mut provision = with_device();
    for _ in 0..20 {
        assert_eq!(ask(&mut provision, "/p/guess/0021f222b021.cfg", FAR, None), Content::NotFound);
    }
    let right = format!("{}0021f222b021.cfg", folder(&provision));
    assert_eq!(ask(&mut provision, &right, FAR, None), Content::Silence);
}

#[test]
fn nobody_gets_a_file_that_is_another_vendor_s() {
    let mut provision = with_device();
    let path = "0021f222b021.cfg";
    let yealink = Some("Yealink SIP-T46S 66.85.0.5 00:21:f2:22:b0:21");
    assert_eq!(ask(&mut provision, path, LOOPBACK, yealink), Content::NotFound);
    let own = Some("Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21");
    assert!(matches!(ask(&mut provision, path, LOOPBACK, own), Content::Text(_)));
    let view = provision.device(mac(0x21)).expect("a device");
    assert_eq!(view.now.firmware.as_deref(), Some("V0.7.3.1"));
    for path in
        ["y000000000065.cfg", "cfg0021f222b021.xml", "SEP0021F222B021.cnf.xml", "snom370-0021F222B021.htm"]
    {
        assert_eq!(ask(&mut provision, path, LOOPBACK, None), Content::NotFound, "{path}");
    }
    ask(&mut provision, "cfg0021f222b099.xml", LOOPBACK, None);
    let foreign = provision.strangers().find(|it| it.mac == mac(0x99)).expect("listed");
    assert_eq!(foreign.foreign, Some("Grandstream"));
}

#[test]
fn each_serving_leaves_a_row_without_secrets_and_rows_are_bounded() {
    let mut provision = with_device();
    let path = format!("{}0021f222b021.cfg", folder(&provision));
    ask(&mut provision, &path, FAR, None);
    let row = provision.transfers(1).next().cloned().expect("a row");
    assert_eq!((row.file.as_str(), row.result.as_str(), row.bytes), ("0021f222b021.cfg", "ok", 7));
    assert_eq!((row.mac, row.transport.as_str()), (Some(mac(0x21)), "http"));
    let served = &provision.device(mac(0x21)).expect("a device").now.served;
    assert_eq!(served.len(), 1);
    let count = |provision: &mut Provision| {
        let notes = provision.take_notes();
        let gone = notes.iter().filter(|it| matches!(it, Change::TransferGone(_))).count();
        (notes.iter().filter(|it| matches!(it, Change::Transfer(_))).count(), gone)
    };
    assert_eq!(count(&mut provision), (1, 0));
    for _ in 0..MOST_TRANSFERS + 5 {
        ask(&mut provision, "x.wav", LOOPBACK, None);
    }
    assert_eq!(provision.transfers(usize::MAX).count(), MOST_TRANSFERS);
    assert_eq!(count(&mut provision), (MOST_TRANSFERS, 1), "what was never kept is not taken back");
    (0..6).for_each(|_| drop(ask(&mut provision, "x.wav", LOOPBACK, None)));
    assert_eq!(count(&mut provision), (6, 6), "each new row takes the place of one");
    assert_eq!(count(&mut provision), (0, 0));
}

fn accounts(provision: &mut Provision) -> Vec<Vec<String>> {
    let changes = provision.take_changes().into_iter();
    let told = changes.filter_map(|change| match change {
        Change::Accounts { credentials, .. } => Some(credentials.into_iter().map(|it| it.user).collect()),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_old_credential_holds_until_the_new_one_has_registered_or_a_day_has_passed() {
    let mut provision = with_device();
    let first = accounts(&mut provision).pop().expect("told");
    assert_eq!(first.len(), 1);
    assert!(provision.rotate(NOW, mac(0x21)));
    let both = accounts(&mut provision).pop().expect("told");
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    provision.registered(NOW, &first[0], "sip:7001@192.0.2.7", "a");
    assert_eq!(accounts(&mut provision), Vec::<Vec<String>>::new(), "the old one proves nothing");
    provision.registered(NOW, &both[0], "sip:7001@192.0.2.7", "a");
    assert_eq!(accounts(&mut provision), [vec![both[0].clone()]]);
    provision.rotate(NOW, mac(0x21));
    accounts(&mut provision);
    provision.advance(NOW + Duration::from_secs(24 * 3_600));
    assert_eq!(accounts(&mut provision).pop().map(|it| it.len()), Some(1));
    assert!(provision.remove(mac(0x21)) && !provision.remove(mac(0x21)));
    assert_eq!(accounts(&mut provision), [Vec::<String>::new()], "a lost device has no account");
}

#[test]
fn pnp_answers_known_phones_and_lists_others_in_the_window() {
    let mut provision = with_device();
    let asked =
        |last| PnpAsked { mac: mac(last), vendor: Some("Flyingvoice".into()), model: None, version: None };
    assert!(provision.pnp(NOW, &asked(0x21), FAR).is_some_and(|url| url.ends_with('/')));
    assert_eq!(provision.pnp(NOW, &asked(0x22), FAR), None);
    assert_eq!(provision.strangers().count(), 0);
    provision.open_window(NOW, 10);
    assert_eq!(provision.pnp(NOW, &asked(0x22), FAR), None);
    assert_eq!(provision.strangers().count(), 1);
    for last in 0..=255 {
        for fifth in 0..4 {
            let asked = PnpAsked { mac: Mac([0, 0x21, 0xf2, 1, fifth, last]), ..asked(0) };
            provision.pnp(NOW, &asked, FAR);
        }
    }
    assert_eq!(provision.strangers().count(), MOST_STRANGERS);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let mut provision = provision();
    let mut refuse = |edit: Edit| provision.edit(mac(0x21), edit).expect_err("refused");
    let told = refuse(Edit { model: Some("Toaster".into()), ..Edit::default() });
    assert!(told.contains("no template is known for the model Toaster"), "{told}");
    let told = refuse(Edit { template: Some(Some("x".into())), ..Edit::default() });
    assert!(told.contains("there is no template x"), "{told}");
    let told = refuse(Edit { label: Some("a\nb".into()), ..Edit::default() });
    assert!(told.contains("control characters"), "{told}");
    assert!(refuse(Edit { account: Some(0), ..Edit::default() }).contains("accounts go from 1"));
    assert!(provision.edit(Mac([0; 6]), Edit::default()).is_err());
    assert_eq!(provision.devices().count(), 0);
}

#[test]
fn what_people_see_holds_no_secret() {
    let mut provision = with_device();
    let settings = [("account.1.password".to_owned(), "swordfish".to_owned())].into();
    provision.edit(mac(0x21), Edit { settings: Some(settings), ..Edit::default() }).expect("set");
    let device = provision.catalogue.device(mac(0x21)).expect("a device").clone();
    let view = serde_json::to_string(&provision.device(mac(0x21))).expect("JSON");
    let preview = provision.preview(mac(0x21)).expect("rendered");
    for text in [view, format!("{device:?}"), preview] {
        assert!(!text.contains(device.token.expose()), "{text}");
        assert!(!text.contains(device.credential.password.expose()), "{text}");
    }
    assert!(!export_csv(provision.devices()).contains(device.token.expose()));
}

/// Asked, answered, fetched, registered, restarted: each sign is noted when it comes.
#[test]
fn a_push_tells_what_became_of_each_device() {
    let mut provision = with_device();
    let unregistered = Edit { number: Some(Some("7002".into())), approved: Some(true), ..Edit::default() };
    provision.edit(mac(0x22), unregistered).expect("a device");
    let user = accounts(&mut provision)
        .into_iter()
        .flatten()
        .find(|it| it.starts_with("0021f222b021"))
        .expect("told");
    provision.registered(NOW, &user, "sip:7001@192.0.2.7", "a");
    assert!(provision.push(NOW, Some(vec![mac(0x99)]), false, 60, 0).is_err());
    let number = provision.push(NOW, None, true, 6_000, 0).expect("begun");
    provision.take_changes();
    let at = |ms: u64| NOW + Duration::from_millis(ms);
    provision.advance(at(20));
    let told = provision.take_changes();
    let expected =
        Change::CheckSync { number: "7001".into(), contact: "sip:7001@192.0.2.7".into(), reboot: true };
    assert_eq!(told, [expected], "who is not registered cannot be told");
    provision.check_synced(at(30), "sip:7001@192.0.2.7", Some(200));
    ask(&mut provision, "0021f222b021.cfg", LOOPBACK, None);
    provision.registered(at(50), &user, "sip:7001@192.0.2.7", "a");
    let asked = PnpAsked { mac: mac(0x21), vendor: None, model: None, version: None };
    provision.pnp(at(60), &asked, FAR);
    let push = provision.push_rows(number).expect("a push").clone();
    let row = &push.rows[0];
    assert_eq!((row.status, row.answered.is_some(), row.fetched.is_some()), (Some(200), true, true));
    assert_eq!((row.registered, row.rebooted), (Some(at(50).as_millis()), Some(at(60).as_millis())));
    assert_eq!((push.rows[1].status, push.rows[1].answered), (None, None));
    let number = provision.push(at(70), Some(vec![mac(0x21)]), true, 6_000, 0).expect("begun");
    provision.advance(at(70));
    for (ms, call_id, rebooted) in [(80, "a", None), (90, "b", Some(at(90).as_millis()))] {
        provision.registered(at(ms), &user, "sip:7001@192.0.2.7", call_id);
        assert_eq!(provision.push_rows(number).expect("a push").rows[0].rebooted, rebooted, "{call_id}");
    }
}

/// A file that says something new names an account of another user: a registration with it proves that the phone has applied the file.
/// The system's clock is set after the start.
#[test]
fn dates_follow_the_wall_clock() {
    let mut provision = with_device();
    let shown = NOW + Duration::from_hours(24);
    provision.set_wall(Wall::showing(shown, NOW));
    ask(&mut provision, "0021f222b021.cfg", LOOPBACK, None);
    let asked = provision.device(mac(0x21)).expect("a device").now.asked;
    assert_eq!(asked, Some(shown.as_millis()));
    let transfer = provision.transfers(1).next().expect("a transfer");
    assert_eq!((transfer.at, transfer.ms), (shown.as_millis(), 0));
    provision.open_window(NOW, 10);
    assert!(provision.window(NOW + Duration::from_mins(9)).is_some(), "the window closes when it would have");
    assert!(provision.window(NOW + Duration::from_mins(10)).is_none());
}

#[test]
fn a_registration_proves_which_file_the_phone_has_applied() {
    let mut provision = with_device();
    let file = |provision: &mut Provision| {
        let Content::Text(text) = ask(provision, "0021f222b021.cfg", LOOPBACK, None) else {
            panic!("served")
        };
        let user = text.lines().find_map(|line| line.strip_prefix("account.1.auth_name = ")).expect("a user");
        user.to_owned()
    };
    let applied = |provision: &Provision| provision.device(mac(0x21)).expect("a device").now.applied;
    let first = file(&mut provision);
    assert_eq!((applied(&provision), file(&mut provision)), (None, first.clone()), "the same file");
    provision.registered(NOW, &first, "sip:7001@192.0.2.7", "a");
    assert_eq!(applied(&provision), Some(NOW.as_millis()));
    accounts(&mut provision);

    let edit = Edit { label: Some("Reception".into()), ..Edit::default() };
    provision.edit(mac(0x21), edit).expect("set");
    let number = provision.push(NOW, None, false, 6_000, 0).expect("begun");
    let at = |ms: u64| NOW + Duration::from_millis(ms);
    provision.advance(at(10));
    let second = file(&mut provision);
    assert_ne!(first, second);
    assert_eq!(accounts(&mut provision).pop(), Some(vec![second.clone(), first.clone()]), "both hold");
    provision.registered(at(20), &first, "sip:7001@192.0.2.7", "a");
    let row = |provision: &Provision| provision.push_rows(number).expect("a push").rows[0].clone();
    assert_eq!((row(&provision).registered, row(&provision).applied), (Some(at(20).as_millis()), None));
    provision.registered(at(30), &second, "sip:7001@192.0.2.7", "b");
    assert_eq!((row(&provision).applied, row(&provision).rebooted), (Some(at(30).as_millis()), None));
    assert_eq!(accounts(&mut provision).pop(), Some(vec![second.clone()]), "the older one ends");

    // A phone that has the newest file already says so by fetching it.
    let number = provision.push(at(40), None, false, 6_000, 0).expect("begun");
    provision.advance(at(50));
    assert_eq!(file(&mut provision), second);
    assert!(provision.push_rows(number).expect("a push").rows[0].applied.is_some());
}

#[test]
fn users_of_earlier_files_are_bounded() {
    let mut provision = with_device();
    for round in 0..20 {
        let edit = Edit { label: Some(format!("Reception {round}")), ..Edit::default() };
        provision.edit(mac(0x21), edit).expect("set");
        ask(&mut provision, "0021f222b021.cfg", LOOPBACK, None);
    }
    assert_eq!(accounts(&mut provision).pop().map(|all| all.len()), Some(5));
}

/// TFTP knows neither secrets nor users, so it can be limited to the phones' networks.
#[test]
fn tftp_is_limited_to_networks() {
    let mut provision = with_device();
    provision.limit_tftp(vec!["192.0.2.0/24".parse().expect("a network")]);
    let path = format!("{}0021f222b021.cfg", folder(&provision));
    let mut ask = |from: IpAddr, transport| {
        let begun = provision
            .begin(NOW, &Request { path: &path, user_agent: None, from, transport, certified: None });
        let content = begun.answer.clone();
        provision.ended(NOW, begun, 7, "ok");
        (content == Content::Silence, provision.transfers(1).next().map(|row| row.result.clone()))
    };
    let other: IpAddr = [198, 51, 100, 7].into();
    assert_eq!(ask(FAR, Transport::Tftp), (false, Some("ok".into())));
    assert_eq!(ask(other, Transport::Tftp), (true, Some("refused".into())));
    assert_eq!(ask(other, Transport::Http), (false, Some("ok".into())));
}

/// The redirection service tells a phone its folder where its file by its bare name would be served too.
#[test]
fn a_phone_out_of_its_box_is_led_to_its_folder_within_the_window() {
    let mut provision = with_device();
    let url = provision.url_of(mac(0x21)).expect("a folder");
    let agent = Some("Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21");
    for (path, agent) in [("/rps/0021f222b021", None), ("/rps/0021F222B021.cfg", None), ("/rps/", agent)] {
        assert_eq!(ask(&mut provision, path, FAR, agent), Content::NotFound, "{path}");
        provision.open_window(NOW, 10);
        assert_eq!(ask(&mut provision, path, FAR, agent), Content::Elsewhere(url.clone()), "{path}");
        provision.close_window();
    }
    assert_eq!(ask(&mut provision, "/rps/", LOOPBACK, None), Content::NotFound);
    ask(&mut provision, "/rps/0021f222b099", LOOPBACK, None);
    assert_eq!(provision.strangers().map(|it| it.mac).collect::<Vec<_>>(), [mac(0x99)]);
    let request = Request {
        path: "rps/0021f222b021",
        user_agent: None,
        from: LOOPBACK,
        transport: Transport::Tftp,
        certified: None,
    };
    assert_eq!(provision.begin(NOW, &request).answer, Content::NotFound, "TFTP leads nowhere");
    let guesses = (0..30).filter(|_| ask(&mut provision, "/rps/0021f222b021", FAR, None) == Content::Silence);
    assert!(guesses.count() > 0, "guessing is throttled");
}

#[test]
fn a_certificate_opens_its_own_phone_s_folder_from_afar_and_no_other_s() {
    let mut provision = with_device();
    let other = Edit { number: Some(Some("7002".into())), approved: Some(true), ..Edit::default() };
    provision.edit(mac(0x22), other).expect("a device");
    let ask = |provision: &mut Provision, path: &str, from, certified| {
        let request =
            Request { path, user_agent: None, from, transport: Transport::Https, certified: Some(certified) };
        provision.begin(NOW, &request).answer
    };
    for path in ["/rps/", "/rps/0021f222b021", "/rps/0021F222B021.cfg"] {
        let answer = ask(&mut provision, path, FAR, mac(0x21));
        assert_eq!(answer, Content::Elsewhere(provision.url_of(mac(0x21)).expect("a folder")), "{path}");
    }
    let own = ask(&mut provision, "/0021f222b021.cfg", FAR, mac(0x21));
    assert!(matches!(own, Content::Text(_)), "{own:?}");
    for path in ["/rps/0021f222b022", "/0021f222b022.cfg"] {
        for from in [FAR, LOOPBACK] {
            assert_eq!(ask(&mut provision, path, from, mac(0x21)), Content::NotFound, "{path} {from}");
        }
    }
    assert_eq!(ask(&mut provision, "/rps/", FAR, mac(0x99)), Content::NotFound);
    assert!(provision.strangers().any(|it| it.mac == mac(0x99)), "a person may adopt it");
}

fn administer(provision: &mut Provision, method: &str, params: &[proto::xmlrpc::Value]) -> (bool, String) {
    use proto::xmlrpc::{Call, Value};
    let call = Call { method: format!("redirect.{method}"), params: params.to_vec() };
    let Some(Value::Array(said)) = provision.administer(&call) else { panic!("{method} is no method") };
    let [Value::Bool(is_done), rest] = said.as_slice() else { panic!("{said:?}") };
    let text = if let Value::Text(text) = rest { text.clone() } else { format!("{rest:?}") };
    (*is_done, text)
}

/// As the administration of makers' services is described: methods, texts and spellings.
#[test]
fn phones_of_others_are_led_to_their_servers() {
    use proto::xmlrpc::Value;
    let text = |text: &str| Value::Text(text.to_owned());
    let mut provision = with_device();
    let other = "http://192.0.2.80/office/";
    let (phone, mac) = (text("00:15:65-AA bb.CC"), "001565aabbcc");
    let ok = (true, "OK".to_owned());
    let invalid = (false, "Error:Invalid server".to_owned());
    assert_eq!(administer(&mut provision, "registerDevice", &[phone.clone(), text("office")]), invalid);
    assert_eq!(administer(&mut provision, "addServer", &[text("office"), text("no address")]), invalid);
    assert_eq!(
        administer(&mut provision, "addServer", &[text("office"), text(&format!("{other}\r\nX: y"))]),
        invalid
    );
    assert_eq!(administer(&mut provision, "addServer", &[text("office"), text(other)]), ok);
    assert_eq!(administer(&mut provision, "registerDevice", &[phone.clone(), text("office")]), ok);
    let existing = (false, format!("Error:Existing MAC(s):{mac}"));
    assert_eq!(administer(&mut provision, "registerDevice", &[phone.clone(), text("office")]), existing);
    let forced = [phone.clone(), text("office"), text("https://192.0.2.81/x.cfg"), Value::Bool(true)];
    assert_eq!(administer(&mut provision, "registerDeviceWithUniqueUrl", &forced), ok);
    assert_eq!(
        administer(&mut provision, "checkDevice", std::slice::from_ref(&phone)),
        (true, "Registered".to_owned())
    );
    let led = ask(&mut provision, &format!("/rps/{mac}"), LOOPBACK, None);
    assert_eq!(led, Content::Elsewhere("https://192.0.2.81/x.cfg".to_owned()));
    assert_eq!(
        ask(&mut provision, &format!("/rps/{mac}"), FAR, None),
        Content::NotFound,
        "a bare MAC opens nothing"
    );
    assert_eq!(
        administer(&mut provision, "editDevices", &[Value::Array(vec![phone.clone()]), text("office")]),
        ok
    );
    assert_eq!(
        ask(&mut provision, &format!("/rps/{mac}"), LOOPBACK, None),
        Content::Elsewhere(other.to_owned())
    );
    let wrong = (false, "Error:Invalid MAC(s):7001".to_owned());
    assert_eq!(administer(&mut provision, "registerDevices", &[text("7001"), text("office")]), wrong);
    let (_, list) = administer(&mut provision, "listDevices", &[]);
    assert!(list.contains(mac) && list.contains("office"), "{list}");

    let kept = provision.take_changes().into_iter();
    let mut rows = BTreeMap::new();
    for (key, row) in kept.filter_map(|change| match change {
        Change::Redirect { key, row } => Some((key, row)),
        _ => None,
    }) {
        match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
    }
    let restored = Restored { redirects: rows.into_values().collect(), ..Restored::default() };
    let renderer = Renderer::new(Vec::new(), Layers::default()).expect("sound templates");
    let site = Site { sip_host: "127.0.50.19".into(), sip_port: 5_060, sip_transport: 0 };
    let mut again = Provision::new(renderer, site, None, restored, [1; 32]);
    assert_eq!(ask(&mut again, &format!("/rps/{mac}"), LOOPBACK, None), Content::Elsewhere(other.to_owned()));

    assert_eq!(administer(&mut provision, "deRegisterDevice", std::slice::from_ref(&phone)), ok);
    assert_eq!(administer(&mut provision, "checkDevice", &[phone]), (true, "Unregistered".to_owned()));
    assert_eq!(ask(&mut provision, &format!("/rps/{mac}"), LOOPBACK, None), Content::NotFound);
}

#[test]
fn servers_and_led_phones_are_bounded() {
    use proto::xmlrpc::Value;
    let text = |text: String| Value::Text(text);
    let mut provision = provision();
    let added = (0..1_100).filter(|number| {
        let params = [text(format!("server {number}")), text("http://192.0.2.1/".to_owned())];
        administer(&mut provision, "addServer", &params).0
    });
    assert_eq!(added.count(), 1_000);
    let lead = |provision: &mut Provision, first: usize| {
        let macs = (first..first + 10_000).map(|number| text(format!("0015{number:08x}"))).collect();
        administer(provision, "registerDevices", &[Value::Array(macs), text("server 1".to_owned())])
    };
    assert!((0..10).all(|ten| lead(&mut provision, ten * 10_000).0));
    assert_eq!(lead(&mut provision, 100_000), (false, "Error:More than 100000 devices".to_owned()));
}
