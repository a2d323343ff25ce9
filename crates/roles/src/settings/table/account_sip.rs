//! SIP Account > Line N > Advanced: NAT, media, DTMF, timers, headers.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const RPORT: Kind = Kind::Choice(&[("0", "Disable"), ("1", "Enable"), ("2", "Enable Direct Process")]);
const KEEP_ALIVE: Kind =
    Kind::Choice(&[("0", "Disable"), ("1", "Dummy"), ("2", "OPTIONS"), ("3", "NOTIFY"), ("4", "CRLF")]);
const DTMF: Kind =
    Kind::Choice(&[("0", "Inband"), ("1", "RFC2833"), ("2", "SIP INFO"), ("3", "RFC2833 + SIP INFO")]);
const DTMF_INFO: Kind =
    Kind::Choice(&[("0", "off"), ("1", "DTMF-Relay"), ("2", "DTMF"), ("3", "Telephone-Event")]);
const SRTP: Kind = Kind::Choice(&[("0", "Disable"), ("1", "Optional"), ("2", "Compulsory")]);
const PTIME: Kind = Kind::Choice(&[
    ("0", "off"),
    ("10", "10 ms"),
    ("20", "20 ms"),
    ("30", "30 ms"),
    ("40", "40 ms"),
    ("50", "50 ms"),
    ("60", "60 ms"),
]);
const CALLER: Kind = Kind::Choice(&[
    ("0", "FROM"),
    ("1", "PAI"),
    ("2", "PAI-FROM"),
    ("3", "RPID-PAI-FROM"),
    ("4", "PAI-RPID-FROM"),
    ("5", "RPID-FROM"),
    ("6", "preference list"),
]);
const CALLED: Kind = Kind::Choice(&[("0", "PAI-RPID"), ("1", "dialled digits"), ("2", "RFC 4916")]);
const OWN_WAY: Effect = kept("The stack follows RFC 3261 here and has no other way.");
const NO_GRUU: Effect =
    kept("RFC 5626 and RFC 5627 are not supported; RPort and keep-alive serve behind NAT.");

