//! A session description that keeps every byte of itself.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use crate::rtp::Format;

use super::attribute::{Connection, Crypto, Direction, Origin, RtcpAttribute, RtpMap, split_payload_type};
use super::fault::{MAX_BYTES, MAX_FORMATS, MAX_LINES, MAX_MEDIA, SdpError, SdpFault};
use super::line::Line;

/// The most of them whose clocks are told: more than any phone has codings.
const FORMATS_LIMIT: usize = 32;

/// A session description (RFC 8866): lines of the session, then streams.
///
/// What was parsed is written back byte for byte; an edit touches the line it is about. Lines may end
/// with CR LF or LF, stand in any order before the first `m=`, and be of a kind nobody knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// The lines before the first stream.
    pub session: Section,
    /// The streams in order; an answer has the same number as its offer.
    pub media: Vec<Media>,
}

impl Description {
    /// A description without streams: `v=`, `o=`, `s=`, `c=` and `t=`, in the deck's order.
    pub fn new(origin: &Origin, session_name: &str, connection: &Connection) -> Self {
        let lines = vec![
            Line::new('v', "0"),
            Line::new('o', &origin.to_string()),
            Line::new('s', session_name),
            Line::new('c', &connection.to_string()),
            Line::new('t', "0 0"),
        ];
        Self { session: Section { lines }, media: Vec::new() }
    }

    /// Reads a body of type `application/sdp`.
    ///
    /// # Errors
    /// The line at fault: it has no `x=`, it is an `o=`, `c=` or `m=` that says too little, or it goes
    /// beyond one of the limits of this module. A description without `v=0` or `o=` is refused as well.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError { line: 1, fault: SdpFault::TooLong });
        }
        let mut description = Self { session: Section::default(), media: Vec::new() };
        let mut count = 0;
        for raw in bytes.split_inclusive(|&byte| byte == b'\n') {
            count += 1;
            description.take(Line::from_raw(raw), count).map_err(|fault| SdpError { line: count, fault })?;
        }
        description.check_complete().map_err(|fault| SdpError { line: count.max(1), fault })?;
        Ok(description)
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.session.write(&mut bytes);
        for media in &self.media {
            media.line.write(&mut bytes);
            media.section.write(&mut bytes);
        }
        bytes
    }

    /// Who opened the session.
    pub fn origin(&self) -> Option<Origin> {
        Origin::parse(&self.session.value('o')?)
    }

    /// Replaces the `o=` line; somebody in the middle of a call gives each leg one origin for life.
    pub fn set_origin(&mut self, origin: &Origin) {
        self.session.set_value('o', &origin.to_string());
    }

    /// The session's name, `s=`.
    pub fn session_name(&self) -> Option<Cow<'_, str>> {
        self.session.value('s')
    }

    /// When the session takes place, `t=`; `0 0` for a call.
    pub fn timing(&self) -> Option<Cow<'_, str>> {
        self.session.value('t')
    }

    /// The `c=` line that holds for a stream: its own or the session's.
    pub fn connection_of(&self, index: usize) -> Option<Connection> {
        let media = self.media.get(index)?;
        media.section.connection().or_else(|| self.session.connection())
    }

    /// The direction that holds for a stream: its own, the session's, or both ways.
    pub fn direction_of(&self, index: usize) -> Direction {
        let own = self.media.get(index).and_then(|media| media.section.direction());
        own.or_else(|| self.session.direction()).unwrap_or_default()
    }

    /// Where RTP of a stream is wanted; none while it is held by `0.0.0.0`, refused by port 0, or
    /// addressed by a name.
    pub fn rtp_address_of(&self, index: usize) -> Option<SocketAddr> {
        let port = self.media.get(index)?.port();
        let ip = self.connection_of(index)?.ip()?;
        (port != 0 && !ip.is_unspecified()).then_some(SocketAddr::new(ip, port))
    }

    /// Where RTCP of a stream is wanted: `a=rtcp` (RFC 3605), otherwise the port after RTP's.
    pub fn rtcp_address_of(&self, index: usize) -> Option<SocketAddr> {
        let rtp = self.rtp_address_of(index)?;
        let Some(rtcp) = self.media.get(index)?.section.rtcp() else {
            return Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
        };
        let ip = rtcp.connection.as_ref().and_then(Connection::ip).unwrap_or(rtp.ip());
        (rtcp.port != 0 && !ip.is_unspecified()).then_some(SocketAddr::new(ip, rtcp.port))
    }

    fn take(&mut self, line: Line, count: usize) -> Result<(), SdpFault> {
        if count > MAX_LINES {
            return Err(SdpFault::TooManyLines);
        }
        line.check()?;
        if line.kind() == Some('m') {
            if self.media.len() == MAX_MEDIA {
                return Err(SdpFault::TooManyMedia);
            }
            self.media.push(Media::from_line(line)?);
        } else if let Some(media) = self.media.last_mut() {
            media.section.lines.push(line);
        } else {
            self.session.lines.push(line);
        }
        Ok(())
    }

    fn check_complete(&self) -> Result<(), SdpFault> {
        match self.session.value('v') {
            Some(version) if version.trim() == "0" => {}
            _ => return Err(SdpFault::NoVersion),
        }
        self.session.value('o').map(|_| ()).ok_or(SdpFault::NoOrigin)
    }
}

