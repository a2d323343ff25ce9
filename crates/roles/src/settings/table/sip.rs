//! SIP Account > SIP Settings and VoIP QoS: what holds for all accounts.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const NO_VALIDATION: Effect =
    kept("Requests are judged by Only Recv Request From Server and by the dialog they belong to.");
const T1: Kind = Kind::Seconds { min_ms: 100, max_ms: 10_000 };
const T2: Kind = Kind::Seconds { min_ms: 500, max_ms: 60_000 };

rows! { ROWS:
[Template "SIP Account > SIP Settings"]
"sip.listen_port" "Local SIP Port" (number(1_024, 65_535)) "5060" Restart ACTS "The port on which the phone takes SIP over UDP and TCP.";
"sip.tls_listen_port" "Local SIP TLS Port" (number(1_024, 65_535)) "5061" Restart (kept("The phone opens its TLS connections itself; nobody connects to it.")) "The port on which the phone takes SIP over TLS.";
"sip.listen_mode" "Listen Mode" (number(0, 3)) "0" Restart (kept("The phone listens on UDP and TCP.")) "On which transports the phone listens.";
"sip.tcp_port_random_mode" "TCP Port Mode" (number(0, 2)) "0" Restart (kept("The system chooses the local port of a TCP connection.")) "How the local port of a TCP connection is chosen.";
"sip.timer_t1" "SIP Timer T1" T1 "0.5" Restart ACTS "The estimate of the round-trip time (RFC 3261 §17.1.1.1).";
"sip.timer_t2" "SIP Timer T2" T2 "4" Restart ACTS "The longest wait between two retransmissions.";
"sip.trust_ctrl" "Accept SIP Trust Server Only" BOOL "0" AtOnce ACTS "On: Only Recv Request From Server holds for every account; off: each account's own row decides.";
"features.direct_ip_call_enable" "Allow IP Calls" BOOL "0" AtOnce ACTS "Whether calls to and from bare addresses are allowed; off where the phone is registered to a PBX.";
"sip.notify_reboot_enable" "Reboot on Notify" BOOL "0" AtOnce ACTS "On: every check-sync restarts the phone; off: only one with reboot=true.";
"sip.use_out_bound_in_dialog" "Outbound Server in Dialog" BOOL "1" AtOnce ACTS "Whether requests in a dialog go by the outbound server too.";
"sip.use_23_as_pound" "Send # as %23" BOOL "1" AtOnce ACTS "Whether a # that is dialled is written as %23 in an address.";
"sip.reg_surge_prevention" "Registration Random Delay" (seconds(0, 60)) "0" Restart ACTS "The longest random wait before the first registration.";
"sip.rfc2543_hold" "RFC 2543 Hold" BOOL "1" AtOnce ACTS "Whether hold writes the connection address 0.0.0.0 as well.";
"sip.mac_in_ua" "MAC in User-Agent" BOOL "0" NewRegistration ACTS "Whether the User-Agent ends with the MAC address.";
"sip.call_park_without_blf" "Park without BLF" BOOL "0" AtOnce (kept("A park key works with and without a subscription.")) "Whether a park key works without a subscription.";
"sip.cid_source.preference" "Caller ID Preference" TEXT "" AtOnce (kept("It belongs to caller ID source 6; the sources 0 to 5 are read.")) "The order of headers for caller ID source 6.";
"sip.disp_incall_to_info" "Show To of Calls" BOOL "0" AtOnce ACTS "Whether an incoming call also shows which number was called.";
"sip.escape_characters.enable" "Escape Characters" BOOL "0" AtOnce (kept("Characters that an address may not carry are always escaped.")) "Whether special characters are escaped.";
"sip.requesturi.e164.addglobalprefix" "Add + to E.164" BOOL "0" AtOnce ACTS "Whether a dialled number of digits that begins with the international prefix 00 is sent with + instead.";
"sip.reliable_protocol.timerae.enable" "Timers on Reliable Transports" BOOL "1" AtOnce (kept("The timers A and E run on unreliable transports only, as RFC 3261 §17 says.")) "Whether requests are repeated on TCP.";
"sip.request_validation.event" "Validation by Event" TEXT "" AtOnce NO_VALIDATION "The events of which a NOTIFY is challenged.";
"sip.request_validation.digest.realm" "Validation Realm" TEXT "" AtOnce NO_VALIDATION "The realm with which requests to the phone are challenged.";
"sip.request_validation.digest.list" "Validation by Digest" TEXT "" AtOnce NO_VALIDATION "The methods that are challenged.";
"sip.request_validation.source.list" "Validation by Source" TEXT "" AtOnce NO_VALIDATION "The methods of which the source is checked.";
"sip.sdp_early_answer_or_offer" "Early Answer or Offer" TEXT "" AtOnce (kept("RFC 3261 §13 decides where offers and answers stand.")) "Where offers and answers stand.";
"sip.send_keepalive_by_socket" "Keep-alive by Socket" BOOL "1" AtOnce (kept("Keep-alives always leave by the socket of the registration, else they would keep nothing alive.")) "Whether keep-alives leave by the socket of the registration.";
"sip.send_response_by_request" "Answer to Source" BOOL "1" AtOnce (kept("Answers go where RFC 3261 §18.2.2 and RFC 3581 say.")) "Whether answers go to the address from which the request came.";
"sip.unreg_with_socket_close" "Unregister on Closed Socket" BOOL "0" AtOnce (kept("A closed connection makes the phone register anew.")) "Whether a closed connection counts as unregistered.";
"features.call_invite_format" "INVITE Format" TEXT "" AtOnce (kept("No public document says what its values mean.")) "How the address of an INVITE is written.";
"features.rtp_symmetric.enable" "Symmetric RTP" BOOL "1" AtOnce ACTS "Whether sound is sent to where the far end's sound comes from.";
"phone_setting.is_deal180" "180 after 183" BOOL "1" AtOnce ACTS "Whether a 180 after a 183 starts the local ringback tone.";
"phone_setting.change_183_to_180" "183 as 180" BOOL "0" AtOnce ACTS "Whether a 183 is taken as a 180.";
"phone_setting.early_media.rtp_sniffer.timeout" "Early Media Wait" (millis(0, 10_000)) "600" AtOnce (kept("The ringback tone stops as soon as early sound arrives.")) "How long early sound is waited for.";
"phone_setting.show_code403" "Text of 403" TEXT "" AtOnce ACTS "What the screen shows when a call is refused with 403; empty: the server's words.";
"phone_setting.disable_account_without_username.enable" "Disable Account without User" BOOL "1" NewRegistration (kept("An account without a phone number is never registered.")) "Whether an account without a user is switched off.";
[Template "SIP Account > VoIP QoS"]
"network.port.min_rtpport" "Minimum RTP Port" (number(1_024, 65_534)) "10000" Restart ACTS "The lowest port for sound.";
"network.port.max_rtpport" "Maximum RTP Port" (number(1_025, 65_535)) "11000" Restart ACTS "The highest port for sound.";
"network.qos.audiotos" "Voice QoS" (number(0, 63)) "46" Restart ACTS "The DSCP of sound.";
"network.qos.signaltos" "SIP QoS" (number(0, 63)) "26" Restart ACTS "The DSCP of SIP.";
[Template "Network > NAT"]
"sip.nat_stun.enable" "STUN" BOOL "0" Restart NO_STUN "Whether STUN finds the outer address.";
"sip.nat_stun.server" "STUN Server" HOST "" Restart NO_STUN "The STUN server.";
"sip.nat_stun.port" "STUN Port" PORT "3478" Restart NO_STUN "The port of the STUN server.";
[Relative "Administration > Management > Syslog"]
"syslog.mode" "Syslog Mode" (Kind::Choice(&[("0", "local"), ("1", "server")])) "0" AtOnce ACTS "Whether the log is also sent to a server.";
"syslog.server" "Syslog Server" HOST "" AtOnce ACTS "The server that takes the log.";
"syslog.server_port" "Syslog Port" PORT "514" AtOnce ACTS "The port of the log's server.";
"syslog.transport_type" "Syslog Transport" (Kind::Choice(&[("0", "UDP"), ("1", "TCP")])) "0" AtOnce ACTS "How the log travels.";
"syslog.log_level" "Log Level" (number(0, 6)) "3" AtOnce ACTS "How much is logged: 0 least, 6 most.";
[Ours "Administration > Management > Syslog"]
"syslog.advanced.format" "Syslog Format" (Kind::Choice(&[("0", "RFC 3164"), ("1", "RFC 5424")])) "0" AtOnce ACTS "The form of a line that goes to the server.";
}
const NO_STUN: Effect =
    kept("STUN is not supported; RPort Enable Direct Process learns the outer address from the server.");
