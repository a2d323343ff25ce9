//! Two offers that meet: somebody in the middle answers each party with what the other has offered.

use super::description::{Description, Media};
use super::line::Line;
use super::offer_answer::Codec;

/// What is no sound by itself: RFC 4733 digits, RFC 3389 comfort noise.
const BESIDE_SOUND: [&str; 2] = ["telephone-event", "cn"];

/// Lines that speak of one payload type, which is their first word.
const ABOUT_FORMATS: [&str; 3] = ["rtpmap", "fmtp", "rtcp-fb"];

impl Description {
    /// Makes this offer and that one answers to each other (RFC 3264 §6.1): of their audio stays what
    /// both have, in this one's order, each under its own payload types. False, and nothing is changed,
    /// where they have no codec in common.
    pub fn meet(&mut self, other: &mut Self) -> bool {
        let (Some(own), Some(their)) = (self.audio_index(), other.audio_index()) else { return false };
        let (Some(own), Some(their)) = (self.media.get_mut(own), other.media.get_mut(their)) else {
            return false;
        };
        let common = common_formats(own, their);
        let sounds = |format: &u8| meaning(own, *format).is_some_and(|meaning| meaning.is_sound());
        if !common.iter().any(|(format, _)| sounds(format)) {
            return false;
        }
        let (kept, theirs): (Vec<u8>, Vec<u8>) = common.into_iter().unzip();
        keep_formats(own, &kept);
        keep_formats(their, &theirs);
        true
    }

    /// Whether a payload type of the audio stands for sound: some answer with telephone-event alone where
    /// no coding is common, instead of refusing.
    pub fn has_sound(&self) -> bool {
        let audio = self.audio_index().and_then(|index| self.media.get(index));
        let sounds = |media: &Media, format| meaning(media, format).is_none_or(|meaning| meaning.is_sound());
        audio.is_some_and(|media| media.payload_types().any(|format| sounds(media, format)))
    }
}

/// What a payload type stands for.
#[derive(Eq, PartialEq)]
struct Meaning {
    encoding: String,
    clock_hz: u32,
    channels: u8,
}

impl Meaning {
    fn is_sound(&self) -> bool {
        !BESIDE_SOUND.contains(&&*self.encoding)
    }
}

fn meaning(media: &Media, payload_type: u8) -> Option<Meaning> {
    if let Some(map) = media.rtpmap(payload_type) {
        let encoding = map.encoding.to_ascii_lowercase();
        return Some(Meaning { encoding, clock_hz: map.clock_hz, channels: map.channels });
    }
    let codec = Codec::of(media, payload_type)?;
    Some(Meaning { encoding: codec.name().to_ascii_lowercase(), clock_hz: codec.clock_hz(), channels: 1 })
}

/// The payload types of both that mean the same, in the order of the first.
fn common_formats(first: &Media, second: &Media) -> Vec<(u8, u8)> {
    let counterpart = |format: u8| {
        let wanted = meaning(first, format)?;
        second.payload_types().find(|other| meaning(second, *other).as_ref() == Some(&wanted))
    };
    first.payload_types().filter_map(|format| Some((format, counterpart(format)?))).collect()
}

fn keep_formats(media: &mut Media, kept: &[u8]) {
    let formats = kept.iter().map(u8::to_string).collect();
    let mut section = std::mem::take(&mut media.section);
    section.lines.retain(|line| format_of(line).is_none_or(|format| kept.contains(&format)));
    *media = Media::new(media.kind(), media.port(), media.protocol(), formats);
    media.section = section;
}

/// The payload type that a line speaks of.
fn format_of(line: &Line) -> Option<u8> {
    let value = ABOUT_FORMATS.iter().find_map(|name| line.attribute(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=x 1 2 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";

    fn parse(stream: &str) -> Description {
        Description::parse(format!("{HEAD}{stream}").as_bytes()).expect("a description")
    }

    #[track_caller]
    fn check(first: &str, second: &str, expected: Option<(&str, &str)>) {
        let (mut one, mut other) = (parse(first), parse(second));
        assert_eq!(one.meet(&mut other), expected.is_some());
        let (first, second) = expected.unwrap_or((first, second));
        assert_eq!(String::from_utf8(one.to_bytes()).expect("text"), format!("{HEAD}{first}"));
        assert_eq!(String::from_utf8(other.to_bytes()).expect("text"), format!("{HEAD}{second}"));
    }

    #[test]
    fn what_both_have_stays_in_the_first_ones_order() {
        check(
            "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=sendrecv\r\n",
            "m=audio 5000 RTP/AVP 9 0 8 96 121\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 pcmu/8000\r\n\
             a=rtpmap:96 speex/16000\r\na=fmtp:96 mode=1\r\na=rtpmap:121 telephone-event/8000\r\n\
             a=fmtp:121 0-15\r\n",
            Some((
                "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
                 a=sendrecv\r\n",
                "m=audio 5000 RTP/AVP 8 0 121\r\na=rtpmap:0 pcmu/8000\r\n\
                 a=rtpmap:121 telephone-event/8000\r\na=fmtp:121 0-15\r\n",
            )),
        );
    }

    #[test]
    fn digits_alone_are_no_call() {
        let digits = "a=rtpmap:101 telephone-event/8000\r\n";
        check(
            &format!("m=audio 4000 RTP/AVP 8 101\r\n{digits}"),
            &format!("m=audio 5000 RTP/AVP 0 101\r\n{digits}"),
            None,
        );
        check("m=audio 4000 RTP/AVP 8\r\n", "m=video 5000 RTP/AVP 8\r\n", None);
        check("m=audio 0 RTP/AVP 8\r\n", "m=audio 5000 RTP/AVP 8\r\n", None);
    }
}