/// One stream: its `m=` line and the lines below it (RFC 8866 §5.14).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Media {
    line: Line,
    head: Head,
    /// The lines after `m=`.
    pub section: Section,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Head {
    kind: String,
    port: u16,
    count: Option<u16>,
    protocol: String,
    formats: Vec<String>,
}

impl Media {
    /// A stream without further lines; of the formats the first [`MAX_FORMATS`] are kept.
    pub fn new(kind: &str, port: u16, protocol: &str, formats: Vec<String>) -> Self {
        let mut head =
            Head { kind: kind.to_owned(), port, count: None, protocol: protocol.to_owned(), formats };
        head.formats.truncate(MAX_FORMATS);
        let line = Line::new('m', &head.to_string());
        Self { line, head, section: Section::default() }
    }

    /// `audio`, `video`, `image`, …
    pub fn kind(&self) -> &str {
        &self.head.kind
    }

    /// The port; 0 refuses or ends the stream.
    pub fn port(&self) -> u16 {
        self.head.port
    }

    /// How many ports follow, where that is said.
    pub fn port_count(&self) -> Option<u16> {
        self.head.count
    }

    /// The transport profile, verbatim: `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`, …
    pub fn protocol(&self) -> &str {
        &self.head.protocol
    }

    /// The formats, in order of preference; payload types for RTP.
    pub fn formats(&self) -> &[String] {
        &self.head.formats
    }

    /// The formats that are payload types, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.head.formats.iter().filter_map(|format| format.parse().ok()).filter(|number| *number < 128)
    }

    /// What a payload type means, where `a=rtpmap` says so.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        self.section
            .attributes("rtpmap")
            .filter_map(|value| RtpMap::parse(&value))
            .find(|map| map.payload_type == payload_type)
    }

    /// The payload types with the clock of each: by `a=rtpmap`, otherwise by RFC 3551 §6. One that names no
    /// clock is left out, as is what comes after the first `FORMATS_LIMIT`.
    pub fn clocked_formats(&self) -> Vec<Format> {
        let format = |payload_type| {
            let clock_rate_hz =
                self.rtpmap(payload_type).map(|map| map.clock_hz).or(static_clock_hz(payload_type))?;
            Some(Format { payload_type, clock_rate_hz })
        };
        self.payload_types().take(FORMATS_LIMIT).filter_map(format).collect()
    }

    /// The parameters of a payload type, `a=fmtp`.
    pub fn fmtp(&self, payload_type: u8) -> Option<String> {
        self.section.attributes("fmtp").find_map(|value| {
            let (number, parameters) = split_payload_type(&value)?;
            (number == payload_type).then(|| parameters.to_owned())
        })
    }

    /// The keys offered or chosen, in order; lines that cannot be read are left out.
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto> + '_ {
        self.section.attributes("crypto").filter_map(|value| Crypto::parse(&value))
    }

    /// Changes the port.
    pub fn set_port(&mut self, port: u16) {
        self.head.port = port;
        self.line.set_word(1, &self.head.port_word());
    }

    /// Changes the transport profile.
    pub fn set_protocol(&mut self, protocol: &str) {
        protocol.clone_into(&mut self.head.protocol);
        self.line.set_word(2, protocol);
    }

    fn from_line(line: Line) -> Result<Self, SdpFault> {
        let head = Head::parse(&line.value())?;
        Ok(Self { line, head, section: Section::default() })
    }
}

