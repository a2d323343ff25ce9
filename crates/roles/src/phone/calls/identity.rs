//! Who calls: the headers that name the other party, in the order of the settings.

use proto::sip::header::{Address, Diversion};
use proto::sip::message::{Message, Name};

use super::Peer;
use crate::settings::{AccountSettings, Identity};

/// Who calls, by the first header of the settings' order that is there; and whether they hide.
pub(super) fn caller(request: &Message<'_>, settings: &AccountSettings) -> (Peer, bool) {
    let mut found = None;
    for source in &settings.caller_from {
        let address = match source {
            Identity::Pai => asserted(request, settings.read_preferred_identity),
            Identity::Rpid => first(request, Name::RemotePartyId),
            Identity::From | Identity::Dialled => request.from(),
        };
        found = found.or(address);
    }
    let from = request.from();
    let hidden = from.as_ref().is_some_and(is_anonymous);
    let private = settings.honour_privacy && request.has_token(Name::Privacy, "id");
    let peer = found.or(from).map(|address| peer(&address)).unwrap_or_default();
    if private {
        return (Peer { number: "anonymous".into(), name: "Anonymous".into() }, true);
    }
    (peer, hidden)
}

/// The party that the server says an answer or a change comes from: P-Asserted-Identity (RFC 3325), else
/// Remote-Party-ID.
pub(super) fn connected(message: &Message<'_>) -> Option<Peer> {
    let address = asserted(message, false).or_else(|| first(message, Name::RemotePartyId));
    address.map(|address| peer(&address))
}

/// Who sent the call here instead of taking it.
pub(super) fn diverted_from(request: &Message<'_>) -> Option<String> {
    let diversion = request.values(Name::Diversion).find_map(Diversion::parse)?;
    Some(peer(&diversion.by).number)
}

/// The number that was called.
pub(super) fn called(request: &Message<'_>) -> Option<String> {
    Some(peer(&request.to()?).number)
}

fn asserted<'a>(request: &Message<'a>, preferred: bool) -> Option<Address<'a>> {
    let asserted = first(request, Name::PAssertedIdentity);
    asserted.or_else(|| first(request, Name::PPreferredIdentity).filter(|_| preferred))
}

fn first<'a>(request: &Message<'a>, name: Name) -> Option<Address<'a>> {
    request.values(name).find_map(Address::parse)
}

/// A party as the screen shows it.
pub(super) fn peer(address: &Address<'_>) -> Peer {
    let uri = address.parsed_uri();
    let number = uri.as_ref().map(|uri| if uri.user.is_empty() { uri.host.into() } else { uri.plain_user() });
    Peer { number: number.unwrap_or_default().into_owned(), name: address.display().into_owned() }
}

fn is_anonymous(address: &Address<'_>) -> bool {
    let uri = address.parsed_uri();
    uri.is_some_and(|uri| {
        uri.user.eq_ignore_ascii_case("anonymous") || uri.host.eq_ignore_ascii_case("anonymous.invalid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &str, order: &[Identity], number: &str, name: &str, hidden: bool) {
        let text = format!("INVITE sip:7001@h SIP/2.0\r\n{headers}\r\n\r\n");
        let request = Message::parse(text.as_bytes()).expect("a message");
        let settings =
            AccountSettings { caller_from: order.to_vec(), honour_privacy: true, ..Default::default() };
        let (peer, is_hidden) = caller(&request, &settings);
        assert_eq!((&*peer.number, &*peer.name, is_hidden), (number, name, hidden), "{headers}");
    }

    #[test]
    fn the_caller_is_who_the_settings_believe() {
        let both = "From: \"A\" <sip:7007@h>;tag=1\r\nP-Asserted-Identity: \"B\" <sip:8@h>";
        check(both, &[Identity::Pai, Identity::From], "8", "B", false);
        check(both, &[Identity::From], "7007", "A", false);
        check("From: <sip:h>;tag=1", &[Identity::Pai, Identity::From], "h", "", false);
        check("From: <sip:anonymous@anonymous.invalid>;tag=1", &[Identity::From], "anonymous", "", true);
        check("From: <sip:1@h>;tag=1\r\nPrivacy: id", &[Identity::From], "anonymous", "Anonymous", true);
    }
}
