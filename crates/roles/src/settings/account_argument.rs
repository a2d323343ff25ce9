//! `--account NUMBER:SECRET@HOST[:PORT][;transport=udp|tcp|tls][;auth=USER][;name=DISPLAY]`.

use super::cfg::{Assignment, Given};
use super::key::Key;
use super::kind::is_host;
use super::source::Source;

/// How the argument is written, for messages.
const FORM: &str = "NUMBER:SECRET@HOST[:PORT][;transport=udp|tcp|tls][;auth=USER][;name=DISPLAY]";

/// The assignments that make `argument` account `account`.
///
/// The last `@` before the options divides the secret from the host, so a secret may contain `@`,
/// `:` and, if no option's name follows it, `;`. An IPv6 address stands in brackets.
///
/// # Errors
/// A sentence that says which part is wrong and how it is written. It never repeats the secret.
pub fn parse_account(argument: &str, account: u8) -> Result<Vec<Assignment>, String> {
    let (who_and_where, options) = split_options(argument);
    let (who, place) =
        who_and_where.rsplit_once('@').ok_or_else(|| wrong("there is no @ before the host"))?;
    let (number, secret) =
        who.split_once(':').ok_or_else(|| wrong("there is no : between number and secret"))?;
    if number.is_empty() {
        return Err(wrong("the number is missing"));
    }
    let (host, port) = split_place(place)?;
    let mut lines = vec![
        ("enable", "1"),
        ("user_name", number),
        ("auth_name", number),
        ("password", secret),
        ("sip_server.1.address", host),
    ];
    let mut transport = "udp";
    for option in options {
        match option.split_once('=') {
            Some(("transport", word)) => transport = word,
            Some(("auth", user)) => lines.push(("auth_name", user)),
            Some(("name", name)) => lines.push(("display_name", name)),
            Some((name, _)) => {
                return Err(wrong(&format!("there is no option `{name}`, but transport, auth and name")));
            }
            None => return Err(wrong("an option has no =")),
        }
    }
    lines.push(("sip_server.1.transport_type", transport));
    let default_port = if transport.eq_ignore_ascii_case("tls") { "5061" } else { "5060" };
    lines.push(("sip_server.1.port", port.unwrap_or(default_port)));
    lines.iter().map(|(name, value)| assignment(account, name, value)).collect()
}

/// What stands before the options, and the options. Options begin at the first `;` after which only
/// options follow, so that a secret with `;` stays whole.
fn split_options(argument: &str) -> (&str, Vec<&str>) {
    let starts = argument.match_indices(';').map(|(at, _)| at);
    for at in starts {
        let (before, rest) = argument.split_at(at);
        let is_option =
            |option: &str| ["transport=", "auth=", "name="].iter().any(|name| option.starts_with(name));
        if before.contains('@') && is_option(&rest[1..]) {
            return (before, rest[1..].split(';').collect());
        }
    }
    (argument, Vec::new())
}

/// Host and port.
fn split_place(place: &str) -> Result<(&str, Option<&str>), String> {
    // Words without `=` may be the rest of a secret that holds an @.
    if let Some((_, option)) = place.split_once(';')
        && let Some((name, _)) = option.split_once('=')
    {
        return Err(wrong(&format!("there is no option `{name}`, but transport, auth and name")));
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or_else(|| wrong("the ] after the address is missing"))?;
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        None => match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(wrong("an IPv6 address stands in brackets, as in [::1]:5060"));
            }
            Some((host, _)) => (host, Some(&place[host.len()..])),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("the host is missing"));
    }
    if !is_host(host) {
        return Err(wrong("what follows the last @ is not a host name or an address"));
    }
    Ok((host, port.map(checked_port).transpose()?))
}

/// The digits after the colon.
fn checked_port(text: &str) -> Result<&str, String> {
    let digits = text.strip_prefix(':').unwrap_or_default();
    let port = digits.parse::<u16>().ok().filter(|port| *port > 0);
    port.map(|_| digits).ok_or_else(|| wrong("the port is a number from 1 to 65535"))
}