impl Head {
    fn parse(value: &str) -> Result<Self, SdpFault> {
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(SdpFault::Media);
        let kind = word()?.to_owned();
        let (port, count) = Self::parse_port(word()?).ok_or(SdpFault::Media)?;
        let protocol = word()?.to_owned();
        let formats: Vec<String> = words.take(MAX_FORMATS + 1).map(str::to_owned).collect();
        if formats.len() > MAX_FORMATS {
            return Err(SdpFault::TooManyFormats);
        }
        Ok(Self { kind, port, count, protocol, formats })
    }

    fn port_word(&self) -> String {
        match self.count {
            Some(count) => format!("{}/{count}", self.port),
            None => self.port.to_string(),
        }
    }

    fn parse_port(word: &str) -> Option<(u16, Option<u16>)> {
        match word.split_once('/') {
            Some((port, count)) => Some((port.parse().ok()?, Some(count.parse().ok()?))),
            None => Some((word.parse().ok()?, None)),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.port_word(), self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))
    }
}

/// Lines that belong together: those of the session or those of one stream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Section {
    /// The lines in order, also those that nothing here understands.
    pub lines: Vec<Line>,
}

impl Section {
    /// The value of the first line of a kind.
    pub fn value(&self, kind: char) -> Option<Cow<'_, str>> {
        self.lines.iter().find(|line| line.kind() == Some(kind)).map(Line::value)
    }

    /// Replaces the value of the first line of a kind; nothing happens if there is none.
    pub fn set_value(&mut self, kind: char, value: &str) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.kind() == Some(kind)) {
            line.set_value(value);
        }
    }

    /// Adds a line at the end.
    pub fn push(&mut self, kind: char, value: &str) {
        self.lines.push(Line::new(kind, value));
    }

    /// The values of all attributes of a name; a flag such as `a=sendonly` has the value "".
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> + 'a {
        self.lines.iter().filter_map(move |line| line.attribute(name))
    }

    /// Removes all attributes of a name.
    pub fn remove_attributes(&mut self, name: &str) {
        self.lines.retain(|line| line.attribute(name).is_none());
    }

    /// Replaces the value of the first attribute of a name; nothing happens if there is none.
    pub fn set_attribute(&mut self, name: &str, value: &str) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.attribute(name).is_some()) {
            line.set_value(&format!("{name}:{value}"));
        }
    }

    /// Adds a `c=` line where it belongs: after `i=` (RFC 8866 §5).
    pub(super) fn insert_connection(&mut self, value: &str) {
        let place = self.lines.iter().take_while(|line| line.kind() == Some('i')).count();
        self.lines.insert(place, Line::new('c', value));
    }

    /// The `c=` line.
    pub fn connection(&self) -> Option<Connection> {
        Connection::parse(&self.value('c')?)
    }

    /// The direction, if one is said; the last one where several are.
    pub fn direction(&self) -> Option<Direction> {
        self.lines.iter().rev().find_map(|line| {
            let value = line.kind().filter(|kind| *kind == 'a').map(|_| line.value())?;
            Direction::from_name(value.trim())
        })
    }

    /// How much sound the writer wants in a packet, in milliseconds; some write it with decimals.
    pub fn ptime_ms(&self) -> Option<u32> {
        self.milliseconds("ptime")
    }

    /// The most sound the writer takes in a packet, in milliseconds.
    pub fn maxptime_ms(&self) -> Option<u32> {
        self.milliseconds("maxptime")
    }

    /// Where RTCP is wanted, if that is said.
    pub fn rtcp(&self) -> Option<RtcpAttribute> {
        self.attributes("rtcp").find_map(|value| RtcpAttribute::parse(&value))
    }

    fn milliseconds(&self, name: &str) -> Option<u32> {
        let value = self.attributes(name).next()?;
        value.trim().split('.').next()?.parse().ok()
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        self.lines.iter().for_each(|line| line.write(bytes));
    }
}

