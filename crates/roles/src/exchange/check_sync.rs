//! Check-sync: the exchange tells a device to fetch its configuration or to restart (deck, Auto Provisioning).

use std::sync::Arc;

use proto::sip::build::Request;
use proto::sip::endpoint::ClientId;
use proto::sip::message::{Method, Name};

use super::Event;
use super::answer::Answer;
use super::binding::Binding;
use super::directory::Directory;
use super::ids::Owner;
use super::turn::Turn;

/// Questions under way, at most.
const MOST_UNDER_WAY: usize = 4_096;

/// The NOTIFYs that no device has answered yet.
#[derive(Debug, Default)]
pub(super) struct CheckSyncs(Vec<(ClientId, String, String)>);

impl CheckSyncs {
    /// Sends check-sync to a device, by its extension and its Contact, or to all devices of the extension.
    pub(super) fn send(
        &mut self,
        turn: &mut Turn,
        directory: &Directory,
        number: &str,
        contact: Option<&str>,
        reboot: bool,
    ) -> Answer {
        let is_meant = |it: &&Arc<Binding>| contact.is_none_or(|contact| it.contact == contact);
        let devices: Vec<&Arc<Binding>> =
            directory.devices(turn.now, Some(number)).filter(is_meant).collect();
        if devices.is_empty() {
            let contact = contact.unwrap_or_default();
            return unsent(turn, number, contact, format!("no device of {number} is registered there"));
        }
        let sent = devices.into_iter().map(|device| self.send_to(turn, device, reboot));
        sent.filter(|answer| !matches!(answer, Answer::Ok)).last().unwrap_or(Answer::Ok)
    }

    /// Sends it from the address that the device has registered at: the device trusts that address, and a NAT
    /// between them lets it through.
    fn send_to(&mut self, turn: &mut Turn, device: &Binding, reboot: bool) -> Answer {
        let (number, contact) = (&*device.number, &*device.contact);
        if self.0.len() >= MOST_UNDER_WAY {
            return unsent(turn, number, contact, "too many devices are being told already".to_owned());
        }
        let host = proto::sip::uri::host_of(device.local.ip());
        let mut request = Request::new(Method::Notify, &*device.contact);
        for route in &device.path {
            request = request.header(Name::Route, route);
        }
        let request = request
            .header(Name::From, format_args!("<sip:{host}>;tag={}", turn.rng.hex(16)))
            .header(Name::To, format_args!("<{}>", device.contact))
            .header(Name::CallId, turn.rng.hex(24))
            .header(Name::CSeq, "1 NOTIFY")
            .header(Name::MaxForwards, 70)
            .header(Name::Contact, format_args!("<sip:{}>", device.local))
            .header(Name::UserAgent, &turn.product)
            .header(Name::Event, format_args!("check-sync;reboot={reboot}"))
            .header(Name::SubscriptionState, "terminated");
        let targets = device.targets();
        let sent =
            turn.endpoint.send(turn.now, &request, targets, device.local, Owner::CheckSync, &mut turn.wire);
        match sent {
            Ok(id) => {
                self.0.push((id, number.to_owned(), contact.to_owned()));
                Answer::Ok
            }
            Err(_) => unsent(turn, number, contact, "too many requests are under way".to_owned()),
        }
    }

    /// A device has answered with that status, or has not.
    pub(super) fn on_answer(&mut self, turn: &mut Turn, id: ClientId, status: Option<u16>) {
        if status.is_some_and(|status| status < 200) {
            return;
        }
        let Some(at) = self.0.iter().position(|(other, ..)| *other == id) else { return };
        let (_, number, contact) = self.0.swap_remove(at);
        turn.tell(Event::CheckSynced { number, contact, status });
    }
}

/// Tells that the device gets no check-sync, so that nobody waits for its answer.
fn unsent(turn: &mut Turn, number: &str, contact: &str, why: String) -> Answer {
    let (number, contact) = (number.to_owned(), contact.to_owned());
    turn.tell(Event::CheckSynced { number, contact, status: None });
    Answer::Refused(why)
}
