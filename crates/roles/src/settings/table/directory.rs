//! Phone > Directory, Multicast Paging and Action URL.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const NO_LDAP: Effect = kept("LDAP is not spoken; the directory is the phone's own.");
const NO_BOOK: Effect = kept("Phonebooks are not fetched; the directory is the phone's own.");
const NO_PAGING: Effect = kept("Multicast paging is neither sent nor heard.");
const FOLLOWED: Effect =
    kept("Programs follow the phone by --stdio and the HTTP API; it calls no addresses itself.");
const REMOTE: Effect = kept("Programs steer the phone by --stdio and the HTTP API.");

rows! { ROWS:
[Template "Phone > Directory"]
"local_contact.data.url" "Contacts File" URI "" AtOnce NO_BOOK "Where contacts are downloaded from.";
"local_contact.data.delete" "Delete Contacts" TEXT "" AtOnce NO_BOOK "Which contacts are deleted.";
"remote_phonebook.data.X.url" "Phonebook URL" URI "" AtOnce NO_BOOK "Where the phonebook stands.";
"remote_phonebook.data.X.name" "Phonebook Name" TEXT "" AtOnce NO_BOOK "What the phonebook is called.";
"remote_phonebook.data.X.username" "Phonebook User" TEXT "" AtOnce NO_BOOK "The user name at the phonebook's server.";
"remote_phonebook.data.X.password" "Phonebook Password" SECRET "" AtOnce NO_BOOK "The password at the phonebook's server.";
[Template "Phone > LDAP"]
"ldap.enable" "LDAP" BOOL "0" AtOnce NO_LDAP "Whether an LDAP directory is searched.";
"ldap.host" "LDAP Server" HOST "" AtOnce NO_LDAP "The LDAP server.";
"ldap.port" "LDAP Port" PORT "389" AtOnce NO_LDAP "The port of the LDAP server.";
"ldap.base" "LDAP Base" TEXT "" AtOnce NO_LDAP "Where in the directory a search begins.";
"ldap.user" "LDAP User" TEXT "" AtOnce NO_LDAP "The user name at the LDAP server.";
"ldap.password" "LDAP Password" SECRET "" AtOnce NO_LDAP "The password at the LDAP server.";
"ldap.version" "LDAP Version" (number(2, 3)) "3" AtOnce NO_LDAP "The version of the protocol.";
"ldap.tls_mode" "LDAP TLS Mode" (Kind::Choice(&[("0", "LDAP"), ("1", "StartTLS"), ("2", "LDAPS")])) "0" AtOnce NO_LDAP "How the connection is protected.";
"ldap.max_hits" "LDAP Hits" (number(1, 32_000)) "50" AtOnce NO_LDAP "The most entries that a search gives.";
"ldap.name_filter" "LDAP Name Filter" TEXT "" AtOnce NO_LDAP "How names are searched.";
"ldap.number_filter" "LDAP Number Filter" TEXT "" AtOnce NO_LDAP "How numbers are searched.";
"ldap.name_attr" "LDAP Name Attributes" TEXT "" AtOnce NO_LDAP "The attributes that hold names.";
"ldap.numb_attr" "LDAP Number Attributes" TEXT "" AtOnce NO_LDAP "The attributes that hold numbers.";
"ldap.display_name" "LDAP Display Name" TEXT "" AtOnce NO_LDAP "How a found name is shown.";
"ldap.numb_display_mode" "LDAP Number Display" TEXT "" AtOnce NO_LDAP "How found numbers are shown.";
"ldap.customize_label" "LDAP Label" TEXT "" AtOnce NO_LDAP "What the directory is called.";
"ldap.search_type" "LDAP Search Type" TEXT "" AtOnce NO_LDAP "Whether names must begin with or contain what is typed.";
"ldap.ldap_sort" "LDAP Sort" BOOL "0" AtOnce NO_LDAP "Whether found entries are sorted.";
"ldap.call_in_lookup" "LDAP for Incoming Calls" BOOL "0" AtOnce NO_LDAP "Whether callers are looked up.";
"ldap.call_out_lookup" "LDAP for Outgoing Calls" BOOL "1" AtOnce NO_LDAP "Whether dialled numbers are looked up.";
"ldap.incoming_call_special_search.enable" "LDAP Special Search" BOOL "0" AtOnce NO_LDAP "Whether a caller's number is looked up without its prefix.";
[Template "Phone > Multicast Paging"]
"multicast.codec" "Paging Codec" TEXT "" AtOnce NO_PAGING "The codec of pages.";
"multicast.paging_address.X.ip_address" "Paging Address" TEXT "" AtOnce NO_PAGING "The group and port to which a page is sent.";
"multicast.paging_address.X.label" "Paging Label" TEXT "" AtOnce NO_PAGING "What the group is called.";
"multicast.paging_address.X.channel" "Paging Channel" (number(0, 30)) "0" AtOnce NO_PAGING "The channel of the group.";
"multicast.listen_address.X.ip_address" "Listening Address" TEXT "" AtOnce NO_PAGING "The group and port that is listened to.";
"multicast.listen_address.X.label" "Listening Label" TEXT "" AtOnce NO_PAGING "What the group is called.";
"multicast.listen_address.X.channel" "Listening Channel" (number(0, 30)) "0" AtOnce NO_PAGING "The channel of the group.";
"multicast.listen_address.X.volume" "Listening Volume" (number(0, 15)) "0" AtOnce NO_PAGING "How loud pages of the group are; 0: as calls.";
"multicast.receive_priority.enable" "Paging Priority Active" BOOL "1" AtOnce NO_PAGING "Whether a more important page interrupts another.";
"multicast.receive_priority.priority" "Paging Barge" (number(0, 31)) "31" AtOnce NO_PAGING "From which importance a page interrupts a call.";
"multicast.receive.use_speaker" "Paging by Speaker" BOOL "0" AtOnce NO_PAGING "Whether pages are always heard from the speaker.";
"multicast.receive.enhance_volume" "Louder Paging" BOOL "0" AtOnce NO_PAGING "Whether pages are louder than calls.";
"multicast.receive.ignore_dnd.priority" "Paging in spite of DND" (number(0, 31)) "0" AtOnce NO_PAGING "From which importance a page is heard in spite of DND.";
[Template "Phone > Action URI"]
"features.action_uri.enable" "Action URI" BOOL "1" AtOnce REMOTE "Whether the phone may be steered by addresses.";
"features.action_uri_limit_ip" "Action URI Allowed IP" TEXT "" AtOnce REMOTE "Who may steer it.";
"features.show_action_uri_option" "Allow Remote Control" BOOL "1" AtOnce REMOTE "Whether a person is asked first.";
"features.csta_control.enable" "CSTA Control" BOOL "0" AtOnce REMOTE "Whether the phone may be steered by uaCSTA.";
[Template "Phone > Action URL"]
"action_url.setup_completed" "Setup Completed" URI "" AtOnce FOLLOWED "Called when the phone has started.";
"action_url.setup_autop_finish" "Provisioned" URI "" AtOnce FOLLOWED "Called when the phone has its settings.";
"action_url.ip_change" "IP Changed" URI "" AtOnce FOLLOWED "Called when the address changes.";
"action_url.registered" "Registered" URI "" AtOnce FOLLOWED "Called when an account is registered.";
"action_url.unregistered" "Unregistered" URI "" AtOnce FOLLOWED "Called when an account is no longer registered.";
"action_url.register_failed" "Register Failed" URI "" AtOnce FOLLOWED "Called when a registration fails.";
"action_url.off_hook" "Off Hook" URI "" AtOnce FOLLOWED "Called when the receiver is lifted.";
"action_url.on_hook" "On Hook" URI "" AtOnce FOLLOWED "Called when the receiver is laid down.";
"action_url.incoming_call" "Incoming Call" URI "" AtOnce FOLLOWED "Called when a call comes in.";
"action_url.outgoing_call" "Outgoing Call" URI "" AtOnce FOLLOWED "Called when a call goes out.";
"action_url.call_established" "Established" URI "" AtOnce FOLLOWED "Called when a call is answered.";
"action_url.call_terminated" "Terminated" URI "" AtOnce FOLLOWED "Called when a call ends.";
"action_url.missed_call" "Missed Call" URI "" AtOnce FOLLOWED "Called when a call was missed.";
"action_url.answer_new_incoming_call" "Answered New Call" URI "" AtOnce FOLLOWED "Called when a second call is answered.";
"action_url.reject_incoming_call" "Rejected Call" URI "" AtOnce FOLLOWED "Called when a call is rejected.";
"action_url.forward_incoming_call" "Forwarded Call" URI "" AtOnce FOLLOWED "Called when a call is forwarded.";
"action_url.call_remote_canceled" "Remote Cancelled" URI "" AtOnce FOLLOWED "Called when a caller gives up.";
"action_url.remote_busy" "Remote Busy" URI "" AtOnce FOLLOWED "Called when the far end is busy.";
"action_url.cancel_callout" "Cancelled Call" URI "" AtOnce FOLLOWED "Called when a person gives a call up.";
"action_url.idle_to_busy" "Idle to Busy" URI "" AtOnce FOLLOWED "Called when the first call begins.";
"action_url.busy_to_idle" "Busy to Idle" URI "" AtOnce FOLLOWED "Called when the last call ends.";
"action_url.hold" "Hold" URI "" AtOnce FOLLOWED "Called when a call is held.";
"action_url.unhold" "Unhold" URI "" AtOnce FOLLOWED "Called when a call is resumed.";
"action_url.held" "Held" URI "" AtOnce FOLLOWED "Called when the far end holds a call.";
"action_url.unheld" "Unheld" URI "" AtOnce FOLLOWED "Called when the far end resumes a call.";
"action_url.mute" "Mute" URI "" AtOnce FOLLOWED "Called when the microphone is switched off.";
"action_url.unmute" "Unmute" URI "" AtOnce FOLLOWED "Called when the microphone is switched on.";
"action_url.transfer_call" "Transfer" URI "" AtOnce FOLLOWED "Called when a transfer begins.";
"action_url.blind_transfer_call" "Blind Transfer" URI "" AtOnce FOLLOWED "Called when a call is transferred blindly.";
"action_url.attended_transfer_call" "Attended Transfer" URI "" AtOnce FOLLOWED "Called when a call is transferred after a consultation.";
"action_url.transfer_finished" "Transfer Finished" URI "" AtOnce FOLLOWED "Called when a transfer has worked.";
"action_url.transfer_failed" "Transfer Failed" URI "" AtOnce FOLLOWED "Called when a transfer has failed.";
"action_url.dnd_on" "DND On" URI "" AtOnce FOLLOWED "Called when DND is switched on.";
"action_url.dnd_off" "DND Off" URI "" AtOnce FOLLOWED "Called when DND is switched off.";
"action_url.always_fwd_on" "Always Forward On" URI "" AtOnce FOLLOWED "Called when forward always is switched on.";
"action_url.always_fwd_off" "Always Forward Off" URI "" AtOnce FOLLOWED "Called when forward always is switched off.";
"action_url.busy_fwd_on" "Busy Forward On" URI "" AtOnce FOLLOWED "Called when busy forward is switched on.";
"action_url.busy_fwd_off" "Busy Forward Off" URI "" AtOnce FOLLOWED "Called when busy forward is switched off.";
"action_url.no_answer_fwd_on" "No Answer Forward On" URI "" AtOnce FOLLOWED "Called when no answer forward is switched on.";
"action_url.no_answer_fwd_off" "No Answer Forward Off" URI "" AtOnce FOLLOWED "Called when no answer forward is switched off.";
"action_url.call_waiting_on" "Call Waiting On" URI "" AtOnce FOLLOWED "Called when call waiting is switched on.";
"action_url.call_waiting_off" "Call Waiting Off" URI "" AtOnce FOLLOWED "Called when call waiting is switched off.";
"action_url.headset" "Headset" URI "" AtOnce FOLLOWED "Called when the headset key is pressed.";
"action_url.handfree" "Hands Free" URI "" AtOnce FOLLOWED "Called when the speaker key is pressed.";
}
