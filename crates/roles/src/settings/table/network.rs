//! Network and Wireless. The rows of VLAN and address act where the phone owns its interface (`phone --network`).

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const MACHINE: Effect = kept("This part of the network is set up by the system of this machine.");
const NO_PC_PORT: Effect = kept("A program has no second network socket for a computer.");
const NO_RADIO: Effect = kept("Wi-Fi is set up by the system of this machine.");
const NO_8021X: Effect = kept("IEEE 802.1X is done by the system of this machine.");
const SPEED: Kind = TEXT;
const VLAN: Kind = number(0, 4_094);
const PRIORITY: Kind = number(0, 7);

rows! { ROWS:
[Template "Network > WAN"]
"network.internet_port.type" "Connect Mode" (Kind::Choice(&[("0", "DHCP"), ("1", "PPPoE"), ("2", "Static")])) "0" Restart ACTS "How the phone gets its address (phone --network); PPPoE is done by the system of this machine.";
"network.internet_port.ip" "IP Address" ADDRESS "" Restart ACTS "The static address (phone --network).";
"network.internet_port.mask" "Subnet Mask" ADDRESS "" Restart ACTS "The mask of the static address (phone --network).";
"network.internet_port.gateway" "Default Gateway" ADDRESS "" Restart ACTS "The gateway of the static address (phone --network).";
"network.internet_port.speed_duplex" "WAN Speed" SPEED "" Restart MACHINE "Speed and duplex of the network socket.";
"network.static_dns_enable" "Static DNS" BOOL "0" Restart ACTS "Whether the DNS servers are static although the address is not (phone --network).";
"network.primary_dns" "Primary DNS" ADDRESS "" Restart ACTS "The first DNS server (phone --network).";
"network.secondary_dns" "Secondary DNS" ADDRESS "" Restart ACTS "The second DNS server (phone --network).";
"network.ip_address_mode" "IP Mode" (Kind::Choice(&[("0", "IPv4"), ("1", "IPv6"), ("2", "IPv4 & IPv6")])) "0" Restart MACHINE "Which IP versions are used.";
"network.dhcp_host_name" "DHCP Host Name" TEXT "" Restart ACTS "The host name in DHCP (option 12) (phone --network).";
"network.dhcp.option60type" "DHCP Option 60 Type" (Kind::Choice(&[("0", "ASCII"), ("1", "binary")])) "0" Restart MACHINE "How the vendor class (option 60) is written.";
"network.mtu_value" "MTU" (Kind::Number { min: 128, max: 1_500, unit: "bytes" }) "1500" Restart MACHINE "The largest packet.";
"network.preference" "Network Preference" TEXT "" Restart MACHINE "Whether the wire or Wi-Fi comes first.";
"network.redundancy.mode" "Network Redundancy" TEXT "" Restart MACHINE "Whether Wi-Fi stands in for the wire.";
"network.redundancy.failback.timeout" "Network Failback" (seconds(0, MOST)) "0" Restart MACHINE "How long after its return the wire is used again.";
[Template "Network > PC Port"]
"network.pc_port.enable" "PC Port" BOOL "1" Restart NO_PC_PORT "Whether the socket for a computer works.";
"network.pc_port.speed_duplex" "PC Port Speed" SPEED "" Restart NO_PC_PORT "Speed and duplex of the socket for a computer.";
"network.span_to_pc_port" "Span to PC Port" BOOL "0" Restart (kept("Packets are captured by --pcap, without a second socket.")) "Whether the phone's packets are copied to the socket for a computer.";
"network.vlan.pc_port_enable" "PC Port VLAN" BOOL "0" Restart NO_PC_PORT "Whether the computer has a VLAN.";
"network.vlan.pc_port_vid" "PC Port VLAN ID" (number(1, 4_094)) "1" Restart NO_PC_PORT "The computer's VLAN.";
"network.vlan.pc_port_priority" "PC Port VLAN Priority" PRIORITY "0" Restart NO_PC_PORT "The priority of the computer's packets.";
"network.vlan.pc_port_mode" "PC Port VLAN Mode" TEXT "" Restart NO_PC_PORT "Whether the computer's packets leave with their tag.";
[Template "Network > VLAN"]
"network.vlan.internet_port_enable" "WAN VLAN" BOOL "0" Restart ACTS "Whether the phone has a VLAN (phone --network).";
"network.vlan.internet_port_vid" "WAN VLAN ID" VLAN "0" Restart ACTS "The phone's VLAN (phone --network).";
"network.vlan.internet_port_priority" "WAN VLAN Priority" PRIORITY "0" Restart ACTS "The priority of the phone's packets (phone --network).";
"network.vlan.dhcp_enable" "DHCP VLAN" BOOL "1" Restart ACTS "Whether DHCP may name the VLAN (phone --network).";
"network.vlan.dhcp_option" "DHCP VLAN Option" (Kind::Numbers { min: 1, max: 255 }) "132" Restart ACTS "The DHCP options that name the VLAN (phone --network).";
"network.vlan.vlan_change.enable" "VLAN Change" BOOL "0" Restart ACTS "Whether another VLAN or none is tried when one gives no address (phone --network).";
[Template "Network > LLDP"]
"network.lldp.enable" "LLDP Active" BOOL "1" Restart ACTS "Whether the phone tells its neighbours of itself by LLDP (phone --network).";
"network.lldp.packet_interval" "LLDP Packet Interval" (seconds(1, 3_600)) "60" Restart ACTS "How often the phone does that (phone --network).";
[Template "Network > CDP"]
"network.cdp.enable" "CDP Active" BOOL "1" Restart ACTS "Whether the phone tells its neighbours of itself by CDP (phone --network).";
"network.cdp.packet_interval" "CDP Packet Interval" (seconds(1, 3_600)) "60" Restart ACTS "How often the phone does that (phone --network).";
[Template "Network > IPv6 WAN"]
"network.ipv6_internet_port.type" "IPv6 Mode" (Kind::Choice(&[("0", "DHCP"), ("1", "Static")])) "0" Restart MACHINE "How the phone gets its IPv6 address.";
"network.ipv6_internet_port.ip" "IPv6 Address" ADDRESS "" Restart MACHINE "The static IPv6 address.";
"network.ipv6_internet_port.gateway" "IPv6 Gateway" ADDRESS "" Restart MACHINE "The gateway of the static IPv6 address.";
"network.ipv6_prefix" "IPv6 Prefix" (number(0, 128)) "64" Restart MACHINE "The prefix length of the static IPv6 address.";
"network.ipv6_static_dns_enable" "IPv6 Static DNS" BOOL "0" Restart MACHINE "Whether the IPv6 DNS servers are static.";
"network.ipv6_primary_dns" "IPv6 Primary DNS" ADDRESS "" Restart MACHINE "The first IPv6 DNS server.";
"network.ipv6_secondary_dns" "IPv6 Secondary DNS" ADDRESS "" Restart MACHINE "The second IPv6 DNS server.";
"network.ipv6_icmp_v6.enable" "ICMPv6" BOOL "1" Restart MACHINE "Whether router advertisements are listened to.";
[Template "Network > VPN"]
"network.vpn_enable" "VPN" BOOL "0" Restart MACHINE "Whether a VPN is used.";
"openvpn.url" "OpenVPN File" URI "" Restart MACHINE "Where the VPN's archive is downloaded from.";
[Template "Network > 802.1X"]
"network.802_1x.mode" "802.1X Mode" (number(0, 7)) "0" Restart NO_8021X "How the phone proves itself to the switch; 0: not at all.";
"network.802_1x.identity" "802.1X Identity" TEXT "" Restart NO_8021X "The user name for the switch.";
"network.802_1x.md5_password" "802.1X Password" SECRET "" Restart NO_8021X "The password for the switch.";
"network.802_1x.anonymous_identity" "802.1X Anonymous Identity" TEXT "" Restart NO_8021X "The outer user name for the switch.";
"network.802_1x.client_cert_url" "802.1X Device Certificate" URI "" Restart NO_8021X "Where the phone's certificate is downloaded from.";
"network.802_1x.root_cert_url" "802.1X CA Certificate" URI "" Restart NO_8021X "Where the authority's certificate is downloaded from.";
"network.802_1x.eap_fast_provision_mode" "EAP-FAST Provisioning" TEXT "" Restart NO_8021X "How EAP-FAST gets its credentials.";
"network.802_1x.proxy_eap_logoff.enable" "Proxy EAP Logoff" BOOL "0" Restart NO_8021X "Whether the phone logs a computer off that was unplugged.";
[Template "Wireless"]
"wifi.enable" "Wi-Fi" BOOL "0" Restart NO_RADIO "Whether Wi-Fi is on.";
"wifi.show_scan_prompt" "Show Scan Prompt" BOOL "1" Restart NO_RADIO "Whether found networks are told.";
"wifi.X.label" "Profile Name" TEXT "" Restart NO_RADIO "The name of the Wi-Fi profile.";
"wifi.X.ssid" "SSID" TEXT "" Restart NO_RADIO "The name of the network.";
"wifi.X.priority" "Priority" (number(0, 5)) "0" Restart NO_RADIO "Which profile comes first.";
"wifi.X.security_mode" "Security Mode" TEXT "" Restart NO_RADIO "How the network is protected.";
"wifi.X.cipher_type" "Cipher" TEXT "" Restart NO_RADIO "The network's cipher.";
"wifi.X.password" "Wi-Fi Password" SECRET "" Restart NO_RADIO "The network's password.";
"wifi.X.eap_type" "EAP Type" TEXT "" Restart NO_RADIO "How the phone proves itself to the network.";
"wifi.X.eap_user_name" "EAP User" TEXT "" Restart NO_RADIO "The user name for the network.";
"wifi.X.eap_password" "EAP Password" SECRET "" Restart NO_RADIO "The password for the network.";
}
