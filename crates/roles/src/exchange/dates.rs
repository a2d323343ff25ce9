//! Dates in events and in the store follow the wall clock, not the line of [`Time`](proto::Time).

use std::sync::Arc;

use proto::Wall;

use super::answer::Answer;
use super::binding::Binding;
use super::event::{Change, Event};
use super::facts::{Ban, CallView, Subscription};
use super::{Out, Output};

/// Writes the dates of something by the wall clock. Records of calls and of devices that a rule hit bear
/// theirs from the beginning, as they stay the same when the clock is set again.
pub(super) fn write(wall: Wall, out: &mut Out) {
    match out {
        Output::Event(Event::Banned(ban)) | Output::Store(Change::Ban(ban)) => of_ban(wall, ban),
        Output::Event(Event::CallStarted(call) | Event::CallAnswered(call)) => of_call(wall, call),
        Output::Event(Event::Done { answer, .. }) => of_answer(wall, answer),
        Output::Store(Change::Binding(binding)) => of_binding(wall, binding),
        Output::Store(Change::Subscription(kept)) => of_subscription(wall, Arc::make_mut(kept)),
        _ => {}
    }
}

fn of_answer(wall: Wall, answer: &mut Answer) {
    match answer {
        Answer::Registrations(all) => all.iter_mut().for_each(|it| of_binding(wall, it)),
        Answer::Subscriptions(all) => all.iter_mut().for_each(|it| of_subscription(wall, it)),
        Answer::Calls(all) => all.iter_mut().for_each(|it| of_call(wall, it)),
        Answer::Bans(all) => all.iter_mut().for_each(|it| of_ban(wall, it)),
        _ => {}
    }
}

fn of_binding(wall: Wall, binding: &mut Arc<Binding>) {
    let binding = Arc::make_mut(binding);
    binding.expires_at_s = wall.at_s(binding.expires_at_s);
}

fn of_subscription(wall: Wall, subscription: &mut Subscription) {
    subscription.expires_at_s = wall.at_s(subscription.expires_at_s);
}

fn of_call(wall: Wall, call: &mut CallView) {
    call.started_at_ms = wall.at(proto::Time::from_millis(call.started_at_ms)).as_millis();
}

fn of_ban(wall: Wall, ban: &mut Ban) {
    ban.until_s = wall.at_s(ban.until_s);
}
