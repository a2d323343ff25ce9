//! Writes bodies: rich ones, and the deck's poor one.

use quick_xml::escape::escape;

use super::{DialogEntry, DialogInfo, DialogState, NAMESPACE, OWN_NAMESPACE, Party};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The body of the deck's server: one dialog named after the extension, nothing but its state, 232 bytes
/// in the deck's example (deck, BLF).
///
/// `host` is what stands behind the `@`, port included: `192.168.50.19:5060`.
pub fn minimal(extension: &str, host: &str, version: u32, state: DialogState) -> String {
    let (extension, host, state) = (value(extension), value(host), state.name());
    format!(
        "{DECLARATION}<dialog-info xmlns=\"{NAMESPACE}\" version=\"{version}\" state=\"full\" \
         entity=\"sip:{extension}@{host}\">\n <dialog id=\"{extension}\">\n  <state>{state}</state>\n \
         </dialog>\n</dialog-info>\n"
    )
}

impl DialogInfo {
    /// The body with all that is known.
    pub fn to_xml(&self) -> String {
        let mut xml = format!("{DECLARATION}<dialog-info xmlns=\"{NAMESPACE}\"");
        attribute(&mut xml, "version", &self.version.to_string());
        attribute(&mut xml, "state", if self.full { "full" } else { "partial" });
        attribute(&mut xml, "entity", &self.entity);
        xml.push_str(">\n");
        self.dialogs.iter().for_each(|dialog| write_dialog(&mut xml, dialog));
        if let Some(registered) = self.registered {
            let state = if registered { "registered" } else { "unregistered" };
            xml.push_str(&format!(" <o:registration xmlns:o=\"{OWN_NAMESPACE}\" state=\"{state}\"/>\n"));
        }
        xml.push_str("</dialog-info>\n");
        xml
    }
}

fn write_dialog(xml: &mut String, dialog: &DialogEntry) {
    xml.push_str(" <dialog");
    attribute(xml, "id", &dialog.id);
    optional(xml, "call-id", dialog.call_id.as_deref());
    optional(xml, "local-tag", dialog.local_tag.as_deref());
    optional(xml, "remote-tag", dialog.remote_tag.as_deref());
    optional(xml, "direction", dialog.direction.map(|direction| direction.name()));
    xml.push_str(">\n  <state");
    optional(xml, "event", dialog.event.as_deref());
    optional(xml, "code", dialog.code.map(|code| code.to_string()).as_deref());
    xml.push_str(&format!(">{}</state>\n", dialog.state.name()));
    write_party(xml, "local", &dialog.local);
    write_party(xml, "remote", &dialog.remote);
    if dialog.parked {
        xml.push_str(&format!("  <o:parked xmlns:o=\"{OWN_NAMESPACE}\"/>\n"));
    }
    xml.push_str(" </dialog>\n");
}

fn write_party(xml: &mut String, side: &str, party: &Party) {
    if *party == Party::default() {
        return;
    }
    xml.push_str(&format!("  <{side}>\n"));
    if party.identity.is_some() || party.display.is_some() {
        xml.push_str("   <identity");
        optional(xml, "display", party.display.as_deref());
        xml.push_str(&format!(">{}</identity>\n", value(party.identity.as_deref().unwrap_or_default())));
    }
    write_target(xml, party);
    xml.push_str(&format!("  </{side}>\n"));
}

/// The target must have a URI (RFC 4235 §4.1.6.2); where only the rendering is known, the identity serves.
fn write_target(xml: &mut String, party: &Party) {
    if party.target.is_none() && party.rendering.is_none() {
        return;
    }
    let uri = party.target.as_deref().or(party.identity.as_deref()).unwrap_or_default();
    xml.push_str("   <target");
    attribute(xml, "uri", uri);
    match party.rendering {
        None => xml.push_str("/>\n"),
        Some(rendering) => {
            let rendering = if rendering { "yes" } else { "no" };
            xml.push_str(&format!(
                ">\n    <param pname=\"+sip.rendering\" pvalue=\"{rendering}\"/>\n   </target>\n"
            ));
        }
    }
}

fn optional(xml: &mut String, name: &str, text: Option<&str>) {
    text.iter().for_each(|text| attribute(xml, name, text));
}

fn attribute(xml: &mut String, name: &str, text: &str) {
    xml.push_str(&format!(" {name}=\"{}\"", value(text)));
}

/// Text as it may stand in XML: marked characters escaped, control characters gone.
fn value(text: &str) -> String {
    let plain: String =
        text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    escape(plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::CallDirection;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_decks_body_to_the_byte() {
        let body = minimal("7007", "192.168.50.19:5060", 0, DialogState::Terminated);
        assert_eq!(body.len(), 232);
        let info = DialogInfo::parse(body.as_bytes()).expect("a body");
        assert_eq!(info.entity, "sip:7007@192.168.50.19:5060");
        assert_eq!(info.dialogs.first().map(|dialog| dialog.id.as_str()), Some("7007"));
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[a-z<>&\"'@:é]{1,12}")
    }

    fn party() -> impl Strategy<Value = Party> {
        (text(), text(), text(), proptest::option::of(any::<bool>())).prop_map(
            |(identity, display, target, rendering)| Party {
                target: target.or_else(|| rendering.map(|_| "sip:t@h".to_owned())),
                identity,
                display,
                rendering,
            },
        )
    }

    fn dialog() -> impl Strategy<Value = DialogEntry> {
        let direction = prop_oneof![
            Just(None),
            Just(Some(CallDirection::Initiator)),
            Just(Some(CallDirection::Recipient))
        ];
        let state = proptest::sample::select(DialogState::ALL.to_vec());
        let code = proptest::option::of(100..700_u16);
        let ids = (text(), text(), text(), text());
        (ids, direction, state, text(), code, party(), party(), any::<bool>()).prop_map(
            |((id, call_id, local_tag, remote_tag), direction, state, event, code, local, remote, parked)| {
                let id = id.unwrap_or_default();
                DialogEntry {
                    id,
                    call_id,
                    local_tag,
                    remote_tag,
                    direction,
                    state,
                    event,
                    code,
                    local,
                    remote,
                    parked,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            entity in text(), version in any::<u32>(), full in any::<bool>(),
            dialogs in proptest::collection::vec(dialog(), 0..4),
            registered in proptest::option::of(any::<bool>()),
        ) {
            let entity = entity.unwrap_or_default();
            let info = DialogInfo { entity, version, full, dialogs, registered };
            prop_assert_eq!(DialogInfo::parse(info.to_xml().as_bytes()), Ok(info));
        }

        #[test]
        fn names_cannot_break_out(extension in ".{0,20}", host in ".{0,20}") {
            let body = minimal(&extension, &host, 1, DialogState::Early);
            let info = DialogInfo::parse(body.as_bytes());
            prop_assert_eq!(info.map(|info| info.dialogs.len()), Ok(1));
        }
    }
}
