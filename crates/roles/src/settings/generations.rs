//! Names that other generations of the relative's phones have, and what they are here.

use std::collections::BTreeMap;

use super::key::Key;

/// What a name of another generation is here.
pub(super) enum Elsewhere {
    /// A parameter with the same meaning.
    Key(Key),
    /// A part of a slot of the codec list.
    CodecSlot { account: u8, slot: u8, field: SlotField },
    /// Nothing, and why.
    Nowhere(&'static str),
}

/// The parts of a slot that have a meaning here.
#[derive(Clone, Copy)]
pub(super) enum SlotField {
    Enable,
    Name,
    Priority,
}

/// Older names and today's, with X for the index that both have.
const RENAMED: &[(&str, &str)] = &[
    ("account.X.sip_server_host", "account.X.sip_server.1.address"),
    ("account.X.sip_server_port", "account.X.sip_server.1.port"),
    ("account.X.backup_sip_server_host", "account.X.sip_server.2.address"),
    ("account.X.backup_sip_server_port", "account.X.sip_server.2.port"),
    ("account.X.transport", "account.X.sip_server.1.transport_type"),
    ("account.X.expires", "account.X.sip_server.1.expires"),
    ("account.X.outbound_host", "account.X.outbound_proxy.1.address"),
    ("account.X.outbound_port", "account.X.outbound_proxy.1.port"),
    ("account.X.backup_outbound_host", "account.X.outbound_proxy.2.address"),
    ("account.X.backup_outbound_port", "account.X.outbound_proxy.2.port"),
    ("account.X.blf_list_uri", "account.X.blf.blf_list_uri"),
    ("account.X.blf_subscribe_period", "account.X.blf.subscribe_period"),
    ("account.X.rport", "account.X.nat.rport"),
    ("programmablekey.X.type", "programablekey.X.type"),
    ("programmablekey.X.line", "programablekey.X.line"),
    ("programmablekey.X.value", "programablekey.X.value"),
    ("programmablekey.X.label", "programablekey.X.label"),
    ("programmablekey.X.extension", "programablekey.X.extension"),
    ("programmablekey.X.pickup_value", "programablekey.X.pickup_value"),
    ("programmablekey.X.history_type", "programablekey.X.history_type"),
    ("programmablekey.X.xml_phonebook", "programablekey.X.xml_phonebook"),
];

/// What begins a name that no parameter here has the meaning of.
const NOWHERE: &[(&str, &str)] = &[
    ("memorykey.", "memory keys are of phones that have keys beside their screen; set linekey.N instead"),
    ("expansion_module.", "these phones take no expansion module; set linekey.N instead"),
    ("security.user_name.user", "the page has an administrator and no user beside him"),
    ("security.user_name.var", "the page has an administrator and no user beside him"),
    ("bluetooth.", "this phone has no Bluetooth"),
    ("hotdesking.", "hot desking is of another generation"),
    ("gui_lang.", "language files are of another generation; lang.gui chooses the language"),
    ("wui_lang.", "language files are of another generation; lang.wui chooses the language"),
];

/// What a name is that the table does not have.
pub(super) fn elsewhere(name: &str) -> Option<Elsewhere> {
    let name = super::key::without_static(name);
    if let Some((account, slot, field)) = codec_slot(name) {
        return Some(match field {
            Some(field) => Elsewhere::CodecSlot { account, slot, field },
            None => Elsewhere::Nowhere("codecs are set by their names: account.N.codec.pcma.enable"),
        });
    }
    if let Some(key) = RENAMED.iter().find_map(|(old, new)| renamed(name, old, new)) {
        return Some(Elsewhere::Key(key));
    }
    NOWHERE.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, why)| Elsewhere::Nowhere(why))
}

fn renamed(name: &str, old: &str, new: &str) -> Option<Key> {
    let (head, tail) = old.split_once('X')?;
    let index = name.strip_prefix(head)?.strip_suffix(tail)?;
    let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    is_index.then(|| Key::parse(&new.replacen('X', index, 1)).ok()).flatten()
}

