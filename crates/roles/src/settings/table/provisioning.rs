//! Administration: provision, TR-069, firmware, certificates, web access.

use super::rows;
use super::words::*;
use crate::settings::kind::Kind;
use crate::settings::row::Effect;

const NO_FETCH: Effect = kept("This phone fetches boot and configuration files alone.");
const NO_TR069: Effect = kept("TR-069 is not spoken.");
const NO_REDIRECT: Effect = kept("No redirection service of a vendor is asked.");
const TLS: Effect = kept("TLS 1.2 and 1.3 only, with certificates checked; --ca names a further authority.");
const WEB: Effect = kept("The page stands where --web says.");
const NO_LOGIN: Effect =
    kept("The phone's page has no login of its own; the address that --web gives decides who reaches it.");

rows! { ROWS:
[Template "Administration > Provision"]
"auto_provision.server.url" "Profile Rule" URI "" AtOnce ACTS "The folder or file that the phone fetches its settings from.";
"auto_provision.server.username" "User Name" TEXT "" AtOnce ACTS "The user name at that server.";
"auto_provision.server.password" "Password" SECRET "" AtOnce ACTS "The password at that server.";
"auto_provision.power_on" "Resync on Reset" BOOL "1" AtOnce ACTS "Whether the phone fetches its settings when it starts.";
"auto_provision.pnp_enable" "PNP Active" BOOL "1" AtOnce ACTS "Whether the phone asks by multicast who serves its settings.";
"auto_provision.repeat.enable" "Repeat" BOOL "1" AtOnce ACTS "Whether the phone fetches its settings again and again.";
"auto_provision.repeat.minutes" "Repeat Interval" (Kind::Number { min: 1, max: 43_200, unit: "min" }) "60" AtOnce ACTS "How often; the web page says it in seconds (Resync Periodic).";
"auto_provision.dhcp_option.enable" "DHCP Options" BOOL "1" AtOnce ACTS "Whether DHCP may name the server.";
"auto_provision.dhcp_option.list_user_options" "Custom DHCP Options" (Kind::Numbers { min: 128, max: 254 }) "" Restart ACTS "Further DHCP options that may name the server (phone --network).";
"auto_provision.dhcp_option.list_user6_options" "Custom DHCPv6 Options" (Kind::Numbers { min: 135, max: 65_535 }) "" AtOnce NO_FETCH "Further DHCPv6 options that may name the server.";
"features.upload_server" "Upload Server" URI "" AtOnce NO_FETCH "Where the phone sends its own files.";
"configuration.url" "Configuration File" URI "" AtOnce ACTS "A whole configuration that is fetched once and counts as if it were set at the phone.";
"custom_factory_configuration.url" "Custom Factory Configuration" URI "" AtOnce ACTS "The file with the values that a factory reset goes back to.";
"features.custom_factory_config.enable" "Custom Factory Settings" BOOL "0" AtOnce ACTS "Whether that file is fetched and a factory reset goes back to it.";
[Relative "Administration > Provision"]
"auto_provision.custom.protect" "Protect Own Settings" BOOL "0" AtOnce ACTS "Whether what was set at the phone stays where a file says something else.";
[Ours "Administration > Provision"]
"auto_provision.advanced.resync_from_sip" "Resync from SIP" BOOL "1" AtOnce ACTS "Whether a NOTIFY check-sync or resync is obeyed.";
"auto_provision.advanced.check_sync_from" "Check-Sync From" (Kind::Choice(&[("0", "registrar"), ("1", "digest"), ("2", "anybody")])) "0" AtOnce ACTS "Who may have the phone fetch its settings or restart by NOTIFY: the servers of its accounts; also others who show name and password of an account; or anybody.";
"auto_provision.advanced.enable" "Provision Enable" BOOL "1" AtOnce ACTS "Whether the phone fetches its settings at all.";
"auto_provision.advanced.resync_random_delay" "Resync Random Delay" (seconds(0, 86_400)) "40" AtOnce ACTS "The longest random wait before the first fetch after a start; 0: none.";
"auto_provision.advanced.resync_error_retry_delay" "Resync Error Retry Delay" (seconds(0, MOST)) "3600" AtOnce ACTS "How long to wait after a failed fetch; 0: no other try.";
"auto_provision.advanced.forced_resync_delay" "Forced Resync Delay" (seconds(0, MOST)) "14400" AtOnce ACTS "How long a fetch waits for the end of calls.";
"auto_provision.advanced.resync_after_upgrade" "Resync after Upgrade" BOOL "1" AtOnce ACTS "Whether the phone fetches its settings after a new program.";
"auto_provision.advanced.option_66" "Option 66" BOOL "1" AtOnce ACTS "Whether DHCP option 66 may name the server.";
"auto_provision.advanced.option_67" "Option 67" BOOL "0" AtOnce ACTS "Whether DHCP option 67 may name the boot file.";
"auto_provision.advanced.config_file_name" "Config File Name" TEXT "$(MA)" AtOnce ACTS "The file that is asked for first at the server of option 66; $(MA) is the MAC address.";
"auto_provision.advanced.user_agent" "User Agent" TEXT "" AtOnce ACTS "The User-Agent of HTTP; empty: the phone's own.";
"auto_provision.advanced.http_authentication" "HTTP Authentication" (Kind::Choice(&[("0", "Basic"), ("1", "Digest")])) "1" AtOnce ACTS "How the phone proves itself to an HTTP server.";
"auto_provision.advanced.resync_periodic" "Resync Periodic" (seconds(0, MOST)) "3600" AtOnce ACTS "How often the phone fetches its settings again; 0: never. Where it is not set, repeat.minutes counts.";
"auto_provision.advanced.rollback_s" "Rollback" (seconds(0, 86_400)) "300" AtOnce ACTS "After how long a downloaded configuration with which no account registers is taken back; 0: never.";
"auto_provision.advanced.redirect_url" "Redirection Service" URI "" AtOnce ACTS "The service that names the server by the phone's MAC address; empty: none is asked.";
[Template "Administration > Provision > Redirection"]
"zero_touch.enable" "Zero Touch" BOOL "0" AtOnce NO_REDIRECT "Whether the vendor's service is asked for the server.";
"zero_touch.wait_time" "Zero Touch Wait" (seconds(0, 100)) "5" AtOnce NO_REDIRECT "How long a person may refuse that.";
"zero_touch.network_fail_delay_times" "Zero Touch Fail Delay" (number(0, MOST)) "0" AtOnce NO_REDIRECT "How the question is delayed without a network.";
"zero_touch.network_fail_wait_times" "Zero Touch Fail Wait" (number(0, MOST)) "0" AtOnce NO_REDIRECT "How long a network is waited for.";
"features.hide_zero_touch_url.enable" "Hide Zero Touch URL" BOOL "0" AtOnce NO_REDIRECT "Whether the server's address is hidden.";
[Template "Administration > TR-069"]
"managementserver.enable" "TR-069" BOOL "0" Restart NO_TR069 "Whether a TR-069 server manages the phone.";
"managementserver.url" "ACS URL" URI "" Restart NO_TR069 "The TR-069 server.";
"managementserver.username" "ACS User" TEXT "" Restart NO_TR069 "The user name at the TR-069 server.";
"managementserver.password" "ACS Password" SECRET "" Restart NO_TR069 "The password at the TR-069 server.";
"managementserver.connection_request_username" "Connection Request User" TEXT "" Restart NO_TR069 "The user name with which the server calls the phone.";
"managementserver.connection_request_password" "Connection Request Password" SECRET "" Restart NO_TR069 "The password with which the server calls the phone.";
"managementserver.periodic_inform_enable" "Periodic Inform" BOOL "1" Restart NO_TR069 "Whether the phone reports regularly.";
"managementserver.periodic_inform_interval" "Periodic Inform Interval" (seconds(5, MOST)) "60" Restart NO_TR069 "How often the phone reports.";
[Template "Administration > Firmware Upgrade"]
"firmware.url" "Firmware File" URI "" AtOnce ACTS "Where new firmware is downloaded from; its checksum is kept and its version told, what it holds is not run.";
[Template "Administration > Certificates"]
"security.trust_certificates" "Only Accept Trusted Certificates" BOOL "1" AtOnce ACTS "Whether servers without a trusted certificate are refused where settings are downloaded.";
"security.ca_cert" "CA Certificates" (Kind::Choice(&[("0", "built-in"), ("1", "custom"), ("2", "all")])) "2" Restart TLS "Which authorities are trusted.";
"security.dev_cert" "Device Certificate" (Kind::Choice(&[("0", "built-in"), ("1", "custom")])) "0" Restart TLS "Which certificate the phone shows.";
"security.cn_validation" "Common Name Validation" BOOL "1" AtOnce ACTS "Whether the server's name must be that in its certificate where settings are downloaded.";
"security.default_ssl_method" "TLS Version" (Kind::Choice(&[("0", "TLS 1.0"), ("3", "automatic"), ("4", "TLS 1.1"), ("5", "TLS 1.2")])) "3" Restart TLS "The version of TLS.";
"security.tls_cipher_list" "TLS Ciphers" TEXT "" Restart TLS "The ciphers that may be used.";
"server_certificates.url" "Server Certificate File" URI "" Restart TLS "Where the phone's own certificate is downloaded from.";
"server_certificates.delete" "Delete Server Certificates" TEXT "" Restart TLS "The own certificates that are deleted.";
"trusted_certificates.url" "Trusted Certificate File" URI "" Restart TLS "Where an authority's certificate is downloaded from.";
"trusted_certificates.delete" "Delete Trusted Certificates" TEXT "" Restart TLS "The authorities that are deleted.";
"phone_setting.reserve_certs_enable" "Keep Certificates" BOOL "0" Restart TLS "Whether a factory reset keeps the certificates.";
[Template "Administration > Management"]
"wui.http_enable" "HTTP" BOOL "1" Restart WEB "Whether the page is served by HTTP.";
"wui.https_enable" "HTTPS" BOOL "1" Restart WEB "Whether the page is served by HTTPS.";
"network.port.http" "HTTP Port" (number(1, 65_535)) "80" Restart WEB "The port of the page by HTTP.";
"network.port.https" "HTTPS Port" (number(1, 65_535)) "443" Restart WEB "The port of the page by HTTPS.";
"security.user_name.admin" "Administrator" TEXT "admin" AtOnce NO_LOGIN "The administrator's name.";
"security.user_password" "Administrator Password" SECRET "" AtOnce NO_LOGIN "User and password of the page, divided by a colon.";
"features.relog_offtime" "Session Time" (Kind::Number { min: 1, max: 1_000, unit: "min" }) "5" AtOnce NO_LOGIN "How long a login lasts.";
"features.reset_by_long_press_enable" "Reset by Long Press" BOOL "1" AtOnce NO_RESET "Whether holding a key resets the phone to the factory's settings.";
"features.factory_pwd_enable" "Factory Reset Password" BOOL "0" AtOnce NO_RESET "Whether a factory reset asks for a password.";
"features.reboot_in_talk_enable" "Reboot in Talk" BOOL "0" AtOnce (kept("A person or a program that restarts the phone means it.")) "Whether the phone may be restarted during a call.";
}
const NO_RESET: Effect = kept("An empty --dir is a phone from the factory.");
