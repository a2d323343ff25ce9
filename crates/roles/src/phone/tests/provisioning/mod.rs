//! Auto provisioning: whom the phone asks, for what, and what becomes of the answers.

mod pnp;

use super::*;
use crate::phone::{Change, CommandKind, Downloads};
use crate::role::{Fetch, FetchFault, FetchFaultKind, Fetched, Found, Known, SocketEvent, SocketRequest};

const MAC: &str = "0021f2000001";
const FOLDER: &str = "http://192.168.50.165/p/";
const ACCOUNT: &str = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = 7003\n\
    account.1.password = secret-of-7003-long\naccount.1.sip_server.1.address = 192.168.50.19\n\
    account.1.nat.udp_update_enable = 0\n";

/// A phone without an account whose server is named by a setting.
fn blank(settings: &[(&str, &str)], change: impl FnOnce(&mut Place)) -> Bench {
    let mut all = Settings::new(Model::usual());
    for (key, value) in settings {
        all.set(key, value, Source::CommandLine).expect("an accepted value");
    }
    let mut bench = Bench::new(&[]);
    let mut place = Place::new([127, 0, 80, 20].into());
    change(&mut place);
    bench.phone = Phone::new(all, place, [7; 32], bench.now);
    bench
}

fn profile() -> Bench {
    let mut bench = blank(&[("auto_provision.server.url", FOLDER)], |_| {});
    bench.input(Input::Start);
    bench
}

impl Bench {
    fn fetch(&mut self) -> Fetch {
        self.fetches.pop_front().expect("a download")
    }

    fn fetched(&mut self, fetch: &Fetch, result: Result<Found, FetchFault>) {
        self.input(Input::Fetched(Box::new(Fetched { id: fetch.id, result })));
    }

    /// Answers every download: with the file of that name, or that there is none. The names asked for.
    fn serve_files(&mut self, files: &[(&str, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        while let Some(fetch) = self.fetches.pop_front() {
            let name = fetch.url.rsplit('/').next().unwrap_or_default().to_owned();
            let file = files.iter().find(|(file, _)| *file == name);
            let result = match file {
                Some((_, text)) => Ok(Found::File {
                    bytes: bytes::Bytes::copy_from_slice(text.as_bytes()),
                    known: Known { etag: Some("\"1\"".to_owned()), modified: None },
                    url: fetch.url.clone(),
                }),
                None => Err(FetchFault::new(FetchFaultKind::NotFound, "not there").with_status(404)),
            };
            self.fetched(&fetch, result);
            asked.push(name);
        }
        asked
    }

    fn kept(&self) -> Option<&Downloads> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Downloaded(kept) => Some(&**kept),
            _ => None,
        })
    }

    fn value(&self, key: &str) -> String {
        self.phone.settings().get(key).expect("a known name").expose().to_owned()
    }

    pub(super) fn told(&self, name: &str) -> Option<serde_json::Value> {
        let all = self.events.iter().rev().map(|event| serde_json::to_value(event).expect("plain data"));
        all.into_iter().find(|event| event["event"] == name)
    }
}

fn own_cfg() -> String {
    format!("{MAC}.cfg")
}

#[test]
fn option_66_is_asked_in_the_order_of_the_deck_s_trace() {
    let mut bench = blank(&[], |place| place.network.option_66 = Some("192.168.50.165".to_owned()));
    bench.input(Input::Start);
    bench.wait_ms(0);
    assert_eq!(bench.fetches[0].url, format!("tftp://192.168.50.165/{MAC}"));
    let asked = bench.serve_files(&[("y000000000000.cfg", "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n")]);
    let boot = format!("{MAC}.boot");
    assert_eq!(asked, [MAC, &boot, "y000000000000.boot", "y000000000000.cfg", &own_cfg()]);
    let source = bench.told("provision_source").expect("a source");
    assert_eq!(
        (source["source"].as_str(), source["url"].as_str()),
        (Some("option66"), Some("tftp://192.168.50.165/"))
    );
    let done = bench.told("provisioned").expect("done");
    assert_eq!((&done["changed"], &done["reboot"]), (&1.into(), &false.into()));
    assert_eq!(
        done["files"][3],
        serde_json::json!({ "url": "tftp://192.168.50.165/y000000000000.cfg", "status": 200, "bytes": 42 })
    );
    assert_eq!(done["files"][4]["status"], 404);
    assert_eq!(bench.phone.settings().get("features.dnd.enable").expect("known").source(), Source::CommonCfg);
}

