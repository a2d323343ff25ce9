//! The support bundle: one zip with what the deck asks to be sent, and without secrets.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use proto::Time;
use roles::phone::Phone;
use roles::phone::case_file::{Surroundings, Topic};
use roles::settings::{Secrets, Settings, diff};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::packets::Packets;

/// The shortest secret that is looked for in logs and packets: shorter ones are everywhere by chance.
const SHORTEST_SECRET: usize = 4;
/// What stands before a secret in a message, whatever the letter case, and the bytes that end it: keys of
/// sound (RFC 4568, RFC 4567, RFC 8866 §5.12), answers to challenges, and what proves a person to a
/// server of another kind.
const MARKS: [(&[u8], &[u8]); 8] = [
    (b"inline:", b"|\r\n \t"),
    (b"key-mgmt:", b"\r\n"),
    (b"\nk=", b"\r\n"),
    (b"response=", b",\r\n"),
    (b"response =", b",\r\n"),
    (b"rspauth=", b",\r\n"),
    (b"authorization: basic ", b"\r\n"),
    (b"bearer ", b"\r\n \t,"),
];

/// What the program knows beside the phone.
pub(super) struct Background<'a> {
    /// The settings before they were last changed.
    pub(super) before: &'a Settings,
    /// What passed the sockets.
    pub(super) packets: &'a Packets,
    /// How often the phone has restarted.
    pub(super) restarts: u32,
}

/// Writes the bundle to a file that is not there yet.
///
/// # Errors
/// The file is there, or cannot be written; the text names it and a remedy. Nothing is left of it then.
pub(super) fn write(
    path: &Path,
    phone: &Phone,
    topic: Topic,
    at: Time,
    background: &Background<'_>,
) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let explain = |error: io::Error| {
        let place = path.display();
        io::Error::new(error.kind(), format!("{place} cannot be written: {error}; give another file"))
    };
    let file = options.open(path).map_err(explain)?;
    fill(file, members(phone, topic, at, background)).map_err(|error| {
        // What is half written helps nobody.
        let _ = fs::remove_file(path);
        explain(error)
    })
}

fn fill(file: File, members: Vec<(&str, Vec<u8>)>) -> io::Result<()> {
    let mut zip = ZipWriter::new(file);
    for (name, bytes) in members {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(&bytes)?;
    }
    zip.finish()?.sync_all()
}

fn members(
    phone: &Phone,
    topic: Topic,
    at: Time,
    background: &Background<'_>,
) -> Vec<(&'static str, Vec<u8>)> {
    let secrets = secrets([background.before, phone.settings()]);
    let text = |text: String| {
        let mut bytes = text.into_bytes();
        clean(&mut bytes, &secrets);
        bytes
    };
    let lines = |lines: Vec<&str>| text(lines.iter().map(|line| format!("{line}\n")).collect());
    let names = [
        "case.md",
        "configuration-before.cfg",
        "configuration.cfg",
        "system.log",
        "exception.log",
        "packets.pcap",
    ];
    let surroundings = Surroundings {
        restarts: Some(background.restarts),
        neighbours: None,
        changes: diff(background.before, phone.settings()).iter().map(|it| it.key.to_string()).collect(),
        members: names.map(str::to_owned).to_vec(),
    };
    let contents = [
        text(phone.case_file(topic, at, &surroundings)),
        text(background.before.to_cfg(Secrets::LeftOut)),
        text(phone.settings().to_cfg(Secrets::LeftOut)),
        lines(phone.log().collect()),
        lines(phone.exceptions().collect()),
        background.packets.to_pcap(|bytes| clean(bytes, &secrets)),
    ];
    names.into_iter().zip(contents).collect()
}

/// Every secret that the settings hold or held.
fn secrets(settings: [&Settings; 2]) -> Vec<Vec<u8>> {
    let all = settings.into_iter().flat_map(Settings::entries);
    let secret = all.filter(|value| value.key().row().is_secret());
    secret.map(|value| value.expose().as_bytes().to_vec()).filter(|it| it.len() >= SHORTEST_SECRET).collect()
}

/// Puts `*` in the place of secrets, of keys of encrypted sound and of answers to challenges, from which
/// a weak password can be guessed. Lengths stay, so that messages stay whole.
fn clean(bytes: &mut [u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        let mut from = 0;
        while let Some(at) = find(bytes, secret, from) {
            bytes[at..at + secret.len()].fill(b'*');
            from = at + secret.len();
        }
    }
    for (mark, ends) in MARKS {
        let mut from = 0;
        while let Some(at) = find(bytes, mark, from) {
            let begin = at + mark.len();
            let length = bytes[begin..].iter().position(|byte| ends.contains(byte));
            let end = length.map_or(bytes.len(), |length| begin + length);
            bytes[begin..end].fill(b'*');
            from = end;
        }
    }
    hide_passwords_of_addresses(bytes);
}

