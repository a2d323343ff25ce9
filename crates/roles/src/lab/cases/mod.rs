//! The cases of the lab: one case, one file.

mod account_disabled;
mod attended_transfer;
mod basic_call;
mod blf_403;
mod blf_423;
mod blf_481;
mod blf_489;
mod blf_pickup;
mod blf_watch;
mod blind_transfer;
mod blocked_area;
mod blocked_device;
mod blocked_network;
mod cdp_conflict;
mod check_sync;
mod check_sync_reboot;
mod codec_mismatch;
mod conference;
mod dhcp_duplicate_address;
mod dhcp_nak;
mod dhcp_no_offer;
mod direct_ip_call;
mod dnd;
mod failover;
mod forward_always;
mod forward_busy;
mod forward_loop;
mod forward_no_answer;
mod ghost_call;
mod hold_resume;
mod lldp_no_policy;
mod not_registered_call;
mod one_way_audio;
mod overload;
mod park;
mod pickup;
mod provision_bad_config;
mod provision_dhcp66;
mod provision_dns;
mod provision_ftp;
mod provision_http;
mod provision_https;
mod provision_not_found;
mod provision_offline;
mod provision_pnp;
mod provision_rollback;
mod provision_rps;
mod provision_static;
mod provision_tftp;
mod provision_unreachable;
mod provision_wrong_server;
mod push_to_all;
mod reg_interval_too_brief;
mod reg_multiple_devices;
mod reg_nat_no_rport;
mod reg_no_answer;
mod reg_port_closed;
mod reg_unavailable;
mod reg_unknown_account;
mod reg_wrong_password;
mod reg_wrong_transport;
mod restart_mid_call;
mod scanner;
mod semi_attended_transfer;
mod session_timer;
mod srtp_call;
mod srtp_required;
mod transfer_refused;
mod vlan_dhcp;
mod vlan_lldp;
mod vlan_manual;
mod vlan_mismatch;

use super::script::Case;

/// What every case is written with.
mod prelude {
    pub(super) use std::net::{IpAddr, Ipv4Addr};

    pub(super) use crate::exchange::{Area, Block};
    pub(super) use crate::lab::file_server::{FileServer, Files};
    pub(super) use crate::lab::lan::{DhcpServer, Gives, Neighbourhood, Says, Squatter, Switch};
    pub(super) use crate::lab::script::{
        Actor, BACKUP, Case, DHCP, DHCP_IP, Desk, EXCHANGE, FILE_SERVER, FILE_SERVER_IP, OTHER_IP,
        PATIENCE_MS, SWITCH, SWITCH_IP, Step, THREE, TWO, WATCHES_7002, as_it_comes,
    };

    /// What cases of auto provisioning have in common.
    pub(super) const PROVISIONING: Case = Case {
        topic: "Auto provisioning",
        slug: "",
        title: "",
        deck: "The phones support using FTP, TFTP, HTTP, and HTTPS protocols to download boot files and configuration files.",
        teaches: "",
        desks: &[],
        machines: &[],
        exchange: as_it_comes,
        steps: &[],
        ladders: &[],
        verdict: &[],
        capture_at: "7001",
        whole: "",
    };

    /// What cases of VLAN and address have in common.
    pub(super) const NETWORK: Case = Case {
        topic: "Network",
        deck: "Flyingvoice phone has three ways to obtain VLAN ID, the priority is LLDP>manually VLAN >DHCP Option",
        desks: &[Desk::plain("7001", 600)],
        ..PROVISIONING
    };

    /// Where the DHCP server is that the switch relays to.
    pub(super) const DHCP_AT: Ipv4Addr = Ipv4Addr::new(127, 0, 50, 92);
    /// What a DHCP server behind the switch gives.
    pub(super) const GIVES: Gives = Gives {
        pool: (Ipv4Addr::new(127, 0, 70, 1), Ipv4Addr::new(127, 0, 70, 9)),
        options: &[],
        is_on_link: false,
        refuses: false,
    };
    /// What a DHCP server on the phone's link gives.
    pub(super) const ON_LINK: Gives = Gives { is_on_link: true, ..GIVES };

    /// A switch and the DHCP server that it relays to.
    macro_rules! lan {
        ($switch:expr, $gives:expr) => {
            &[
                Actor { name: SWITCH, ip: SWITCH_IP, make: |ip, _, _| Box::new(Switch::new(ip, $switch)) },
                Actor { name: DHCP, ip: DHCP_IP, make: |ip, _, _| Box::new(DhcpServer::new(ip, $gives)) },
            ]
        };
    }
    pub(super) use lan;

