//! Phone > Preference: screen, lamps, time, language, and what the screen says of calls.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const NO_BACKLIGHT: Effect = kept("The screen is a page; its light is the display's.");
const NO_POWER_LED: Effect =
    kept("There is no power lamp; line keys, messages and missed calls have their own.");
const CLOCK: Effect = kept("Time comes from the clock of this machine.");
const ENGLISH: Effect = kept("The page speaks English.");
const ALL_SHOWN: Effect = kept("The screen shows everything it knows of a call.");
const NO_POPUP: Effect =
    kept("Messages and calls that may be picked up are shown in the one way that the screen has.");
const NO_MODE: Effect = kept("Calls are handled one way, which the screen explains.");
const NO_RULES: Effect = kept("Numbers are dialled as the dial rules say.");
const KEYS_SET: Effect = kept("Line keys are set one by one.");
const KEYS: Kind = Kind::Numbers { min: 1, max: 74 };
const NO_PTT: Effect = kept("Intercom calls are ordinary calls that answer themselves.");

rows! { ROWS:
[Template "Phone > Preference > Display"]
"phone_setting.contrast" "Contrast" (number(1, 10)) "6" AtOnce NO_BACKLIGHT "The contrast of the screen.";
"phone_setting.backlight_time" "Backlight Time" (seconds(0, 3_600)) "0" AtOnce NO_BACKLIGHT "How long the light stays on; 0: always.";
"phone_setting.active_backlight_level" "Active Backlight" (number(0, 10)) "8" AtOnce NO_BACKLIGHT "How bright the screen is in use.";
"phone_setting.inactive_backlight_level" "Inactive Backlight" (number(0, 10)) "1" AtOnce NO_BACKLIGHT "How bright the screen is at rest.";
"features.station_name.value" "Station Name" TEXT "" AtOnce NO_STATION "A name that the idle screen shows.";
"features.station_name.scrolling_display" "Scrolling Station Name" BOOL "0" AtOnce NO_STATION "Whether that name scrolls.";
"features.show_default_account" "Show Default Account" BOOL "1" AtOnce ALL_SHOWN "Whether the idle screen shows the default account.";
"features.config_dsskey_length.shorten" "Key Label Length" (Kind::Choice(&[("0", "default"), ("1", "extended"), ("2", "mid")])) "0" AtOnce ALL_SHOWN "How much of a key's label is shown.";
"features.hide_feature_access_codes.enable" "Hide Feature Codes" BOOL "0" AtOnce ALL_SHOWN "Whether dialled feature codes are hidden.";
"default_input_method.dialing" "Input Method" TEXT "" AtOnce (kept("Letters and digits are typed on a keyboard.")) "The input method when dialling.";
"lang.gui" "Screen Language" TEXT "English" AtOnce ENGLISH "The language of the screen.";
"lang.wui" "Web Language" TEXT "English" AtOnce ENGLISH "The language of the web page.";
[Template "Phone > Preference > Calls"]
"phone_setting.call_info_display_method" "Call Display" TEXT "" AtOnce ALL_SHOWN "Whether name, number or both are shown.";
"phone_setting.call_display_name.mode" "Call Display Name" TEXT "" AtOnce ALL_SHOWN "Whose name of the caller is shown.";
"phone_setting.called_party_info_display.enable" "Show Called Party" BOOL "0" AtOnce ALL_SHOWN "Whether the called account is shown.";
"features.caller_name_type_on_dialing" "Own Name on Dialling" TEXT "" AtOnce ALL_SHOWN "Which name of one's own is shown on dialling.";
"features.missed_call_popup.enable" "Missed Call Popup" BOOL "1" AtOnce ACTS "Whether a missed call is shown for a moment.";
"features.forward_call_popup.enable" "Forwarded Call Popup" BOOL "1" AtOnce ACTS "Whether a forwarded call is shown for a moment.";
"features.voice_mail_popup.enable" "Voice Mail Popup" BOOL "1" AtOnce ACTS "Whether new messages are shown for a moment.";
"features.voice_mail_alert.enable" "Voice Mail Alert" BOOL "1" AtOnce NO_POPUP "Whether new messages are announced.";
"features.pickup_display.method" "Pickup Display" TEXT "" AtOnce NO_POPUP "What is shown of a call that may be picked up.";
"features.pickup.blf_audio.list" "BLF Audio Alert Keys" KEYS "" AtOnce ACTS "The line keys whose ringing is heard, as in 5,7; empty: all.";
"features.pickup.blf_visual.list" "BLF Visual Alert Keys" KEYS "" AtOnce ACTS "The line keys whose ringing is shown, as in 5,7; empty: all.";
"phone_setting.incoming_call_when_dialing.priority" "Incoming Call when Dialling" BOOL "1" AtOnce NO_MODE "Whether an incoming call comes before the dialling screen.";
"phone_setting.incoming_call.reject.enable" "Reject Key" BOOL "1" AtOnce NO_MODE "Whether an incoming call may be rejected.";
"phone_setting.hold_or_swap.mode" "Hold or Swap" TEXT "" AtOnce NO_MODE "What the hold key does with two calls.";
"phone_setting.end_call_net_disconnect.enable" "End Call without Network" BOOL "0" AtOnce (kept("A call ends when its session timer or the person ends it.")) "Whether calls end when the network goes away.";
"features.ignore_incoming_call.enable" "Silence Key" BOOL "1" AtOnce NO_MODE "Whether an incoming call may be silenced.";
"features.off_hook_answer.enable" "Off-hook Answer" BOOL "1" AtOnce NO_MODE "Whether lifting the receiver answers.";
"features.call_out_directory_by_off_hook.enable" "Directory by Off-hook" BOOL "0" AtOnce NO_MODE "Whether lifting the receiver dials what the directory shows.";
"features.call_completion_enable" "Call Completion" BOOL "0" AtOnce (kept("Auto redial calls a busy number again.")) "Whether the phone tells when a busy number is free.";
"features.conference.with_previous_call.enable" "Conference with Previous Call" BOOL "0" AtOnce NO_MODE "Whether the conference key takes the call before.";
"features.local_conf.combine_with_one_press.enable" "One-press Conference" BOOL "0" AtOnce NO_MODE "Whether one press joins two calls.";
"phone_setting.call_appearance.transfer_via_new_linekey" "Transfer by New Line Key" BOOL "0" AtOnce NO_APPEARANCE "Whether a consultation takes another line key.";
"phone_setting.call_appearance.conference_via_new_linekey" "Conference by New Line Key" BOOL "0" AtOnce NO_APPEARANCE "Whether a conference takes another line key.";
"features.transfer_type" "Transfer Type" TEXT "" AtOnce (kept("The phone offers blind and attended transfer side by side.")) "The transfer that the transfer key begins.";
"dialplan.transfer.mode" "Dial Plan for Transfer" TEXT "" AtOnce NO_RULES "Whether the dial rules hold for transfer targets.";
"features.password_dial.enable" "Password Dial" BOOL "0" AtOnce NO_RULES "Whether the end of certain numbers is hidden.";
"features.password_dial.prefix" "Password Dial Prefix" DIALLED "" AtOnce NO_RULES "How such numbers begin.";
"features.password_dial.length" "Password Dial Length" (number(0, 32)) "0" AtOnce NO_RULES "How many of their digits are hidden.";
"forward.idle_access_always_fwd.enable" "Forward on Idle Screen" BOOL "0" AtOnce NO_MODE "Whether the idle screen leads to the forwards.";
"features.forward.no_answer.show_ring_times" "Show Ring Times" TEXT "" AtOnce (kept("The time until a forward is given in seconds.")) "The choices of ring times that are shown.";
"features.auto_linekeys.enable" "Automatic Line Keys" BOOL "0" AtOnce KEYS_SET "Whether accounts fill line keys by themselves.";
"features.intercom.mode" "Intercom Mode" TEXT "" AtOnce NO_PTT "How an intercom key asks for the answer.";
"features.intercom.led.enable" "Intercom Lamp" BOOL "0" AtOnce NO_PTT "Whether an intercom key has a lamp.";
"features.intercom.ptt_mode.enable" "Push to Talk" BOOL "0" AtOnce NO_PTT "Whether an intercom call lasts as long as its key is held.";
"features.call_park.direct_send.enable" "Park at Once" BOOL "0" AtOnce NO_PARK "Whether a park code is dialled without asking.";
"features.call_park.park_visual_notify_enable" "Show Parked Calls" BOOL "0" AtOnce NO_PARK "Whether a parked call of a watched number is announced.";
"features.call_park.park_ring" "Sound for Parked Calls" BOOL "0" AtOnce NO_PARK "Whether a parked call of a watched number is heard.";
"features.call_park.group_enable" "Group Park" BOOL "0" AtOnce NO_PARK "Whether calls may be parked for a group.";
"features.call_park.group_park_code" "Group Park Code" DIALLED "" AtOnce NO_PARK "The code that parks a call for a group.";
"features.call_park.line_restriction.enable" "Park on Own Line" BOOL "0" AtOnce NO_PARK "Whether a call is retrieved on the line that parked it only.";
"features.feature_key_sync.enable" "Feature Key Sync" BOOL "0" AtOnce (kept("DND and forward are not mirrored by as-feature-event; their on and off codes are dialled.")) "Whether DND and forward are mirrored at the server.";
"meta.enable" "Metaswitch" BOOL "0" AtOnce (kept("The phone has no dialect for a brand of server.")) "Whether the features of one brand of server are used.";
[Template "Phone > Preference > Power LED"]
"phone_setting.common_power_led_enable" "Common Power Lamp" BOOL "0" AtOnce NO_POWER_LED "Whether the lamp is lit at rest.";
"phone_setting.ring_power_led_flash_enable" "Ringing Power Lamp" BOOL "1" AtOnce NO_POWER_LED "Whether the lamp flashes for a call.";
"phone_setting.mail_power_led_flash_enable" "Message Power Lamp" BOOL "1" AtOnce NO_POWER_LED "Whether the lamp flashes for messages.";
"phone_setting.mute_power_led_flash_enable" "Mute Power Lamp" BOOL "0" AtOnce NO_POWER_LED "Whether the lamp flashes for mute.";
"phone_setting.talk_and_dial_power_led_enable" "Talk Power Lamp" BOOL "0" AtOnce NO_POWER_LED "Whether the lamp is lit in a call.";
"phone_setting.hold_and_held_power_led_flash_enable" "Hold Power Lamp" BOOL "0" AtOnce NO_POWER_LED "Whether the lamp flashes for hold.";
"phone_setting.missed_call_power_led_flash.enable" "Missed Call Power Lamp" BOOL "1" AtOnce NO_POWER_LED "Whether the lamp flashes for missed calls.";
[Template "Phone > Preference > Time"]
"local_time.time_zone" "Time Zone" TEXT "+8" AtOnce CLOCK "The time zone, as hours from UTC.";
"local_time.time_format" "Time Format" (Kind::Choice(&[("0", "12 hours"), ("1", "24 hours")])) "1" AtOnce CLOCK "How the time is written.";
"local_time.date_format" "Date Format" (Kind::Choice(&[("0", "WWW MMM DD"), ("1", "DD-MMM-YY"), ("2", "YYYY-MM-DD"), ("3", "DD/MM/YYYY"), ("4", "MM/DD/YY"), ("5", "DD MMM YYYY"), ("6", "WWW DD MMM")])) "0" AtOnce CLOCK "How the date is written.";
"local_time.ntp_server1" "NTP Server" HOST "" AtOnce CLOCK "The first time server.";
"local_time.ntp_server2" "Secondary NTP Server" HOST "" AtOnce CLOCK "The second time server.";
"local_time.manual_ntp_srv_prior" "Manual NTP First" BOOL "0" AtOnce CLOCK "Whether the set time server comes before that of DHCP.";
"local_time.manual_time_enable" "Manual Time" BOOL "0" AtOnce CLOCK "Whether a person sets the time.";
"local_time.dhcp_time" "DHCP Time" BOOL "0" AtOnce CLOCK "Whether DHCP sets the time zone.";
"auto_dst.url" "Summer Time File" URI "" AtOnce CLOCK "Where the rules of summer time are downloaded from.";
}
const NO_STATION: Effect = kept("The idle screen shows accounts and model.");
const NO_APPEARANCE: Effect =
    kept("Calls are listed on the screen; a new call needs no line key of its own.");
const NO_PARK: Effect = kept("A park key parks and retrieves by the codes; the rest is the exchange's.");