/// The clock of a payload type that needs no `a=rtpmap` (RFC 3551 §6).
const fn static_clock_hz(payload_type: u8) -> Option<u32> {
    match payload_type {
        0 | 3..=5 | 7..=9 | 12 | 13 | 15 | 18 => Some(8_000),
        6 => Some(16_000),
        10 | 11 => Some(44_100),
        14 => Some(90_000),
        16 => Some(11_025),
        17 => Some(22_050),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::fault::MAX_LINE_BYTES;
    use proptest::prelude::*;

    const DECK_HOLD: &str = "v=0\r\no=F 1641377386 1641377388 IN IP4 192.168.80.23\r\ns=F\r\n\
        c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8 0 101\r\na=ptime:20\r\n\
        a=rtpmap:8 PCMA/8000\r\na=fmtp:8 vad=no\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 vad=no\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendonly\r\n";

    fn parse(text: &str) -> Description {
        Description::parse(text.as_bytes()).expect("a description")
    }

    #[test]
    fn the_decks_hold_is_understood() {
        let description = parse(DECK_HOLD);
        let origin = description.origin().expect("an origin");
        assert_eq!((origin.username.as_str(), origin.session_version.as_str()), ("F", "1641377388"));
        assert_eq!(description.session_name().as_deref(), Some("F"));
        assert_eq!(description.timing().as_deref(), Some("0 0"));
        let audio = description.media.first().expect("a stream");
        assert_eq!((audio.kind(), audio.port(), audio.protocol()), ("audio", 10_000, "RTP/AVP"));
        assert_eq!(audio.payload_types().collect::<Vec<_>>(), [8, 0, 101]);
        assert_eq!(audio.rtpmap(101).map(|map| map.encoding).as_deref(), Some("telephone-event"));
        assert_eq!(audio.fmtp(101).as_deref(), Some("0-15"));
        assert_eq!(audio.section.ptime_ms(), Some(20));
        assert_eq!(description.direction_of(0), Direction::SendOnly);
        assert!(description.connection_of(0).is_some_and(|connection| connection.is_unspecified()));
        assert_eq!(description.rtp_address_of(0), None);
        assert_eq!(description.to_bytes(), DECK_HOLD.as_bytes());
    }

    #[test]
    fn formats_have_the_clock_of_their_line_or_of_the_standard() {
        let check = |lines: &str, expected: &[(u8, u32)]| {
            let description = parse(&format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\n{lines}"));
            let formats = description.media.first().expect("a stream").clocked_formats();
            let formats: Vec<_> =
                formats.iter().map(|format| (format.payload_type, format.clock_rate_hz)).collect();
            assert_eq!(formats, expected, "{lines}");
        };
        check(
            "m=audio 4000 RTP/AVP 9 0 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            &[(9, 8_000), (0, 8_000), (101, 8_000)],
        );
        check("m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n", &[(96, 48_000)]);
        let many: String = std::iter::repeat_n(" 0", MAX_FORMATS).collect();
        let text = format!("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP{many}\r\n");
        let description = parse(&text);
        assert_eq!(description.media.first().expect("a stream").clocked_formats().len(), FORMATS_LIMIT);
    }

    #[test]
    fn a_streams_own_lines_win() {
        let description = parse(
            "v=0\na=inactive\nc=IN IP4 10.0.0.1\no=- 1 1 IN IP4 10.0.0.1\n\nm=audio 4000/2 RTP/SAVP 9\n\
             c=IN IP6 2001:db8::1\na=RECVONLY\na=rtcp:4005 IN IP6 2001:db8::2\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20\nz=kept\nm=video 0 x/y",
        );
        assert_eq!(description.rtp_address_of(0), Some("[2001:db8::1]:4000".parse().expect("an address")));
        assert_eq!(description.rtcp_address_of(0), Some("[2001:db8::2]:4005".parse().expect("an address")));
        assert_eq!(description.direction_of(0), Direction::RecvOnly);
        assert_eq!(description.direction_of(1), Direction::Inactive);
        let audio = description.media.first().expect("a stream");
        assert_eq!(audio.port_count(), Some(2));
        assert_eq!(audio.cryptos().count(), 1);
        assert_eq!(audio.section.value('z').as_deref(), Some("kept"));
    }

    #[test]
    fn faults_name_their_line() {
        let check = |text: &str, line: usize, fault: SdpFault| {
            assert_eq!(Description::parse(text.as_bytes()), Err(SdpError { line, fault }), "{text:?}");
        };
        check("", 1, SdpFault::NoVersion);
        check("v=0\r\ns=x\r\n", 2, SdpFault::NoOrigin);
        check("v=1\r\no=- 1 1 IN IP4 a\r\n", 2, SdpFault::NoVersion);
        check("v=0\r\no=- 1 1 IN IP4\r\n", 2, SdpFault::Origin);
        check("v=0\r\no=- 1 1 IN IP4 a\r\nc=IN IP4\r\n", 3, SdpFault::Connection);
        check("v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 70000 RTP/AVP 0\r\n", 3, SdpFault::Media);
        check("v=0\r\nhello\r\n", 2, SdpFault::NoKind);
    }

    #[test]
    fn every_limit_is_reached() {
        let check = |body: String, fault: SdpFault| {
            let text = format!("v=0\no=- 1 1 IN IP4 a\n{body}");
            assert_eq!(Description::parse(text.as_bytes()).map_err(|error| error.fault), Err(fault));
        };
        check("a=x\n".repeat(MAX_LINES - 1), SdpFault::TooManyLines);
        check("m=audio 0 RTP/AVP 0\n".repeat(MAX_MEDIA + 1), SdpFault::TooManyMedia);
        check(format!("m=audio 0 RTP/AVP{}\n", " 0".repeat(MAX_FORMATS + 1)), SdpFault::TooManyFormats);
        check(format!("a={}\n", "x".repeat(MAX_LINE_BYTES)), SdpFault::LineTooLong);
        check("a=0123456789\n".repeat(MAX_BYTES / 12), SdpFault::TooLong);
        assert!(
            Description::parse(format!("v=0\no=- 1 1 IN IP4 a\n{}", "a=x\n".repeat(1_022)).as_bytes())
                .is_ok()
        );
    }

    #[test]
    fn a_value_cannot_smuggle_a_line() {
        let line = Line::new('s', "call\r\nm=audio 1 RTP/AVP 0");
        assert_eq!(line.value(), "callm=audio 1 RTP/AVP 0");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let bytes = b"v=0\r\no=M\xfcller 1 1 IN IP4 10.0.0.1\r\ns=\xff\r\n";
        let description = Description::parse(bytes).expect("a description");
        assert_eq!(description.to_bytes(), bytes);
        assert_eq!(description.origin().map(|origin| origin.session_id).as_deref(), Some("1"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_kept_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(description) = Description::parse(&bytes) {
                prop_assert_eq!(description.to_bytes(), bytes);
            }
        }

        #[test]
        fn any_lines_are_kept_or_refused(
            lines in proptest::collection::vec("[vosctmak]=[ -~]{0,30}(\r\n|\n)", 0..20),
        ) {
            let text = format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\n{}", lines.concat());
            if let Ok(description) = Description::parse(text.as_bytes()) {
                prop_assert_eq!(description.to_bytes(), text.as_bytes());
                for index in 0..=description.media.len() {
                    let _ = (description.rtp_address_of(index), description.rtcp_address_of(index));
                    let _ = (description.direction_of(index), description.connection_of(index));
                }
            }
        }
    }
}