/// Puts `*` in the place of PASSWORD in `scheme://USER:PASSWORD@host`, as the addresses of servers may
/// have it, and in `sip:USER:PASSWORD@host` (RFC 3261 §19.1.1).
fn hide_passwords_of_addresses(bytes: &mut [u8]) {
    for scheme in [&b"://"[..], b"sip:", b"sips:"] {
        let mut from = 0;
        while let Some(at) = find(bytes, scheme, from) {
            let begin = at + scheme.len();
            from = begin;
            let is_end = |byte: &u8| {
                byte.is_ascii_whitespace() || matches!(byte, b'/' | b'<' | b'>' | b'"' | b';' | b'?')
            };
            let length = bytes[begin..].iter().position(is_end).unwrap_or(bytes.len() - begin);
            let address = &bytes[begin..begin + length];
            let at_sign = address.iter().rposition(|byte| *byte == b'@');
            let colon = address.iter().position(|byte| *byte == b':');
            if let (Some(colon), Some(at_sign)) = (colon, at_sign)
                && colon < at_sign
            {
                bytes[begin + colon + 1..begin + at_sign].fill(b'*');
            }
        }
    }
}

/// Where `wanted` begins, whatever the letter case.
fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted)).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proto::Rng;
    use proto::sip::Transport;
    use roles::phone::Place;
    use roles::role::{Input, Role};
    use roles::settings::Source;

    const PLANTED: &str = "swordfish-7002-of-the-deep";
    /// In an address, in the password of another server.
    const OTHERS: &str = "pass-of-another-server";
    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    fn settings(password: &str) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in [
            ("account.1.enable", "1"),
            ("account.1.user_name", "7002"),
            ("account.1.password", password),
            ("account.1.sip_server.1.address", "192.0.2.19"),
            ("auto_provision.server.url", "http://phone:pass-of-another-server@192.0.2.19/cfg"),
        ] {
            settings.set(key, value, Source::MacCfg).unwrap();
        }
        settings
    }

    /// A phone that has spoken and been spoken to of its secrets.
    fn phone(packets: &Packets) -> Phone {
        let now = Time::from_secs(1_641_377_386);
        let place = Place::new([192, 0, 2, 20].into());
        let mut phone = Phone::new(settings(PLANTED), place, Rng::from_number(1).fork(), now);
        let mut out = Vec::new();
        phone.handle(now, Input::Start, &mut out);
        let line = format!("dial {PLANTED}");
        let command = roles::phone::Command::parse(&line).unwrap();
        phone.handle(now, Input::Command(command), &mut out);
        let reason = format!("a message with {PLANTED} in it");
        let flow = proto::sip::Flow {
            transport: Transport::Udp,
            local: ([192, 0, 2, 20], 5060).into(),
            remote: ([192, 0, 2, 19], 5060).into(),
        };
        phone.handle(now, Input::FlowFailed { flow, fault: proto::sip::FlowFault::Broken, reason }, &mut out);
        let mut tap = packets.tap(None);
        let message = format!(
            "INVITE sip:{PLANTED}@h SIP/2.0\r\nAuthorization: Digest username=\"7002\", response=\"0123456789abcdef\"\r\n\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31\r\na=crypto:2 X INLINE:{KEY}\r\n\
             k=clear:{KEY}\r\na=key-mgmt:mikey {KEY}\r\n\
             Proxy-Authorization: Digest Response = \"0123456789abcdef\", uri=\"sip:h\"\r\n\
             Authorization: Basic {OTHERS}\r\nTo: <sip:7002:{OTHERS}@h:5060>\r\n"
        );
        tap(now, flow.local, flow.remote, Transport::Udp, message.as_bytes());
        phone
    }

    #[test]
    fn a_bundle_has_every_member_and_no_secret_in_any() {
        let (folder, packets) = (tempfile::tempdir().unwrap(), Packets::default());
        let phone = phone(&packets);
        let before = settings("an-older-secret-of-7002");
        let background = Background { before: &before, packets: &packets, restarts: 3 };
        let path = folder.path().join("case.zip");
        write(&path, &phone, Topic::Registration, Time::from_secs(1), &background).unwrap();
        let mut archive = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let mut seen = Vec::new();
        for at in 0..archive.len() {
            let mut member = archive.by_index(at).unwrap();
            let (name, mut bytes) = (member.name().unwrap().into_owned(), Vec::new());
            member.read_to_end(&mut bytes).unwrap();
            for secret in [PLANTED, "an-older-secret-of-7002", KEY, OTHERS, "0123456789abcdef"] {
                assert_eq!(find(&bytes, secret.as_bytes(), 0), None, "{secret} is in {name}");
            }
            seen.push((name, bytes));
        }
        let member = |name: &str| {
            let bytes = &seen.iter().find(|(it, _)| it == name).unwrap_or_else(|| panic!("no {name}")).1;
            String::from_utf8_lossy(bytes).into_owned()
        };
        assert!(
            member("case.md").contains("- Restarts: 3") && member("case.md").contains("account.1.password")
        );
        assert!(member("configuration.cfg").contains("# account.1.password is a secret"));
        assert!(member("configuration-before.cfg").contains("account.1.user_name = 7002"));
        assert!(member("system.log").contains("ipphone["));
        assert!(member("packets.pcap").contains("inline:****"));
        assert!(seen.iter().any(|(name, _)| name == "exception.log"));
    }

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let (folder, packets) = (tempfile::tempdir().unwrap(), Packets::default());
        let phone = phone(&packets);
        let before = settings(PLANTED);
        let background = Background { before: &before, packets: &packets, restarts: 0 };
        let path = folder.path().join("case.zip");
        fs::write(&path, "mine").unwrap();
        let error = write(&path, &phone, Topic::Blf, Time::ZERO, &background).unwrap_err();
        assert!(error.to_string().contains("case.zip cannot be written"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
