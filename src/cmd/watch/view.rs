//! The terminal view of `watch`: keys, the size of the window, and when to draw.
//!
//! Correct means: the terminal is as it was before once this ends, in whatever way; a key is heard while something is
//! measured, too; and what is drawn is the last thing that was shown.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;

use super::{Seen, Shows, Watch, Wish};
use crate::cmd::{Common, Stop};
use crate::live::view::{Screen, draw};
use crate::live::{Earlier, Outcome, Pass, code, code_of};
use crate::template::library::text_of;

/// Whether there is a view, which there is.
///
/// # Errors
/// Where keys cannot be read.
pub(super) fn check() -> Result<(), Stop> {
    use std::io::IsTerminal as _;
    match io::stdin().is_terminal() {
        true => Ok(()),
        false => Err(Stop::Usage(
            "standard input is no terminal, so no key would be heard; `watch --plain` needs none"
                .into(),
        )),
    }
}

/// Watches until somebody leaves.
pub(super) fn on_screen(common: &Common, watch: Watch<'_>) -> Result<i32, Stop> {
    let terminal = ratatui::try_init()?;
    let empty = Screen {
        has_colour: common.style().color,
        unicode: common.style().unicode,
        at_work: "measuring",
        ..Screen::default()
    };
    let of = watch.followed.len();
    let screens = (1..=of).map(|at| Screen {
        place: (at, of),
        ..empty.clone()
    });
    let mut view = View {
        terminal,
        stdin: io::stdin(),
        screens: screens.collect(),
        shown: 0,
        wishes: Vec::new(),
    };
    let ended = view.draw().and_then(|()| watch.go_on(&mut view));
    // The terminal is gone where this cannot be done.
    let _ = ratatui::try_restore();
    ended
}

/// How long a key may take that is there already; in no time at all nothing is looked for.
const SOON: Duration = Duration::from_millis(1);

struct View {
    terminal: DefaultTerminal,
    stdin: io::Stdin,
    /// One for each file.
    screens: Vec<Screen>,
    /// Which of them is on the terminal.
    shown: usize,
    wishes: Vec<Wish>,
}

impl View {
    fn draw(&mut self) -> Result<(), Stop> {
        let screen = &self.screens[self.shown];
        self.terminal.draw(|frame| draw(frame, screen))?;
        Ok(())
    }

    fn key(&mut self, key: KeyEvent) {
        const PAGE: u16 = 10;
        let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
        let screen = &mut self.screens[self.shown];
        match key.code {
            KeyCode::Char('c') if is_interrupt => self.wishes.push(Wish::Leave(130)),
            KeyCode::Char('q') => self.wishes.push(Wish::Leave(0)),
            KeyCode::Char('r') => self.wishes.push(Wish::Run),
            KeyCode::Char('b') => self.wishes.push(Wish::Pin),
            KeyCode::Char('c') => self.wishes.push(Wish::Clear),
            KeyCode::Char('?') => screen.has_help = !screen.has_help,
            KeyCode::Esc => screen.has_help = false,
            KeyCode::Up => screen.scrolled = screen.scrolled.saturating_sub(1),
            KeyCode::Down => screen.scrolled = screen.scrolled.saturating_add(1),
            KeyCode::PageUp => screen.scrolled = screen.scrolled.saturating_sub(PAGE),
            KeyCode::PageDown => screen.scrolled = screen.scrolled.saturating_add(PAGE),
            KeyCode::Tab => self.shown = (self.shown + 1) % self.screens.len(),
            KeyCode::BackTab => {
                self.shown = (self.shown + self.screens.len() - 1) % self.screens.len();
            }
            _ => {}
        }
    }
}

impl Shows for View {
    fn show(&mut self, seen: &Seen<'_>) -> Result<(), Stop> {
        let screen = &mut self.screens[seen.at];
        let source = text_of(&seen.path.to_string_lossy());
        // One that cannot be read has its reason below.
        screen.source = source.unwrap_or_default();
        let baseline = seen.subject.baseline();
        let own = match (&seen.update.outcome, seen.task) {
            (Outcome::Row(_, row), Some(task)) => code_of(row, task),
            _ => None,
        };
        let earlier = baseline.and_then(Earlier::code);
        if let Some(own) = &own {
            screen.code = code::lines(earlier.as_ref(), own);
        }
        screen.beside =
            baseline.map_or_else(String::new, |one| format!("the baseline, {}", one.name));
        screen.at_work = match &seen.update.outcome {
            Outcome::Row(Pass::AtOnce, row) if row.metrics.is_some() => "refining",
            _ => "",
        };
        screen.history = seen.subject.history.iter().copied().collect();
        screen.update = Some(seen.update.clone());
        // A save shows its file, and what refines a number leaves the eye where it is.
        if !matches!(&seen.update.outcome, Outcome::Row(Pass::InTurns, _)) {
            self.shown = seen.at;
        }
        self.draw()
    }

    /// There is no room for them; `--plain` and `run` say them.
    fn warn(&mut self, _: &[String]) {}

    fn streams(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.stdin.as_fd()]
    }

    fn hear(&mut self) -> bool {
        if is_gone(&self.stdin) {
            // Reading keys from there would never end.
            self.wishes.push(Wish::Leave(128 + libc::SIGHUP));
            return true;
        }
        let mut has_changed = false;
        while event::poll(SOON).unwrap_or(false) {
            match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => self.key(key),
                Ok(_) => {}
                Err(_) => break,
            }
            has_changed = true;
        }
        // Whoever looks on sees it at the next one where this fails.
        if has_changed {
            let _ = self.draw();
        }
        !self.wishes.is_empty()
    }

    fn wish(&mut self) -> Option<Wish> {
        (!self.wishes.is_empty()).then(|| self.wishes.remove(0))
    }
}

/// Whether the terminal was closed.
fn is_gone(stdin: &io::Stdin) -> bool {
    let mut wanted = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let closed = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let heard = poll(&mut wanted, PollTimeout::ZERO);
    heard.is_ok_and(|count| count > 0)
        && wanted[0]
            .revents()
            .is_some_and(|found| found.intersects(closed))
}
