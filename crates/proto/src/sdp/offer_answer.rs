//! Offer and answer for one audio stream (RFC 3264).
//!
//! The answerer picks the first codec of the offer that it has and answers with that one alone, so that
//! both directions agree on what is heard. Streams other than the one audio stream are answered with
//! port 0 and keep their place for the rest of the session (RFC 3264 §8).
//!
//! Where a peer offers the stream twice, encrypted and plain, the encrypted one is preferred unless
//! encryption is off. The answer repeats the offered profile, so that `RTP/AVP` with keys (RFC 8643) is
//! answered as `RTP/AVP` with one key.

use std::net::SocketAddr;

use super::attribute::{Connection, Crypto, Direction, Origin};
use super::description::{Description, Media};
pub use super::local::{Codec, HoldForm, Local, SrtpPolicy};
pub use super::refusal::Refusal;
use crate::rtp::Format;
use crate::rtp::srtp::MasterKey;

const PLAIN: &str = "RTP/AVP";
const SECURE: &str = "RTP/SAVP";

/// What both parties have agreed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// The coding of both directions.
    pub codec: Codec,
    /// The payload type to send it by.
    pub send_payload_type: u8,
    /// The payload type it arrives by.
    pub receive_payload_type: u8,
    /// The other codings that may arrive at any time, by their payload types: what both sides have named
    /// (RFC 3264 §7).
    pub also_receive: Vec<(u8, Codec)>,
    /// The payload type to send key presses by (RFC 4733).
    pub send_dtmf: Option<u8>,
    /// The payload type key presses arrive by.
    pub receive_dtmf: Option<u8>,
    /// Sound in a packet to send, in milliseconds.
    pub ptime_ms: u32,
    /// Where to send RTP. None under a hold by `0.0.0.0` and where the address is a name: then the first
    /// packet that arrives shows it.
    pub remote_rtp: Option<SocketAddr>,
    /// Where to send RTCP.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether we send sound.
    pub send: bool,
    /// Whether sound arrives.
    pub receive: bool,
    /// Keys, if the stream is encrypted. Equal keys after a new exchange mean that the streams go on:
    /// their counters must not be reset.
    pub srtp: Option<AgreedSrtp>,
}

impl Agreed {
    /// All that may arrive: sound and keys.
    pub fn receivable(&self) -> Vec<Format> {
        let sound = std::iter::once((self.receive_payload_type, self.codec)).chain(self.also_receive.clone());
        let keys = self.receive_dtmf.map(|payload_type| (payload_type, self.codec));
        let format =
            |(payload_type, codec): (u8, Codec)| Format { payload_type, clock_rate_hz: codec.clock_hz() };
        sound.chain(keys).map(format).collect()
    }
}

/// The keys of an encrypted stream; the same suite both ways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgreedSrtp {
    /// The key we encrypt with.
    pub local_key: MasterKey,
    /// The key the other party encrypts with.
    pub remote_key: MasterKey,
}

/// An answer to send, and what holds once it is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The body.
    pub description: Description,
    /// What is agreed.
    pub agreed: Agreed,
}

/// One party's side of the negotiation, for the whole life of a session.
#[derive(Clone, Debug)]
pub struct OfferAnswer {
    local: Local,
    session_id: u64,
    version: u64,
    hold: Option<HoldForm>,
    remote_hold: bool,
    secure_profile: bool,
    layout: Vec<Slot>,
    sent: Option<Description>,
    exchange: Exchange,
    agreed: Option<Agreed>,
    renumbered: Option<Renumbered>,
}

/// An answer bears another crypto tag than the offer that it takes (RFC 4568 §7.1.3 wants the same).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Renumbered {
    /// The tag that we offered.
    pub ours: u32,
    /// The tag that came back.
    pub theirs: u32,
}

/// What stands at one place of the list of streams.
#[derive(Clone, Debug)]
enum Slot {
    Audio,
    Refused(Media),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Exchange {
    /// Nothing offered yet, or the other party made the last offer.
    Theirs,
    /// Our offer waits for its answer.
    Waiting,
    /// Our offer was answered; a repeated or later answer to it may still come (183, then 200).
    Answered,
}

impl OfferAnswer {
    /// A session; `session_id` is its identifier and first version, by custom the time in seconds.
    pub fn new(local: Local, session_id: u64) -> Self {
        Self {
            local,
            session_id,
            version: session_id,
            hold: None,
            remote_hold: false,
            secure_profile: false,
            layout: Vec::new(),
            sent: None,
            exchange: Exchange::Theirs,
            agreed: None,
            renumbered: None,
        }
    }