    /// What the deck says where a phone does not get its settings.
    pub(super) const CHECK_THE_URL: &str = "Check auto provisioning URL and network environment.";

    /// A configuration of one line.
    pub(super) const RECEPTION: (&str, &str) =
        ("0021f2000001.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n");

    /// A phone that follows its Profile Rule is set up by the server, and so many milliseconds pass.
    pub(super) const fn set_up_by_rule(then_ms: u64) -> [Step; 7] {
        [
            Step::On(EXCHANGE),
            Step::On(FILE_SERVER),
            Step::On("7001"),
            Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
            Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
            Step::Log("7001", "Update the configuration file successfully"),
            Step::Pass(then_ms),
        ]
    }

    /// One phone with this Profile Rule alone.
    macro_rules! phone_with_rule {
        ($url:literal) => {
            &[Desk::with(
                "7001",
                600,
                &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", $url)],
            )]
        };
    }
    pub(super) use phone_with_rule;

    /// Servers of files, each by its name, its address and what it has.
    macro_rules! servers {
        ($($name:expr, $ip:expr, $files:expr);+) => {
            &[$(Actor { name: $name, ip: $ip, make: |ip, seed, _| Box::new(FileServer::new(ip, $files, seed)) }),+]
        };
        ($files:expr) => {
            servers!(FILE_SERVER, FILE_SERVER_IP, $files)
        };
    }
    pub(super) use servers;
}

/// All cases, by topic and from the plain to the difficult.
#[expect(clippy::too_many_lines, reason = "a list")]
pub fn cases() -> &'static [Case] {
    const ALL: &[Case] = &[
        basic_call::CASE,
        reg_wrong_password::CASE,
        reg_unknown_account::CASE,
        reg_interval_too_brief::CASE,
        reg_no_answer::CASE,
        reg_port_closed::CASE,
        reg_unavailable::CASE,
        reg_wrong_transport::CASE,
        reg_nat_no_rport::CASE,
        account_disabled::CASE,
        blocked_device::CASE,
        blocked_network::CASE,
        blocked_area::CASE,
        reg_multiple_devices::CASE,
        hold_resume::CASE,
        blind_transfer::CASE,
        attended_transfer::CASE,
        semi_attended_transfer::CASE,
        transfer_refused::CASE,
        forward_always::CASE,
        forward_no_answer::CASE,
        forward_busy::CASE,
        forward_loop::CASE,
        dnd::CASE,
        conference::CASE,
        pickup::CASE,
        park::CASE,
        one_way_audio::CASE,
        codec_mismatch::CASE,
        srtp_call::CASE,
        srtp_required::CASE,
        not_registered_call::CASE,
        direct_ip_call::CASE,
        ghost_call::CASE,
        session_timer::CASE,
        failover::CASE,
        provision_pnp::CASE,
        provision_tftp::CASE,
        provision_http::CASE,
        provision_not_found::CASE,
        provision_unreachable::CASE,
        provision_bad_config::CASE,
        provision_static::CASE,
        provision_rps::CASE,
        provision_dhcp66::CASE,
        provision_wrong_server::CASE,
        provision_dns::CASE,
        provision_offline::CASE,
        provision_rollback::CASE,
        check_sync::CASE,
        check_sync_reboot::CASE,
        push_to_all::CASE,
        blf_watch::CASE,
        blf_pickup::CASE,
        blf_403::CASE,
        blf_423::CASE,
        blf_481::CASE,
        blf_489::CASE,
        vlan_lldp::CASE,
        vlan_manual::CASE,
        vlan_dhcp::CASE,
        vlan_mismatch::CASE,
        lldp_no_policy::CASE,
        cdp_conflict::CASE,
        dhcp_no_offer::CASE,
        dhcp_nak::CASE,
        dhcp_duplicate_address::CASE,
        overload::CASE,
        scanner::CASE,
        restart_mid_call::CASE,
    ];
    ALL
}

/// A case that is played on real sockets alone: what it shows, the simulated wire does not carry.
#[derive(Clone, Copy, Debug)]
pub struct RealCase {
    /// The case.
    pub case: Case,
    /// What its server of files has, by name.
    pub files: &'static [(&'static str, &'static str)],
}

/// The cases that are played on real sockets alone.
pub fn real_cases() -> &'static [RealCase] {
    const ALL: &[RealCase] = &[provision_ftp::CASE, provision_https::CASE];
    ALL
}

/// The case of that name.
pub fn case(slug: &str) -> Option<&'static Case> {
    let real = real_cases().iter().map(|real| &real.case);
    cases().iter().chain(real).find(|case| case.slug == slug)
}
