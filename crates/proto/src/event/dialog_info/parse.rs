//! Reads a body. No entity but the five of XML is known, none is expanded, and there is no DOCTYPE.

use std::fmt;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::{
    CallDirection, DialogEntry, DialogInfo, DialogState, MAX_BYTES, MAX_DEPTH, MAX_DIALOGS, MAX_VALUE_BYTES,
    NAMESPACE, OWN_NAMESPACE, Party,
};

impl DialogInfo {
    /// Reads a body. The namespace is compared without letter case (the deck shows `urn:iETF:…`) and may
    /// be missing; elements that are not known are passed over.
    ///
    /// # Errors
    /// What is wrong and at which byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, DialogInfoError> {
        Self::parse_with_flaws(bytes).map(|(info, _)| info)
    }

    /// The same, and how many dialogs are left out because their state is missing or unknown: one bad member
    /// does not spoil the others.
    ///
    /// # Errors
    /// What is wrong and at which byte; a body without any good dialog that has a bad one is wrong too.
    pub fn parse_with_flaws(bytes: &[u8]) -> Result<(Self, usize), DialogInfoError> {
        let fail = |position: usize, fault| DialogInfoError { position, fault };
        if bytes.len() > MAX_BYTES {
            return Err(fail(0, DialogInfoFault::TooLong));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut xml = NsReader::from_str(&text);
        xml.config_mut().expand_empty_elements = true;
        let mut reading = Reading::default();
        loop {
            let position = usize::try_from(xml.buffer_position()).unwrap_or(usize::MAX);
            let read = xml.read_resolved_event();
            let (namespace, event) = read.map_err(|_| fail(position, DialogInfoFault::Xml))?;
            match event {
                Event::Eof => break,
                event => reading.take(Origin::of(&namespace), event),
            }
            .map_err(|fault| fail(position, fault))?;
        }
        reading.finish().map_err(|fault| fail(bytes.len(), fault))
    }
}

/// Where an element's name comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    Standard,
    Own,
    Foreign,
}

impl Origin {
    fn of(namespace: &ResolveResult<'_>) -> Self {
        match namespace {
            ResolveResult::Unbound => Self::Standard,
            ResolveResult::Bound(Namespace(name)) if name.eq_ignore_ascii_case(NAMESPACE) => Self::Standard,
            ResolveResult::Bound(Namespace(name)) if name.eq_ignore_ascii_case(OWN_NAMESPACE) => Self::Own,
            _ => Self::Foreign,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Local,
    Remote,
}

/// An open element that means something, or another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Element {
    Root,
    Registration,
    Dialog,
    State,
    Parked,
    Party(Side),
    Identity(Side),
    Target(Side),
    Parameter(Side),
    Other,
}

impl Element {
    fn of(parent: Option<Element>, origin: Origin, name: &str) -> Self {
        match (parent, origin, name) {
            (None, Origin::Standard, "dialog-info") => Self::Root,
            (Some(Self::Root), Origin::Standard, "dialog") => Self::Dialog,
            (Some(Self::Root), Origin::Own, "registration") => Self::Registration,
            (Some(Self::Dialog), Origin::Standard, "state") => Self::State,
            (Some(Self::Dialog), Origin::Own, "parked") => Self::Parked,
            (Some(Self::Dialog), Origin::Standard, "local") => Self::Party(Side::Local),
            (Some(Self::Dialog), Origin::Standard, "remote") => Self::Party(Side::Remote),
            (Some(Self::Party(side)), Origin::Standard, "identity") => Self::Identity(side),
            (Some(Self::Party(side)), Origin::Standard, "target") => Self::Target(side),
            (Some(Self::Target(side)), Origin::Standard, "param") => Self::Parameter(side),
            _ => Self::Other,
        }
    }
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Reading {
    open: Vec<Element>,
    text: String,
    seen_root: bool,
    state_missing: bool,
    /// Dialogs that are left out.
    flawed: usize,
    info: DialogInfo,
}

impl Reading {
    fn take(&mut self, origin: Origin, event: Event<'_>) -> Result<(), DialogInfoFault> {
        match event {
            Event::Start(start) => self.start(origin, &start),
            Event::End(_) => self.end(),
            Event::Text(text) => self.add_text(&text.xml10_content()),
            Event::CData(text) => self.add_text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.add_reference(&reference),
            Event::DocType(_) => Err(DialogInfoFault::Doctype),
            _ => Ok(()),
        }
    }

