//! Whoever reads commands from a file or a pipe reads on when the last one that waits is answered, as a
//! person would.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How far the phone has come with the commands of its input. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    /// Commands of the input that the phone takes in this turn, and those of all turns that are over.
    taking: u64,
    taken: u64,
    /// A command waits for something to happen.
    is_waiting: bool,
    is_input_over: bool,
}

impl Pace {
    /// The phone takes a command of the input.
    pub(super) fn take(&self) {
        self.state().taking += 1;
    }

    /// The phone's turn is over; whether it waits for something now.
    pub(super) fn end_turn(&self, is_waiting: bool) {
        let mut state = self.state();
        if state.taking > 0 || state.is_waiting != is_waiting {
            state.taken += std::mem::take(&mut state.taking);
            state.is_waiting = is_waiting;
            self.0.1.notify_all();
        }
    }

    /// Blocks until so many commands are taken and none of them waits.
    pub(super) fn pause(&self, sent: u64) {
        let state = self.state();
        let is_behind = |state: &mut State| state.taken < sent || state.is_waiting;
        drop(self.0.1.wait_while(state, is_behind).unwrap_or_else(PoisonError::into_inner));
    }

    /// The input is over.
    pub(super) fn end_input(&self) {
        self.state().is_input_over = true;
    }

    pub(super) fn is_input_over(&self) -> bool {
        self.state().is_input_over
    }

    /// A panic elsewhere leaves whole numbers.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_on_when_nothing_waits() {
        let pace = Pace::default();
        pace.pause(0);
        let reader = std::thread::spawn({
            let pace = pace.clone();
            move || pace.pause(2)
        });
        pace.take();
        pace.end_turn(false);
        pace.take();
        pace.end_turn(true);
        assert!(!reader.is_finished(), "it waits");
        pace.end_turn(false);
        reader.join().unwrap();
    }
}
