//! The redirection service's own table: phones that are led to servers of others, administered as the services of
//! phone makers are (XML-RPC, methods `redirect.…`).

use std::collections::BTreeMap;

use proto::url::Url;
use proto::xmlrpc::{Call, Value};

use super::told::{Redirect, phone_key};
use super::{Change, Provision};
use crate::mac::Mac;

/// The most phones that are led elsewhere.
pub const MOST_LED: usize = 100_000;
/// The most servers.
const MOST_SERVERS: usize = 1_000;
/// The longest name of a server and the longest address, in bytes.
const LONGEST_NAME_BYTES: usize = 64;
const LONGEST_URL_BYTES: usize = 512;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    servers: BTreeMap<String, String>,
    phones: BTreeMap<Mac, (String, Option<String>)>,
}

impl Redirects {
    pub(super) fn restore(&mut self, row: Redirect) {
        match row {
            Redirect::Server { name, url } if self.servers.len() < MOST_SERVERS => {
                self.servers.insert(name, url);
            }
            Redirect::Phone { mac, server, url } if self.phones.len() < MOST_LED => {
                self.phones.insert(mac, (server, url));
            }
            _ => {}
        }
    }

    /// Where a phone is led.
    pub(super) fn url(&self, mac: Mac) -> Option<&str> {
        let (server, own) = self.phones.get(&mac)?;
        own.as_deref().or_else(|| self.servers.get(server).map(String::as_str))
    }
}

/// What a method says: `true` and `OK`, or `false` and the reason in the words of the makers' services.
type Said = Result<Value, String>;

impl Provision {
    /// Does what a call of the administration says; none where no method is called so or is given that.
    pub fn administer(&mut self, call: &Call) -> Option<Value> {
        let params: Vec<&Value> = call.params.iter().collect();
        let said = match (call.method.strip_prefix("redirect.")?, params.as_slice()) {
            ("addServer", [Value::Text(name), Value::Text(url)]) => self.add_server(name, url),
            ("registerDevice" | "registerDevices", [macs, Value::Text(server)]) => {
                self.lead(macs, server, None, Manner::New)
            }
            ("registerDevice" | "registerDevices", [macs, Value::Text(server), forced]) => {
                self.lead(macs, server, None, Manner::of(forced))
            }
            ("registerDeviceWithUniqueUrl", [macs, Value::Text(server), Value::Text(url)]) => {
                self.lead(macs, server, Some(url), Manner::New)
            }
            ("registerDeviceWithUniqueUrl", [macs, Value::Text(server), Value::Text(url), forced]) => {
                self.lead(macs, server, Some(url), Manner::of(forced))
            }
            ("editDevices", [macs, Value::Text(server)]) => self.lead(macs, server, None, Manner::Known),
            ("deRegisterDevice" | "deRegisterDevices", [macs]) => self.let_go(macs),
            ("checkDevice", [Value::Text(mac)]) => self.check_device(mac),
            ("listDevices", []) => Ok(self.list_led()),
            _ => return None,
        };
        Some(match said {
            Ok(value) => Value::Array(vec![Value::Bool(true), value]),
            Err(why) => Value::Array(vec![Value::Bool(false), Value::Text(why)]),
        })
    }

    fn add_server(&mut self, name: &str, url: &str) -> Said {
        let table = &mut self.catalogue.redirects;
        let is_name = (1..=LONGEST_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control);
        let has_room = table.servers.len() < MOST_SERVERS || table.servers.contains_key(name);
        if !is_name || !has_room || !is_url(url) {
            return Err("Error:Invalid server".to_owned());
        }
        table.servers.insert(name.to_owned(), url.to_owned());
        let row = Redirect::Server { name: name.to_owned(), url: url.to_owned() };
        self.changes.push(Change::Redirect { key: row.key(), row: Some(row) });
        Ok(Value::Text("OK".to_owned()))
    }