    /// What we can do and want.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// Changes what we can do and want; the next offer or answer says so.
    pub fn local_mut(&mut self) -> &mut Local {
        &mut self.local
    }

    /// Holds the other party from the next offer or answer on, until [`resume`](Self::resume).
    pub fn hold(&mut self, form: HoldForm) {
        self.hold = Some(form);
    }

    /// Ends our hold with the next offer or answer.
    pub fn resume(&mut self) {
        self.hold = None;
    }

    /// Whether we hold the other party.
    pub fn is_local_hold(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether the other party holds us: `sendonly`, `inactive` or `0.0.0.0`.
    pub fn is_remote_hold(&self) -> bool {
        self.remote_hold
    }

    /// Whether an offer of ours waits for its answer.
    pub fn is_waiting(&self) -> bool {
        self.exchange == Exchange::Waiting
    }

    /// What was agreed last.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// How the last answer to an offer of ours has renumbered its key, if it has.
    pub fn renumbered(&self) -> Option<Renumbered> {
        self.renumbered
    }

    /// The offer to send. The version in `o=` grows only if something else changed.
    pub fn offer(&mut self) -> Description {
        if self.layout.is_empty() {
            self.layout.push(Slot::Audio);
        }
        let audio = self.offered_audio();
        self.exchange = Exchange::Waiting;
        self.publish(audio)
    }

    /// Forgets the offer that waits: it was refused, cancelled or crossed another. What was agreed
    /// before holds on; hold and other wishes stay as set, so that a retry repeats them.
    pub fn offer_failed(&mut self) {
        if self.exchange == Exchange::Waiting {
            self.exchange = Exchange::Theirs;
        }
    }

    /// Takes an offer and makes the answer.
    ///
    /// # Errors
    /// Why it cannot be taken; then nothing has changed and the session goes on as before.
    pub fn receive_offer(&mut self, offer: &Description) -> Result<Answer, Refusal> {
        if self.exchange == Exchange::Waiting {
            return Err(Refusal::Glare);
        }
        let chosen = choose(&self.local, offer)?;
        let remote = remote_direction(offer, chosen.index);
        let direction = self.wanted().intersect(remote.reversed());
        let media = offer.media.get(chosen.index).ok_or(Refusal::NoAudio)?;
        let mut agreed = chosen.agreed(&self.local, offer, direction);
        let known = |(_, codec): &(u8, Codec)| self.local.codecs.contains(codec);
        agreed.also_receive = others(payload_types(media).filter(known), chosen.payload_type);
        let dtmf = agreed.receive_dtmf;
        let crypto: Vec<Crypto> = chosen.answer_crypto().into_iter().collect();
        let codecs = [(chosen.payload_type, chosen.codec)];
        let audio = self.audio(media.protocol(), &codecs, dtmf, agreed.ptime_ms, &crypto, direction);
        self.layout = layout_of(offer, chosen.index);
        self.secure_profile = is_secure(media.protocol());
        self.remote_hold = !remote.receives();
        self.exchange = Exchange::Theirs;
        self.agreed = Some(agreed.clone());
        Ok(Answer { description: self.publish(audio), agreed })
    }

    /// Takes the answer to our offer; the same offer may be answered again (183, then 200).
    ///
    /// # Errors
    /// Why it cannot be taken; then nothing has changed.
    pub fn receive_answer(&mut self, answer: &Description) -> Result<Agreed, Refusal> {
        if self.exchange == Exchange::Theirs {
            return Err(Refusal::NoOffer);
        }
        let index = self.layout.iter().position(|slot| matches!(slot, Slot::Audio)).unwrap_or(0);
        let sent = self.sent.as_ref().ok_or(Refusal::NoOffer)?;
        let offered = sent.media.get(index).ok_or(Refusal::NoOffer)?;
        let chosen = match_answer(&self.local, offered, answer, index)?;
        let ours = offered.section.direction().unwrap_or_default();
        let remote = remote_direction(answer, index);
        self.renumbered = renumbered(offered, &chosen);
        let mut agreed = chosen.agreed(&self.local, answer, ours.intersect(remote.reversed()));
        let receives = payload_types(offered).find(|(_, codec)| *codec == chosen.codec);
        agreed.receive_payload_type = receives.map_or(chosen.payload_type, |(number, _)| number);
        agreed.also_receive = others(payload_types(offered), agreed.receive_payload_type);
        agreed.receive_dtmf = agreed.send_dtmf.and(dtmf_of(offered));
        self.secure_profile = answer.media.get(index).is_some_and(|media| is_secure(media.protocol()));
        // An offer to send nothing can be answered in one way only: it says nothing of a hold.
        if ours.sends() {
            self.remote_hold = !remote.receives();
        }
        self.exchange = Exchange::Answered;
        self.agreed = Some(agreed.clone());
        Ok(agreed)
    }

    /// The direction we want, our hold included.
    fn wanted(&self) -> Direction {
        let hold = match self.hold {
            None => Direction::SendRecv,
            Some(HoldForm { inactive: true, .. }) => Direction::Inactive,
            Some(_) => Direction::SendOnly,
        };
        self.local.direction.intersect(hold)
    }

    fn offered_audio(&self) -> Media {
        let both_held = self.hold.is_some() && self.remote_hold;
        let direction = if both_held { Direction::Inactive } else { self.wanted() };
        let secure = self.local.srtp == SrtpPolicy::Required
            || (self.local.srtp == SrtpPolicy::Optional && self.secure_profile);
        let codecs: Vec<_> = self.local.codecs.iter().map(|codec| (codec.payload_type(), *codec)).collect();
        let profile = if secure { SECURE } else { PLAIN };
        let dtmf = self.local.dtmf_payload_type;
        self.audio(profile, &codecs, dtmf, self.local.ptime_ms, &self.local.crypto_lines(), direction)
    }

    /// An audio stream of ours, its lines in the deck's order (deck, Call Hold).
    fn audio(
        &self,
        profile: &str,
        codecs: &[(u8, Codec)],
        dtmf: Option<u8>,
        ptime_ms: u32,
        cryptos: &[Crypto],
        direction: Direction,
    ) -> Media {
        let numbers = codecs.iter().map(|(number, _)| *number).chain(dtmf);
        let formats = numbers.map(|number| number.to_string()).collect();
        let mut media = Media::new("audio", self.local.port, profile, formats);
        let mut push = |value: String| media.section.push('a', &value);
        push(format!("ptime:{ptime_ms}"));
        for (number, codec) in codecs {
            push(format!("rtpmap:{number} {codec}/{}", codec.clock_hz()));
            if self.local.says_vad {
                push(format!("fmtp:{number} vad=no"));
            }
        }
        if let Some(number) = dtmf {
            push(format!("rtpmap:{number} telephone-event/8000"));
            push(format!("fmtp:{number} 0-15"));
        }
        self.local.rtcp_port.iter().for_each(|port| push(format!("rtcp:{port}")));
        cryptos.iter().for_each(|crypto| push(format!("crypto:{crypto}")));
        push(direction.name().to_owned());
        media
    }

    /// Puts the audio stream into its place, settles the version and remembers what was sent.
    fn publish(&mut self, audio: Media) -> Description {
        let zero = self.hold.is_some_and(|form| form.zero_address);
        let connection = self.local.connection(zero);
        let mut description = Description::new(&self.origin(), &self.local.username, &connection);
        description.media.extend(self.layout.iter().map(|slot| match slot {
            Slot::Audio => audio.clone(),
            Slot::Refused(media) => media.clone(),
        }));
        if self.sent.as_ref().is_some_and(|sent| *sent != description) {
            self.version = self.version.saturating_add(1);
            description.set_origin(&self.origin());
        }
        self.sent = Some(description.clone());
        description
    }

    fn origin(&self) -> Origin {
        Origin {
            username: self.local.username.clone(),
            session_id: self.session_id.to_string(),
            session_version: self.version.to_string(),
            connection: Connection::new(self.local.address),
        }
    }
}

/// What one stream of the other party's description comes to.
#[derive(Clone, Debug)]
struct Chosen {
    index: usize,
    codec: Codec,
    payload_type: u8,
    dtmf: Option<u8>,
    srtp: Option<(u32, AgreedSrtp)>,
}

impl Chosen {
    fn agreed(&self, local: &Local, remote: &Description, direction: Direction) -> Agreed {
        Agreed {
            codec: self.codec,
            send_payload_type: self.payload_type,
            receive_payload_type: self.payload_type,
            also_receive: Vec::new(),
            send_dtmf: self.dtmf,
            receive_dtmf: self.dtmf,
            ptime_ms: ptime_ms(local, remote, self.index),
            remote_rtp: remote.rtp_address_of(self.index),
            remote_rtcp: remote.rtcp_address_of(self.index),
            send: direction.sends(),
            receive: direction.receives(),
            srtp: self.srtp.as_ref().map(|(_, srtp)| srtp.clone()),
        }
    }

