//! Phone > Preference and SIP Account > Ring: sound, digits, tones, ring tones, quality reports.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const JITTER: Kind = millis(0, 1_000);
const ONE_DEVICE: Effect =
    kept("The sound goes to the device that --audio names; there is no second speaker.");
const NO_RECORD: Effect = kept("Calls are recorded by --audio file, not to a USB stick.");
const ONE_TONES: Effect = kept("One set of tones is built in.");
const DEVICE: Effect = kept("The sound device or the browser does this before the phone hears anything.");
const NO_HOLD_TONE: Effect =
    kept("Hold is shown on the screen and heard as silence or the exchange's music.");
const DIGITS_SHOWN: Effect = kept("The digits of a call are shown as they are sent.");
const NO_MUTE_TONE: Effect = kept("Mute is shown and not heard.");
const TONE: Kind = TEXT;

rows! { ROWS:
[Template "Phone > Preference > DTMF"]
"features.dtmf.duration" "DTMF Duration" (millis(40, 2_000)) "100" AtOnce ACTS "How long a dialled digit of a call lasts.";
"features.dtmf.min_interval" "DTMF Interval" (millis(0, 2_000)) "60" AtOnce ACTS "The pause between two digits.";
"features.dtmf.volume" "DTMF Volume" (Kind::Number { min: -63, max: 0, unit: "dB" }) "-10" AtOnce ACTS "The level of a digit, below full scale.";
"features.dtmf.repetition" "DTMF Repetition" (number(1, 3)) "3" AtOnce (kept("The end of a digit is always sent three times (RFC 4733 §2.5.1.4).")) "How often the end of a digit is sent (RFC 4733 §2.5.1.4).";
"features.dtmf.hide" "Hide DTMF" BOOL "0" AtOnce DIGITS_SHOWN "Whether digits are shown as stars.";
"features.dtmf.hide_delay" "Hide DTMF Delay" BOOL "0" AtOnce DIGITS_SHOWN "Whether a digit is shown for a moment before it is hidden.";
"features.play_local_dtmf_tone_enable" "Local DTMF Tone" BOOL "1" AtOnce ONE_TONES "Whether a digit is heard by the person who presses it.";
"features.dtmf.replace_tran" "DTMF for Transfer" BOOL "0" AtOnce (kept("The transfer key sends REFER.")) "Whether the transfer key sends digits instead.";
"features.dtmf.transfer" "DTMF Transfer Digits" DIALLED "" AtOnce (kept("The transfer key sends REFER.")) "The digits that the transfer key sends.";
"features.touch_tone" "Touch Tone" BOOL "1" AtOnce ONE_TONES "Whether keys sound when they are pressed.";
[Template "Phone > Preference > Jitter Buffer"]
"voice.jib.adaptive" "Jitter Buffer" (Kind::Choice(&[("0", "fixed"), ("1", "adaptive")])) "1" AtOnce ACTS "Whether the jitter buffer follows the network.";
"voice.jib.min" "Jitter Buffer Minimum" JITTER "60" AtOnce ACTS "The least delay of the adaptive jitter buffer.";
"voice.jib.max" "Jitter Buffer Maximum" JITTER "300" AtOnce ACTS "The most delay of the adaptive jitter buffer.";
"voice.jib.normal" "Jitter Buffer Normal" JITTER "120" AtOnce ACTS "The delay of the fixed jitter buffer.";
"voice.jib.wifi.adaptive" "Wi-Fi Jitter Buffer" (Kind::Choice(&[("0", "fixed"), ("1", "adaptive")])) "1" AtOnce ONE_BUFFER "Whether the jitter buffer follows the network on Wi-Fi.";
"voice.jib.wifi.min" "Wi-Fi Jitter Buffer Minimum" JITTER "60" AtOnce ONE_BUFFER "The least delay on Wi-Fi.";
"voice.jib.wifi.max" "Wi-Fi Jitter Buffer Maximum" JITTER "500" AtOnce ONE_BUFFER "The most delay on Wi-Fi.";
"voice.jib.wifi.normal" "Wi-Fi Jitter Buffer Normal" JITTER "240" AtOnce ONE_BUFFER "The fixed delay on Wi-Fi.";
[Template "Phone > Preference > Voice"]
"voice.vad" "Voice Activity Detection" BOOL "0" AtOnce (kept("Silence is sent as sound, which the offer says by vad=no.")) "Whether silence is not sent.";
"voice.cng" "Comfort Noise" BOOL "1" AtOnce (kept("What is lost is concealed from the sound around it; no noise is made up.")) "Whether silence is filled with noise.";
"voice.echo_cancellation" "Echo Cancellation" BOOL "1" AtOnce DEVICE "Whether the speaker's sound is taken out of the microphone's.";
"voice.side_tone" "Side Tone" (Kind::Number { min: -48, max: 0, unit: "dB" }) "-3" AtOnce DEVICE "How loud one hears oneself.";
"force.voice.ring_vol" "Ring Volume" TEXT "" AtOnce DEVICE "The ring volume that nobody can change.";
"voice.headset.autoreset_spk_vol" "Reset Headset Volume" BOOL "0" AtOnce DEVICE "Whether the headset's volume is reset after a call.";
"voice.handset.autoreset_spk_vol" "Reset Handset Volume" BOOL "0" AtOnce DEVICE "Whether the handset's volume is reset after a call.";
"voice.handfree.autoreset_spk_vol" "Reset Speaker Volume" BOOL "0" AtOnce DEVICE "Whether the speaker's volume is reset after a call.";
"features.headset_training" "Headset Training" BOOL "0" AtOnce ONE_DEVICE "Whether two headsets are used at once.";
"features.headset_prior" "Headset Prior" BOOL "0" AtOnce ONE_DEVICE "Whether the headset comes first.";
"features.headset.ctrl_call.enable" "Headset Control" BOOL "0" AtOnce ONE_DEVICE "Whether the headset's button answers and ends calls.";
"features.speaker_mode.enable" "Speaker Mode" BOOL "1" AtOnce ONE_DEVICE "Whether the speaker may be used.";
"features.headset_mode.enable" "Headset Mode" BOOL "1" AtOnce ONE_DEVICE "Whether the headset may be used.";
"features.handset_mode.enable" "Handset Mode" BOOL "1" AtOnce ONE_DEVICE "Whether the handset may be used.";
"features.group_listen_in_talking_enable" "Group Listening" BOOL "1" AtOnce ONE_DEVICE "Whether the speaker plays what the handset does.";
"phone_setting.headsetkey_mode" "Headset Key Mode" BOOL "0" AtOnce ONE_DEVICE "When the headset key may be used.";
"features.usb_call_recording.enable" "USB Call Recording" BOOL "0" AtOnce NO_RECORD "Whether calls may be recorded to a USB stick.";
"features.idle_recording.enable" "Idle Recording" BOOL "0" AtOnce NO_RECORD "Whether sound may be recorded without a call.";
"features.allow_mute" "Allow Mute" BOOL "1" AtOnce (kept("A person may always switch his microphone off.")) "Whether the microphone may be switched off.";
"features.keep_mute.enable" "Keep Mute" BOOL "0" AtOnce (kept("Each call begins with the microphone on.")) "Whether mute outlasts a call.";
"features.play_mute_tone.enable" "Mute Tone" BOOL "0" AtOnce NO_MUTE_TONE "Whether a tone reminds of mute.";
"features.play_mute_tone.interval" "Mute Tone Interval" (seconds(1, 3_600)) "5" AtOnce NO_MUTE_TONE "How often a tone reminds of mute.";
"features.play_hold_tone.enable" "Hold Tone" BOOL "1" AtOnce NO_HOLD_TONE "Whether a tone reminds of a held call.";
"features.play_hold_tone.delay" "Hold Tone Delay" (seconds(0, 3_600)) "30" AtOnce NO_HOLD_TONE "How long after hold the tone begins.";
"features.play_hold_tone.interval" "Hold Tone Interval" (seconds(0, 3_600)) "30" AtOnce NO_HOLD_TONE "How often the tone is heard.";
"features.play_held_tone.enable" "Held Tone" BOOL "0" AtOnce NO_HOLD_TONE "Whether a tone tells that the far end holds the call.";
"features.play_held_tone.delay" "Held Tone Delay" (seconds(0, 3_600)) "30" AtOnce NO_HOLD_TONE "How long after the far end's hold the tone begins.";
"features.play_held_tone.interval" "Held Tone Interval" (seconds(0, 3_600)) "60" AtOnce NO_HOLD_TONE "How often the tone is heard.";
[Template "Phone > Preference > Tones"]
"voice.tone.country" "Tone Country" TEXT "Custom" AtOnce ONE_TONES "The country whose tones are heard.";
"voice.tone.dial" "Dial Tone" TONE "" AtOnce ONE_TONES "The dial tone as frequencies/duration in ms.";
"voice.tone.secondary_dial" "Secondary Dial Tone" TONE "" AtOnce ONE_TONES "The dial tone after an outside prefix.";
"voice.tone.ring" "Ringback Tone" TONE "" AtOnce ONE_TONES "The tone while the far end rings.";
"voice.tone.busy" "Busy Tone" TONE "" AtOnce ONE_TONES "The tone of a busy far end.";
"voice.tone.congestion" "Congestion Tone" TONE "" AtOnce ONE_TONES "The tone of a call that failed.";
"voice.tone.callwaiting" "Call Waiting Tone" TONE "" AtOnce ONE_TONES "The tone of a second call.";
"voice.tone.dialrecall" "Dial Recall Tone" TONE "" AtOnce ONE_TONES "The dial tone during a transfer.";
"voice.tone.info" "Info Tone" TONE "" AtOnce ONE_TONES "The special information tone.";
"voice.tone.stutter" "Stutter Tone" TONE "" AtOnce ONE_TONES "The dial tone while messages wait.";
"voice.tone.message" "Message Tone" TONE "" AtOnce ONE_TONES "The tone of a new message.";
"voice.tone.autoanswer" "Auto Answer Tone" TONE "" AtOnce ONE_TONES "The tone before a call answers itself.";
"features.partition_tone" "Partition Tone" BOOL "0" AtOnce ONE_TONES "Whether the dial tone after an outside prefix differs.";
"features.custom_auto_answer_tone.enable" "Custom Auto Answer Tone" BOOL "0" AtOnce ONE_TONES "Whether the auto answer tone is a file.";
"features.congestion_tone.codelist" "Congestion Tone Codes" TEXT "" AtOnce ONE_TONES "The answers after which the congestion tone is heard.";
"features.alert_info_tone" "Alert-Info Tone" BOOL "0" AtOnce ONE_TONES "Whether Alert-Info chooses the call waiting tone.";
"features.voice_mail_tone_enable" "Voice Mail Tone" BOOL "1" AtOnce ONE_TONES "Whether a dial tone tells of waiting messages.";
"phone_setting.ring_for_tranfailed" "Ring for Failed Transfer" TEXT "" AtOnce (kept("A failed transfer is told on the screen, and its call comes back.")) "The ring tone of a call that comes back from a transfer.";
[Template "SIP Account > Ring"]
"phone_setting.ring_type" "Ring Type" TEXT "Ring1.wav" AtOnce ACTS "The ring tone of the phone.";
"distinctive_ring_tones.alert_info.X.text" "Alert-Info Text" TEXT "" AtOnce ACTS "The text in Alert-Info for which the ring tone below is used.";
"distinctive_ring_tones.alert_info.X.ringer" "Alert-Info Ringer" TEXT "1" AtOnce ACTS "The ring tone for that text: its number or file.";
"ringtone.url" "Ring Tone File" URI "" AtOnce NO_RINGS "Where a ring tone is downloaded from.";
"ringtone.delete" "Delete Ring Tone" TEXT "" AtOnce NO_RINGS "The downloaded ring tone that is deleted.";
[Template "SIP Account > RTCP"]
"voice.rtcp.enable" "RTCP" BOOL "1" AtOnce ACTS "Whether RTCP is sent.";
"voice.rtcp_cname" "RTCP CNAME" TEXT "" AtOnce (kept("The CNAME is random and names nobody (RFC 7022).")) "The name of the phone in RTCP.";
"voice.rtcp_xr.enable" "RTCP-XR" BOOL "0" AtOnce NO_REPORTS "Whether extended reports are sent.";
"phone_setting.vq_rtcpxr.session_report.enable" "Session Report" BOOL "0" AtOnce NO_REPORTS "Whether a report is sent after a call.";
"phone_setting.vq_rtcpxr.interval_report.enable" "Interval Report" BOOL "0" AtOnce NO_REPORTS "Whether reports are sent during a call.";
"phone_setting.vq_rtcpxr_interval_period" "Interval Period" (seconds(5, 3_600)) "20" AtOnce NO_REPORTS "How often a report is sent during a call.";
"phone_setting.vq_rtcpxr.states_show_on_web.enable" "Quality on the Web Page" BOOL "0" AtOnce ALL_FIGURES "Whether the web page shows the figures.";
"phone_setting.vq_rtcpxr.states_show_on_gui.enable" "Quality on the Screen" BOOL "0" AtOnce ALL_FIGURES "Whether the screen shows the figures.";
"phone_setting.vq_rtcpxr_delay_threshold_warning" "Delay Warning" (millis(0, 10_000)) "0" AtOnce NO_REPORTS "The delay from which a warning is sent; 0: none.";
"phone_setting.vq_rtcpxr_delay_threshold_critical" "Delay Alert" (millis(0, 10_000)) "0" AtOnce NO_REPORTS "The delay from which an alert is sent; 0: none.";
"phone_setting.vq_rtcpxr_moslq_threshold_warning" "MOS Warning" TEXT "" AtOnce NO_REPORTS "The MOS-LQ below which a warning is sent.";
"phone_setting.vq_rtcpxr_moslq_threshold_critical" "MOS Alert" TEXT "" AtOnce NO_REPORTS "The MOS-LQ below which an alert is sent.";
"phone_setting.vq_rtcpxr_display_start_time.enable" "Show Start Time" BOOL "1" AtOnce ALL_FIGURES "Whether the start of the call is among the figures.";
"phone_setting.vq_rtcpxr_display_stop_time.enable" "Show Stop Time" BOOL "1" AtOnce ALL_FIGURES "Whether the end of the call is among the figures.";
"phone_setting.vq_rtcpxr_display_local_call_id.enable" "Show Local Call-ID" BOOL "1" AtOnce ALL_FIGURES "Whether the local Call-ID is among the figures.";
"phone_setting.vq_rtcpxr_display_remote_call_id.enable" "Show Remote Call-ID" BOOL "1" AtOnce ALL_FIGURES "Whether the remote Call-ID is among the figures.";
"phone_setting.vq_rtcpxr_display_local_codec.enable" "Show Local Codec" BOOL "1" AtOnce ALL_FIGURES "Whether the local codec is among the figures.";
"phone_setting.vq_rtcpxr_display_remote_codec.enable" "Show Remote Codec" BOOL "1" AtOnce ALL_FIGURES "Whether the remote codec is among the figures.";
"phone_setting.vq_rtcpxr_display_jitter.enable" "Show Jitter" BOOL "1" AtOnce ALL_FIGURES "Whether jitter is among the figures.";
"phone_setting.vq_rtcpxr_display_jitter_buffer_max.enable" "Show Jitter Buffer Maximum" BOOL "1" AtOnce ALL_FIGURES "Whether the largest jitter buffer is among the figures.";
"phone_setting.vq_rtcpxr_display_packets_lost.enable" "Show Packets Lost" BOOL "1" AtOnce ALL_FIGURES "Whether lost packets are among the figures.";
"phone_setting.vq_rtcpxr_display_moslq.enable" "Show MOS-LQ" BOOL "1" AtOnce ALL_FIGURES "Whether the listening quality is among the figures.";
"phone_setting.vq_rtcpxr_display_moscq.enable" "Show MOS-CQ" BOOL "1" AtOnce ALL_FIGURES "Whether the conversational quality is among the figures.";
"phone_setting.vq_rtcpxr_display_round_trip_delay.enable" "Show Round Trip Delay" BOOL "1" AtOnce ALL_FIGURES "Whether the round trip is among the figures.";
"phone_setting.vq_rtcpxr_display_symm_oneway_delay.enable" "Show One-way Delay" BOOL "1" AtOnce ALL_FIGURES "Whether the one-way delay is among the figures.";
}
const ONE_BUFFER: Effect = kept("The jitter buffer is the same on every network; set voice.jib.* instead.");
const NO_RINGS: Effect = kept("Ring tones are those that come with the program.");
const ALL_FIGURES: Effect = kept("The figures of a call are always all there.");
