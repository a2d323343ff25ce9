//! A person at a terminal: lines with a prompt, history and completion, and above the prompt what is told
//! meanwhile.

use std::io::{self, IsTerminal, Write};
use std::thread;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};

use super::lines::Lines;

/// Lines that can be called back by the arrow keys.
const REMEMBERED: usize = 1_000;

/// A prompt. Dropping it leaves the terminal as it was.
pub(super) struct Prompt {
    /// What is said appears above the prompt.
    pub(super) lines: Lines,
    /// How the terminal was set before.
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

/// Whether a person sits at both ends.
pub(super) fn is_person() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Prompt {
    /// Reads lines until their end (Ctrl-C or Ctrl-D), which is told by `None`, or until `take` says that it is
    /// enough. `commands` complete the first words of a line.
    ///
    /// # Errors
    /// The terminal cannot do it, or the system gives no thread.
    pub(super) fn open(
        prompt: &'static str,
        commands: Vec<String>,
        mut take: impl FnMut(Option<String>) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        #[cfg(unix)]
        let before = rustix::termios::tcgetattr(io::stdin()).ok();
        let config = Config::builder().auto_add_history(true).max_history_size(REMEMBERED);
        let config = config.map_err(io::Error::other)?.build();
        let mut editor = Editor::<Words, DefaultHistory>::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(Words(commands)));
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        let lines = Lines::to(Above { printer, text: Vec::new() })?;
        thread::Builder::new().name("input".to_owned()).spawn(move || {
            loop {
                match editor.readline(prompt) {
                    Ok(line) => {
                        if !take(Some(line)) {
                            return;
                        }
                    }
                    // A signal, as when the window changes its size.
                    Err(ReadlineError::Signal(_)) => {}
                    Err(_) => {
                        take(None);
                        return;
                    }
                }
            }
        })?;
        Ok(Self {
            lines,
            #[cfg(unix)]
            before,
        })
    }

    /// Waits until everything said is shown, and gives the terminal back.
    pub(super) fn finish(self) {
        self.lines.finish();
        // The reader may still wait for a line with the terminal set its way.
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}

/// Shows text above the prompt, whole lines at a time.
struct Above<P> {
    printer: P,
    text: Vec<u8>,
}

impl<P: ExternalPrinter> Write for Above<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        if text.is_empty() { Ok(()) } else { self.printer.print(text).map_err(io::Error::other) }
    }
}

/// The words with which a line can begin.
struct Words(Vec<String>);

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, completions(&self.0, line.get(..at).unwrap_or_default())))
    }
}

fn completions(commands: &[String], typed: &str) -> Vec<String> {
    commands.iter().filter(|command| command.starts_with(typed)).cloned().collect()
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_command_is_completed() {
        let commands = ["dial", "dnd on", "dnd off"].map(str::to_owned);
        let check = |typed: &str, expected: &[&str]| assert_eq!(completions(&commands, typed), expected);
        check("di", &["dial"]);
        check("dnd o", &["dnd on", "dnd off"]);
        check("x", &[]);
        check("", &["dial", "dnd on", "dnd off"]);
    }
}