#[test]
fn the_log_is_the_deck_s() {
    let url = format!("tftp://192.168.50.165/{MAC}.cfg");
    let mut bench = blank(&[("auto_provision.server.url", &url)], |_| {});
    bench.input(Input::Start);
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n")]);
    let lines: Vec<String> = bench
        .phone
        .log()
        .map(|line| {
            let (_, line) = line.split_once("> ").expect("a stamp");
            let tag_ends = line.find('[').unwrap_or(usize::MAX).min(line.find(':').expect("a tag"));
            format!("{}: {}", &line[..tag_ends], line.split_once(": ").expect("a text").1)
        })
        .collect();
    let stored = "admin: [config_manager.sh]Update the configuration file successfully!";
    let expected = [
        "provision: provision v1.2 start",
        "provision: adapter_yphone_enable = 0",
        &format!("provision: Profile Rule [{url}]"),
        &format!("provision: Profile Rule [{url}]..."),
        stored,
        stored,
        stored,
        "provision: Update other configuration...",
        stored,
        "provision: Update the configuration file successfully....",
    ];
    assert_eq!(lines[lines.len() - expected.len()..], expected);
}

#[test]
fn an_account_that_comes_registers_and_is_kept() {
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), ACCOUNT)]);
    bench.serve_registration();
    assert!(bench.told("registered").is_some());
    let kept = bench.kept().expect("kept").clone();
    assert!(kept.own.expose().contains("account.1.user_name = 7003") && kept.before.is_none(), "proven");
    let mut again = Settings::new(Model::usual());
    kept.restore(&mut again);
    assert_eq!(again.get("account.1.password").expect("known").expose(), "secret-of-7003-long");
}

#[test]
fn unchanged_files_change_nothing_and_are_not_sent_again() {
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), ACCOUNT)]);
    bench.serve_registration();
    bench.command("set account.1.label Lobby");
    bench.forget();
    bench.changes.clear();
    bench.command("resync");
    assert_eq!(bench.told("resync").expect("told")["why"], "command");
    while let Some(fetch) = bench.fetches.pop_front() {
        let is_known = fetch.known.is_some();
        assert_eq!(is_known, fetch.url.ends_with(".cfg") && fetch.url.contains(MAC), "{}", fetch.url);
        let missing = FetchFault::new(FetchFaultKind::NotFound, "not there");
        bench.fetched(&fetch, if is_known { Ok(Found::Unchanged) } else { Err(missing) });
    }
    let done = bench.told("provisioned").expect("done");
    assert_eq!((&done["changed"], bench.value("account.1.label")), (&0.into(), "Lobby".to_owned()));
    assert!(bench.changes.is_empty() && bench.take(Method::Register).is_none());
}

#[test]
fn what_the_file_says_anew_takes_the_place_of_what_was_set_here() {
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), &format!("{ACCOUNT}account.1.label = Desk\n"))]);
    bench.command("set account.1.label Lobby");
    bench.command("resync");
    bench.serve_files(&[(&own_cfg(), &format!("{ACCOUNT}account.1.label = Hall\n"))]);
    assert_eq!(bench.value("account.1.label"), "Hall");
    let gone = Change::SettingForgotten { key: "account.1.label".to_owned() };
    assert!(bench.changes.contains(&gone), "it does not come back at the next start");
}

#[test]
fn a_download_that_breaks_leaves_all_as_it_was_and_is_tried_again() {
    let mut bench = profile();
    bench.wait_ms(0);
    let boot = "#!version:1.0.0.1\ninclude:config <a.cfg>\ninclude:config <b.cfg>\n";
    for (name, text) in [(format!("{MAC}.boot"), boot), ("a.cfg".to_owned(), ACCOUNT)] {
        let fetch = bench.fetch();
        assert_eq!(fetch.url, format!("{FOLDER}{name}"));
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        bench.fetched(&fetch, Ok(Found::File { bytes, known: Known::default(), url: fetch.url.clone() }));
    }
    let fetch = bench.fetch();
    bench.fetched(&fetch, Err(FetchFault::new(FetchFaultKind::Broken, "the transfer broke off")));
    let failed = bench.told("provision_failed").expect("told");
    assert_eq!(failed["url"], format!("{FOLDER}b.cfg"));
    assert_eq!(bench.value("account.1.user_name"), "", "not half of it");
    bench.wait_ms(3_599_000);
    assert!(bench.fetches.is_empty());
    bench.wait_ms(1_000);
    assert_eq!(bench.fetch().url, format!("{FOLDER}{MAC}.boot"), "after the error retry delay");
}

