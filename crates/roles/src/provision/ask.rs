//! What a phone asks for, by the name of the file.

use crate::mac::Mac;

/// The longest path that is looked at, in bytes.
const LONGEST_PATH_BYTES: usize = 512;
/// The most folders of a path.
const MOST_FOLDERS: usize = 16;
/// The folder under which each device has its own.
const SECRET_FOLDER: &str = "p";
/// Where phones out of their box are told their folder.
const REDIRECTION: &str = "rps";

/// A path, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Path {
    /// The secret of a device's folder, `/p/<token>/…`.
    pub token: Option<String>,
    /// What is asked for there.
    pub asked: Asked,
    /// The names of the path, without the secret folder.
    pub names: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// A file of one phone, in the dialect that is spoken here.
    Own {
        /// The phone.
        mac: Mac,
        /// Which of its files.
        file: OwnFile,
    },
    /// The file for all phones, `y000000000000`, boot or configuration.
    Common(OwnFile),
    /// A file in the dialect of a vendor that is not served here.
    Foreign {
        /// The vendor.
        vendor: &'static str,
        /// The phone, where the name says it.
        mac: Option<Mac>,
    },
    /// Where a phone's files are: the redirection service, `/rps/<mac>`, or `/rps/` of a phone whose User-Agent
    /// says which it is.
    Redirection(Option<Mac>),
    /// Some other file.
    Other,
}

/// Which file of a phone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OwnFile {
    /// `<mac>.boot`
    Boot,
    /// `<mac>.cfg`
    Cfg,
    /// `<mac>` alone, the deck's *Config File Name* `$(MA)`.
    Bare,
}

impl Path {
    /// Reads a path as TFTP and FTP write it, or as HTTP does once it is decoded; with or without a
    /// leading slash. None for what could lead out of a folder or is no path.
    pub fn read(path: &str) -> Option<Self> {
        let is_bad = |sign: char| sign.is_control() || sign == '\\' || sign == ':' || sign == '\u{fffd}';
        if path.len() > LONGEST_PATH_BYTES || path.contains(is_bad) {
            return None;
        }
        let mut names: Vec<String> =
            path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect();
        if names.is_empty() || names.len() > MOST_FOLDERS || names.iter().any(|name| name.starts_with('.')) {
            return None;
        }
        let mut token = None;
        if names.len() >= 2 && names[0] == SECRET_FOLDER {
            token = Some(names.remove(1));
            names.remove(0);
        }
        let asked = match names.as_slice() {
            [service] if token.is_none() && service == REDIRECTION => Asked::Redirection(None),
            [service, phone] if token.is_none() && service == REDIRECTION => {
                let mac = phone.split_once('.').map_or(&**phone, |(mac, _)| mac);
                Asked::Redirection(Mac::parse(mac).filter(|mac| !mac.is_nobodys()))
            }
            [name] => asked(name),
            [.., name] => match asked(name) {
                foreign @ Asked::Foreign { .. } => foreign,
                // A phone's own file stands in no folder but its secret one.
                _ => Asked::Other,
            },
            [] => Asked::Other,
        };
        Some(Self { token, asked, names })
    }
}

fn asked(name: &str) -> Asked {
    let lower = name.to_ascii_lowercase();
    let (stem, ending) = lower.split_once('.').unwrap_or((&lower, ""));
    let file = match ending {
        "boot" => Some(OwnFile::Boot),
        "cfg" => Some(OwnFile::Cfg),
        "" => Some(OwnFile::Bare),
        _ => None,
    };
    // Twelve zeros in the deck's trace, thirteen in its pictures.
    let is_common = matches!(stem, "y000000000000" | "y0000000000000");
    match file {
        Some(file) if is_common && file != OwnFile::Bare => return Asked::Common(file),
        Some(file) if stem.len() == 12 => {
            if let Some(mac) = Mac::parse(stem).filter(|mac| !mac.is_nobodys()) {
                return Asked::Own { mac, file };
            }
        }
        _ => {}
    }
    foreign(&lower, stem, ending).unwrap_or(Asked::Other)
}

