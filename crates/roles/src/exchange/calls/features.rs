//! Feature codes: call return, intercom, forwarding and do-not-disturb by dialling, and what the
//! exchange itself answers.

use proto::sip::{Name, Reply};

use super::{LegId, Service, Switchboard};
use crate::exchange::directory::Entry;
use crate::exchange::ids::ExtensionId;
use crate::exchange::router::{ForwardKind, Route};

impl Switchboard<'_> {
    /// A feature code was dialled, or a number that means nothing (404).
    pub(super) fn on_feature(&mut self, leg: LegId, caller: ExtensionId, route: Route) {
        match route {
            Route::Pickup(extension) => self.on_pickup(leg, caller, extension),
            Route::GroupPickup => self.on_group_pickup(leg, caller),
            Route::CallReturn => self.on_call_return(leg, caller),
            Route::Intercom(callee) => self.on_intercom(leg, caller, callee),
            Route::Place(place) => self.retrieve(leg, place),
            Route::Echo => self.on_service(leg, caller, Service::Echo),
            Route::TestTone => self.on_service(leg, caller, Service::TestTone),
            Route::Forward(kind, target) => self.on_forward_code(leg, caller, kind, target),
            Route::DoNotDisturb => {
                self.directory.change(self.turn, caller, |own| own.do_not_disturb = !own.do_not_disturb);
                self.confirm(leg, caller);
            }
            Route::Extension(_) | Route::Park(_) | Route::Nobody => self.refuse_leg(leg, Reply::new(404)),
        }
    }

    /// A setting was changed: the phone hears a confirmation tone, or gets 480 with a phrase where it has none of our
    /// codecs.
    fn confirm(&mut self, leg: LegId, caller: ExtensionId) {
        let code = self.dialled(leg);
        if !self.serve(leg, caller, &code, Service::Confirmation) {
            self.refuse_leg(leg, Reply::new(480).reason("Setting Stored"));
        }
    }

    fn on_service(&mut self, leg: LegId, caller: ExtensionId, service: Service) {
        let code = self.dialled(leg);
        if !self.serve(leg, caller, &code, service) {
            self.refuse_leg(leg, Reply::new(488));
        }
    }

    /// What was dialled by an incoming leg.
    fn dialled(&self, leg: LegId) -> String {
        let uri = self.calls.legs.get(&leg).map(|leg| leg.machine.dialog().local.uri.clone());
        let user = uri.as_deref().and_then(proto::sip::Uri::parse).map(|uri| uri.plain_user().into_owned());
        user.unwrap_or_default()
    }

    /// Calls an extension whose phone is to answer by itself; 486 where that is on a call.
    fn on_intercom(&mut self, leg: LegId, caller: ExtensionId, callee: ExtensionId) {
        let number = self.directory.number(caller);
        let may_open = |entry: &Entry| entry.extension.may_be_opened_by(&number);
        if !self.directory.get(callee).is_some_and(may_open) {
            return self.refuse_leg(leg, Reply::new(403));
        }
        let Some(entry) = self.directory.get(callee) else { return };
        if !self.calls.legs_of(callee).is_empty() {
            return self.refuse_leg(leg, Reply::new(486));
        }
        let (number, host) = (entry.extension.number.clone(), self.config.relay.address);
        let headers = vec![
            (Name::CallInfo, format!("<sip:{host}>;answer-after=0")),
            (Name::AlertInfo, format!("<http://{host}>;info=alert-autoanswer;delay=0")),
        ];
        if let Some(call) = self.open_call(leg, caller, &number, headers) {
            self.ring(call, callee);
        }
    }

    /// Whether headers of the caller's INVITE may make the called phone answer by itself.
    pub(super) fn may_open_by_headers(&self, caller: ExtensionId, callee: ExtensionId) -> bool {
        let number = self.directory.number(caller);
        self.directory.get(callee).is_some_and(|entry| entry.extension.may_be_opened_by_headers_of(&number))
    }

    fn on_forward_code(
        &mut self,
        leg: LegId,
        caller: ExtensionId,
        kind: ForwardKind,
        target: Option<String>,
    ) {
        let is_known = |number: &str| matches!(self.route_number(number), Route::Extension(_));
        let unknown = target.as_deref().is_some_and(|number| !is_known(number));
        if unknown {
            return self.refuse_leg(leg, Reply::new(404));
        }
        self.directory.change(self.turn, caller, |own| match kind {
            ForwardKind::Always => own.forward.always = target,
            ForwardKind::Busy => own.forward.busy = target,
            ForwardKind::NoAnswer => own.forward.no_answer = target,
        });
        self.confirm(leg, caller);
    }

    fn on_call_return(&mut self, leg: LegId, caller: ExtensionId) {
        let last = self.calls.last_callers.get(&caller).cloned();
        let target = last.and_then(|number| self.directory.find(&number));
        let Some(target) = target else { return self.refuse_leg(leg, Reply::new(404)) };
        let number = self.directory.number(target);
        if let Some(call) = self.open_call(leg, caller, &number, Vec::new()) {
            self.ring(call, target);
        }
    }
}
