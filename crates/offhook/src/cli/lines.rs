//! Lines in and lines out: standard input and output, each on a thread of its own, so that neither a
//! person who types nothing nor a program that reads nothing can stop a role.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// Lines that may wait for a slow reader.
const LINES_WAITING: usize = 65_536;
/// How long a reader may take for the last lines.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Writes lines in their order. [`Lines::finish`] waits until all are written.
pub(super) struct Lines {
    mouth: Mouth,
    /// Told when all is written.
    written: Receiver<()>,
}

/// Adds lines, from any thread.
#[derive(Clone)]
pub(super) struct Mouth {
    queue: SyncSender<Option<String>>,
    is_unread: Arc<AtomicBool>,
}

impl Lines {
    /// Lines for standard output.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn stdout() -> io::Result<Self> {
        Self::to(io::stdout())
    }

    /// Lines for standard error.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn stderr() -> io::Result<Self> {
        Self::to(io::stderr())
    }

    /// Lines for `output`.
    pub(super) fn to(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(LINES_WAITING);
        let is_unread = Arc::new(AtomicBool::new(false));
        let mouth = Mouth { queue, is_unread: is_unread.clone() };
        let (teller, written) = mpsc::channel();
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            if write_all(&lines, output).is_err() {
                is_unread.store(true, Ordering::Release);
            }
            // Nobody may wait for it.
            let _ = teller.send(());
        })?;
        Ok(Self { mouth, written })
    }

    /// Whoever wants to say something.
    pub(super) fn mouth(&self) -> Mouth {
        self.mouth.clone()
    }

    /// Waits until all is written that was said so far, but no longer than a reader may take.
    pub(super) fn finish(self) {
        // The end mark finds no room where nobody reads: then there is nothing to wait for.
        if self.mouth.queue.try_send(None).is_ok() {
            let _ = self.written.recv_timeout(LAST_LINES);
        }
    }
}

impl Mouth {
    /// Adds a line. False where nobody reads any more, or not by far fast enough; then every later line
    /// is lost as well, so that what was read has no gap.
    pub(super) fn say(&self, line: String) -> bool {
        if self.is_unread() {
            return false;
        }
        let said = self.queue.try_send(Some(line)).is_ok();
        if !said {
            self.is_unread.store(true, Ordering::Release);
        }
        said
    }

    /// Whether lines were lost.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Acquire)
    }
}

/// Writes until the end mark; what is there goes out together.
fn write_all(lines: &Receiver<Option<String>>, output: impl Write) -> io::Result<()> {
    let mut output = io::BufWriter::new(output);
    while let Ok(first) = lines.recv() {
        for line in std::iter::once(first).chain(lines.try_iter()) {
            match line {
                Some(line) => writeln!(output, "{line}")?,
                None => return output.flush(),
            }
        }
        output.flush()?;
    }
    Ok(())
}

/// Reads standard input line by line on a thread, until its end or until `take` says that it is enough.
/// The end is told by `None`.
///
/// # Errors
/// The system gives no thread.
pub(super) fn read_stdin(
    limit_bytes: usize,
    mut take: impl FnMut(Option<String>) -> bool + Send + 'static,
) -> io::Result<()> {
    thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next_line(&mut input, limit_bytes) {
            if !take(Some(line)) {
                return;
            }
        }
        take(None);
    })?;
    Ok(())
}

/// The next line without its end; one that is too long comes with one byte more than `limit_bytes`, so
/// that it can be seen to be too long. None at the end, or where nothing can be read.
fn next_line(input: &mut impl BufRead, limit_bytes: usize) -> Option<String> {
    let mut line = Vec::new();
    let most = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let read = input.by_ref().take(most).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.pop_if(|last| *last == b'\n').is_none() && line.len() > limit_bytes {
        skip_line(input);
    }
    line.pop_if(|last| *last == b'\r');
    Some(String::from_utf8_lossy(&line).into_owned())
}

fn skip_line(input: &mut impl BufRead) {
    loop {
        let (used, ended) = match input.fill_buf() {
            Ok([]) | Err(_) => return,
            Ok(bytes) => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (bytes.len(), false),
            },
        };
        input.consume(used);
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn lines_are_read_and_long_ones_are_cut() {
        let mut input = io::Cursor::new(b"dial 7007\r\n\n0123456789abcdef\nquit".as_slice());
        let mut next = || next_line(&mut input, 10);
        assert_eq!(next().as_deref(), Some("dial 7007"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("0123456789a"), "longer than the limit by one");
        assert_eq!(next().as_deref(), Some("quit"));
        assert_eq!(next(), None);
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_before_the_end() {
        let output = Shared::default();
        let lines = Lines::to(output.clone()).unwrap();
        assert!((0..1_000).all(|number| lines.mouth().say(number.to_string())));
        lines.finish();
        let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 1_000);
        assert!(written.ends_with("998\n999\n"));
    }

    struct Deaf;

    impl Write for Deaf {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            thread::park();
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_reads_nothing_stops_nobody() {
        let lines = Lines::to(Deaf).unwrap();
        let mouth = lines.mouth();
        let taken = (0..2 * LINES_WAITING).take_while(|_| mouth.say("x".repeat(100))).count();
        assert!((LINES_WAITING..2 * LINES_WAITING).contains(&taken), "{taken}");
        assert!(!mouth.say("later".to_owned()) && mouth.is_unread(), "no gap");
        lines.finish();
    }
}
