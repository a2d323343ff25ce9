//! SIP Account > Line N: forward, do not disturb, answer, anonymous calls, messages, BLF.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const NO_SHARED: Effect =
    kept("Shared lines are not supported; BLF keys with pickup and park do their work.");
const NO_HOTELING: Effect =
    kept("The server's hoteling is not supported; a resync by MAC address moves a person.");
const NO_XSI: Effect = kept("The server's XSI interface is not spoken.");
const NO_ACD: Effect = kept("Call-centre pages of one brand of server are not opened.");
const NO_LIST: Effect =
    kept("BLF lists (RFC 4662) are not subscribed to; one BLF key for each extension is.");

rows! { ROWS:
[Template "SIP Account > Line > Forward"]
"account.X.always_fwd.enable" "Always Forward" BOOL "0" AtOnce ACTS "Whether every call of this account is forwarded (with forward mode per account).";
"account.X.always_fwd.target" "Always Forward To" DIALLED "" AtOnce ACTS "Where every call goes.";
"account.X.always_fwd.on_code" "Always Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on, so that the server knows too.";
"account.X.always_fwd.off_code" "Always Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
"account.X.busy_fwd.enable" "Busy Forward" BOOL "0" AtOnce ACTS "Whether calls are forwarded while the phone is on a call or DND is on.";
"account.X.busy_fwd.target" "Busy Forward To" DIALLED "" AtOnce ACTS "Where calls go while busy.";
"account.X.busy_fwd.on_code" "Busy Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on.";
"account.X.busy_fwd.off_code" "Busy Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
"account.X.timeout_fwd.enable" "No Answer Forward" BOOL "0" AtOnce ACTS "Whether calls are forwarded when nobody answers.";
"account.X.timeout_fwd.target" "No Answer Forward To" DIALLED "" AtOnce ACTS "Where calls go that nobody answers.";
"account.X.timeout_fwd.timeout" "After Ring Time" (seconds(0, 300)) "10" AtOnce ACTS "How long a call rings before it is forwarded, in seconds (not in rings).";
"account.X.timeout_fwd.on_code" "No Answer Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on.";
"account.X.timeout_fwd.off_code" "No Answer Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
[Template "SIP Account > Line > DND"]
"account.X.dnd.enable" "DND" BOOL "0" AtOnce ACTS "Whether calls of this account are turned away.";
"account.X.dnd.on_code" "DND On Code" DIALLED "" AtOnce ACTS "Dialled when DND is switched on.";
"account.X.dnd.off_code" "DND Off Code" DIALLED "" AtOnce ACTS "Dialled when DND is switched off.";
[Template "SIP Account > Line > Calls"]
"account.X.auto_answer" "Auto Answer" BOOL "0" AtOnce ACTS "Whether calls of this account are answered by themselves.";
"account.X.missed_calllog" "Missed Call Log" BOOL "1" AtOnce ACTS "Whether missed calls of this account are kept in the history.";
"account.X.auto_dial_enable" "Hotline" BOOL "0" AtOnce ACTS "Whether lifting the receiver on this account dials its hotline number.";
"account.X.auto_dial_num" "Hotline Number" DIALLED "" AtOnce ACTS "The number that the hotline dials.";
"account.X.dial_tone" "Dial Tone" TEXT "" AtOnce (kept("One set of tones holds for all accounts.")) "The dial tone of this account.";
"account.X.anonymous_call" "Anonymous Call" BOOL "0" AtOnce ACTS "Whether calls hide who calls.";
"account.X.anonymous_call_oncode" "Anonymous Call On Code" DIALLED "" AtOnce ACTS "Dialled when anonymous calls are switched on.";
"account.X.anonymous_call_offcode" "Anonymous Call Off Code" DIALLED "" AtOnce ACTS "Dialled when anonymous calls are switched off.";
"account.X.send_anonymous_code" "Send Anonymous Code" BOOL "0" AtOnce ACTS "Whether the on and off codes of anonymous calls are dialled.";
"account.X.anonymous_call.server_base_only" "Anonymous by Server Only" BOOL "0" AtOnce ACTS "On: the server hides the caller after its code; the phone's own From stays as it is.";
"account.X.reject_anonymous_call" "Reject Anonymous Calls" BOOL "0" AtOnce ACTS "Whether calls without a caller's identity are rejected.";
"account.X.anonymous_reject_oncode" "Anonymous Rejection On Code" DIALLED "" AtOnce ACTS "Dialled when the rejection is switched on.";
"account.X.anonymous_reject_offcode" "Anonymous Rejection Off Code" DIALLED "" AtOnce ACTS "Dialled when the rejection is switched off.";
"account.X.send_anonymous_rejection_code" "Send Anonymous Rejection Code" BOOL "0" AtOnce ACTS "Whether the on and off codes of the rejection are dialled.";
"account.X.ringtone.ring_type" "Ring Type" TEXT "Common" AtOnce ACTS "The ring tone of this account; Common: the phone's.";
"account.X.alert_info_url_enable" "Ring Tone by Alert-Info" BOOL "1" AtOnce ACTS "Whether Alert-Info chooses among the distinctive ring tones.";
"account.X.conf_type" "Conference Type" (Kind::Choice(&[("0", "local"), ("2", "network")])) "0" AtOnce (kept("Conferences are mixed in the phone.")) "Where conferences are mixed.";
"account.X.conf_uri" "Conference URI" URI "" AtOnce (kept("Conferences are mixed in the phone.")) "The server that mixes conferences.";
"account.X.music_server_uri" "Music Server" URI "" AtOnce (kept("The exchange plays music to a held party where it is set.")) "The server that plays music to a held party.";
"account.X.music_on_hold_type" "Music on Hold Type" (Kind::Choice(&[("0", "before hold"), ("1", "after hold")])) "0" AtOnce (kept("The exchange plays music to a held party where it is set.")) "When the music server is called.";
"account.X.feature_key_sync.enable" "Feature Key Sync" BOOL "0" AtOnce (kept("DND and forward are not mirrored by as-feature-event; their on and off codes are dialled.")) "Whether DND and forward are mirrored at the server.";
"account.X.number_of_linekey" "Number of Line Keys" (number(1, 74)) "1" AtOnce (kept("Line keys are set one by one.")) "How many line keys this account fills by itself.";
"account.X.auto_label.enable" "Automatic Label" BOOL "0" AtOnce (kept("A line key without a label shows the account's label.")) "Whether line keys label themselves.";
"account.X.auto_label.rule" "Automatic Label Rule" TEXT "" AtOnce (kept("A line key without a label shows the account's label.")) "How line keys label themselves.";
"account.X.phone_setting.call_appearance.calls_per_linekey" "Calls per Line Key" (number(0, 24)) "0" AtOnce ACTS "How many calls this account may have at once; 0: as the phone's setting says.";
"account.X.phone_setting.call_appearance.transfer_via_new_linekey" "Transfer by New Line Key" BOOL "0" AtOnce NO_APPEARANCE "Whether a consultation takes another line key.";
"account.X.phone_setting.call_appearance.conference_via_new_linekey" "Conference by New Line Key" BOOL "0" AtOnce NO_APPEARANCE "Whether a conference takes another line key.";
[Template "SIP Account > Line > Voice Mail"]
"account.X.subscribe_mwi" "Subscribe for MWI" BOOL "0" NewRegistration ACTS "Whether the phone asks the server to tell of waiting messages.";
"account.X.subscribe_mwi_expires" "MWI Subscription Period" (seconds(60, 84_600)) "3600" NewRegistration ACTS "How long a subscription to waiting messages is asked for.";
"account.X.subscribe_mwi_to_vm" "Subscribe MWI at Voice Mail" BOOL "0" NewRegistration ACTS "Whether the voice mail number is asked instead of the account itself.";
"account.X.display_mwi.enable" "Show MWI" BOOL "1" AtOnce ACTS "Whether waiting messages of this account light the lamp.";
"account.X.mwi_parse_terminated" "Ended MWI Subscription" BOOL "0" AtOnce (kept("A NOTIFY that ends the subscription is read, and the phone subscribes anew as RFC 6665 says.")) "Whether the body of an ending NOTIFY is read.";
"voice_mail.number.X" "Voice Mailbox Number" DIALLED "" AtOnce ACTS "The number that the message key dials for this account.";
[Template "SIP Account > Line > BLF"]
"account.X.blf.subscribe_period" "BLF Subscription Period" (seconds(30, MOST)) "3600" NewRegistration ACTS "How long a BLF subscription is asked for.";
"account.X.blf.subscribe_event" "BLF Event" (Kind::Choice(&[("0", "dialog"), ("1", "presence")])) "0" NewRegistration (kept("BLF keys subscribe to dialog (RFC 4235); presence does not tell ringing from talking.")) "The event package of BLF keys.";
"account.X.blf.match_host.enable" "BLF Match Host" BOOL "0" AtOnce ACTS "Whether the host of a notified entity must match as well as its user.";
"account.X.out_dialog_blf_enable" "BLF out of Dialog" BOOL "0" AtOnce ACTS "Whether a NOTIFY outside of any subscription may set a lamp.";
"account.X.blf.blf_list_uri" "BLF List URI" URI "" AtOnce NO_LIST "The address of the BLF list.";
"account.X.blf_list_code" "BLF List Pickup Code" DIALLED "*97" AtOnce NO_LIST "The pickup code of the BLF list.";
"account.X.blf_list_barge_in_code" "BLF List Barge-in Code" DIALLED "*33" AtOnce NO_LIST "The barge-in code of the BLF list.";
"account.X.blf_list_retrieve_call_parked_code" "BLF List Retrieve Code" DIALLED "" AtOnce NO_LIST "The code that retrieves a parked call from the BLF list.";
"account.X.direct_pickup_code" "Directed Pickup Code" DIALLED "" AtOnce ACTS "Dialled before the number that is picked up; empty: the phone's code.";
"account.X.group_pickup_code" "Group Pickup Code" DIALLED "" AtOnce ACTS "Dialled to pick up a call of the group; empty: the phone's code.";
"account.X.dialoginfo_callpickup" "Pickup by Dialog Info" BOOL "0" AtOnce ACTS "Whether a pickup replaces the dialog that the notification names, where it names one.";
[Template "SIP Account > Line > Shared Line"]
"account.X.shared_line" "Shared Line" (Kind::Choice(&[("0", "off"), ("1", "BroadSoft SCA"), ("2", "draft BLA")])) "0" AtOnce NO_SHARED "Whether the line is shared with other phones.";
"account.X.line_seize.expires" "Line Seize Expires" (seconds(0, 3_600)) "15" AtOnce NO_SHARED "How long a shared line is seized.";
"account.X.shared_line_one_touch_bargein.enable" "One-touch Barge-in" BOOL "0" AtOnce NO_SHARED "Whether a key press joins a call of the shared line.";
"account.X.shared_line_one_touch_retrieve.enable" "One-touch Retrieve" BOOL "0" AtOnce NO_SHARED "Whether a key press takes a held call of the shared line.";
"account.X.sca_manage_interface_display_time" "SCA Display Time" (seconds(0, 3_600)) "0" AtOnce NO_SHARED "How long the page of the shared line is shown.";
"account.X.shared_line_callpull_code" "Call Pull Code" DIALLED "" AtOnce NO_SHARED "The code that pulls a call of the shared line.";
[Template "SIP Account > Line > Server Features"]
"account.X.hoteling.enable" "Hoteling" BOOL "0" AtOnce NO_HOTELING "Whether guests may log in at this phone.";
"account.X.hoteling.user_id" "Hoteling User" TEXT "" AtOnce NO_HOTELING "The guest's user name.";
"account.X.hoteling.password" "Hoteling Password" SECRET "" AtOnce NO_HOTELING "The guest's password.";
"account.X.hoteling.expires" "Hoteling Expires" (seconds(0, MOST)) "3600" AtOnce NO_HOTELING "How long a guest stays.";
"account.X.hoteling.auto_login_enable" "Hoteling Auto Login" BOOL "0" AtOnce NO_HOTELING "Whether the last guest is logged in by itself.";
"account.X.xsi.user" "XSI User" TEXT "" AtOnce NO_XSI "The user of the server's XSI interface.";
"account.X.xsi.password" "XSI Password" SECRET "" AtOnce NO_XSI "The password of the server's XSI interface.";
"account.X.xsi.host" "XSI Host" HOST "" AtOnce NO_XSI "The host of the server's XSI interface.";
"account.X.xsi.server_type" "XSI Server Type" TEXT "" AtOnce NO_XSI "The transport of the server's XSI interface.";
"account.X.xsi.port" "XSI Port" PORT "80" AtOnce NO_XSI "The port of the server's XSI interface.";
"account.X.acd.available_url" "ACD Available URL" URI "" AtOnce NO_ACD "Fetched when an agent becomes available.";
"account.X.acd.away_url" "ACD Away URL" URI "" AtOnce NO_ACD "Fetched when an agent goes away.";
"account.X.acd.refresh_url" "ACD Refresh URL" URI "" AtOnce NO_ACD "Fetched to refresh an agent's state.";
"account.X.acd.call_information" "ACD Call Information" TEXT "" AtOnce NO_ACD "What an agent sees of a call.";
}
const NO_APPEARANCE: Effect =
    kept("Calls are listed on the screen; a new call needs no line key of its own.");