/// Names that other vendors' phones ask for.
fn foreign(name: &str, stem: &str, ending: &str) -> Option<Asked> {
    let found = |vendor, mac: &str| Some(Asked::Foreign { vendor, mac: Mac::parse(mac) });
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = stem.strip_prefix('y').filter(|number| number.len() == 12 && all_digits(number)) {
        return matches!(ending, "boot" | "cfg")
            .then(|| found("Yealink", number))
            .flatten()
            .map(|_| Asked::Foreign { vendor: "Yealink", mac: None });
    }
    if let Some(mac) = stem.strip_prefix("cfg") {
        return found("Grandstream", mac);
    }
    if let Some(mac) =
        stem.strip_prefix("sep").or_else(|| stem.strip_prefix("sip").filter(|mac| mac.len() == 12))
    {
        return found("Cisco", mac);
    }
    if let Some(mac) = stem.strip_prefix("spa") {
        return found("Linksys", mac);
    }
    if stem.starts_with("snom") {
        return found("Snom", stem.rsplit_once('-').map_or("", |(_, mac)| mac));
    }
    if let Some(mac) = stem.strip_suffix("-phone").or_else(|| stem.strip_suffix("-directory")) {
        return found("Polycom", mac);
    }
    if stem == "000000000000" {
        return found("Polycom", "");
    }
    if stem.starts_with("kx-") || stem.starts_with("config") && ending == "cfg" {
        return found("Panasonic", stem.strip_prefix("config").unwrap_or(""));
    }
    if stem == "aastra" || stem == "startup" || ending == "tuz" {
        return found("Mitel", "");
    }
    if stem.starts_with("f0") && stem.len() == 15 && ending == "cfg" {
        return found("Fanvil", "");
    }
    if matches!(name, "dialplan.xml" | "xmldefault.cnf.xml" | "itlfile.tlv" | "ctlfile.tlv") {
        return found("Cisco", "");
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: Mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21]);

    #[track_caller]
    fn check(path: &str, token: Option<&str>, asked: Asked) {
        let read = Path::read(path).expect(path);
        assert_eq!((read.token.as_deref(), read.asked), (token, asked), "{path}");
    }

    #[test]
    fn own_names_are_known_in_any_case() {
        let own = |file| Asked::Own { mac: MAC, file };
        check("0021f222b021", None, own(OwnFile::Bare));
        check("/0021f222b021.boot", None, own(OwnFile::Boot));
        check("//0021F222B021.CFG", None, own(OwnFile::Cfg));
        check("/p/s3cret/0021f222b021.cfg", Some("s3cret"), own(OwnFile::Cfg));
        check("y000000000000.boot", None, Asked::Common(OwnFile::Boot));
        check("y0000000000000.cfg", None, Asked::Common(OwnFile::Cfg));
        check("firmware/0021f222b021.cfg", None, Asked::Other);
        check("/p/s3cret/", Some("s3cret"), Asked::Other);
        check("ringtones/Ring9.wav", None, Asked::Other);
        check("/rps/0021f222b021", None, Asked::Redirection(Some(MAC)));
        check("/rps/0021F222B021.cfg", None, Asked::Redirection(Some(MAC)));
        check("/rps/", None, Asked::Redirection(None));
        check("/p/s3cret/rps/0021f222b021", Some("s3cret"), Asked::Other);
    }

    #[test]
    fn foreign_names_are_named() {
        let foreign = |vendor, mac| Asked::Foreign { vendor, mac };
        check("y000000000065.cfg", None, foreign("Yealink", None));
        check("cfg0021f222b021.xml", None, foreign("Grandstream", Some(MAC)));
        check("snom370-0021F222B021.htm", None, foreign("Snom", Some(MAC)));
        check("SEP0021F222B021.cnf.xml", None, foreign("Cisco", Some(MAC)));
        check("spa0021f222b021.cfg", None, foreign("Linksys", Some(MAC)));
        check("spa508G.cfg", None, foreign("Linksys", None));
        check("000000000000.cfg", None, foreign("Polycom", None));
        check("a/b/cfg0021f222b021", None, foreign("Grandstream", Some(MAC)));
    }

    #[test]
    fn what_could_lead_out_is_no_path() {
        for path in ["", "/", "../x", "a/../../x", "a/..", ".hidden", "a\\b", "C:/x", "a\0b", "a\u{fffd}"] {
            assert_eq!(Path::read(path), None, "{path:?}");
        }
        assert_eq!(Path::read(&"a/".repeat(20)), None);
        assert_eq!(Path::read(&"a".repeat(600)), None);
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in "([a-z0-9./\\\\%: ]|\\.\\./){0,60}|\\PC*") {
            if let Some(read) = Path::read(&path) {
                let is_sound = |name: &String| !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
                prop_assert!(read.names.iter().all(is_sound));
            }
        }
    }
}