rows! { ROWS:
[Ours "SIP Account > Line > SIP Advanced Setup"]
"account.X.advanced.domain_name_type" "Domain Name Type" BOOL "1" NewRegistration ACTS "On: From, To and Request-URI carry the proxy server as written; off: its resolved address.";
"account.X.advanced.carry_port_information" "Carry Port Information" BOOL "0" NewRegistration ACTS "Whether From, To and Request-URI carry the port of the proxy server.";
"account.X.advanced.signal_port" "Signal Port" PORT "0" Restart ACTS "The local SIP port of this line; 0: the phone's own port.";
"account.X.advanced.hold_method" "Hold Method" (Kind::Choice(&[("0", "ReINVITE"), ("1", "INFO")])) "0" AtOnce ACTS "How a call is put on hold.";
"account.X.advanced.request_uri_user_check" "Request-URI User Check" BOOL "1" AtOnce ACTS "On: a request whose user is no account of this phone gets 404; off: the default line takes it.";
"account.X.advanced.only_recv_request_from_server" "Only Recv Request From Server" BOOL "1" AtOnce ACTS "Whether requests outside of calls are turned away that come neither from an address of the server nor with the token of the registration; with Allow IP Calls strangers may still ring.";
"account.X.advanced.only_recv_silence" "Answer to Others" (Kind::Choice(&[("0", "403"), ("1", "silence")])) "0" AtOnce ACTS "What strangers get who are turned away.";
"account.X.advanced.server_address" "Server Address" HOST "" AtOnce ACTS "A further address from which requests are taken as from the server.";
"account.X.advanced.vpn" "VPN" BOOL "0" AtOnce (kept("The network of this machine decides what goes through a VPN.")) "Whether SIP of this line goes through the VPN.";
"account.X.advanced.sip_encrypt_type" "SIP Encrypt Type" (Kind::Choice(&[("0", "Disable"), ("1", "Enable")])) "0" AtOnce (kept("It is a vendor's own scheme; set account.X.sip_server.1.transport_type to TLS instead.")) "The vendor's encryption of SIP.";
"account.X.advanced.outgoing_call_without_registration" "Outgoing Call without Registration" BOOL "0" AtOnce ACTS "Whether this account may call while it is not registered.";
"account.X.advanced.diversion_dialect" "Diversion Reason Spelling" (Kind::Choice(&[("0", "no-answer"), ("1", "no answer")])) "0" AtOnce ACTS "How the Diversion header spells a forward for no answer: as RFC 5806 or as older phones.";
"account.X.advanced.codec.offer_vad_no" "Offer vad=no" BOOL "1" AtOnce ACTS "Whether an offer says of PCMA and PCMU that silence is sent too.";
[Template "SIP Account > Line > SIP Advanced Setup"]
"account.X.dtmf.type" "DTMF Type" DTMF "1" AtOnce ACTS "How digits of a call are sent.";
"account.X.nat.rport" "RPort" RPORT "1" NewRegistration ACTS "Whether the server is asked to answer to the address it sees (RFC 3581); Direct Process registers that address.";
"account.X.srtp_encryption" "RTP Encrypt Type" SRTP "0" AtOnce ACTS "Whether sound is encrypted (SRTP with keys in SDP).";
[Template "SIP Account > Line > NAT"]
"account.X.nat.nat_traversal" "NAT Traversal" (Kind::Choice(&[("0", "off"), ("1", "STUN")])) "0" NewRegistration (kept("STUN is not supported; RPort Enable Direct Process learns the outer address from the server.")) "How the outer address is found.";
"account.X.nat.udp_update_enable" "Keep-alive Type" KEEP_ALIVE "1" NewRegistration ACTS "What is sent to keep the way through a NAT open.";
"account.X.nat.udp_update_time" "Keep-alive Interval" (seconds(15, MOST)) "30" NewRegistration ACTS "How often the keep-alive is sent.";
[Template "SIP Account > Line > Media"]
"account.X.dtmf.info_type" "DTMF INFO Type" DTMF_INFO "1" AtOnce ACTS "Which body a digit by SIP INFO has; off means DTMF-Relay.";
"account.X.dtmf.dtmf_payload" "DTMF Payload" (number(96, 127)) "101" AtOnce ACTS "The payload type of telephone-event in an offer.";
"account.X.ptime" "PTime" PTIME "20" AtOnce ACTS "How much sound a packet carries; off leaves it to the far end.";
"account.X.srtp_lifetime" "SRTP Lifetime" BOOL "0" AtOnce ACTS "Whether the offered SRTP key names its lifetime.";
"account.X.srtp.unencrypted_rtp.enable" "Unencrypted SRTP" BOOL "0" AtOnce (kept("A key that encrypts nothing protects nobody; turn RTP Encrypt Type off instead.")) "Whether SRTP may be authenticated only.";
"account.X.srtp.unencrypted_rtcp.enable" "Unencrypted SRTCP" BOOL "0" AtOnce (kept("RTCP is encrypted as the sound is.")) "Whether RTCP may be authenticated only.";
"account.X.hold_use_inactive" "Hold Uses Inactive" BOOL "0" AtOnce ACTS "On: hold offers inactive; off: sendonly.";
[Template "SIP Account > Line > SIP"]
"account.X.100rel_enable" "Reliable Provisional Responses" BOOL "0" AtOnce ACTS "Whether calls ask for 100rel (RFC 3262).";
"account.X.session_timer.enable" "Session Timer" BOOL "0" AtOnce ACTS "Whether calls ask for a session timer (RFC 4028).";
"account.X.session_timer.expires" "Session Expires" (seconds(90, 7_200)) "1800" AtOnce ACTS "The session interval that is asked for.";
"account.X.session_timer.refresher" "Session Refresher" (Kind::Choice(&[("0", "UAC"), ("1", "UAS")])) "0" AtOnce ACTS "Which side refreshes the session.";
"account.X.cid_source" "Caller ID Source" CALLER "2" AtOnce ACTS "Which header names the caller.";
"account.X.cp_source" "Connected Party Source" CALLED "1" AtOnce ACTS "Which header names the called party.";
"account.X.cid_source_privacy" "Caller ID Privacy" BOOL "1" AtOnce ACTS "Whether a Privacy header hides the caller.";
"account.X.cid_source_ppi" "P-Preferred-Identity" BOOL "0" AtOnce ACTS "Whether P-Preferred-Identity counts as P-Asserted-Identity for the caller's name.";
"account.X.enable_user_equal_phone" "Send user=phone" BOOL "0" NewRegistration ACTS "Whether request addresses carry user=phone.";
"account.X.custom_ua" "User-Agent" TEXT "" NewRegistration ACTS "The User-Agent header of this account; empty: the phone's own.";
"account.X.subscribe_expires_overlap" "Subscribe Refresh Lead" (seconds(-1, MOST)) "-1" AtOnce ACTS "How long before its end a subscription is refreshed; -1: after half its time.";
"account.X.sub_fail_retry_interval" "Subscribe Retry Interval" (seconds(0, 86_400)) "30" AtOnce ACTS "How long to wait after a failed subscription.";
"account.X.compact_header_enable" "Compact Headers" BOOL "0" AtOnce (kept("Long names are understood by everyone and read better in a trace; compact names are understood.")) "Whether header names are sent in their short form.";
"account.X.contact_take_line_param" "Line Parameter in Contact" BOOL "0" NewRegistration (kept("The Contact of every registration carries a line parameter, by which the phone knows its provider's calls.")) "Whether the Contact carries a line parameter.";
"account.X.update_ack_while_dialing" "UPDATE while Dialling" BOOL "0" AtOnce OWN_WAY "Whether an UPDATE before the answer is accepted.";
"account.X.third_part_request_with_route.enable" "Route for Other Servers" BOOL "0" AtOnce OWN_WAY "Whether requests to other servers carry the Route of the outbound server.";
"account.X.insert_outbound_in_route.enable" "Outbound Server in Route" BOOL "1" AtOnce OWN_WAY "Whether the outbound server is written as a Route.";
"account.X.path.enable" "Path" BOOL "0" NewRegistration NO_GRUU "Whether REGISTER says that Path is supported (RFC 3327).";
"account.X.gruu.enable" "GRUU" BOOL "0" NewRegistration NO_GRUU "Whether a globally routable address is asked for (RFC 5627).";
"account.X.call_id_mode" "Call-ID Mode" TEXT "" AtOnce (kept("A Call-ID here is always random and names no host.")) "How Call-IDs are made.";
"account.X.call_info" "Call-Info" TEXT "" AtOnce (kept("Call-Info is read (auto answer) and not sent.")) "The Call-Info header of calls.";
"account.X.alert_info" "Alert-Info" TEXT "" AtOnce (kept("Alert-Info is read (ring tone, auto answer) and not sent.")) "The Alert-Info header of calls.";
"account.X.picture_info_enable" "Picture Info" BOOL "0" AtOnce (kept("Callers have no pictures here.")) "Whether a caller's picture is fetched.";
"account.X.check_cseq.enable" "Check CSeq" BOOL "1" AtOnce (kept("CSeq is always checked, as RFC 3261 §12.2.2 says.")) "Whether requests with an old CSeq are refused.";
"account.X.check_to_tag.enable" "Check To Tag" BOOL "1" AtOnce (kept("The To tag is always checked: it is part of the dialog's name.")) "Whether requests with a foreign To tag are refused.";
"account.X.reg_with_pani_header.enable" "P-Access-Network-Info" BOOL "0" NewRegistration (kept("There is no access network to tell of.")) "Whether REGISTER tells the access network.";
"account.X.transfer_refer_to_contact_header.enable" "Refer-To from Contact" BOOL "0" AtOnce ACTS "Whether an attended transfer names the target by its Contact instead of the dialled address.";
"account.X.refresh_remote_id.enable" "Refresh Remote Identity" BOOL "1" AtOnce ACTS "Whether a new identity during a call changes what the screen shows.";
"account.X.vq_rtcpxr.collector_name" "Quality Collector Name" TEXT "" AtOnce NO_REPORTS "The name of the server that collects quality reports.";
"account.X.vq_rtcpxr.collector_server_host" "Quality Collector" HOST "" AtOnce NO_REPORTS "The server that collects quality reports.";
"account.X.vq_rtcpxr.collector_server_port" "Quality Collector Port" PORT "5060" AtOnce NO_REPORTS "The port of the server that collects quality reports.";
}
