//! What the phone tells its neighbours by LLDP and CDP, and what the switch tells it of the VLAN for voice.

use std::net::Ipv4Addr;

use proto::ethernet::LAST_VLAN;
use proto::lldp::{self, Chassis, Policy, Power, VOICE, VOICE_SIGNALLING};
use proto::syslog::Severity;
use proto::{Time, cdp};

use super::beat::Beat;
use super::link::Link;
use super::{Identity, NetworkSettings};
use crate::phone::log;
use crate::role::{Dscp, Vlan, VlanSource};

/// The phone is a telephone with a bridge for a computer (802.1AB §8.5.8).
const TELEPHONE_AND_BRIDGE: u16 = 0x24;
/// Capabilities, policy, power of a device, inventory (TIA-1057 §10.2.2.1).
const MED_PIECES: u16 = 0b11_0011;
/// A communication device: a telephone.
const CLASS_III: u8 = 3;
/// CDP: a host with a telephone.
const CDP_TELEPHONE: u32 = 0x90;
/// How long a neighbour keeps what CDP told it, where the interval is not longer than a third of it.
const CDP_HOLD_S: u16 = 180;
const MAKER: &str = "Offhook";

/// What the switch wants of voice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Frames of this VLAN.
    Vlan(Vlan),
    /// Frames without a tag.
    Untagged,
}

/// LLDP and CDP of a phone.
#[derive(Debug)]
pub(super) struct Neighbours {
    lldp: Beat,
    cdp: Beat,
    has_lldp: bool,
    has_cdp: bool,
    /// By what the phone is known to its neighbours: none while it has told nothing.
    told_as: Option<Chassis>,
    /// The switch's last words, by protocol.
    pub(super) by_lldp: Option<Wanted>,
    pub(super) by_cdp: Option<Wanted>,
    pub(super) dscp: Option<Dscp>,
    /// The policy of the switch, which the phone tells too once it follows it.
    policy: Option<Policy>,
    /// The switch that was heard last: another one is answered fast.
    switch: Option<(String, String)>,
    /// The VLAN that was refused last; it is told once.
    refused: Option<u16>,
}

impl Neighbours {
    pub(super) fn new(settings: &NetworkSettings) -> Self {
        Self {
            lldp: Beat::every(settings.lldp_interval_s),
            cdp: Beat::every(settings.cdp_interval_s),
            has_lldp: settings.lldp,
            has_cdp: settings.cdp,
            told_as: None,
            by_lldp: None,
            by_cdp: None,
            dscp: None,
            policy: None,
            switch: None,
            refused: None,
        }
    }

    /// Whether the phone listens for a switch at all.
    pub(super) fn listens(&self) -> bool {
        self.has_lldp || self.has_cdp
    }

    pub(super) fn listens_to_lldp(&self) -> bool {
        self.has_lldp
    }

    /// The link is up: what was heard at the cable before counts no more.
    pub(super) fn start(&mut self, now: Time) {
        (self.by_lldp, self.by_cdp, self.dscp, self.policy) = (None, None, None, None);
        (self.switch, self.refused, self.told_as) = (None, None, None);
        if self.has_lldp {
            self.lldp.start_fast(now);
        }
        if self.has_cdp {
            self.cdp.start_fast(now);
        }
    }

    pub(super) fn stop(&mut self) {
        self.lldp.stop();
        self.cdp.stop();
        self.told_as = None;
    }

    pub(super) fn next_lldp(&self) -> Option<Time> {
        self.lldp.next()
    }

    pub(super) fn next_cdp(&self) -> Option<Time> {
        self.cdp.next()
    }

    /// Says what is due, as a phone at `ip` in `vlan`.
    pub(super) fn speak(
        &mut self,
        link: &mut Link,
        who: &Identity,
        ip: Option<Ipv4Addr>,
        vlan: Option<Vlan>,
    ) {
        if self.lldp.strikes(link.now) {
            let chassis = ip.map_or(Chassis::Mac(link.mac), Chassis::Ip);
            self.told_as = Some(chassis);
            let frame = self.lldp_frame(link, who, chassis, ip, vlan);
            link.send_lldp(&frame);
        }
        if self.cdp.strikes(link.now) {
            let hold_s = CDP_HOLD_S.max(self.cdp.hold_s()).min(u16::from(u8::MAX)) as u8;
            let draft = cdp::Draft::new(&format!("SEP{}", who.mac_text.to_ascii_uppercase()), hold_s);
            let draft = ip.into_iter().fold(draft, cdp::Draft::address).text(0x0003, "WAN PORT");
            let draft = draft.capabilities(CDP_TELEPHONE).text(0x0005, &who.version);
            let draft = draft.text(0x0006, &format!("{MAKER} {}", who.model)).full_duplex();
            link.send_cdp(&draft.ask_for_voice_vlan().power(who.decawatts.saturating_mul(100)).finish());
        }
    }

    /// The phone's address is another than the one that its neighbours know it by: they are told that the phone
    /// they know is gone, then who it is now (802.1AB §9.2.5.9; deck, Auto Provisioning).
    pub(super) fn on_address(&mut self, link: &mut Link, interface: &str, ip: Option<Ipv4Addr>) {
        let chassis = ip.map_or(Chassis::Mac(link.mac), Chassis::Ip);
        if self.lldp.is_running() && self.told_as.is_some_and(|told| told != chassis) {
            // The phone's own socket is the first port of its interface, as the deck's phone counts.
            let text = format!("MSAP has changed for port {interface}.1, sending a shutdown LLDPDU");
            link.write(log::Tag::Lldp, Severity::Informational, text);
            self.say_goodbye(link);
            self.lldp.start_fast(link.now);
        }
    }