    /// The line that answers the chosen key: the same tag and suite, our key (RFC 4568 §7.1.2).
    fn answer_crypto(&self) -> Option<Crypto> {
        let (tag, srtp) = self.srtp.as_ref()?;
        Some(Crypto::new(*tag, &srtp.local_key))
    }
}

/// The stream of an offer to take: the first encrypted one, otherwise the first that fits; if none does,
/// what is wrong with the first.
fn choose(local: &Local, offer: &Description) -> Result<Chosen, Refusal> {
    let streams: Vec<_> = (0..offer.media.len()).map(|index| consider(local, offer, index)).collect();
    let fitting = || streams.iter().filter_map(|stream| stream.as_ref().ok());
    let best = fitting().find(|chosen| chosen.srtp.is_some()).or_else(|| fitting().next());
    if let Some(chosen) = best {
        return Ok(chosen.clone());
    }
    let why = streams.into_iter().filter_map(Result::err).find(|why| *why != Refusal::NoAudio);
    Err(why.unwrap_or(Refusal::NoAudio))
}

/// Whether one stream of an offer could be taken.
fn consider(local: &Local, offer: &Description, index: usize) -> Result<Chosen, Refusal> {
    let media = offer.media.get(index).ok_or(Refusal::NoAudio)?;
    if media.kind() != "audio" || media.port() == 0 {
        return Err(Refusal::NoAudio);
    }
    if !is_plain(media.protocol()) && !is_secure(media.protocol()) {
        return Err(Refusal::Transport);
    }
    offer.connection_of(index).ok_or(Refusal::NoAddress)?;
    let srtp = offered_key(local, media)?;
    let mut codecs = payload_types(media).filter(|(_, codec)| local.codecs.contains(codec));
    let (payload_type, codec) = codecs.next().ok_or(Refusal::NoCommonCodec)?;
    let dtmf = local.dtmf_payload_type.and(dtmf_of(media));
    Ok(Chosen { index, codec, payload_type, dtmf, srtp })
}

/// The key to take from an offered stream, by our policy; none for a plain stream.
fn offered_key(local: &Local, media: &Media) -> Result<Option<(u32, AgreedSrtp)>, Refusal> {
    let secure = is_secure(media.protocol());
    if local.srtp == SrtpPolicy::Off {
        return if secure { Err(Refusal::SrtpNotAcceptable) } else { Ok(None) };
    }
    let key = media.cryptos().find_map(|crypto| {
        let remote_key = crypto.key()?;
        let local_key = local.key_for(remote_key.suite())?.clone();
        Some((crypto.tag, AgreedSrtp { local_key, remote_key }))
    });
    match key {
        Some(key) => Ok(Some(key)),
        None if secure => Err(Refusal::SrtpNotAcceptable),
        None if local.srtp == SrtpPolicy::Required => Err(Refusal::SrtpRequired),
        None => Ok(None),
    }
}

/// What an answer chose of the stream we offered.
fn match_answer(
    local: &Local,
    offered: &Media,
    answer: &Description,
    index: usize,
) -> Result<Chosen, Refusal> {
    let media = answer.media.get(index).filter(|media| media.kind() == "audio").ok_or(Refusal::Mismatch)?;
    if media.port() == 0 {
        return Err(Refusal::Rejected);
    }
    if !is_plain(media.protocol()) && !is_secure(media.protocol()) {
        return Err(Refusal::Transport);
    }
    answer.connection_of(index).ok_or(Refusal::NoAddress)?;
    let srtp = answered_key(local, offered, media)?;
    let offers = |codec: Codec| payload_types(offered).any(|(_, ours)| ours == codec);
    let mut codecs = payload_types(media).filter(|(_, codec)| offers(*codec));
    let (payload_type, codec) = codecs.next().ok_or(Refusal::NoCommonCodec)?;
    let dtmf = dtmf_of(offered).and(dtmf_of(media));
    Ok(Chosen { index, codec, payload_type, dtmf, srtp })
}

/// The key an answer chose: it must bear tag and suite of one that was offered (RFC 4568 §7.1.3). Some
/// servers count the tags anew: then the suite tells it, where one alone was offered with that suite.
fn answered_key(
    local: &Local,
    offered: &Media,
    answered: &Media,
) -> Result<Option<(u32, AgreedSrtp)>, Refusal> {
    let secure = is_secure(answered.protocol());
    let offers: Vec<Crypto> = offered.cryptos().collect();
    let Some(crypto) = answered.cryptos().next().filter(|_| !offers.is_empty()) else {
        return match local.srtp {
            _ if secure => Err(Refusal::SrtpNotAcceptable),
            SrtpPolicy::Required => Err(Refusal::SrtpRequired),
            _ => Ok(None),
        };
    };
    let remote_key = crypto.key().ok_or(Refusal::SrtpNotAcceptable)?;
    let keys = offers.iter().filter_map(|offer| Some((offer.tag, offer.key()?)));
    let of_suite: Vec<_> = keys.filter(|(_, ours)| ours.suite() == remote_key.suite()).collect();
    let by_tag = of_suite.iter().find(|(tag, _)| *tag == crypto.tag);
    let (_, local_key) = by_tag.or_else(|| only(of_suite.iter())).cloned().ok_or(Refusal::Mismatch)?;
    Ok(Some((crypto.tag, AgreedSrtp { local_key, remote_key })))
}

/// The tags of a key that was offered under another one.
fn renumbered(offered: &Media, chosen: &Chosen) -> Option<Renumbered> {
    let (theirs, srtp) = chosen.srtp.as_ref()?;
    let ours = offered.cryptos().find(|ours| ours.key().as_ref() == Some(&srtp.local_key))?.tag;
    (ours != *theirs).then_some(Renumbered { ours, theirs: *theirs })
}

/// The only one of several.
fn only<T>(mut several: impl Iterator<Item = T>) -> Option<T> {
    several.next().filter(|_| several.next().is_none())
}

/// The other party's own direction; `0.0.0.0` means that it receives nothing, whatever it says.
fn remote_direction(description: &Description, index: usize) -> Direction {
    let said = description.direction_of(index);
    let zero = description.connection_of(index).is_some_and(|connection| connection.is_unspecified());
    Direction::new(said.sends(), said.receives() && !zero)
}

/// The packet length to send: what the other party asks for if it is usual, within its limit.
fn ptime_ms(local: &Local, remote: &Description, index: usize) -> u32 {
    let section = remote.media.get(index).map(|media| &media.section);
    let usual = |ms: &u32| (10..=60).contains(ms) && ms.is_multiple_of(10);
    let wish = section.and_then(|section| section.ptime_ms()).filter(usual).unwrap_or(local.ptime_ms);
    let limit = section.and_then(|section| section.maxptime_ms()).filter(usual);
    limit.map_or(wish, |limit| wish.min(limit))
}

/// The codecs of a stream that we know, with their payload types, in order of preference.
fn payload_types(media: &Media) -> impl Iterator<Item = (u8, Codec)> + '_ {
    media.payload_types().filter_map(|number| Some((number, Codec::of(media, number)?)))
}

/// All but the one that was chosen.
fn others(codecs: impl Iterator<Item = (u8, Codec)>, chosen: u8) -> Vec<(u8, Codec)> {
    codecs.filter(|(number, _)| *number != chosen).collect()
}

/// The payload type of key presses (RFC 4733).
fn dtmf_of(media: &Media) -> Option<u8> {
    media.payload_types().find(|number| {
        media
            .rtpmap(*number)
            .is_some_and(|map| map.clock_hz == 8_000 && map.encoding.eq_ignore_ascii_case("telephone-event"))
    })
}

/// The streams of an offer as they stand from now on: ours at its place, the rest refused.
fn layout_of(offer: &Description, audio: usize) -> Vec<Slot> {
    let refused = |media: &Media| Media::new(media.kind(), 0, media.protocol(), media.formats().to_vec());
    let slot = |(index, media): (usize, &Media)| {
        if index == audio { Slot::Audio } else { Slot::Refused(refused(media)) }
    };
    offer.media.iter().enumerate().map(slot).collect()
}

fn is_plain(protocol: &str) -> bool {
    matches!(protocol, PLAIN | "RTP/AVPF")
}

fn is_secure(protocol: &str) -> bool {
    matches!(protocol, SECURE | "RTP/SAVPF")
}

#[cfg(test)]
#[path = "offer_answer_tests.rs"]
mod tests;
