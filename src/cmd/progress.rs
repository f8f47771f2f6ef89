//! What a run says of itself while it lasts, on stderr.
//!
//! Correct means: who watches a terminal sees what is at work, and who reads a log has a line every ten seconds, so
//! that silence means that nothing is at work.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::text::{hanging, printable};
use crate::worker::parent::Told;

/// Between two lines of a log.
const EVERY: Duration = Duration::from_secs(10);
/// What takes the line of a terminal away that shows progress.
const CLEARED: &str = "\r\x1b[K";

/// How often is looked whether a line is due, whatever is at work meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// What is at work, and a thread that says it while nobody else does: a worker's start, a long expansion and the
/// writing of a large report have no other voice. What it shows ends with it.
pub(super) struct Voice(Option<Arc<Mutex<Display>>>);

impl Voice {
    /// Of `None` nothing is ever said.
    pub(super) fn new(display: Option<Display>) -> Voice {
        let display = display.map(|display| Arc::new(Mutex::new(display)));
        if let Some(display) = &display {
            let display = Arc::downgrade(display);
            let speak = thread::Builder::new().stack_size(256 << 10);
            // Where there may be no further thread, it is said when there is something new.
            let _ = speak.spawn(move || go_on(&display));
        }
        Voice(display)
    }

    /// What a run calls to say it.
    pub(super) fn telling(&self) -> impl FnMut(Told<'_>) {
        |told| self.tell(told)
    }

    /// Says it where it is due, and keeps it.
    pub(super) fn tell(&self, told: Told<'_>) {
        if let Some(display) = &self.0 {
            locked(display).tell(told);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if let Some(display) = &self.0 {
            locked(display).end();
        }
    }
}

fn locked(display: &Mutex<Display>) -> MutexGuard<'_, Display> {
    display.lock().unwrap_or_else(PoisonError::into_inner)
}

fn go_on(display: &Weak<Mutex<Display>>) {
    loop {
        thread::sleep(LOOK);
        let Some(display) = display.upgrade() else {
            return;
        };
        locked(&display).tell_again();
    }
}

/// A stream that progress is shown on.
pub(super) struct Display {
    is_terminal: bool,
    width: usize,
    began: Instant,
    /// When the last line of a log was written.
    said: Instant,
    /// What is at work; nothing at the end.
    step: Option<String>,
}

impl Display {
    pub(super) fn new(is_terminal: bool, width: usize, now: Instant) -> Display {
        Display {
            is_terminal,
            width,
            began: now,
            said: now,
            step: None,
        }
    }

    fn tell(&mut self, told: Told<'_>) {
        if let Told::Step(text) = told {
            self.step = Some(text.to_string());
        }
        self.write(told);
    }

    fn tell_again(&mut self) {
        if let Some(step) = self.step.take() {
            self.write(Told::Step(&step));
            self.step = Some(step);
        }
    }

    /// Nobody can be told that stderr is gone.
    fn write(&mut self, told: Told<'_>) {
        if let Some(text) = self.text(told, Instant::now()) {
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// Takes away what shows that something is at work.
    fn end(&mut self) {
        if self.step.take().is_some() && self.is_terminal {
            let _ = io::stderr().write_all(CLEARED.as_bytes());
        }
    }

    /// What to write now, if anything: on a terminal one line that replaces itself.
    pub(super) fn text(&mut self, told: Told<'_>, now: Instant) -> Option<String> {
        let seconds = (now - self.began).as_secs();
        match told {
            Told::Notice(text) => {
                let before = if self.is_terminal { CLEARED } else { "" };
                let text = hanging(&printable::lines(text), "note:", 2, self.width);
                Some(format!("{before}{text}"))
            }
            Told::Step(text) if self.is_terminal => {
                // The last column stays free: a line that fills it may be two.
                let line = format!("{seconds} s  {}", printable::line(text));
                let line: String = line.chars().take(self.width.saturating_sub(1)).collect();
                Some(format!("{CLEARED}{line}"))
            }
            Told::Step(text) if now - self.said >= EVERY => {
                self.said = now;
                Some(format!("{seconds} s: {}\n", printable::line(text)))
            }
            Told::Step(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_a_line_every_ten_seconds_and_a_terminal_one_that_replaces_itself() {
        let began = Instant::now();
        let mut log = Display::new(false, 80, began);
        let at = |ms: u64| began + Duration::from_millis(ms);
        let said =
            [0, 9_999, 10_000, 19_999, 20_000].map(|ms| log.text(Told::Step("a\x1bb"), at(ms)));
        let line = |text: &str| Some(text.to_string());
        assert_eq!(
            said,
            [
                None,
                None,
                line("10 s: a\\u{1b}b\n"),
                None,
                line("20 s: a\\u{1b}b\n")
            ]
        );
        assert_eq!(
            log.text(Told::Notice("now"), at(20_001)),
            line("note: now\n")
        );
        let mut terminal = Display::new(true, 10, began);
        assert_eq!(
            terminal.text(Told::Step("a long name"), at(0)),
            line("\r\x1b[K0 s  a lo")
        );
        assert_eq!(
            terminal.text(Told::Notice("now"), at(1)),
            line("\r\x1b[Knote: now\n")
        );
    }
}
