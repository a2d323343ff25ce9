//! What a phone finds again when it starts, beside its settings.

use super::Phone;
use super::facts::HistoryEntry;
use super::kept::{Downloads, Firmware, NamedFiles};
use super::network::KeptLease;

/// What a phone finds again when it starts, beside its settings.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// The past calls, the newest first.
    pub history: Vec<HistoryEntry>,
    /// What was downloaded and not yet proven by a registration.
    pub downloads: Downloads,
    /// The files that settings name.
    pub named_files: NamedFiles,
    /// The address that it had last by DHCP.
    pub lease: Option<KeptLease>,
    /// What it runs, where it was ever upgraded.
    pub firmware: Option<Firmware>,
}

impl Phone {
    /// Gives a phone that has just been made what one before it has kept. Comes before its start.
    #[must_use]
    pub fn restored(mut self, kept: Restored) -> Self {
        let Restored { history, downloads, named_files, lease, firmware } = kept;
        self.restore_history(history);
        self.restore_downloads(&downloads);
        self.restore_named_files(&named_files);
        lease.into_iter().for_each(|lease| self.restore_lease(lease));
        firmware.into_iter().for_each(|firmware| self.restore_firmware(firmware));
        self
    }

    /// What the phone that takes this one's place at a restart finds again.
    pub fn to_restore(&self) -> Restored {
        Restored {
            history: self.history().cloned().collect(),
            downloads: self.downloads(),
            named_files: self.named_files().clone(),
            lease: self.kept_lease(),
            firmware: self.firmware().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::Time;

    use super::*;
    use crate::phone::{HistoryKind, Place};
    use crate::settings::{Secret, Settings};

    #[test]
    fn what_a_phone_has_kept_outlives_every_restart() {
        let call = HistoryEntry {
            kind: HistoryKind::Missed,
            account: 1,
            number: "7007".into(),
            name: "Anna".into(),
            at_s: 1,
            duration_s: 0,
        };
        let named_files = NamedFiles { whole: None, reset: Secret::new("a = 1"), factory: Secret::default() };
        let firmware = Firmware {
            url: "http://192.0.2.9/fw-2.rom".into(),
            version: "2".into(),
            sha256: "00".into(),
            is_new: false,
        };
        let kept = Restored {
            history: vec![call.clone()],
            named_files: named_files.clone(),
            lease: Some(KeptLease { ip: [192, 0, 2, 7].into(), vlan: Some(70) }),
            firmware: Some(firmware.clone()),
            ..Restored::default()
        };
        let phone =
            || Phone::new(Settings::default(), Place::new([192, 0, 2, 7].into()), [7; 32], Time::ZERO);
        let again = phone().restored(phone().restored(kept).to_restore()).to_restore();
        assert_eq!((again.history, again.named_files), (vec![call], named_files));
        assert_eq!((again.lease.and_then(|lease| lease.vlan), again.firmware), (Some(70), Some(firmware)));
    }
}