fn assignment(account: u8, name: &str, value: &str) -> Result<Assignment, String> {
    let key: Key =
        format!("account.{account}.{name}").parse().map_err(|fault| format!("--account: {fault}"))?;
    let label = key.row().label;
    let text = key.row().kind.check(value).map_err(|why| wrong(&format!("{label}: {why}")))?;
    Ok(Assignment { key, given: Given::Text(text.into()), source: Source::CommandLine, line: 0 })
}

fn wrong(what: &str) -> String {
    format!("--account: {what}; write {FORM}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::sip::flow::Transport;

    use super::*;
    use crate::settings::{AccountSettings, Settings};

    fn account(argument: &str) -> Result<AccountSettings, String> {
        let mut settings = Settings::default();
        let faults = settings.apply(&parse_account(argument, 1)?).faults;
        assert!(faults.is_empty(), "{faults:?}");
        Ok(AccountSettings::read(&settings, 1))
    }

    #[track_caller]
    fn check(argument: &str, secret: &str, host: &str, port: u16, transport: Transport) {
        let account = account(argument).expect("an account");
        let server = &account.servers[0];
        let found = (account.password.expose(), server.server.host.as_str(), server.server.port);
        assert_eq!((found, server.transport), ((secret, host, port), Some(transport)));
        assert_eq!((account.user.as_str(), account.enabled), ("7001", true));
    }

    #[test]
    fn accounts_are_read() {
        use Transport::{Tcp, Tls, Udp};
        check("7001:s3cret@10.0.0.1", "s3cret", "10.0.0.1", 5060, Udp);
        check("7001:a@b:c@pbx.example.com:5070", "a@b:c", "pbx.example.com", 5070, Udp);
        check("7001:s@[::1]:5070;transport=tcp", "s", "::1", 5070, Tcp);
        check("7001:s@[2001:db8::1]", "s", "2001:db8::1", 5060, Udp);
        check("7001:s@pbx;transport=TLS", "s", "pbx", 5061, Tls);
        check("7001:a;b@pbx;transport=udp;name=a@b", "a;b", "pbx", 5060, Udp);
        check("7001:@pbx", "", "pbx", 5060, Udp);
    }

    #[test]
    fn options_name_user_and_display() {
        let account = account("7001:s@pbx;auth=me;name=Front Desk").expect("an account");
        assert_eq!((account.auth_name.as_str(), account.display_name.as_str()), ("me", "Front Desk"));
    }

    #[track_caller]
    fn refuse(argument: &str, part: &str) {
        let message = account(argument).expect_err("a wrong account");
        assert!(message.contains(part), "{message}");
        assert!(!message.contains("swordfish"), "{message}");
    }

    #[test]
    fn wrong_accounts_are_explained() {
        refuse("7001:swordfish@pbx;foo=bar", "no option `foo`, but transport");
        refuse("7001:swordfish@pbx;transport=udp;foo=bar", "no option `foo`, but transport");
        refuse("7001:swordfish", "no @");
        refuse("7001@pbx", "no :");
        refuse(":swordfish@pbx", "the number is missing");
        refuse("7001:swordfish@", "the host is missing");
        refuse("7001:swordfish@::1", "in brackets");
        refuse("7001:swordfish@[::1", "]");
        refuse("7001:swordfish@[::1]5060", "the port");
        refuse("7001:swordfish@pbx:0", "the port");
        refuse("7001:swordfish@pbx:99999", "the port");
        refuse("7001:swordfish@pbx;transport=sctp", "one of 0 (UDP)");
        refuse("7001:swordfish@pbx;auth=a;speed=9", "no option `speed`");
        refuse("7001:two@swordfish;words", "not a host name");
    }

    proptest! {
        #[test]
        fn any_argument_is_an_account_or_a_sentence(argument in "[0-9a-z:@;=\\[\\]. ü]{0,60}") {
            if let Err(message) = parse_account(&argument, 1) {
                prop_assert!(message.starts_with("--account: "));
            }
        }
    }
}