/// `account.1.codec.3.payload_type` as account, slot and part; none where that part means nothing here.
fn codec_slot(name: &str) -> Option<(u8, u8, Option<SlotField>)> {
    let (account, rest) = name.strip_prefix("account.")?.split_once(".codec.")?;
    let (slot, field) = rest.split_once('.')?;
    let field = match field {
        "enable" => Some(SlotField::Enable),
        "payload_type" => Some(SlotField::Name),
        "priority" => Some(SlotField::Priority),
        _ => None,
    };
    Some((account.parse().ok()?, slot.parse().ok()?, field))
}

/// Slots of codec lists, gathered over the lines of a file. There are as many as lines.
#[derive(Default)]
pub(super) struct CodecSlots(BTreeMap<(u8, u8), CodecSlot>);

/// What the lines of a file say of one slot.
#[derive(Default)]
pub(super) struct CodecSlot {
    account: u8,
    slot: u8,
    codec: Option<String>,
    enable: Option<String>,
    priority: Option<String>,
    /// The first line that names it.
    pub(super) line: u32,
}

impl CodecSlots {
    pub(super) fn take(&mut self, account: u8, slot: u8, field: SlotField, value: &str, line: u32) {
        let fresh = || CodecSlot { account, slot, line, ..CodecSlot::default() };
        let entry = self.0.entry((account, slot)).or_insert_with(fresh);
        let place = match field {
            SlotField::Enable => &mut entry.enable,
            SlotField::Name => &mut entry.codec,
            SlotField::Priority => &mut entry.priority,
        };
        *place = Some(value.to_owned()).filter(|value| !value.is_empty());
    }

    pub(super) fn finish(self) -> impl Iterator<Item = CodecSlot> {
        self.0.into_values()
    }
}

impl CodecSlot {
    /// Its name in a file.
    pub(super) fn name(&self) -> String {
        format!("account.{}.codec.{}", self.account, self.slot)
    }

    /// What it says, by the codec's name.
    ///
    /// # Errors
    /// Why it says nothing.
    pub(super) fn codec(&self) -> Result<Vec<(Key, String)>, String> {
        let Some(codec) = &self.codec else {
            return Err(format!("{}: no line names the codec of this slot", self.name()));
        };
        let name = match &*codec.to_ascii_uppercase() {
            "PCMU" => "pcmu",
            "PCMA" => "pcma",
            "G722" => "g722",
            "G729" => "g729",
            "G723_53" => "g723_53",
            "G723_63" => "g723_63",
            "G726-16" => "g726_16",
            "G726-24" => "g726_24",
            "G726-32" => "g726_32",
            "G726-40" => "g726_40",
            "ILBC" | "ILBC_15_2" => "ilbc_15_2kbps",
            "ILBC_13_3" => "ilbc_13_33kbps",
            "OPUS" => "opus",
            _ => return Err(format!("{}: the codec of this slot is not known here", self.name())),
        };
        let key = |field: &str| {
            let name = format!("account.{}.codec.{name}.{field}", self.account);
            Key::parse(&name).map_err(|_| format!("{}: there is no such account", self.name()))
        };
        let mut said = Vec::new();
        if let Some(value) = &self.enable {
            said.push((key("enable")?, value.clone()));
        }
        if let Some(value) = &self.priority {
            said.push((key("priority")?, value.clone()));
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_name_is_in_the_table_and_no_old_one_is() {
        for (old, new) in RENAMED {
            let (old, new) = (old.replacen('X', "2", 1), new.replacen('X', "2", 1));
            assert!(Key::parse(&old).is_err(), "{old}");
            assert_eq!(Key::parse(&new).map(|key| key.to_string()), Ok(new));
        }
        for (begin, why) in NOWHERE {
            assert!(!super::super::TABLE.iter().any(|row| row.key.starts_with(begin)), "{begin}");
            assert!(why.len() > 15, "{begin}");
        }
    }
}
