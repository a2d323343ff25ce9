//! DHCP names the server of the settings.

use super::prelude::*;

/// What the server has: a common file, and nothing of the phone's own.
const FILES: Files = Files {
    files: &[("y000000000000.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n")],
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-dhcp66",
    title: "DHCP names the server of the settings",
    teaches: "Option 66 without a scheme is a TFTP server; the files are asked for in the deck's order.",
    desks: &[Desk::with(
        "7001",
        600,
        &[
            ("network.lldp.enable", "0"),
            ("network.cdp.enable", "0"),
            ("auto_provision.pnp_enable", "0"),
            ("auto_provision.server.url", ""),
        ],
    )],
    machines: &[
        Actor {
            name: DHCP,
            ip: DHCP_IP,
            make: |ip, _, _| {
                Box::new(DhcpServer::new(ip, Gives { options: &[(66, "127.0.50.80")], ..ON_LINK }))
            },
        },
        Actor {
            name: FILE_SERVER,
            ip: FILE_SERVER_IP,
            make: |ip, seed, _| Box::new(FileServer::new(ip, FILES, seed)),
        },
    ],
    steps: &[
        Step::On(EXCHANGE),
        Step::On(DHCP),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "provision_source", &[("source", "option66")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Pass(8_000),
    ],
    ladders: &[("7001", "provision-66")],
    whole: include_str!("ladders/provision-dhcp66.txt"),
    ..PROVISIONING
};