#[test]
fn what_is_no_configuration_is_refused_whole() {
    for text in ["<html><body>Log in</body></html>", "", "\u{0}\u{1}\u{2}\u{fffd}"] {
        let mut bench = profile();
        bench.wait_ms(0);
        bench.serve_files(&[(&own_cfg(), text)]);
        let failed = bench.told("provision_failed").unwrap_or_else(|| panic!("{text:?} was taken"));
        assert_eq!(failed["url"], format!("{FOLDER}{MAC}.cfg"));
    }
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[]);
    let reason = bench.told("provision_failed").expect("told")["reason"].to_string();
    assert!(reason.contains("the server has none of") && reason.contains("y000000000000.cfg"), "{reason}");
}

#[test]
fn the_delay_after_the_start_is_random_and_none_on_the_loopback() {
    let wait_of = |ip: [u8; 4], seed: u8| {
        let mut bench = Bench::new(&[("auto_provision.server.url", FOLDER)]);
        let settings = bench.phone.settings().clone();
        bench.phone = Phone::new(settings, Place::new(ip.into()), [seed; 32], bench.now);
        let start = bench.now;
        bench.input(Input::Start);
        while bench.fetches.is_empty() {
            bench.wait_ms(100);
        }
        bench.now.since(start).as_millis()
    };
    assert_eq!(wait_of([127, 0, 80, 20], 1), 0, "at once");
    let waits: Vec<_> = (1..6).map(|seed| wait_of([192, 168, 80, 20], seed)).collect();
    assert!(
        waits.iter().all(|wait| *wait <= 40_100) && waits.windows(2).any(|pair| pair[0] != pair[1]),
        "{waits:?}"
    );
}

#[test]
fn a_resync_waits_for_the_end_of_calls_but_not_for_ever() {
    let mut bench =
        Bench::registered(&[("auto_provision.server.url", FOLDER), ("auto_provision.power_on", "0")]);
    bench.talk("7006");
    bench.command("resync");
    bench.wait_ms(60_000);
    assert!(bench.fetches.is_empty(), "somebody talks");
    bench.command("hangup");
    assert!(!bench.fetches.is_empty(), "at once");

    let settings = [
        ("auto_provision.server.url", FOLDER),
        ("auto_provision.power_on", "0"),
        ("auto_provision.advanced.forced_resync_delay", "100"),
        ("auto_provision.repeat.enable", "0"),
    ];
    let mut bench = Bench::registered(&settings);
    bench.talk("7006");
    bench.command("resync");
    bench.wait_ms(99_000);
    assert!(bench.fetches.is_empty());
    bench.wait_ms(1_000);
    assert!(!bench.fetches.is_empty(), "after the forced delay");
}

#[test]
fn a_configuration_with_which_nobody_registers_is_taken_back() {
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), ACCOUNT)]);
    bench.serve_registration();
    bench.command("resync");
    let wrong = ACCOUNT.replace("7003-long", "somebody-else").replace("192.168.50.19", "192.168.50.99");
    bench.serve_files(&[(&own_cfg(), &wrong)]);
    assert!(bench.kept().expect("kept").before.is_some(), "a restart does not forget what was good");
    bench.wait_ms(299_000);
    assert_eq!(bench.value("account.1.sip_server.1.address"), "192.168.50.99");
    bench.wait_ms(1_000);
    assert_eq!(bench.value("account.1.sip_server.1.address"), "192.168.50.19");
    let told = bench.told("provision_failed").expect("told")["reason"].to_string();
    assert!(told.contains("no account registered within 300 s"), "{told}");
    bench.serve_registration();
    assert!(bench.kept().expect("kept").before.is_none());
}

#[test]
fn only_what_needs_a_restart_restarts() {
    let mut bench = profile();
    bench.wait_ms(0);
    bench.serve_files(&[(&own_cfg(), "#!version:1.0.0.1\nsip.timer_t1 = 1\n")]);
    assert_eq!(bench.told("provisioned").expect("done")["reboot"], true);
    assert_eq!(bench.told("reboot").expect("told")["why"], "provisioning");
    assert_eq!(bench.wishes, [Wish::Restart]);
}

