//! New firmware (deck, Firmware Upgrade): downloaded, its checksum kept, and its version told from the next
//! start on. What it holds is not run: the phone is this program.

use proto::text::sha256_hex;
use proto::url::Url;

use super::files::fetch;
use super::{ProvisionSettings, Tag};
use crate::phone::desk::{Change, Desk};
use crate::phone::kept::Firmware;
use crate::role::{Fetch, FetchFault, FetchId, Found};
use crate::settings::Model;

/// The largest firmware: the vendor's have some 20 MB.
const MOST_BYTES: usize = 64 << 20;
/// How long its download may take.
const PATIENCE_MS: u32 = 600_000;
/// The longest version that is told.
const LONGEST_VERSION: usize = 32;

/// What came of a download.
pub(super) enum Upgraded {
    /// The phone is to start with it.
    Restart,
    /// It is the one that the phone has.
    Same,
    /// There is none: where, and why.
    Failed(String, String),
}

/// The phone's firmware, and another one that is wanted.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    pub(super) installed: Option<Firmware>,
    /// What was asked for last: a file that is not there is asked for again at the next resync.
    asked: Option<String>,
    /// A person wants this one.
    wanted: Option<String>,
    current: Option<(FetchId, String)>,
}

impl Upgrade {
    /// A person wants this firmware, whatever the settings say.
    pub(super) fn want(&mut self, url: &str) {
        (self.wanted, self.asked) = (Some(url.to_owned()), None);
    }

    /// A resync begins: what was not there may be there now.
    pub(super) fn forget_failure(&mut self) {
        self.asked = None;
    }

    pub(super) fn awaits(&self, id: FetchId) -> bool {
        self.current.as_ref().is_some_and(|(own, _)| *own == id)
    }

    /// Asks for the firmware that the settings or a person name, where it is another than the phone has.
    pub(super) fn next_fetch(
        &mut self,
        desk: &mut Desk,
        id: FetchId,
        url: &str,
        model: &Model,
        rules: &ProvisionSettings,
    ) -> Option<Fetch> {
        let url = self.wanted.clone().unwrap_or_else(|| url.to_owned());
        let is_there = self.installed.as_ref().is_some_and(|own| own.url == url);
        let is_wanted = !url.is_empty() && (!is_there || self.wanted.is_some());
        if !is_wanted || self.current.is_some() || self.asked.as_ref() == Some(&url) {
            return None;
        }
        desk.note_as(Tag::Provision, &format!("Firmware [{}]", super::shown(&url)));
        let asked = fetch(id, &url, model, &desk.place, rules);
        (self.asked, self.current) = (Some(url.clone()), Some((id, url)));
        Some(Fetch { most_bytes: MOST_BYTES, patience_ms: PATIENCE_MS, ..asked })
    }

    /// Takes what came.
    pub(super) fn take(&mut self, desk: &mut Desk, result: Result<Found, FetchFault>) -> Upgraded {
        let Some((_, url)) = self.current.take() else { return Upgraded::Same };
        self.wanted = None;
        let failed = |why: &str| Upgraded::Failed(url.clone(), why.to_owned());
        let bytes = match result {
            Ok(Found::File { bytes, .. }) => bytes,
            Ok(_) => return failed("the server sends no file"),
            Err(fault) => return failed(&fault.text),
        };
        let begin = bytes.trim_ascii_start();
        let is_page = [b"<!doctype".as_slice(), b"<html"]
            .iter()
            .any(|page| begin.get(..page.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(page)));
        if bytes.is_empty() || is_page {
            return failed("this is no firmware: the file is empty or a page; check the address");
        }
        let sha256 = sha256_hex(&bytes);
        let is_same = self.installed.as_ref().is_some_and(|own| own.sha256 == sha256);
        let firmware = Firmware { version: version_of(&url), url, sha256, is_new: !is_same };
        desk.note_as(
            Tag::Provision,
            &format!("Firmware {}, {} bytes, SHA-256 {}", firmware.version, bytes.len(), firmware.sha256),
        );
        desk.keep(Change::Firmware(Box::new(firmware.clone())));
        self.installed = Some(firmware);
        if is_same { Upgraded::Same } else { Upgraded::Restart }
    }

    /// The phone starts; whether for the first time with this firmware.
    pub(super) fn start(&mut self, desk: &mut Desk) -> bool {
        let Some(firmware) = self.installed.as_mut().filter(|firmware| firmware.is_new) else { return false };
        firmware.is_new = false;
        desk.keep(Change::Firmware(Box::new(firmware.clone())));
        true
    }
}

/// `FIP14G-FVUI_V0.5.32.3_202105111814_RC.bin` has the version `V0.5.32.3`; a name without one is one itself.
fn version_of(url: &str) -> String {
    let path = Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.file());
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, ending)| {
        if ending.bytes().all(|byte| byte.is_ascii_alphabetic()) { stem } else { name }
    });
    let is_version = |part: &&str| {
        let digits = part.trim_start_matches(['V', 'v']);
        digits.split('.').count() >= 3 && digits.split('.').all(|number| number.parse::<u32>().is_ok())
    };
    let found = stem.split(['_', '-']).find(is_version).unwrap_or(stem);
    let is_plain = |sign: &char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-');
    let version: String = found.chars().filter(is_plain).take(LONGEST_VERSION).collect();
    if version.is_empty() { "unknown".to_owned() } else { version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_firmware_says_its_version() {
        for (url, version) in [
            ("http://h/FIP14G-FVUI_V0.5.32.3_202105111814_RC.bin", "V0.5.32.3"),
            ("tftp://h/a/FIP16-FVUI16_V0.5.15.4_202102231619_RC.bin?x=1", "V0.5.15.4"),
            ("http://h/0.7.3.1.rom", "0.7.3.1"),
            ("http://h/firmware.bin", "firmware"),
            ("http://h/%22%0a.bin", "unknown"),
        ] {
            assert_eq!(version_of(url), version, "{url}");
        }
    }
}
