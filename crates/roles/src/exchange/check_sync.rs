//! Check-sync: a device is told to fetch its configuration, or to restart (deck, Auto Provisioning).

use std::sync::Arc;

use proto::Time;
use proto::sip::build::Request;
use proto::sip::endpoint::ClientId;
use proto::sip::message::{Method, Name};

use super::{Answer, Binding, Event, Exchange, Owner};

/// Questions under way, at most.
const MOST_UNDER_WAY: usize = 4_096;

/// The NOTIFYs that no device has answered yet.
#[derive(Debug, Default)]
pub(super) struct CheckSyncs(Vec<(ClientId, String, String)>);

impl Exchange {
    /// Sends check-sync to a device, by its extension and its Contact, or to all devices of the extension.
    pub(super) fn check_sync(
        &mut self,
        now: Time,
        number: &str,
        contact: Option<&str>,
        reboot: bool,
    ) -> Answer {
        let entry = self.directory.find(number).and_then(|id| self.directory.get(id));
        let bindings = entry.map(|entry| &*entry.bindings).unwrap_or_default();
        let is_meant = |it: &&Arc<Binding>| contact.is_none_or(|contact| it.contact == contact);
        let live = bindings.iter().filter(|it| it.is_live(now)).filter(is_meant);
        let devices: Vec<Arc<Binding>> = live.cloned().collect();
        if devices.is_empty() {
            let contact = contact.unwrap_or_default();
            return self.unsent(number, contact, format!("no device of {number} is registered there"));
        }
        let sent = devices.iter().map(|device| self.send_check_sync(now, device, reboot));
        sent.filter(|answer| !matches!(answer, Answer::Ok)).last().unwrap_or(Answer::Ok)
    }

    /// It goes out from the address that the device has registered at: so it believes it, and a NAT between
    /// lets it through.
    fn send_check_sync(&mut self, now: Time, device: &Binding, reboot: bool) -> Answer {
        let (number, contact) = (&*device.number, &*device.contact);
        if self.check_syncs.0.len() >= MOST_UNDER_WAY {
            return self.unsent(number, contact, "too many devices are being told already".to_owned());
        }
        let host = proto::sip::uri::host_of(device.local.ip());
        let mut request = Request::new(Method::Notify, &*device.contact);
        for route in &device.path {
            request = request.header(Name::Route, route);
        }
        let request = request
            .header(Name::From, format_args!("<sip:{host}>;tag={}", self.turn.rng.hex(16)))
            .header(Name::To, format_args!("<{}>", device.contact))
            .header(Name::CallId, self.turn.rng.hex(24))
            .header(Name::CSeq, "1 NOTIFY")
            .header(Name::MaxForwards, 70)
            .header(Name::Contact, format_args!("<sip:{}>", device.local))
            .header(Name::UserAgent, &self.turn.product)
            .header(Name::Event, format_args!("check-sync;reboot={reboot}"))
            .header(Name::SubscriptionState, "terminated");
        let targets = device.targets();
        let sent = self.turn.endpoint.send(
            now,
            &request,
            targets,
            device.local,
            Owner::CheckSync,
            &mut self.turn.wire,
        );
        match sent {
            Ok(id) => {
                self.check_syncs.0.push((id, number.to_owned(), contact.to_owned()));
                Answer::Ok
            }
            Err(_) => self.unsent(number, contact, "too many requests are under way".to_owned()),
        }
    }

    /// Whoever waits for the device's answer is told that none comes.
    fn unsent(&mut self, number: &str, contact: &str, why: String) -> Answer {
        let (number, contact) = (number.to_owned(), contact.to_owned());
        self.turn.tell(Event::CheckSynced { number, contact, status: None });
        Answer::Refused(why)
    }

    /// A device has answered with that status, or has not.
    pub(super) fn on_check_synced(&mut self, id: ClientId, status: Option<u16>) {
        if status.is_some_and(|status| status < 200) {
            return;
        }
        let Some(at) = self.check_syncs.0.iter().position(|(other, ..)| *other == id) else { return };
        let (_, number, contact) = self.check_syncs.0.swap_remove(at);
        self.turn.tell(Event::CheckSynced { number, contact, status });
    }
}