    /// Leads phones to a server, all or none.
    fn lead(&mut self, macs: &Value, server: &str, url: Option<&str>, manner: Manner) -> Said {
        let macs = macs_of(macs)?;
        let table = &mut self.catalogue.redirects;
        if !table.servers.contains_key(server) || url.is_some_and(|url| !is_url(url)) {
            return Err("Error:Invalid server".to_owned());
        }
        let wrong = |mac: &&Mac| table.phones.contains_key(mac) != (manner == Manner::Known);
        let wrong: Vec<&Mac> = macs.iter().filter(|_| manner != Manner::Forced).filter(wrong).collect();
        match (wrong.is_empty(), manner) {
            (true, _) => {}
            (false, Manner::Known) => return Err(named("Invalid", &wrong)),
            (false, _) => return Err(named("Existing", &wrong)),
        }
        if table.phones.len() + macs.len() > MOST_LED {
            return Err(format!("Error:More than {MOST_LED} devices"));
        }
        for mac in macs {
            let (server, url) = (server.to_owned(), url.map(str::to_owned));
            table.phones.insert(mac, (server.clone(), url.clone()));
            let row = Redirect::Phone { mac, server, url };
            self.changes.push(Change::Redirect { key: row.key(), row: Some(row) });
        }
        Ok(Value::Text("OK".to_owned()))
    }

    fn let_go(&mut self, macs: &Value) -> Said {
        let macs = macs_of(macs)?;
        let table = &mut self.catalogue.redirects;
        let unknown: Vec<&Mac> = macs.iter().filter(|mac| !table.phones.contains_key(mac)).collect();
        if !unknown.is_empty() {
            return Err(named("Invalid", &unknown));
        }
        for mac in macs {
            table.phones.remove(&mac);
            self.changes.push(Change::Redirect { key: phone_key(mac), row: None });
        }
        Ok(Value::Text("OK".to_owned()))
    }

    fn check_device(&self, mac: &str) -> Said {
        let mac = Mac::parse(mac).ok_or_else(|| format!("Error:Invalid MAC(s):{}", shown(mac)))?;
        let is_known = self.catalogue.redirects.phones.contains_key(&mac);
        Ok(Value::Text(if is_known { "Registered" } else { "Unregistered" }.to_owned()))
    }

    /// The phones with their servers, each as an array of both.
    fn list_led(&self) -> Value {
        let phones = self.catalogue.redirects.phones.iter();
        let row = |(mac, (server, _)): (&Mac, &(String, Option<String>))| {
            Value::Array(vec![Value::Text(mac.to_string()), Value::Text(server.clone())])
        };
        Value::Array(phones.map(row).collect())
    }
}

/// What is expected of the phones that are to be led.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Manner {
    /// They are not in the table yet.
    New,
    /// They are.
    Known,
    /// Whatever they are.
    Forced,
}

impl Manner {
    fn of(forced: &Value) -> Self {
        if matches!(forced, Value::Bool(true) | Value::Number(1)) { Self::Forced } else { Self::New }
    }
}

fn macs_of(value: &Value) -> Result<Vec<Mac>, String> {
    let all = match value {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let read = |one: &Value| match one {
        Value::Text(text) => {
            let mac = Mac::parse(text).filter(|mac| !mac.is_nobodys());
            mac.ok_or_else(|| format!("Error:Invalid MAC(s):{}", shown(text)))
        }
        _ => Err("Error:Invalid MAC(s):".to_owned()),
    };
    all.iter().map(read).collect()
}

fn named(what: &str, macs: &[&Mac]) -> String {
    let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
    format!("Error:{what} MAC(s):{}", macs.join(","))
}

fn shown(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(LONGEST_NAME_BYTES).collect()
}

/// An address that a Location header can hold and phones can fetch from.
fn is_url(url: &str) -> bool {
    let is_plain = url.len() <= LONGEST_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && Url::parse(url).is_ok()
}