    fn start(&mut self, origin: Origin, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        if self.open.len() == MAX_DEPTH {
            return Err(DialogInfoFault::TooDeep);
        }
        let element = Element::of(self.open.last().copied(), origin, start.local_name().into_inner());
        self.open.push(element);
        self.text.clear();
        match element {
            Element::Root => self.start_root(start),
            Element::Registration => self.start_registration(start),
            Element::Dialog => self.start_dialog(start),
            Element::State => self.start_state(start),
            Element::Parked => self.on_dialog(|dialog| dialog.parked = true),
            Element::Identity(side) => {
                let display = attribute(start, "display")?;
                self.on_party(side, |party| party.display = display)
            }
            Element::Target(side) => {
                let target = attribute(start, "uri")?;
                self.on_party(side, |party| party.target = target)
            }
            Element::Parameter(side) => self.start_parameter(side, start),
            Element::Party(_) | Element::Other => Ok(()),
        }
    }

    fn start_root(&mut self, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        if self.seen_root {
            return Err(DialogInfoFault::Xml);
        }
        self.seen_root = true;
        self.info.entity = attribute(start, "entity")?.unwrap_or_default();
        let version = attribute(start, "version")?.and_then(|text| text.trim().parse().ok());
        self.info.version = version.ok_or(DialogInfoFault::Version)?;
        self.info.full = attribute(start, "state")?.is_none_or(|text| !text.eq_ignore_ascii_case("partial"));
        Ok(())
    }

    fn start_registration(&mut self, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        let state = attribute(start, "state")?;
        self.info.registered = state.map(|state| state == "registered");
        Ok(())
    }

    fn start_dialog(&mut self, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        if self.info.dialogs.len() == MAX_DIALOGS {
            return Err(DialogInfoFault::TooManyDialogs);
        }
        self.state_missing = true;
        self.info.dialogs.push(DialogEntry {
            id: attribute(start, "id")?.unwrap_or_default(),
            call_id: attribute(start, "call-id")?,
            local_tag: attribute(start, "local-tag")?,
            remote_tag: attribute(start, "remote-tag")?,
            direction: attribute(start, "direction")?.as_deref().and_then(direction),
            ..DialogEntry::default()
        });
        Ok(())
    }

    fn start_state(&mut self, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        let event = attribute(start, "event")?;
        let code = attribute(start, "code")?.and_then(|text| text.trim().parse().ok());
        self.on_dialog(|dialog| (dialog.event, dialog.code) = (event, code))
    }

    fn start_parameter(&mut self, side: Side, start: &BytesStart<'_>) -> Result<(), DialogInfoFault> {
        let name = attribute(start, "pname")?.unwrap_or_default();
        let value = attribute(start, "pvalue")?.unwrap_or_default();
        if !name.eq_ignore_ascii_case("+sip.rendering") {
            return Ok(());
        }
        let rendering = match value.trim_matches('"') {
            "no" => Some(false),
            "yes" => Some(true),
            _ => None,
        };
        self.on_party(side, |party| party.rendering = rendering)
    }

