//! The messages of a conversation with their roles, and how those of two conversations belong together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proto::sip::message::Message;
use proto::sip::{Method, Name};

use crate::doctor::{Kept, Proof};

/// Messages of one conversation that are compared.
const STEPS_LIMIT: usize = 300;

/// Who is who in a conversation.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Numbers, addresses and names with the role that each has.
    pub(super) names: Vec<(String, &'static str)>,
}

impl Roles {
    /// By the first message and the numbers of both sides.
    pub(super) fn new(first: &Kept, (caller, callee): &(String, String)) -> Self {
        let host = |ip: IpAddr| ip.to_string();
        let domain = Message::parse(&first.bytes)
            .ok()
            .and_then(|message| Some(message.from()?.parsed_uri()?.host.to_owned()));
        let mut names = vec![
            (caller.clone(), "<caller>"),
            (callee.clone(), "<callee>"),
            (host(first.path.source.ip()), "<caller's address>"),
            (host(first.path.destination.ip()), "<server's address>"),
        ];
        names.extend(domain.map(|domain| (domain, "<domain>")));
        names.retain(|(name, _)| !name.is_empty());
        Self { names }
    }
}

/// One message; its resends are folded into it.
#[derive(Debug)]
pub(super) struct Step {
    /// The first copy.
    pub(super) proof: Proof,
    /// How often it was sent.
    pub(super) copies: u32,
    /// Its role: who sends it, what it asks for, or to what it is which kind of answer.
    pub(super) label: String,
    /// As a person calls it.
    pub(super) what: String,
    /// Of an answer.
    pub(super) status: Option<u16>,
    /// All of it.
    pub(super) bytes: Vec<u8>,
}

/// The messages in order.
pub(super) fn steps(own: &[&Kept]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut seen: BTreeMap<(String, u32, Option<u16>, bool), usize> = BTreeMap::new();
    let mut asked: BTreeMap<(u32, Method, bool), String> = BTreeMap::new();
    let Some(opener) = own.first().map(|kept| kept.path.source.ip()) else { return steps };
    for kept in own {
        let Ok(message) = Message::parse(&kept.bytes) else { continue };
        let Some(cseq) = message.cseq() else { continue };
        let by_opener = kept.path.source.ip() == opener;
        let branch = message.via().map(|via| via.branch().to_owned()).unwrap_or_default();
        let key = (format!("{branch} {:?}", message.method()), cseq.number, message.status(), by_opener);
        if let Some(step) = seen.get(&key).and_then(|&at| steps.get_mut(at)) {
            step.copies += 1;
            continue;
        }
        if steps.len() >= STEPS_LIMIT {
            break;
        }
        seen.insert(key, steps.len());
        let (role, what) = match message.status() {
            None => {
                let role = request_role(&message);
                asked.insert((cseq.number, cseq.method, by_opener), role.clone());
                (role.clone(), role)
            }
            Some(status) => {
                let to = asked.get(&(cseq.number, cseq.method, !by_opener));
                let to = to.cloned().unwrap_or_else(|| cseq.method.to_string());
                let kind = if status < 200 { status.to_string() } else { "final answer".to_owned() };
                (format!("{kind} to {to}"), format!("{status} {} to {to}", message.reason()))
            }
        };
        steps.push(Step {
            proof: kept.proof,
            copies: 1,
            label: format!("{} {role}", if by_opener { '>' } else { '<' }),
            what,
            status: message.status(),
            bytes: kept.bytes.clone(),
        });
    }
    steps
}

/// `INVITE`, `INVITE with credentials`, `re-INVITE (sendonly)`, `NOTIFY check-sync`.
fn request_role(message: &Message<'_>) -> String {
    let name = String::from_utf8_lossy(message.method_text()).into_owned();
    let has_credentials =
        message.header(Name::Authorization).is_some() || message.header(Name::ProxyAuthorization).is_some();
    let mut role = match message.method() {
        Some(Method::Invite) if !message.to_tag().is_empty() => format!("re-INVITE{}", direction(message)),
        Some(Method::Register) if message.text(Name::Expires).map(str::trim) == Some("0") => {
            "REGISTER (taken back)".to_owned()
        }
        Some(Method::Notify | Method::Publish) => match message.text(Name::Event) {
            Some(event) => format!("{name} {}", event.split(';').next().unwrap_or_default().trim()),
            None => name,
        },
        _ => name,
    };
    if has_credentials && message.method() != Some(Method::Ack) {
        role += " with credentials";
    }
    role
}

fn direction(message: &Message<'_>) -> &'static str {
    let body = message.body();
    let has = |text: &str| memchr::memmem::find(body, text.as_bytes()).is_some();
    match () {
        () if has("a=sendonly") => " (sendonly)",
        () if has("a=inactive") => " (inactive)",
        () if has("a=recvonly") => " (recvonly)",
        () => "",
    }
}

/// Both lists side by side: what has the same role in the same order stands together (longest common sequence).
pub(super) fn align<'a>(ours: &'a [Step], theirs: &'a [Step]) -> Vec<(Option<&'a Step>, Option<&'a Step>)> {
    let width = theirs.len() + 1;
    let mut lengths = vec![0_u16; (ours.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    for row in (0..ours.len()).rev() {
        for column in (0..theirs.len()).rev() {
            lengths[at(row, column)] = if ours[row].label == theirs[column].label {
                lengths[at(row + 1, column + 1)] + 1
            } else {
                lengths[at(row + 1, column)].max(lengths[at(row, column + 1)])
            };
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while let (Some(our), Some(their)) = (ours.get(row), theirs.get(column)) {
        if our.label == their.label {
            pairs.push((Some(our), Some(their)));
            (row, column) = (row + 1, column + 1);
        } else if lengths[at(row + 1, column)] >= lengths[at(row, column + 1)] {
            pairs.push((Some(our), None));
            row += 1;
        } else {
            pairs.push((None, Some(their)));
            column += 1;
        }
    }
    pairs.extend(ours.iter().skip(row).map(|our| (Some(our), None)));
    pairs.extend(theirs.iter().skip(column).map(|their| (None, Some(their))));
    pairs
}
