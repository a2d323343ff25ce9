//! The keys of each side of a call: every leg is encrypted, or not, by itself (RFC 4568).
//!
//! What one side says of its keys is heard here and goes no further; the other side is told keys of ours.
//! So the relay opens and verifies what it forwards, and a plain phone can talk to an encrypted one
//! where an extension's rule says so.

use std::net::{IpAddr, SocketAddr};

use proto::Rng;
use proto::rtp::Format;
use proto::rtp::srtp::{MasterKey, Suite};
use proto::sdp::{AgreedSrtp, Crypto, Description, Media};

use super::{CallId, Switchboard};
use crate::exchange::Output;
use crate::exchange::extension::Encryption;
use crate::relay::{RelayCommand, Side};

/// Which half of a negotiation a description is (RFC 3264).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Half {
    Offer,
    Answer,
}

/// What is known of the media of one side.
#[derive(Debug, Default)]
pub(super) struct SideMedia {
    /// Where its last description says that it receives.
    remote: Option<SocketAddr>,
    /// The host that it signals from.
    home: Option<IpAddr>,
    /// What it may send, by what it was told last.
    formats: Vec<Format>,
    /// Our keys towards it, one for each suite. They stay: a stream must not begin anew under an old key.
    keys: Vec<MasterKey>,
    /// The keys in its last offer that can be used, in its order.
    offered: Vec<Offered>,
    /// Whether its last description insists on encryption; `None` until it has said anything.
    insists: Option<bool>,
    agreed: Option<AgreedSrtp>,
    /// What the relay was told last.
    told: Option<Whereabouts>,
}

/// What the relay is told of a side.
#[derive(Clone, Debug, PartialEq)]
struct Whereabouts {
    remote: Option<SocketAddr>,
    home: Option<IpAddr>,
    formats: Vec<Format>,
    srtp: Option<AgreedSrtp>,
}

#[derive(Clone, Debug)]
struct Offered {
    tag: u32,
    key: MasterKey,
}

impl SideMedia {
    /// Of a side that somebody takes who has said this before, in another call.
    pub(super) fn of(said: &[u8], home: Option<IpAddr>) -> Self {
        let mut media = Self { home, ..Self::default() };
        if let Ok(description) = Description::parse(said)
            && let Some(index) = description.audio_index()
        {
            let remote = description.rtp_address_of(index).filter(|remote| !remote.ip().is_unspecified());
            media.hear(&description, index, remote, Half::Offer);
        }
        media
    }

    /// Takes what a side says.
    pub(super) fn hear(&mut self, said: &Description, index: usize, remote: Option<SocketAddr>, half: Half) {
        let Some(media) = said.media.get(index) else { return };
        let usable: Vec<Offered> = media.cryptos().filter_map(|crypto| usable(&crypto)).collect();
        self.remote = remote;
        self.insists = Some(is_secure(media.protocol()));
        match half {
            Half::Offer => {
                if usable.is_empty() {
                    self.agreed = None;
                }
                self.offered = usable;
            }
            Half::Answer => {
                self.offered.clear();
                self.agreed = usable.first().and_then(|answered| self.agree(answered));
            }
        }
    }

    fn agree(&self, theirs: &Offered) -> Option<AgreedSrtp> {
        let local_key = self.keys.iter().find(|own| own.suite() == theirs.key.suite())?.clone();
        Some(AgreedSrtp { local_key, remote_key: theirs.key.clone() })
    }

    /// Puts our own keys into what the side is told in place of the other side's.
    pub(super) fn tell(&mut self, told: &mut Description, index: usize, half: Half, rng: &mut Rng) {
        self.formats = told.media.get(index).map(Media::clocked_formats).unwrap_or_default();
        let mirrored =
            told.media.get(index).map(|media| (is_secure(media.protocol()), media.cryptos().count() > 0));
        let Some((insists, has_keys)) = mirrored else { return };
        told.remove_crypto();
        match half {
            Half::Offer => {
                let (secure, insist) = match self.insists {
                    None => (insists || has_keys, insists),
                    Some(own) => (own || self.agreed.is_some() || !self.offered.is_empty(), own),
                };
                if secure {
                    told.set_crypto(index, self.own_keys(rng), insist);
                }
            }
            Half::Answer => {
                self.own_keys(rng);
                self.agreed = self.offered.first().and_then(|offered| self.agree(offered));
                let Some((offered, agreed)) = self.offered.first().zip(self.agreed.as_ref()) else { return };
                told.set_crypto(index, &[], self.insists == Some(true));
                let line = Crypto::new(offered.tag, &agreed.local_key);
                if let Some(media) = told.media.get_mut(index) {
                    media.section.push('a', &format!("crypto:{line}"));
                }
            }
        }
    }

