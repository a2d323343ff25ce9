//! SIP Account > Line N > Basic, and the servers behind it.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const TRANSPORT: Kind = Kind::Choice(&[("0", "UDP"), ("1", "TCP"), ("2", "TLS"), ("3", "DNS-NAPTR")]);
const FAILBACK: Kind =
    Kind::Choice(&[("0", "new requests"), ("1", "DNS lifetime"), ("2", "registration"), ("3", "duration")]);
const REDUNDANCY: Kind = Kind::Choice(&[("0", "concurrent"), ("1", "successive")]);
const FAILBACK_TIME: Kind = seconds(0, 65_535);
const RETRIES: Kind = number(0, 20);
const BY_PLAN: Effect = kept(
    "Fail-over is the same for every kind of server: the next target after 32 s, the first one again for new requests.",
);

rows! { ROWS:
[Template "SIP Account > Line > Basic"]
"account.X.enable" "Line Enable" BOOL "0" NewRegistration ACTS "Whether this account registers and makes calls.";
"account.X.label" "Label" TEXT "" AtOnce ACTS "What the screen and the line key call this account; empty: the phone number.";
"account.X.display_name" "Display Name" TEXT "" NewRegistration ACTS "The name in the From header of what this account sends.";
"account.X.user_name" "Phone Number" TEXT "" NewRegistration ACTS "The user that is registered, optionally with a domain after an @ sign.";
"account.X.auth_name" "Account" TEXT "" NewRegistration ACTS "The user name for digest authentication; empty: the phone number.";
"account.X.password" "Password" SECRET "" NewRegistration ACTS "The password for digest authentication.";
"account.X.sip_server.N.address" "Proxy Server" HOST "" NewRegistration ACTS "The SIP server: host name or address; the second is the backup of the first.";
"account.X.sip_server.N.port" "Proxy Port" PORT "5060" NewRegistration ACTS "The port of the SIP server; 0 asks the DNS.";
"account.X.sip_server.N.transport_type" "Transport" TRANSPORT "0" NewRegistration ACTS "How SIP travels to this server.";
"account.X.outbound_proxy_enable" "Outbound Server in use" BOOL "0" NewRegistration ACTS "Whether everything is sent by way of the outbound server.";
"account.X.outbound_proxy.N.address" "Outbound Server / Backup Outbound Server" HOST "" NewRegistration ACTS "The outbound server; the second is the backup outbound server.";
"account.X.outbound_proxy.N.port" "Outbound Port / Backup Outbound Port" PORT "5060" NewRegistration ACTS "The port of the outbound server; 0 asks the DNS.";
[Ours "SIP Account > Line > Basic"]
"account.X.advanced.dhcp_option_120_override" "Allow DHCP Option 120 to Override SIP Server" BOOL "0" NewRegistration ACTS "Whether a SIP server that DHCP names in option 120 takes the place of the proxy server.";
[Template "SIP Account > Line > Registration"]
"account.X.sip_server.N.expires" "Register Expires" (seconds(30, MOST)) "1800" NewRegistration ACTS "How long a registration is asked for; the server may grant less.";
"account.X.sip_server.N.retry_counts" "Server Retry Counts" RETRIES "3" NewRegistration BY_PLAN "How often a failing server is tried before the backup server.";
"account.X.reg_fail_retry_interval" "Registration Retry Interval" (seconds(0, 1_800)) "30" NewRegistration ACTS "How long to wait after a failed registration.";
"account.X.reg_failed_retry_min_time" "Back-off Minimum" (seconds(0, 86_400)) "0" NewRegistration ACTS "Shortest wait of a retry that doubles each time; 0: every wait is the retry interval.";
"account.X.reg_failed_retry_max_time" "Back-off Maximum" (seconds(0, 86_400)) "0" NewRegistration ACTS "Longest wait of a retry that doubles each time; 0: no growth.";
"account.X.register_expires_overlap" "Register Refresh Lead" (seconds(-1, MOST)) "-1" NewRegistration ACTS "How long before its end a registration is refreshed; -1: after half its time.";
"account.X.unregister_on_reboot" "Unregister at Start" BOOL "1" Restart ACTS "Whether the phone takes back an old registration when it starts (the trace's \"remove 1 binding\").";
"account.X.register_mac" "Register MAC" BOOL "0" NewRegistration ACTS "Whether REGISTER carries the phone's MAC address in a header.";
"account.X.register_line" "Register Line" BOOL "0" NewRegistration ACTS "Whether REGISTER carries the number of the line in a header.";
"account.X.subscribe_register" "Subscribe for Registration" BOOL "0" NewRegistration (kept("The registrar's answers and refreshes say all that the phone shows; the reg event package is not asked for.")) "Whether the phone watches its own registration.";
"account.X.outbound_proxy_fallback_interval" "Return to Outbound Server" (seconds(0, 65_535)) "3600" NewRegistration ACTS "How long the backup outbound server is kept before the first is tried again.";
"account.X.sip_server_type" "Server Type" (Kind::Choice(&[("0", "default"), ("2", "BroadSoft"), ("4", "Cosmocom"), ("6", "UCAP")])) "0" NewRegistration (kept("The phone speaks the standards and has no dialect for a brand of server.")) "The brand of the server.";
"account.X.sip_server_mode" "Server Mode" TEXT "" NewRegistration (kept("No public document says what its values mean.")) "How the two servers are used.";
[Template "SIP Account > Line > Backup Server"]
"account.X.sip_server.N.failback_mode" "Failback Mode" FAILBACK "0" NewRegistration BY_PLAN "When the phone returns to the first server.";
"account.X.sip_server.N.failback_timeout" "Failback Timeout" FAILBACK_TIME "3600" NewRegistration BY_PLAN "How long the backup server is kept in the mode duration.";
"account.X.sip_server.N.failback_subscribe.enable" "Failback of Subscriptions" BOOL "0" NewRegistration BY_PLAN "Whether subscriptions move with the registration.";
"account.X.sip_server.N.register_on_enable" "Register on Failover" BOOL "0" NewRegistration BY_PLAN "Whether the phone registers at the backup server before it calls through it.";
"account.X.sip_server.N.only_signal_with_registered" "Only Signal with Registered" BOOL "0" NewRegistration BY_PLAN "Whether requests go only to the server that holds the registration.";
"account.X.sip_server.N.invite_retry_counts" "INVITE Retry Counts" (number(1, 10)) "3" NewRegistration BY_PLAN "How often an INVITE is tried before the next server.";
"account.X.sip_server.N.outbound_proxy_enable" "Outbound Server for this Server" BOOL "0" NewRegistration (kept("One outbound setting holds for both servers of an account.")) "Whether this server is reached by way of the outbound server.";
"account.X.outbound_proxy.N.failback_mode" "Outbound Failback Mode" FAILBACK "0" NewRegistration BY_PLAN "When the phone returns to the first outbound server.";
"account.X.outbound_proxy.N.failback_timeout" "Outbound Failback Timeout" FAILBACK_TIME "3600" NewRegistration BY_PLAN "How long the backup outbound server is kept in the mode duration.";
"account.X.outbound_proxy.N.failback_subscribe.enable" "Outbound Failback of Subscriptions" BOOL "0" NewRegistration BY_PLAN "Whether subscriptions move with the outbound server.";
"account.X.outbound_proxy.N.register_on_enable" "Outbound Register on Failover" BOOL "0" NewRegistration BY_PLAN "Whether the phone registers by the backup outbound server before it calls through it.";
"account.X.outbound_proxy.N.only_signal_with_registered" "Outbound Only Signal with Registered" BOOL "0" NewRegistration BY_PLAN "Whether requests go only by the outbound server that holds the registration.";
"account.X.outbound_proxy.N.invite_retry_counts" "Outbound INVITE Retry Counts" (number(1, 10)) "3" NewRegistration BY_PLAN "How often an INVITE is tried before the next outbound server.";
"account.X.outbound_proxy.N.retry_counts" "Outbound Retry Counts" RETRIES "3" NewRegistration BY_PLAN "How often a failing outbound server is tried before its backup.";
"account.X.fallback.redundancy_type" "Redundancy" REDUNDANCY "0" NewRegistration BY_PLAN "Whether both servers are registered at together or one after the other.";
"account.X.fallback.timeout" "Fallback Timeout" (seconds(10, MOST)) "120" NewRegistration BY_PLAN "How long to wait before the first server is asked again.";
"account.X.redundancy_with_reg_fail.enable" "Failover on Refusal" BOOL "0" NewRegistration BY_PLAN "Whether a refused registration counts as a failing server.";
"account.X.naptr_build" "NAPTR Build" BOOL "0" NewRegistration (kept("RFC 3263 decides which DNS questions are asked.")) "How the SRV names are found when no NAPTR record exists.";
"account.X.dns_cache_type" "DNS Cache" (Kind::Choice(&[("0", "none"), ("1", "records"), ("2", "static")])) "1" NewRegistration (kept("The resolver of this machine keeps records for their lifetime.")) "Which DNS cache is used.";
"account.X.static_cache_pri" "Static DNS Cache First" BOOL "0" NewRegistration (kept("There is no static DNS cache; the machine's hosts file does that work.")) "Whether the static DNS cache comes before the DNS.";
}
