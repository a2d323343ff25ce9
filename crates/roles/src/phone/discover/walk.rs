//! Which files are asked for at a server, and in which order (deck, Auto Provisioning).
//!
//! At a folder: the phone's boot file, the common one, the common configuration, the phone's own. The first
//! boot file that is there takes the place of all that follow. At a file: that file, and what it includes.

use std::collections::VecDeque;

use proto::url::Url;

use crate::settings::{Boot, Fault, Model, Source, Unfolding, is_boot, parse_boot};

/// The common files of all phones: `y` and twelve zeros.
const COMMON: &str = "y000000000000";

/// The files of one resync, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    queue: VecDeque<(String, Kind)>,
    unfolding: Option<Unfolding>,
    current: Option<(String, Kind)>,
    /// Whether a file of the phone's own came: what follows counts as its own, so that the order stays.
    has_own: bool,
    /// A value that is gone from the files goes back to the layer below (`overwrite_mode`).
    pub(super) overwrite: bool,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// It must be there.
    Needed,
    /// A boot file, or whatever stands under its name: where it is there, nothing else is asked for.
    Instead,
    /// A configuration that may be missing.
    Optional,
}

/// What a file was.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// A boot file: what it includes comes next.
    Boot(Vec<Fault>),
    /// A configuration of this layer.
    Configuration(Source),
}

impl Walk {
    /// The files at an address. `bare` is asked for first: the deck's *Config File Name* at a server that
    /// DHCP named.
    pub(super) fn new(url: &Url, mac: &str, bare: Option<&str>) -> Self {
        let mut queue = VecDeque::new();
        if names_a_file(url) {
            queue.push_back((full(url), Kind::Needed));
        } else {
            let mut add = |name: &str, kind| {
                let place = folder(url).join(name).map(|url| full(&url));
                queue.extend(place.ok().map(|place| (place, kind)));
            };
            bare.into_iter().for_each(|name| add(name, Kind::Instead));
            add(&format!("{mac}.boot"), Kind::Instead);
            add(&format!("{COMMON}.boot"), Kind::Instead);
            add(&format!("{COMMON}.cfg"), Kind::Optional);
            add(&format!("{mac}.cfg"), Kind::Optional);
        }
        Self { queue, unfolding: None, current: None, has_own: false, overwrite: false }
    }

    /// The next file.
    pub(super) fn next_file(&mut self) -> Option<String> {
        self.current = match &mut self.unfolding {
            Some(unfolding) => unfolding.next_file().map(|place| (place, Kind::Needed)),
            None => self.queue.pop_front(),
        };
        self.current.as_ref().map(|(place, _)| place.clone())
    }

    /// The file that was handed out last is there, and says this.
    pub(super) fn found(&mut self, text: &str, model: &Model) -> Taken {
        let Some((place, kind)) = self.current.take() else { return Taken::Configuration(Source::MacCfg) };
        if kind != Kind::Optional {
            self.queue.clear();
        }
        if is_boot(text) {
            let (boot, mut faults) = parse_boot(text);
            self.overwrite |= boot.overwrite;
            faults.extend(self.unfold(&place, &boot, model));
            return Taken::Boot(faults);
        }
        let is_common =
            place.rsplit('/').next().is_some_and(|name| name.starts_with(COMMON)) && !self.has_own;
        self.has_own |= !is_common;
        Taken::Configuration(if is_common { Source::CommonCfg } else { Source::MacCfg })
    }

    /// Whether the file that was handed out last may be missing.
    pub(super) fn may_be_missing(&self) -> bool {
        self.current.as_ref().is_some_and(|(_, kind)| *kind != Kind::Needed)
    }

    fn unfold(&mut self, place: &str, boot: &Boot, model: &Model) -> Vec<Fault> {
        let unfolding = self.unfolding.get_or_insert_with(|| {
            let mut unfolding = Unfolding::new(place);
            unfolding.next_file();
            unfolding
        });
        unfolding.enter(boot, model, |of, target| {
            let joined = Url::parse(of).ok()?.join(target).ok()?;
            Some(full(&joined))
        })
    }
}

/// With user and password, as it is fetched.
fn full(url: &Url) -> String {
    let Some((user, password)) = &url.login else { return url.to_string() };
    let written = url.to_string();
    let rest = written.strip_prefix(&format!("{}://", url.scheme)).unwrap_or_default();
    format!("{}://{}:{}@{rest}", url.scheme, encoded(user), encoded(password))
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// An address whose last part has a dot names a file, any other a folder.
fn names_a_file(url: &Url) -> bool {
    url.without_query().rsplit('/').next().is_some_and(|name| name.contains('.'))
}

fn folder(url: &Url) -> Url {
    let path = url.without_query().trim_end_matches('/');
    Url { path: format!("{path}/"), ..url.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "0021f222b01d";

    fn order(url: &str, bare: Option<&str>, there: &[(&str, &str)]) -> Vec<String> {
        let url = Url::parse(url).expect("an address");
        let mut walk = Walk::new(&url, MAC, bare);
        let mut asked = Vec::new();
        while let Some(place) = walk.next_file() {
            let name = place.rsplit('/').next().unwrap_or_default().to_owned();
            if let Some((_, text)) = there.iter().find(|(file, _)| *file == name) {
                walk.found(text, Model::usual());
            }
            asked.push(name);
        }
        asked
    }

    #[test]
    fn a_folder_is_asked_in_the_order_of_the_deck_s_trace() {
        let found = [("y000000000000.cfg", "#!version:1.0.0.1\n")];
        let asked = order("tftp://192.168.50.165/", Some(MAC), &found);
        let expected = [
            "0021f222b01d",
            "0021f222b01d.boot",
            "y000000000000.boot",
            "y000000000000.cfg",
            "0021f222b01d.cfg",
        ];
        assert_eq!(asked, expected);
        assert_eq!(order("tftp://192.168.50.165", None, &found), expected[1..]);
    }

    #[test]
    fn the_first_boot_file_takes_the_place_of_all_others() {
        let boot = "#!version:1.0.0.1\ninclude:config <time.cfg>\ninclude:config \"../all.cfg\"\n";
        let there = [("0021f222b01d.boot", boot), ("time.cfg", ""), ("all.cfg", "")];
        assert_eq!(order("http://h/a/", None, &there), ["0021f222b01d.boot", "time.cfg", "all.cfg"]);
    }

    #[test]
    fn a_file_is_asked_for_alone() {
        assert_eq!(order("http://h/a/0021f222b01d.cfg?v=2", None, &[]), ["0021f222b01d.cfg?v=2"]);
        let walk = |text: &str| {
            let mut walk = Walk::new(&Url::parse(text).expect("an address"), MAC, None);
            walk.next_file();
            walk.may_be_missing()
        };
        assert!(!walk("http://h/x.cfg") && walk("http://h/phones"));
    }

    #[test]
    fn layers_follow_names_and_order() {
        let mut walk = Walk::new(&Url::parse("http://u:p%40s@h/").expect("an address"), MAC, None);
        let mut layers = Vec::new();
        while let Some(place) = walk.next_file() {
            assert!(place.starts_with("http://u:p%40s@h/"), "{place}");
            let text = if place.ends_with("d.boot") {
                "include:config <y000000000000.cfg>\ninclude:config <own.cfg>\ninclude:config <y000000000000.cfg>"
            } else {
                "account.1.enable = 1"
            };
            if let Taken::Configuration(layer) = walk.found(text, Model::usual()) {
                layers.push(layer);
            }
        }
        assert_eq!(layers, [Source::CommonCfg, Source::MacCfg, Source::MacCfg], "a later file counts");
    }
}