    fn own_keys(&mut self, rng: &mut Rng) -> &[MasterKey] {
        if self.keys.is_empty() {
            self.keys = fresh(rng);
        }
        &self.keys
    }

    /// Takes the host that the side signals from.
    pub(super) fn is_at(&mut self, home: Option<IpAddr>) {
        self.home = home;
    }

    /// What the relay is to know, where it does not know it yet.
    fn news(&mut self) -> Option<Whereabouts> {
        let (remote, home, srtp) = (self.remote, self.home, self.agreed.clone());
        let now = Whereabouts { remote, home, formats: self.formats.clone(), srtp };
        let news = self.insists.is_some() && self.told.as_ref() != Some(&now);
        news.then(|| self.told.insert(now).clone())
    }

    /// The relay has been told something else about this side.
    pub(super) fn forget_told(&mut self) {
        self.told = None;
    }
}

impl Switchboard<'_> {
    /// Tells the relay what has become known of both sides.
    pub(super) fn point_relay(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let relay = bridge.place.relay;
        for (side, media) in [Side::A, Side::B].into_iter().zip(&mut bridge.sides) {
            if let Some(Whereabouts { remote, home, formats, srtp }) = media.news() {
                let srtp = srtp.map(Box::new);
                let point = RelayCommand::Point { relay, side, remote, home, formats, srtp };
                self.turn.told.push(Output::Media(point));
            }
        }
    }

    /// What the devices of an extension are offered: as the caller offered it, or as the extension's rule
    /// wants it.
    pub(super) fn offer_by_rule(&mut self, call: CallId, rule: Encryption) -> Option<Vec<u8>> {
        let bridge = self.calls.bridges.get_mut(&call)?;
        let offer = bridge.offer.clone()?;
        if rule == Encryption::AsOffered {
            return Some(offer);
        }
        let Ok(mut description) = Description::parse(&offer) else { return Some(offer) };
        let index = description.audio_index()?;
        description.remove_crypto();
        if rule == Encryption::Always {
            let [_, callee] = &mut bridge.sides;
            description.set_crypto(index, callee.own_keys(&mut self.turn.rng), true);
        }
        Some(description.to_bytes())
    }
}

/// Whether an offer keeps to the rule of the extension that it comes from, and offers a key that can be
/// used where it insists on one.
pub(super) fn is_acceptable(offer: &[u8], rule: Encryption) -> bool {
    let Ok(description) = Description::parse(offer) else { return true };
    let Some(media) = description.audio_index().and_then(|index| description.media.get(index)) else {
        return true;
    };
    let has_key = media.cryptos().any(|crypto| crypto.key().is_some());
    has_key || (rule != Encryption::Always && !is_secure(media.protocol()))
}

/// Whether what a side said last was encrypted, and whether it insisted.
pub(super) fn was_secure(said: &[u8]) -> (bool, bool) {
    let Ok(description) = Description::parse(said) else { return (false, false) };
    let media = description.audio_index().and_then(|index| description.media.get(index));
    media.map_or((false, false), |media| {
        let insists = is_secure(media.protocol());
        (insists || media.cryptos().any(|crypto| crypto.key().is_some()), insists)
    })
}

fn is_secure(protocol: &str) -> bool {
    matches!(protocol, "RTP/SAVP" | "RTP/SAVPF")
}

fn usable(crypto: &Crypto) -> Option<Offered> {
    crypto.key().map(|key| Offered { tag: crypto.tag, key })
}

/// New keys, one for each suite.
pub(super) fn fresh(rng: &mut Rng) -> Vec<MasterKey> {
    Suite::ALL.map(|suite| MasterKey::generate(suite, rng)).to_vec()
}
