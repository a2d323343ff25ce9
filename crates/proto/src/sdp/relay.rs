//! What somebody in the middle changes in other people's descriptions, and nothing else.

use std::net::SocketAddr;

use super::attribute::Connection;
use super::description::{Description, Media};
use super::local::crypto_lines;
use crate::rtp::srtp::MasterKey;

/// What ICE adds (RFC 8839); behind a relay it would lead media around it.
const ICE: [&str; 7] = [
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
];

impl Description {
    /// The first audio stream that is alive.
    pub fn audio_index(&self) -> Option<usize> {
        self.media.iter().position(|media| media.kind() == "audio" && media.port() != 0)
    }

    /// Leads one stream to `rtp`, RTCP to the port after it; everything else stays byte for byte.
    /// RTCP on the port of RTP (RFC 5761) is not offered on: each is relayed by its own.
    ///
    /// A refused stream stays refused. A hold by `0.0.0.0` keeps its address, so that the far side
    /// still sees the hold. The `c=` line that holds for the stream is changed: its own, or the
    /// session's unless another live stream needs that one.
    pub fn redirect(&mut self, index: usize, rtp: SocketAddr) {
        let Some(connection) = self.connection_of(index) else { return };
        let Some(media) = self.media.get_mut(index).filter(|media| media.port() != 0) else { return };
        media.set_port(rtp.port());
        redirect_rtcp(media, rtp.port());
        if !connection.is_unspecified() {
            self.set_address_of(index, rtp);
        }
    }

    /// The same for a description that is told to somebody new: a hold in it, by direction or by
    /// `0.0.0.0`, was meant for another and is taken out.
    pub fn redirect_unheld(&mut self, index: usize, rtp: SocketAddr) {
        self.redirect(index, rtp);
        self.remove_direction(index);
        if self.connection_of(index).is_some_and(|connection| connection.is_unspecified()) {
            self.set_address_of(index, rtp);
        }
    }

    /// The same where the far side hears something while it is held: a hold by `0.0.0.0` is told as
    /// `sendonly` from `rtp`, since many listen to nothing that comes from nowhere (RFC 3264 §8.4).
    pub fn redirect_sounding(&mut self, index: usize, rtp: SocketAddr) {
        let held = self.connection_of(index).is_some_and(|connection| connection.is_unspecified());
        let held = held && self.direction_of(index).sends();
        self.redirect(index, rtp);
        if held {
            self.set_address_of(index, rtp);
            self.remove_direction(index);
            if let Some(media) = self.media.get_mut(index) {
                media.section.push('a', "sendonly");
            }
        }
    }

    fn remove_direction(&mut self, index: usize) {
        for name in ["sendonly", "recvonly", "inactive", "sendrecv"] {
            self.session.remove_attributes(name);
            if let Some(media) = self.media.get_mut(index) {
                media.section.remove_attributes(name);
            }
        }
    }

    /// Refuses every stream but one, for an exchange that relays a single one.
    pub fn refuse_others(&mut self, index: usize) {
        let others = self.media.iter_mut().enumerate().filter(|(other, _)| *other != index);
        others.for_each(|(_, media)| media.set_port(0));
    }

    /// Makes every stream plain: no keys, `RTP/AVP` for `RTP/SAVP`.
    pub fn remove_crypto(&mut self) {
        for media in &mut self.media {
            media.section.remove_attributes("crypto");
            match media.protocol() {
                "RTP/SAVP" => media.set_protocol("RTP/AVP"),
                "RTP/SAVPF" => media.set_protocol("RTP/AVPF"),
                _ => {}
            }
        }
    }

    /// Adds one `a=crypto` line for each key to a stream in place of those it has, tagged from 1. With
    /// `insist` the profile becomes `RTP/SAVP`, without it stays as it is (RFC 8643).
    pub fn set_crypto(&mut self, index: usize, keys: &[MasterKey], insist: bool) {
        let Some(media) = self.media.get_mut(index) else { return };
        media.section.remove_attributes("crypto");
        for crypto in crypto_lines(keys) {
            media.section.push('a', &format!("crypto:{crypto}"));
        }
        match media.protocol() {
            "RTP/AVP" if insist => media.set_protocol("RTP/SAVP"),
            "RTP/AVPF" if insist => media.set_protocol("RTP/SAVPF"),
            _ => {}
        }
    }

    /// Removes what ICE added, at both levels.
    pub fn remove_ice(&mut self) {
        for name in ICE {
            self.session.remove_attributes(name);
            self.media.iter_mut().for_each(|media| media.section.remove_attributes(name));
        }
    }

    fn set_address_of(&mut self, index: usize, rtp: SocketAddr) {
        let shared = self.shares_connection(index);
        let Some(media) = self.media.get_mut(index) else { return };
        let value = Connection::new(rtp.ip()).to_string();
        if media.section.value('c').is_some() {
            media.section.set_value('c', &value);
        } else if shared {
            media.section.insert_connection(&value);
        } else {
            self.session.set_value('c', &value);
        }
    }

    fn shares_connection(&self, index: usize) -> bool {
        let needs = |media: &Media| media.port() != 0 && media.section.value('c').is_none();
        self.media.iter().enumerate().any(|(other, media)| other != index && needs(media))
    }
}