    /// Takes back what was told by LLDP.
    pub(super) fn say_goodbye(&mut self, link: &mut Link) {
        if let Some(chassis) = self.told_as.take() {
            let frame = lldp::Draft::new(chassis, link.mac, 0).finish();
            link.send_lldp(&frame);
        }
    }

    /// Takes an LLDP frame; true where the switch wants something else of voice than before.
    pub(super) fn on_lldp(&mut self, link: &mut Link, payload: &[u8]) -> bool {
        let Some(advert) =
            lldp::Advert::parse(payload).filter(|advert| self.has_lldp && !advert.is_endpoint())
        else {
            return false;
        };
        let (chassis, port) = advert.access_point();
        let switch = Some((chassis.to_owned(), port.to_owned()));
        if advert.ttl_s > 0 && self.switch != switch {
            link.note(format!(
                "LLDP: switch {} port {port}",
                advert.system_name.as_deref().unwrap_or(chassis)
            ));
            if self.switch.replace((chassis.to_owned(), port.to_owned())).is_some() {
                self.lldp.start_fast(link.now);
            }
        }
        // A switch that says goodbye restarts, or is set up anew: its VLAN holds until it names another.
        let Some(policy) = advert.policy(VOICE).filter(|_| advert.ttl_s > 0) else { return false };
        let signal = advert.policy(VOICE_SIGNALLING).unwrap_or(policy);
        let dscp = Some(Dscp { signal: signal.dscp, sound: policy.dscp });
        let wanted = match (policy.tagged, policy.vlan) {
            (false, _) => Wanted::Untagged,
            (true, id @ 1..=LAST_VLAN) => {
                Wanted::Vlan(Vlan { id, priority: policy.priority, source: VlanSource::Lldp })
            }
            (true, id) => return self.refuse(link, "LLDP", id),
        };
        self.policy = Some(*policy);
        let is_news = self.by_lldp != Some(wanted) || self.dscp != dscp;
        (self.by_lldp, self.dscp) = (Some(wanted), dscp);
        if is_news {
            link.note(format!(
                "LLDP: voice {}, priority {}, DSCP {}",
                name(wanted),
                policy.priority,
                policy.dscp
            ));
        }
        is_news
    }

    /// Takes a CDP packet; true where the switch names another VLAN for voice than before.
    pub(super) fn on_cdp(&mut self, link: &mut Link, packet: &[u8]) -> bool {
        let Some(advert) = cdp::Advert::parse(packet).filter(|advert| self.has_cdp && !advert.is_phone())
        else {
            return false;
        };
        let wanted = match advert.voice_vlan {
            None => return false,
            Some(id @ 1..=LAST_VLAN) => Wanted::Vlan(Vlan { id, priority: 5, source: VlanSource::Cdp }),
            Some(id) => return self.refuse(link, "CDP", id),
        };
        let is_news = self.by_cdp.replace(wanted) != Some(wanted);
        if is_news {
            link.note(format!("CDP: voice {}", name(wanted)));
        }
        is_news
    }

    fn refuse(&mut self, link: &mut Link, protocol: &str, id: u16) -> bool {
        if self.refused.replace(id) != Some(id) {
            link.warn(format!(
                "{protocol}: VLAN {id} is none that frames can have (1 to {LAST_VLAN}); it is not used"
            ));
        }
        false
    }

    fn lldp_frame(
        &self,
        link: &Link,
        who: &Identity,
        chassis: Chassis,
        ip: Option<Ipv4Addr>,
        vlan: Option<Vlan>,
    ) -> Vec<u8> {
        // What is in force; a phone that has been told nothing asks.
        let policy = match (vlan, &self.policy) {
            (Some(vlan), known) => Policy {
                application: VOICE,
                unknown: false,
                tagged: true,
                vlan: vlan.id,
                priority: vlan.priority,
                dscp: known.as_ref().map_or(who.dscp.sound, |policy| policy.dscp),
            },
            (None, Some(policy)) if !policy.tagged => *policy,
            (None, _) => {
                Policy { application: VOICE, unknown: true, tagged: false, vlan: 0, priority: 0, dscp: 0 }
            }
        };
        let draft = lldp::Draft::new(chassis, link.mac, self.lldp.hold_s())
            .text(4, "WAN PORT")
            .text(5, &who.host_name)
            .text(6, &format!("{MAKER} {} {}", who.model, who.version))
            .capabilities(TELEPHONE_AND_BRIDGE, TELEPHONE_AND_BRIDGE);
        let draft = ip.into_iter().fold(draft, |draft, ip| draft.management(ip, 1));
        draft
            .med_capabilities(MED_PIECES, CLASS_III)
            .policy(&policy)
            .power(Power { source: 0, priority: 3, decawatts: who.decawatts })
            .inventory(5, &who.model)
            .inventory(6, &who.version)
            .inventory(7, &who.version)
            .inventory(8, &who.serial)
            .inventory(9, MAKER)
            .inventory(10, &who.model)
            .finish()
    }
}

fn name(wanted: Wanted) -> String {
    match wanted {
        Wanted::Vlan(vlan) => format!("VLAN {}", vlan.id),
        Wanted::Untagged => "untagged".to_owned(),
    }
}