    fn end(&mut self) -> Result<(), DialogInfoFault> {
        let text = self.text.trim().to_owned();
        self.text.clear();
        match self.open.pop() {
            Some(Element::State) => {
                let Some(state) = DialogState::from_name(&text) else { return Ok(()) };
                self.state_missing = false;
                self.on_dialog(|dialog| dialog.state = state)
            }
            Some(Element::Identity(side)) => {
                self.on_party(side, |party| party.identity = (!text.is_empty()).then_some(text))
            }
            Some(Element::Dialog) if self.state_missing => {
                self.info.dialogs.pop();
                self.flawed = self.flawed.saturating_add(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Keeps text where it means something.
    fn add_text(&mut self, text: &str) -> Result<(), DialogInfoFault> {
        if !matches!(self.open.last(), Some(Element::State | Element::Identity(_))) {
            return Ok(());
        }
        if self.text.len().saturating_add(text.len()) > MAX_VALUE_BYTES {
            return Err(DialogInfoFault::ValueTooLong);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn add_reference(&mut self, reference: &BytesRef<'_>) -> Result<(), DialogInfoFault> {
        let letter = reference.resolve_char_ref().map_err(|_| DialogInfoFault::Entity)?;
        if let Some(letter) = letter {
            return self.add_text(letter.encode_utf8(&mut [0; 4]));
        }
        let known = resolve_predefined_entity(&reference.xml10_content());
        self.add_text(known.ok_or(DialogInfoFault::Entity)?)
    }

    fn on_dialog(&mut self, change: impl FnOnce(&mut DialogEntry)) -> Result<(), DialogInfoFault> {
        self.info.dialogs.last_mut().map(change).ok_or(DialogInfoFault::Xml)
    }

    fn on_party(&mut self, side: Side, change: impl FnOnce(&mut Party)) -> Result<(), DialogInfoFault> {
        self.on_dialog(|dialog| match side {
            Side::Local => change(&mut dialog.local),
            Side::Remote => change(&mut dialog.remote),
        })
    }

    fn finish(self) -> Result<(DialogInfo, usize), DialogInfoFault> {
        match (self.seen_root, self.open.is_empty()) {
            (false, _) => Err(DialogInfoFault::NotDialogInfo),
            (true, false) => Err(DialogInfoFault::Xml),
            (true, true) if self.flawed > 0 && self.info.dialogs.is_empty() => Err(DialogInfoFault::State),
            (true, true) => Ok((self.info, self.flawed)),
        }
    }
}

fn direction(name: &str) -> Option<CallDirection> {
    [CallDirection::Initiator, CallDirection::Recipient].into_iter().find(|known| known.name() == name)
}

/// The value of an attribute, if the element has it.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, DialogInfoFault> {
    // The library's check for attributes given twice compares each with each; the first one counts.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| DialogInfoFault::Xml)?;
        if attribute.key.0 != name {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let value = value.map_err(|_| DialogInfoFault::Entity)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(DialogInfoFault::ValueTooLong);
        }
        return Ok(Some(value.into_owned()));
    }
    Ok(None)
}

/// Why a body cannot be read, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DialogInfoError {
    /// The byte at which the piece at fault begins.
    pub position: usize,
    /// What is wrong.
    pub fault: DialogInfoFault,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DialogInfoFault {
    /// Larger than [`MAX_BYTES`].
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_DIALOGS`].
    TooManyDialogs,
    /// A value longer than [`MAX_VALUE_BYTES`].
    ValueTooLong,
    /// Not well-formed.
    Xml,
    /// A document type declaration, which could define entities.
    Doctype,
    /// An entity that XML itself does not define.
    Entity,
    /// The root is not `dialog-info`.
    NotDialogInfo,
    /// `version` is missing or no number.
    Version,
    /// A dialog without a state, or with one that RFC 4235 does not know.
    State,
}

impl fmt::Display for DialogInfoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is larger than {MAX_BYTES} bytes"),
            Self::TooDeep => write!(f, "it is nested deeper than {MAX_DEPTH} elements"),
            Self::TooManyDialogs => write!(f, "it lists more than {MAX_DIALOGS} dialogs"),
            Self::ValueTooLong => write!(f, "a value is longer than {MAX_VALUE_BYTES} bytes"),
            Self::Xml => f.write_str("it is not well-formed XML"),
            Self::Doctype => f.write_str("it has a DOCTYPE, which is not accepted"),
            Self::Entity => f.write_str("it refers to an entity or character that XML does not define"),
            Self::NotDialogInfo => f.write_str("its root is not <dialog-info>"),
            Self::Version => f.write_str("<dialog-info> needs a version that is a number"),
            Self::State => {
                f.write_str("a <dialog> needs a <state>: trying, proceeding, early, confirmed or terminated")
            }
        }
    }
}

impl fmt::Display for DialogInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's dialog-info, byte {}: {}", self.position, self.fault)
    }
}

impl std::error::Error for DialogInfoError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RICH: &str = r#"<?xml version="1.0"?>
<!-- as chan_sip and its like write it -->
<d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" version="7" state="partial" entity="sip:7007@h">
  <d:dialog id="a&amp;b" call-id="pickup-1@h" local-tag="lt" remote-tag="rt" direction="recipient">
    <d:state event="replaced" code="200"> ear&#108;y </d:state>
    <x:state xmlns:x="urn:other">confirmed</x:state>
    <d:remote><d:identity display="Ann &lt;A&gt;">sip:7001@h?a=1&amp;b=2</d:identity><d:target uri="sip:7001@1.2.3.4"/></d:remote>
    <d:local><d:identity><![CDATA[sip:7007@h]]></d:identity>
      <d:target uri="sip:7007@h"><d:param pname="+sip.rendering" pvalue="no"/></d:target></d:local>
  </d:dialog>
  <d:dialog id="2"><d:state>confirmed</d:state></d:dialog>
</d:dialog-info>"#;

    fn fault(text: &str) -> Option<DialogInfoFault> {
        DialogInfo::parse(text.as_bytes()).err().map(|error| error.fault)
    }

    #[test]
    fn a_rich_body() {
        let info = DialogInfo::parse(RICH.as_bytes()).expect("a body");
        assert_eq!((info.version, info.full, info.entity.as_str()), (7, false, "sip:7007@h"));
        let [first, second] = info.dialogs.as_slice() else { panic!("two dialogs") };
        assert_eq!((first.id.as_str(), first.state), ("a&b", DialogState::Early));
        assert_eq!(first.call_id.as_deref(), Some("pickup-1@h"));
        assert_eq!((first.local_tag.as_deref(), first.remote_tag.as_deref()), (Some("lt"), Some("rt")));
        assert_eq!(first.direction, Some(CallDirection::Recipient));
        assert_eq!((first.event.as_deref(), first.code), (Some("replaced"), Some(200)));
        assert_eq!(first.remote.display.as_deref(), Some("Ann <A>"));
        assert_eq!(first.remote.identity.as_deref(), Some("sip:7001@h?a=1&b=2"));
        assert_eq!(first.remote.target.as_deref(), Some("sip:7001@1.2.3.4"));
        assert_eq!(first.local.identity.as_deref(), Some("sip:7007@h"));
        assert_eq!(first.local.rendering, Some(false));
        assert_eq!((second.state, &second.call_id), (DialogState::Confirmed, &None));
    }

    #[test]
    fn the_decks_namespace_and_none_at_all() {
        let check = |xmlns: &str| {
            let text = format!(
                "<dialog-info {xmlns} version='0'><dialog><state>early</state></dialog></dialog-info>"
            );
            let info = DialogInfo::parse(text.as_bytes()).expect("a body");
            assert_eq!((info.full, info.dialogs.len(), info.registered), (true, 1, None));
        };
        check("xmlns='urn:iETF:params:xml:ns:dialog-info'");
        check("");
    }

    #[test]
    fn faults_have_a_place_and_a_name() {
        assert_eq!(fault(""), Some(DialogInfoFault::NotDialogInfo));
        assert_eq!(fault("<presence/>"), Some(DialogInfoFault::NotDialogInfo));
        assert_eq!(fault("<dialog-info/>"), Some(DialogInfoFault::Version));
        assert_eq!(fault("<dialog-info version='x'/>"), Some(DialogInfoFault::Version));
        assert_eq!(fault("<dialog-info version='0'>"), Some(DialogInfoFault::Xml));
        assert_eq!(fault("<dialog-info version='0'></x>"), Some(DialogInfoFault::Xml));
        assert_eq!(fault("<dialog-info version='0'><dialog/></dialog-info>"), Some(DialogInfoFault::State));
        assert_eq!(
            fault("<dialog-info version='0'><dialog><state>gone</state></dialog></dialog-info>"),
            Some(DialogInfoFault::State)
        );
        let late = DialogInfo::parse(b"<dialog-info version='0'><dialog><state>&x;</state>");
        assert_eq!(late.map_err(|error| (error.position, error.fault)), Err((40, DialogInfoFault::Entity)));
    }

    #[test]
    fn entities_are_never_expanded() {
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><dialog-info version='0' entity='&a;'/>";
        assert_eq!(fault(bomb), Some(DialogInfoFault::Doctype));
        assert_eq!(fault("<dialog-info version='0' entity='&a;'/>"), Some(DialogInfoFault::Entity));
    }

    #[test]
    fn every_limit_is_reached() {
        let wrap = |inner: String| format!("<dialog-info version='0'>{inner}</dialog-info>");
        let dialogs = |count: usize| wrap("<dialog><state>early</state></dialog>".repeat(count));
        assert_eq!(fault(&dialogs(MAX_DIALOGS)), None);
        assert_eq!(fault(&dialogs(MAX_DIALOGS + 1)), Some(DialogInfoFault::TooManyDialogs));
        assert_eq!(fault(&wrap("<a>".repeat(MAX_DEPTH))), Some(DialogInfoFault::TooDeep));
        assert_eq!(fault(&" ".repeat(MAX_BYTES + 1)), Some(DialogInfoFault::TooLong));
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(fault(&wrap(format!("<dialog id='{long}'/>"))), Some(DialogInfoFault::ValueTooLong));
        assert_eq!(
            fault(&wrap(format!("<dialog><state>{long}</state></dialog>"))),
            Some(DialogInfoFault::ValueTooLong)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = DialogInfo::parse(&bytes);
        }

        #[test]
        fn any_damage_is_read_or_refused(
            place in 0..RICH.len(), length in 0..12_usize, patch in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut bytes = RICH.as_bytes().to_vec();
            let end = place.saturating_add(length).min(bytes.len());
            bytes.splice(place..end, patch);
            let _ = DialogInfo::parse(&bytes);
        }
    }
}