fn redirect_rtcp(media: &mut Media, rtp_port: u16) {
    media.section.remove_attributes("rtcp-mux");
    match rtp_port.checked_add(1) {
        Some(port) => media.section.set_attribute("rtcp", &port.to_string()),
        None => media.section.remove_attributes("rtcp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::srtp::Suite;

    fn parse(text: &str) -> Description {
        Description::parse(text.as_bytes()).expect("a description")
    }

    fn text(description: &Description) -> String {
        String::from_utf8(description.to_bytes()).expect("text")
    }

    const HEAD: &str = "v=0\no=x 1 2 IN IP4 10.0.0.9\ns= odd  spacing\n";

    #[test]
    fn a_relay_changes_only_the_way() {
        let check = |from: &str, to: &str| {
            let mut description = parse(&format!("{HEAD}{from}"));
            let index = description.audio_index().unwrap_or(0);
            description.redirect(index, "192.0.2.1:20000".parse().expect("an address"));
            assert_eq!(text(&description), format!("{HEAD}{to}"));
        };
        check(
            "c=IN IP4 10.0.0.9\nm=audio 4000 RTP/AVP 8 \na=x\nq=?\n",
            "c=IN IP4 192.0.2.1\nm=audio 20000 RTP/AVP 8 \na=x\nq=?\n",
        );
        check(
            "m=audio 4000 a/b 8\nc=IN IP4 n\na=rtcp:9 IN IP4 n",
            "m=audio 20000 a/b 8\nc=IN IP4 192.0.2.1\na=rtcp:20001",
        );
        check(
            "m=audio 4000 a/b 8\nc=IN IP4 n\na=rtcp-mux\na=sendrecv\n",
            "m=audio 20000 a/b 8\nc=IN IP4 192.0.2.1\na=sendrecv\n",
        );
        check("c=IN IP4 0.0.0.0\nm=audio 4000 a/b 8\n", "c=IN IP4 0.0.0.0\nm=audio 20000 a/b 8\n");
        check("c=IN IP4 n\nm=audio 0 a/b 8\n", "c=IN IP4 n\nm=audio 0 a/b 8\n");
        check(
            "c=IN IP4 n\nm=audio 4000 a/b 8\ni=title\na=x\nm=video 1 a/b 9\n",
            "c=IN IP4 n\nm=audio 20000 a/b 8\ni=title\nc=IN IP4 192.0.2.1\r\na=x\nm=video 1 a/b 9\n",
        );
        check("m=audio 4000 a/b 8\n", "m=audio 4000 a/b 8\n");
    }

    #[test]
    fn a_hold_is_taken_out_for_somebody_new() {
        let check = |from: &str, to: &str| {
            let mut description = parse(&format!("{HEAD}{from}"));
            description.redirect_unheld(0, "192.0.2.1:20000".parse().expect("an address"));
            assert_eq!(text(&description), format!("{HEAD}{to}"));
        };
        check(
            "c=IN IP4 0.0.0.0\na=inactive\nm=audio 4000 a/b 8\na=recvonly\n",
            "c=IN IP4 192.0.2.1\nm=audio 20000 a/b 8\n",
        );
        check(
            "m=audio 4000 a/b 8\nc=IN IP4 0.0.0.0\na=sendonly\n",
            "m=audio 20000 a/b 8\nc=IN IP4 192.0.2.1\n",
        );
        check("c=IN IP4 n\nm=audio 4000 a/b 8\n", "c=IN IP4 192.0.2.1\nm=audio 20000 a/b 8\n");
    }

    #[test]
    fn a_hold_with_music_has_an_address() {
        let check = |from: &str, to: &str| {
            let mut description = parse(&format!("{HEAD}{from}"));
            description.redirect_sounding(0, "192.0.2.1:20000".parse().expect("an address"));
            assert_eq!(text(&description), format!("{HEAD}{to}"));
        };
        let held = "c=IN IP4 192.0.2.1\nm=audio 20000 a/b 8\na=sendonly\r\n";
        check("c=IN IP4 0.0.0.0\nm=audio 4000 a/b 8\na=sendonly\n", held);
        check("c=IN IP4 0.0.0.0\nm=audio 4000 a/b 8\na=sendrecv\n", held);
        check(
            "c=IN IP4 0.0.0.0\na=inactive\nm=audio 4 a/b 8\n",
            "c=IN IP4 0.0.0.0\na=inactive\nm=audio 20000 a/b 8\n",
        );
        check("c=IN IP4 n\nm=audio 4000 a/b 8\n", "c=IN IP4 192.0.2.1\nm=audio 20000 a/b 8\n");
    }

    #[test]
    fn keys_come_and_go_on_one_leg() {
        let plain = format!("{HEAD}c=IN IP4 n\nm=audio 4000 RTP/AVP 8\na=x");
        let mut description = parse(&plain);
        let key = MasterKey::from_bytes(Suite::AesCm128HmacSha1_80, [0; 30]);
        description.set_crypto(0, std::slice::from_ref(&key), true);
        let secure = text(&description);
        assert!(secure.contains("m=audio 4000 RTP/SAVP 8\n"));
        assert!(secure.ends_with(
            "a=x\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
        ));
        description.set_crypto(0, &[key], false);
        assert_eq!(text(&description), secure);
        description.remove_crypto();
        assert_eq!(text(&description), plain);
    }

    #[test]
    fn ice_and_other_streams_are_left_behind() {
        let mut description = parse(&format!(
            "{HEAD}a=ice-lite\nm=audio 4000 RTP/AVP 8\na=candidate:1 1 UDP 1 10.0.0.9 4000 typ host\n\
             a=ice-ufrag:u\na=ice-pwd:p\nm=video 4002 RTP/AVP 99\n"
        ));
        description.remove_ice();
        description.refuse_others(0);
        assert_eq!(text(&description), format!("{HEAD}m=audio 4000 RTP/AVP 8\nm=video 0 RTP/AVP 99\n"));
    }
}