#[test]
fn check_sync_and_the_page_fetch() {
    let mut bench =
        Bench::registered(&[("auto_provision.server.url", FOLDER), ("auto_provision.power_on", "0")]);
    bench.receive(
        "NOTIFY sip:7002@192.168.80.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.19:5060;branch=z9hG4bKcs\r\n\
         From: <sip:a@h>;tag=1\r\nTo: <sip:7002@h>\r\nCall-ID: cs\r\nCSeq: 1 NOTIFY\r\nMax-Forwards: 70\r\n\
         Event: check-sync\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(bench.told("resync").expect("told")["why"], "check-sync");
    bench.serve_files(&[(&own_cfg(), "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n")]);
    bench.forget();
    bench.command("set auto_provision.server.url http://192.168.50.166/");
    assert_eq!(bench.told("resync").expect("told")["why"], "page");
    assert!(bench.fetch().url.starts_with("http://192.168.50.166/"));
}

#[test]
fn without_a_server_a_command_says_what_to_do() {
    let mut bench = blank(&[], |_| {});
    bench.input(Input::Start);
    bench.wait_ms(0);
    assert!(bench.told("resync").is_none(), "nobody to ask, nothing to say");
    bench.command("resync");
    let failed = bench.told("provision_failed").expect("told");
    assert!(failed["url"].is_null() && failed["reason"].to_string().contains("--option66"), "{failed}");
}

/// PnP: the socket, the question, the answer.
#[test]
fn a_redirection_service_names_the_server() {
    let settings = [("auto_provision.advanced.redirect_url", "https://rps.example/$(MA)")];
    let mut bench = blank(&settings, |_| {});
    bench.input(Input::Start);
    bench.wait_ms(0);
    let fetch = bench.fetch();
    assert_eq!((fetch.url.as_str(), fetch.most_redirects), (&*format!("https://rps.example/{MAC}"), 0));
    bench.fetched(&fetch, Ok(Found::Elsewhere("tftp://192.168.50.165/site/".to_owned())));
    assert_eq!(bench.told("provision_source").expect("told")["source"], "rps");
    assert_eq!(bench.fetch().url, format!("tftp://192.168.50.165/site/{MAC}.boot"));
}

#[test]
fn who_asks_is_told_as_it_is_set() {
    let settings = [
        ("auto_provision.server.url", FOLDER),
        ("auto_provision.server.username", "phone"),
        ("auto_provision.server.password", "swordfish"),
        ("auto_provision.advanced.user_agent", "Test"),
    ];
    let mut bench = blank(&settings, |_| {});
    bench.input(Input::Start);
    bench.wait_ms(0);
    let fetch = bench.fetch();
    let login = fetch.login.expect("a login");
    assert_eq!((&*login.user, login.password.expose(), login.allows_basic), ("phone", "swordfish", false));
    assert_eq!(fetch.user_agent, "Test");
    let mut bench = profile();
    bench.wait_ms(0);
    let agent = bench.fetch().user_agent;
    assert!(agent.starts_with("Offhook FIP14G ") && agent.ends_with(" 00:21:F2:00:00:01"), "{agent}");
}

/// Firmware is downloaded, its checksum kept; the phone starts with its version and then fetches its settings.
#[test]
fn firmware_is_downloaded_and_its_version_told_from_the_next_start_on() {
    let url = "http://192.168.50.165/FIP14G-FVUI_V0.8.0.1_202105111814_RC.bin";
    let settings = [("auto_provision.server.url", FOLDER), ("firmware.url", url)];
    let mut bench = blank(&settings, |_| {});
    bench.input(Input::Start);
    bench.wait_ms(0);
    let name = url.rsplit('/').next().expect("a name");
    bench.serve_files(&[(&own_cfg(), "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n"), (name, "abc")]);
    bench.wait_ms(0);
    assert_eq!(bench.told("reboot").expect("a restart")["why"], "upgrade");
    let firmware = bench.phone.firmware().expect("kept").clone();
    assert_eq!(firmware.version, "V0.8.0.1");
    // FIPS 180-4, the example of one block.
    assert_eq!(firmware.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    let start = |after: &str, firmware: &crate::phone::Firmware| {
        let all = [settings.as_slice(), &[("auto_provision.advanced.resync_after_upgrade", after)]].concat();
        let mut bench = blank(&all, |_| {});
        bench.phone.restore_firmware(firmware.clone());
        bench.input(Input::Start);
        bench.wait_ms(0);
        bench
    };
    let mut bench = start("1", &firmware);
    assert_eq!(bench.told("resync").expect("begun")["why"], "upgrade");
    assert!(bench.fetch().user_agent.contains(" V0.8.0.1 "));
    let known = bench.phone.firmware().expect("kept").clone();
    assert!(!known.is_new, "the next start is as any other");
    assert_eq!(start("1", &known).told("resync").expect("begun")["why"], "start");
    assert!(start("0", &firmware).told("resync").is_none(), "the setting switches it off");
}

#[test]
fn what_is_no_firmware_changes_nothing() {
    let mut bench = blank(&[], |_| {});
    bench.input(Input::Start);
    bench.command("upgrade http://192.168.50.165/a.bin");
    let fetch = bench.fetch();
    let page = Found::File { bytes: "<html>".into(), known: Known::default(), url: fetch.url.clone() };
    bench.fetched(&fetch, Ok(page));
    let failed = bench.told("provision_failed").expect("told");
    assert!(failed["reason"].as_str().is_some_and(|why| why.contains("no firmware")), "{failed}");
    assert!(bench.told("reboot").is_none() && bench.phone.firmware().is_none());
    bench.wait_ms(10_000);
    assert!(bench.fetches.is_empty(), "it is not asked for again by itself");
}

#[test]
fn the_settings_say_whom_downloads_by_https_believe() {
    for (trusted, name) in [("1", "1"), ("0", "1"), ("1", "0")] {
        let mut bench = blank(
            &[
                ("auto_provision.server.url", "https://192.168.50.165/a.cfg"),
                ("security.trust_certificates", trusted),
                ("security.cn_validation", name),
            ],
            |_| {},
        );
        bench.input(Input::Start);
        bench.wait_ms(0);
        let tls = bench.fetch().tls;
        assert_eq!((tls.trusted_only, tls.checks_name), (trusted == "1", name == "1"));
    }
}

fn with_factory_file() -> Bench {
    let mut bench = profile();
    bench.wait_ms(0);
    let own = format!(
        "{ACCOUNT}features.custom_factory_config.enable = 1\n\
         custom_factory_configuration.url = http://192.168.50.165/factory-$(MA).cfg\n"
    );
    bench.serve_files(&[
        (&own_cfg(), &own),
        (&format!("factory-{MAC}.cfg"), "#!version:1.0.0.1\naccount.1.label = Spare\naccount.1.ptime = 30\n"),
    ]);
    bench
}

fn kept_named(bench: &Bench) -> crate::phone::NamedFiles {
    let kept = bench.changes.iter().rev().find_map(|change| match change {
        Change::NamedFiles(kept) => Some((**kept).clone()),
        _ => None,
    });
    kept.expect("kept")
}

#[test]
fn a_factory_reset_goes_back_to_the_file_that_settings_named() {
    let mut bench = with_factory_file();
    assert_eq!(bench.value("account.1.label"), "", "a file for later changes nothing now");
    bench.command("set account.1.label Lobby");
    for _ in 0..2 {
        bench.command("factory-reset");
        assert_eq!(bench.value("account.1.label"), "Spare");
        assert_eq!(
            (bench.value("account.1.ptime"), bench.value("account.1.user_name")),
            ("30".into(), "".into())
        );
        let value = bench.phone.settings().get("account.1.ptime").expect("known");
        assert_eq!(value.source(), Source::CustomFactory);
    }
    let mut again = Settings::new(Model::usual());
    kept_named(&bench).restore(&mut again);
    assert_eq!(again.get("account.1.label").expect("known").expose(), "Spare", "it outlives the program");
    bench.command("set features.custom_factory_config.enable 0");
    bench.command("factory-reset");
    assert_eq!(bench.value("account.1.label"), "", "switched off, the factory's own values count");
    assert_eq!(kept_named(&bench), crate::phone::NamedFiles::default());
}

#[test]
fn a_factory_file_that_is_none_is_told_and_the_last_one_stays() {
    let mut bench = with_factory_file();
    bench.forget();
    bench.command("resync");
    bench.serve_files(&[(&own_cfg(), ACCOUNT), (&format!("factory-{MAC}.cfg"), "<html>Log in</html>")]);
    let failed = bench.told("provision_failed").expect("told");
    assert_eq!(failed["url"], format!("http://192.168.50.165/factory-{MAC}.cfg"));
    bench.command("factory-reset");
    assert_eq!(bench.value("account.1.label"), "Spare");
}

#[test]
fn a_whole_configuration_is_taken_once_and_stays_until_a_file_says_something_new() {
    let mut bench = profile();
    bench.wait_ms(0);
    let own = format!("{ACCOUNT}account.1.label = Desk\nconfiguration.url = http://192.168.50.165/all.cfg\n");
    let all = "#!version:1.0.0.1\naccount.1.label = Hall\nfeatures.dnd.enable = 1\n\
               configuration.url = http://192.168.50.165/other.cfg\n";
    let asked = bench.serve_files(&[(&own_cfg(), &own), ("all.cfg", all)]);
    assert_eq!(asked.last().map(String::as_str), Some("all.cfg"));
    let done = bench.told("provisioned").expect("done");
    assert_eq!(
        done["files"],
        serde_json::json!([{ "url": "http://192.168.50.165/all.cfg", "status": 200, "bytes": all.len() }])
    );
    assert_eq!((&done["changed"], bench.value("account.1.label")), (&2.into(), "Hall".into()));
    bench.command("resync");
    let asked = bench.serve_files(&[(&own_cfg(), &own), ("all.cfg", all)]);
    assert!(!asked.contains(&"all.cfg".to_owned()), "{asked:?}");
    assert_eq!(bench.value("account.1.label"), "Hall");
    assert_eq!(kept_named(&bench).whole.as_deref(), Some("http://192.168.50.165/all.cfg"));
    bench.command("resync");
    let own = own.replace("= Desk", "= Roof");
    bench.serve_files(&[(&own_cfg(), &own)]);
    assert_eq!(bench.value("account.1.label"), "Roof");
}

#[test]
fn a_whole_configuration_that_is_not_there_is_asked_for_again_at_the_next_resync() {
    let mut bench = profile();
    bench.wait_ms(0);
    let own = format!("{ACCOUNT}configuration.url = http://192.168.50.165/all.cfg\n");
    let asked = bench.serve_files(&[(&own_cfg(), &own)]);
    assert_eq!(asked.iter().filter(|name| *name == "all.cfg").count(), 1, "{asked:?}");
    assert_eq!(bench.told("provision_failed").expect("told")["url"], "http://192.168.50.165/all.cfg");
    bench.command("set account.1.label x");
    assert!(bench.fetches.is_empty(), "not at every turn");
    bench.command("resync");
    let asked =
        bench.serve_files(&[(&own_cfg(), &own), ("all.cfg", "#!version:1.0.0.1\nfeatures.dnd.enable = 1\n")]);
    assert!(asked.contains(&"all.cfg".to_owned()), "{asked:?}");
    assert_eq!(bench.value("features.dnd.enable"), "1");
}

#[test]
fn a_configuration_is_exported_without_secrets_and_imported_with_its_faults_told() {
    let mut bench = Bench::registered(&[]);
    bench.command("export");
    let text = bench.told("configuration").expect("told")["text"].as_str().expect("text").to_owned();
    assert!(
        text.starts_with("#!version:1.0.0.1\n") && text.contains("# account.1.password is a secret"),
        "{text}"
    );
    bench.forget();
    let file = text + "account.1.label = Lobby\naccount.1.pasword = x\nsip.timer_t1 = 1\n";
    let import = CommandKind::Import(crate::settings::Secret::new(&file));
    bench.input(Input::Command(Command { id: Some("i".into()), what: import }));
    let told = bench.told("imported").expect("told");
    assert_eq!((&told["changed"], &told["reboot"]), (&2.into(), &true.into()));
    assert_eq!(told["faults"][0]["nearest"], "account.1.password", "{told}");
    assert_eq!(bench.told("done").expect("answered")["id"], "i");
    assert_eq!(bench.value("account.1.label"), "Lobby");
    let kept = bench.changes.iter().filter(|change| matches!(change, Change::Setting { .. })).count();
    assert_eq!(kept, 2, "{:?}", bench.changes);
    let page = CommandKind::Import(crate::settings::Secret::new("<html></html>"));
    bench.input(Input::Command(Command { id: None, what: page }));
    assert!(bench.told("error").is_some());
}
