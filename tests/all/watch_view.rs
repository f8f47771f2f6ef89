//! The terminal view of `watch`, driven in tmux as somebody at a keyboard drives it.
//!
//! Correct means: a save shows its number, a wrong line is marked, whatever size the window has; the keys do what the
//! footer says; and the terminal is left as it was.

#[cfg(feature = "view")]
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{fresh, state_home, template, wait_until};

/// A terminal of its own, which ends with its test.
struct Terminal(String);

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.shown());
        }
        self.tmux(&["kill-server"]);
    }
}

impl Terminal {
    /// Runs `dispatchlab` with these words in a window; none where there is no tmux, which is said.
    fn start(place: &Path, name: &str, words: &str) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!(
                "skipped: there is no tmux to show the view in; Debian's package `tmux` has it"
            );
            return None;
        }
        let terminal = Terminal(format!("dispatchlab-{name}-{}", std::process::id()));
        let state = state_home("watch");
        let program = env!("CARGO_BIN_EXE_dispatchlab");
        let shell = format!(
            "env LC_ALL=C.UTF-8 XDG_STATE_HOME='{}' '{program}' {words}; echo \"ended with $?\"; cat",
            state.display()
        );
        let place = place.to_str().expect("UTF-8");
        let size = ["-x", "120", "-y", "40"];
        let session = [
            &["-f", "/dev/null", "new-session", "-d", "-c", place],
            &size[..],
            &[&shell],
        ]
        .concat();
        terminal.tmux(&session);
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-u", "-L", &self.0])
            .args(arguments)
            .output();
        String::from_utf8_lossy(&output.expect("tmux runs").stdout).into_owned()
    }

    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn until(&self, text: &str) -> String {
        wait_until(&format!("`{text}` on the screen"), || {
            self.shown().contains(text)
        });
        self.shown()
    }

    #[cfg(feature = "view")]
    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }
}

fn adds(count: usize) -> String {
    format!("body:\n{}", " add rax, 1\n".repeat(count))
}

#[cfg(feature = "view")]
const RUNS: &str = "watch --quick --counters clock own.asm";

#[cfg(feature = "view")]
#[test]
fn of_several_files_each_has_a_view_of_its_own_and_a_save_shows_its_file() {
    let place = fresh("several");
    template(&place, "own", &adds(4));
    template(&place, "two", &adds(6));
    let Some(terminal) = Terminal::start(&place, "several", &format!("{RUNS} two.asm")) else {
        return;
    };
    let second = terminal.until("instr        6.00  exact");
    assert!(second.contains("two.asm  run 1  file 2 of 2"), "{second}");
    terminal.press("Tab");
    let first = terminal.until("file 1 of 2");
    assert!(first.contains("own.asm  run 1"), "{first}");
    assert!(first.contains("instr        4.00  exact"), "{first}");
    terminal.press("BTab");
    terminal.until("two.asm  run 1  file 2 of 2");
    fs::write(place.join("own.asm"), adds(8)).expect("writes");
    let saved = terminal.until("instr        8.00  exact");
    assert!(saved.contains("own.asm  run 2  file 1 of 2"), "{saved}");
}

#[cfg(feature = "view")]
#[test]
fn a_save_shows_its_number_beside_the_baseline_whatever_way_it_was_made() {
    let place = fresh("saved");
    template(&place, "own", &adds(4));
    let Some(terminal) = Terminal::start(&place, "saved", RUNS) else {
        return;
    };
    let first = terminal.until("instr        4.00  exact");
    assert!(first.contains("own.asm  run 1"), "{first}");
    // An editor that replaces the file.
    fs::write(place.join("new"), adds(8)).expect("writes");
    fs::rename(place.join("new"), place.join("own.asm")).expect("renames");
    let second = terminal.until("of the baseline, run 1");
    assert!(second.contains("own.asm  run 2"), "{second}");
    assert!(second.contains("instr        8.00  exact"), "{second}");
    assert!(second.contains("2.000×"), "{second}");
    // What is new in its code.
    assert!(
        second.lines().any(|line| line.contains("+   6 4883c001")),
        "{second}"
    );
    terminal.until("Cycles of the last 2 runs");
}

#[cfg(feature = "view")]
#[test]
fn a_wrong_line_is_marked_and_said_in_place_of_the_numbers() {
    let place = fresh("wrong");
    template(&place, "own", &adds(4));
    let Some(terminal) = Terminal::start(&place, "wrong", RUNS) else {
        return;
    };
    terminal.until("instr        4.00  exact");
    template(&place, "own", "body:\n add rax, 1\n muv rax, 1\n");
    let shown = terminal.until("No number: the text is wrong");
    assert!(
        shown
            .lines()
            .any(|line| line.starts_with(">   3  muv rax, 1")),
        "{shown}"
    );
    assert!(shown.contains("unknown instruction `muv`"), "{shown}");
    fs::remove_file(place.join("own.asm")).expect("removes");
    terminal.until("the file is gone");
    template(&place, "own", "body:\n mov rax, [0]\n");
    let crashed = terminal.until("SIGSEGV");
    assert!(
        crashed
            .lines()
            .any(|line| line.starts_with(">   2  mov rax, [0]")),
        "{crashed}"
    );
    template(&place, "own", &adds(5));
    terminal.until("instr        5.00  exact");
}

#[cfg(feature = "view")]
#[test]
fn keys_do_what_the_footer_says_and_a_resized_window_has_all_of_it() {
    let place = fresh("keys");
    template(&place, "own", &adds(4));
    let Some(terminal) = Terminal::start(&place, "keys", RUNS) else {
        return;
    };
    terminal.until("instr        4.00  exact");
    terminal.press("r");
    terminal.until("Cycles of the last 2 runs");
    template(&place, "own", &adds(8));
    terminal.until("Cycles of the last 3 runs");
    terminal.press("b");
    terminal.press("r");
    terminal.until("of the baseline, run 3");
    terminal.press("?");
    terminal.until("hold later runs against the last one");
    for [width, height] in [["60", "16"], ["20", "4"], ["200", "50"]] {
        terminal.tmux(&["resize-window", "-x", width, "-y", height]);
        let footer = |shown: &str| {
            shown
                .lines()
                .last()
                .is_some_and(|line| line.starts_with(" q quit"))
        };
        wait_until("the footer", || footer(&terminal.shown()));
    }
    terminal.press("?");
    terminal.until("add rax, 1");
    terminal.press("q");
    let left = terminal.until("ended with 0");
    assert!(!left.contains("q quit"), "the screen is as it was: {left}");
}

#[cfg(feature = "view")]
#[test]
fn control_c_ends_the_view_with_130() {
    let place = fresh("interrupted");
    template(&place, "own", &adds(4));
    let Some(terminal) = Terminal::start(&place, "interrupted", RUNS) else {
        return;
    };
    terminal.until("instr        4.00  exact");
    terminal.press("C-c");
    terminal.until("ended with 130");
}

#[cfg(not(feature = "view"))]
#[test]
fn a_build_without_the_view_says_which_line_adds_it() {
    let place = fresh("without");
    template(&place, "own", &adds(4));
    let Some(terminal) = Terminal::start(&place, "without", "watch own.asm") else {
        return;
    };
    let shown = terminal.until("ended with 2");
    assert!(
        shown.contains("cargo build --release --features view"),
        "{shown}"
    );
}
