//! Phone > Preference: forward, DND, call waiting, dialling, transfer, pickup, park, intercom.

use super::words::*;
use super::{Effect, rows};
use crate::settings::kind::Kind;

const REFUSE: Kind = Kind::Choice(&[
    ("404", "Not Found"),
    ("480", "Temporarily Unavailable"),
    ("486", "Busy Here"),
    ("603", "Decline"),
]);
const SEND_KEY: Kind = Kind::Choice(&[("0", "none"), ("1", "#"), ("2", "*")]);
const WHOLE_NUMBERS: Effect = kept(
    "Numbers come whole, by --stdio and the HTTP API; nobody lifts a receiver and types digit by digit.",
);
const LINES: Kind = Kind::Numbers { min: 0, max: 16 };

rows! { ROWS:
[Template "Phone > Forward"]
"features.fwd.allow" "Allow Forward" BOOL "1" AtOnce ACTS "Whether calls may be forwarded at all.";
"features.fwd_mode" "Forward Mode" (Kind::Choice(&[("0", "phone"), ("1", "account")])) "0" AtOnce ACTS "Whether one set of forwards holds for the phone or each account has its own.";
"forward.always.enable" "Always Forward" BOOL "0" AtOnce ACTS "Whether every call is forwarded.";
"forward.always.target" "Always Forward To" DIALLED "" AtOnce ACTS "Where every call goes.";
"forward.always.on_code" "Always Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on, so that the server knows too.";
"forward.always.off_code" "Always Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
"forward.busy.enable" "Busy Forward" BOOL "0" AtOnce ACTS "Whether calls are forwarded while the phone is on a call or DND is on.";
"forward.busy.target" "Busy Forward To" DIALLED "" AtOnce ACTS "Where calls go while busy.";
"forward.busy.on_code" "Busy Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on.";
"forward.busy.off_code" "Busy Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
"forward.no_answer.enable" "No Answer Forward" BOOL "0" AtOnce ACTS "Whether calls are forwarded when nobody answers.";
"forward.no_answer.target" "No Answer Forward To" DIALLED "" AtOnce ACTS "Where calls go that nobody answers.";
"forward.no_answer.timeout" "After Ring Time" (seconds(0, 300)) "10" AtOnce ACTS "How long a call rings before it is forwarded, in seconds (not in rings).";
"forward.no_answer.on_code" "No Answer Forward On Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched on.";
"forward.no_answer.off_code" "No Answer Forward Off Code" DIALLED "" AtOnce ACTS "Dialled when the forward is switched off.";
"features.fwd_diversion_enable" "Diversion" BOOL "1" AtOnce ACTS "Whether a forward tells by Diversion who was called and why.";
"forward.international.enable" "Forward International" BOOL "1" AtOnce ACTS "Whether calls may be forwarded to numbers with an international prefix (00 or +).";
"features.forward.emergency.enable" "Forward Emergency Calls" BOOL "0" AtOnce ACTS "Off: calls from the authorised numbers ring here although everything is forwarded.";
"features.forward.emergency.authorized_number" "Authorised Numbers" TEXT "" AtOnce ACTS "Callers, separated by commas, whose calls are not forwarded.";
[Template "Phone > DND"]
"features.dnd.enable" "DND" BOOL "0" AtOnce ACTS "Whether calls of every account are turned away.";
"features.dnd.on_code" "DND On Code" DIALLED "" AtOnce ACTS "Dialled when DND is switched on.";
"features.dnd.off_code" "DND Off Code" DIALLED "" AtOnce ACTS "Dialled when DND is switched off.";
"features.dnd_refuse_code" "DND Refuse Code" REFUSE "480" AtOnce ACTS "The answer to a call while DND is on.";
"features.normal_refuse_code" "Refuse Code" REFUSE "486" AtOnce ACTS "The answer to a call that a person rejects.";
"features.no_answer_code" "No Answer Code" REFUSE "480" AtOnce ACTS "The answer to a call that rang in vain.";
"features.anonymous_response_code" "Anonymous Refuse Code" (Kind::Choice(&[("403", "Forbidden"), ("433", "Anonymity Disallowed"), ("480", "Temporarily Unavailable"), ("486", "Busy Here"), ("603", "Decline")])) "433" AtOnce ACTS "The answer to an anonymous call that is rejected (RFC 5079).";
[Template "Phone > Call Waiting"]
"call_waiting.enable" "Call Waiting" BOOL "1" AtOnce ACTS "Whether a second call rings during a call; off: it gets 486.";
"call_waiting.tone" "Call Waiting Tone" BOOL "1" AtOnce ACTS "Whether a waiting call is heard.";
"call_waiting.on_code" "Call Waiting On Code" DIALLED "" AtOnce ACTS "Dialled when call waiting is switched on.";
"call_waiting.off_code" "Call Waiting Off Code" DIALLED "" AtOnce ACTS "Dialled when call waiting is switched off.";
"phone_setting.call_appearance.calls_per_linekey" "Calls per Line Key" (number(1, 24)) "8" AtOnce ACTS "How many calls an account may have at once.";
[Template "Phone > Dialling"]
"auto_redial.enable" "Auto Redial" BOOL "0" AtOnce ACTS "Whether a busy number is dialled again by itself.";
"auto_redial.interval" "Auto Redial Interval" (seconds(1, 300)) "10" AtOnce ACTS "How long to wait before it is dialled again.";
"auto_redial.times" "Auto Redial Times" (number(1, 300)) "10" AtOnce ACTS "How often it is dialled again.";
"features.hotline_number" "Hotline Number" DIALLED "" AtOnce ACTS "The number that is dialled when the receiver is lifted; empty: none.";
"features.hotline_delay" "Hotline Delay" (seconds(0, 180)) "4" AtOnce WHOLE_NUMBERS "How long the hotline waits for a digit first.";
"features.key_as_send" "Key as Send" SEND_KEY "1" AtOnce WHOLE_NUMBERS "The key that ends a number and dials it.";
"features.send_pound_key" "Send # Itself" BOOL "0" AtOnce WHOLE_NUMBERS "Whether the key that sends is part of the number.";
"phone_setting.inter_digit_time" "Inter Digit Time" (seconds(1, 14)) "4" AtOnce WHOLE_NUMBERS "How long after the last digit the number is dialled.";
"phone_setting.predial_autodial" "Dial by Itself" BOOL "0" AtOnce WHOLE_NUMBERS "Whether a number typed before lifting the receiver is dialled after the inter digit time.";
"phone_setting.ringing_timeout" "Ringing Timeout" (seconds(0, 3_600)) "180" AtOnce ACTS "How long an incoming call rings; 0: as long as the caller likes.";
"phone_setting.ringback_timeout" "Ringback Timeout" (seconds(0, 3_600)) "180" AtOnce ACTS "How long an outgoing call rings; 0: as long as the server likes.";
"features.busy_tone_delay" "Busy Tone Delay" (Kind::Choice(&[("0", "0 s"), ("3", "3 s"), ("5", "5 s")])) "0" AtOnce ACTS "How long the busy tone is heard after the far end hangs up.";
"features.call.dialtone_time_out" "Dial Tone Timeout" (seconds(0, 300)) "15" AtOnce WHOLE_NUMBERS "How long the dial tone is heard without a digit.";
"features.call_num_filter" "Number Filter" TEXT ",-()" AtOnce ACTS "Characters that are taken out of a dialled number; blanks always are.";
"features.linekey_call_with_default_account" "Keys Call with Default Account" BOOL "0" AtOnce ACTS "Whether dialling keys use the default account instead of their own.";
[Template "Phone > Auto Answer and Intercom"]
"features.auto_answer_delay" "Auto Answer Delay" (seconds(0, 10)) "1" AtOnce ACTS "How long a call rings before it is answered by itself.";
"features.auto_answer_tone.enable" "Auto Answer Tone" BOOL "1" AtOnce ACTS "Whether a tone is heard before a call answers itself.";
"features.auto_answer.first_call_only" "Auto Answer First Call Only" BOOL "1" AtOnce ACTS "Whether calls answer themselves only while there is no other call.";
"features.ip_call.auto_answer.enable" "Auto Answer IP Calls" BOOL "0" AtOnce (kept("Whoever reaches the phone could listen to the room: only calls by way of a server answer themselves.")) "Whether calls from bare addresses answer themselves.";
"features.mute.autoanswer_mute.enable" "Mute on Auto Answer" BOOL "0" AtOnce ACTS "Whether the microphone is off in a call that answered itself.";
"features.intercom.allow" "Intercom Allow" BOOL "1" AtOnce ACTS "Whether a call by way of the server may make the phone answer (Call-Info, Alert-Info, Answer-Mode).";
"features.intercom.mute" "Intercom Mute" BOOL "0" AtOnce ACTS "Whether the microphone is off in an intercom call.";
"features.intercom.tone" "Intercom Tone" BOOL "1" AtOnce ACTS "Whether a tone is heard before an intercom call.";
"features.intercom.barge" "Intercom Barge" BOOL "0" AtOnce ACTS "Whether an intercom call is answered during a call, which is then held.";
"features.intercom.feature_access_code" "Intercom Code" DIALLED "" AtOnce ACTS "Dialled before the number of an intercom key; empty: Call-Info asks for the answer.";
[Ours "Phone > Auto Answer and Intercom"]
"features.intercom.callers" "Intercom Callers" TEXT "" AtOnce ACTS "The numbers whose calls may make the phone answer, divided by commas; empty: all that the server lets ask for it.";
[Template "Phone > Transfer and Conference"]
"transfer.dsskey_deal_type" "Transfer by Key" (Kind::Choice(&[("0", "new call"), ("1", "attended"), ("2", "blind")])) "2" AtOnce ACTS "What pressing a dialling key during a call does.";
"transfer.semi_attend_tran_enable" "Semi-attended Transfer" BOOL "1" AtOnce ACTS "Whether a call may be transferred to a target that still rings.";
"transfer.on_hook_trans_enable" "Transfer on Hook" BOOL "0" AtOnce ACTS "Whether hanging up completes an attended transfer.";
"transfer.blind_tran_on_hook_enable" "Blind Transfer on Hook" BOOL "0" AtOnce (kept("A blind transfer is one command here, and nothing is left to complete by hanging up.")) "Whether hanging up completes a blind transfer.";
"transfer.tran_others_after_conf_enable" "Transfer after Conference" BOOL "0" AtOnce ACTS "Whether the other two stay connected when the phone leaves a conference.";
"features.conference.local.enable" "Conference" BOOL "1" AtOnce ACTS "Whether calls may be joined to a conference in the phone.";
[Template "Phone > Pickup and Park"]
"features.pickup.direct_pickup_enable" "Directed Pickup" BOOL "1" AtOnce ACTS "Whether a ringing extension can be picked up.";
"features.pickup.direct_pickup_code" "Directed Pickup Code" DIALLED "*04" AtOnce ACTS "Dialled before the number that is picked up.";
"features.pickup.group_pickup_enable" "Group Pickup" BOOL "1" AtOnce ACTS "Whether a call of the group can be picked up.";
"features.pickup.group_pickup_code" "Group Pickup Code" DIALLED "*4" AtOnce ACTS "Dialled to pick up a call of the group.";
"features.pickup.blf_audio_enable" "BLF Audio Alert" BOOL "0" AtOnce ACTS "Whether a watched extension that rings is heard.";
"features.pickup.blf_visual_enable" "BLF Visual Alert" BOOL "0" AtOnce ACTS "Whether a watched extension that rings is shown with its caller.";
"features.call_park.enable" "Call Park" BOOL "1" AtOnce ACTS "Whether calls can be parked.";
"features.call_park.park_mode" "Park Mode" (Kind::Choice(&[("0", "XSI"), ("1", "FAC"), ("2", "transfer")])) "2" AtOnce ACTS "Whether a call is parked by dialling the code or by transfer to it; XSI counts as transfer.";
"features.call_park.park_code" "Park Code" DIALLED "*5" AtOnce ACTS "The code that parks a call.";
"features.call_park.park_retrieve_code" "Retrieve Code" DIALLED "" AtOnce ACTS "The code before the number of a parked call; empty: the number alone.";
[Relative "Phone > Dial Rule"]
"dialplan.replace.prefix.X" "Replace Prefix" TEXT "" AtOnce ACTS "The pattern of numbers that are rewritten.";
"dialplan.replace.replace.X" "Replace By" TEXT "" AtOnce ACTS "What such a number becomes; $1 to $9 are the pattern's groups.";
"dialplan.replace.line_id.X" "Replace on Lines" LINES "" AtOnce ACTS "The accounts for which the rule holds; empty or 0: all.";
"dialplan.dialnow.rule.X" "Dial Now" TEXT "" AtOnce ACTS "The pattern of numbers that are dialled without waiting.";
"dialplan.dialnow.line_id.X" "Dial Now on Lines" LINES "" AtOnce ACTS "The accounts for which the rule holds; empty or 0: all.";
"dialplan.block_out.number.X" "Block Out" TEXT "" AtOnce ACTS "The pattern of numbers that may not be dialled.";
"dialplan.block_out.line_id.X" "Block Out on Lines" LINES "" AtOnce ACTS "The accounts for which the rule holds; empty or 0: all.";
"dialplan.area_code.code" "Area Code" DIALLED "" AtOnce ACTS "Put before numbers of the lengths below.";
"dialplan.area_code.min_len" "Area Code Minimum Length" (number(1, 15)) "1" AtOnce ACTS "The shortest number that gets the area code.";
"dialplan.area_code.max_len" "Area Code Maximum Length" (number(1, 15)) "15" AtOnce ACTS "The longest number that gets the area code.";
"dialplan.area_code.line_id" "Area Code on Lines" LINES "" AtOnce ACTS "The accounts for which the area code holds; empty or 0: all.";
}
