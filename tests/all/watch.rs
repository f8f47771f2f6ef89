//! `watch --plain`, driven as an editor drives it: files that are written, replaced, emptied, removed and made again.
//!
//! Correct means: each save has its line on stdout, with a number or with the reason why there is none, whatever way it
//! was saved; and the process ends by a signal and leaves none behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::common::{
    command, fresh, memory_kib, run_in, template, unfolded, wait_until, workers_of,
};
use dispatchlab::sys::interrupt;

/// A template whose body has so many dependent adds, one cycle each.
fn adds(count: usize) -> String {
    format!("body:\n{}", " add rax, 1\n".repeat(count))
}

/// A `watch` that runs, and what it has printed.
struct Watching {
    child: Child,
    place: PathBuf,
    printed: Arc<Mutex<String>>,
    said: Arc<Mutex<String>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("stdout: {}\nstderr: {}", self.printed(), self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All lines of a stream, from now on.
fn collect(stream: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let all = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&all);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock().expect("no panic").push_str(&(line + "\n"));
        }
    });
    all
}

impl Watching {
    fn start(place: &Path, arguments: &[&str]) -> Watching {
        let all = [
            &["watch", "--plain", "--quick", "--counters", "clock"],
            arguments,
        ]
        .concat();
        let mut command = command(place, &all);
        let mut child = interrupt::allow_in(&mut command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        Watching {
            printed: collect(child.stdout.take().expect("piped")),
            said: collect(child.stderr.take().expect("piped")),
            place: place.to_path_buf(),
            child,
        }
    }

    fn printed(&self) -> String {
        unfolded(&self.printed.lock().expect("no panic"))
    }

    fn said(&self) -> String {
        unfolded(&self.said.lock().expect("no panic"))
    }

    /// Waits until stdout has a text.
    fn until(&self, text: &str) {
        wait_until(text, || self.printed().contains(text));
    }

    /// Waits until a run was measured in turns with those before it: what it printed since its first word.
    fn until_refined(&self, run: u32, file: &str) -> String {
        let lead = format!("{run} {file}: ");
        let refined = |printed: &str| {
            let from = printed.find(&lead)?;
            let lines = printed[from..].split(&lead).nth(2)?;
            lines.contains("misses").then(|| lines.to_string())
        };
        wait_until(&format!("{lead} in turns"), || {
            refined(&self.printed()).is_some()
        });
        refined(&self.printed()).unwrap_or_default()
    }

    fn save(&self, name: &str, text: &str) {
        fs::write(self.place.join(name), text).expect("writes");
    }
}

#[test]
fn a_save_has_its_number_at_once_and_then_in_turns_with_the_baseline_and_the_last_run() {
    let place = fresh("saved");
    template(&place, "own", &adds(8));
    let watching = Watching::start(&place, &["own.asm"]);
    let first = watching.until_refined(1, "own.asm");
    assert!(first.contains("the baseline from here on"), "{first}");
    assert!(first.contains("8 instr exact"), "{first}");
    // Where the hardware counts misses there is a number.
    let why = "misses unsupported (the template has no `dispatch`, which would name the branch";
    assert!(
        first.contains(why) || first.contains("misses measured"),
        "{first}"
    );
    watching.save("own.asm", &adds(16));
    let second = watching.until_refined(2, "own.asm");
    assert!(second.contains("16 instr exact"), "{second}");
    assert!(second.contains("the baseline, run 1"), "{second}");
    watching.save("own.asm", &adds(32));
    let third = watching.until_refined(3, "own.asm");
    // Beside a busy neighbour turns may be too few for an interval, which is said then.
    assert!(
        third.contains("the baseline, run 1") && third.contains("run 2"),
        "{third}"
    );
    let printed = watching.printed();
    let at_once = printed.split("3 own.asm: ").nth(1).unwrap_or_default();
    assert!(at_once.starts_with("at once "), "{printed}");
    let ratio = |of: &str| -> f64 {
        let (before, _) = at_once.split_once(of).expect(of);
        let number = before.rsplit("; ").next().unwrap_or_default();
        let number = number.split('×').next().unwrap_or_default();
        number
            .parse()
            .unwrap_or_else(|_| panic!("`{number}` in {at_once}"))
    };
    // A run that a neighbour disturbed says so, and may be anything.
    let ranges = [("of the baseline, run 1", 2.0..8.0), ("of run 2", 1.2..4.0)];
    for (of, range) in ranges {
        let is_sure = !at_once
            .split("; ")
            .any(|part| part.contains(of) && part.contains("undecided"));
        assert!(range.contains(&ratio(of)) || !is_sure, "{at_once}");
    }
}

#[test]
fn whatever_way_an_editor_saves_in_it_is_one_run() {
    let place = fresh("ways");
    let file = place.join("own.asm");
    template(&place, "own", &adds(4));
    let watching = Watching::start(&place, &["own.asm"]);
    watching.until_refined(1, "own.asm");
    // Another file takes its name, as `sed -i` and emacs do it.
    fs::write(place.join("new"), adds(5)).expect("writes");
    fs::rename(place.join("new"), &file).expect("renames");
    assert!(
        watching
            .until_refined(2, "own.asm")
            .contains("5 instr exact")
    );
    // The old one becomes a backup, and a new one is written, as vim does it.
    fs::rename(&file, place.join("own.asm~")).expect("renames");
    fs::write(&file, adds(6)).expect("writes");
    fs::remove_file(place.join("own.asm~")).expect("removes");
    assert!(
        watching
            .until_refined(3, "own.asm")
            .contains("6 instr exact")
    );
    // It is written into, in pieces.
    watching.save("own.asm", &adds(7));
    assert!(
        watching
            .until_refined(4, "own.asm")
            .contains("7 instr exact")
    );
    // Others in its folder are nobody's business.
    template(&place, "other", &adds(1));
    watching.save("own.asm", &adds(8));
    assert!(
        watching
            .until_refined(5, "own.asm")
            .contains("8 instr exact")
    );
    assert!(
        !watching.printed().contains("no number"),
        "{}",
        watching.printed()
    );
}

#[test]
fn a_file_that_is_wrong_or_empty_or_gone_says_so_until_it_is_back() {
    let place = fresh("wrong");
    template(&place, "own", &adds(4));
    let watching = Watching::start(&place, &["own.asm"]);
    watching.until_refined(1, "own.asm");
    watching.save("own.asm", "body:\n add rax, 1\n muv rax, 1\n");
    watching.until("2 own.asm: no number: error: own.asm:3:2:");
    wait_until("the diagnostic", || {
        watching.said().contains("--> own.asm:3:2") || watching.said().contains("own.asm:3:2")
    });
    watching.save("own.asm", "");
    watching.until("3 own.asm: no number:");
    fs::remove_file(place.join("own.asm")).expect("removes");
    watching.until("4 own.asm: no number: the file is gone");
    watching.save("own.asm", &adds(9));
    let back = watching.until_refined(5, "own.asm");
    assert!(
        back.contains("9 instr exact") && back.contains("the baseline, run 1"),
        "{back}"
    );
}

#[test]
fn a_crash_costs_its_own_number_and_nothing_else() {
    let place = fresh("crash");
    template(&place, "own", &adds(4));
    let watching = Watching::start(&place, &["own.asm"]);
    watching.until_refined(1, "own.asm");
    watching.save("own.asm", "body:\n mov rax, [0]\n");
    watching.until("2 own.asm: no number: fault: SIGSEGV");
    watching.save("own.asm", "body:\n mov eax, 39\n syscall\n");
    watching.until("3 own.asm: no number: forbidden:");
    watching.save("own.asm", &adds(5));
    assert!(
        watching
            .until_refined(4, "own.asm")
            .contains("5 instr exact")
    );
}

#[test]
fn of_several_files_only_the_saved_one_runs_and_an_included_one_counts() {
    let place = fresh("several");
    fs::write(place.join("part.inc"), " add rax, 1\n").expect("writes");
    template(
        &place,
        "one",
        ";! expand = true\nbody:\n{% include \"part.inc\" %}\n add rax, 1\n",
    );
    template(&place, "two", &adds(3));
    let watching = Watching::start(&place, &["one.asm", "two.asm"]);
    watching.until_refined(1, "one.asm");
    watching.until_refined(1, "two.asm");
    watching.save("two.asm", &adds(4));
    watching.until_refined(2, "two.asm");
    watching.save("part.inc", &" add rax, 1\n".repeat(4));
    assert!(
        watching
            .until_refined(2, "one.asm")
            .contains("5 instr exact")
    );
    let printed = watching.printed();
    assert!(
        !printed.contains("3 two.asm") && !printed.contains("3 one.asm"),
        "{printed}"
    );
}

#[test]
fn a_baseline_can_be_another_file() {
    let place = fresh("baseline");
    template(&place, "base", &adds(64));
    template(&place, "own", &adds(16));
    let watching = Watching::start(&place, &["own.asm", "--baseline", "base.asm"]);
    let first = watching.until_refined(1, "own.asm");
    assert!(first.contains("the baseline, base.asm"), "{first}");
    assert!(!first.contains("the baseline from here on"), "{first}");
}

#[test]
fn a_baseline_can_be_a_saved_report_and_one_that_is_none_is_refused() {
    let place = fresh("saved_baseline");
    template(&place, "base", &adds(64));
    template(&place, "own", &adds(16));
    let save = ["--quick", "--counters", "clock", "--export-json"];
    let run = run_in(
        &place,
        &[&["run", "base.asm"], &save[..], &["one.json"]].concat(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = run_in(
        &place,
        &[&["run", "base.asm", "own.asm"], &save[..], &["two.json"]].concat(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (report, of) in [("one.json", 0.25), ("two.json", 1.0)] {
        template(&place, "own", &adds(16));
        let watching = Watching::start(&place, &["own.asm", "--baseline", report]);
        let first = watching.until_refined(1, "own.asm");
        let lead = format!("of the baseline, {report} of 2");
        let (ratio, _) = first.split_once(&lead).unwrap_or_else(|| panic!("{first}"));
        let ratio = ratio.rsplit("; ").next().unwrap_or_default();
        let ratio: f64 = ratio
            .split('×')
            .next()
            .unwrap_or_default()
            .parse()
            .expect("a ratio");
        assert!((0.4 * of..2.5 * of).contains(&ratio), "{first}");
        assert!(!first.contains("the baseline from here on"), "{first}");
        // The run before is measured in turns, and the report is held apart beside it. Beside a busy neighbour turns
        // may be too few for a ratio, which is said then.
        watching.save("own.asm", &adds(32));
        let second = watching.until_refined(2, "own.asm");
        assert!(
            second.contains(&lead) && second.contains("run 1"),
            "{second}"
        );
    }
    fs::write(place.join("none.json"), "{}").expect("writes");
    template(&place, "other", &adds(2));
    for (file, report, why) in [
        ("own.asm", "none.json", "it has no `schema`"),
        ("own.asm", "nowhere.json", "nowhere.json"),
        (
            "other.asm",
            "two.json",
            "has no row other; it has base, own",
        ),
    ] {
        let run = run_in(&place, &["watch", "--plain", file, "--baseline", report]);
        assert_eq!(run.code, 2, "{report}: {}", run.stderr);
        assert!(run.said().contains(why), "{report}: {}", run.stderr);
    }
}

#[test]
fn a_folder_that_is_removed_and_made_anew_is_followed_and_its_number_refined() {
    let place = fresh("folder");
    let folder = place.join("inner");
    fs::create_dir(&folder).expect("a folder");
    template(&folder, "own", &adds(4));
    let watching = Watching::start(&place, &["inner/own.asm"]);
    watching.until_refined(1, "inner/own.asm");
    for (run, count) in [(3, 5), (5, 6)] {
        fs::remove_dir_all(&folder).expect("removes");
        watching.until(&format!(
            "{} inner/own.asm: no number: the file is gone",
            run - 1
        ));
        fs::create_dir(&folder).expect("a folder");
        template(&folder, "own", &adds(count));
        let refined = watching.until_refined(run, "inner/own.asm");
        assert!(
            refined.contains(&format!("{count} instr exact")),
            "{refined}"
        );
    }
}

#[test]
fn an_interrupt_ends_it_with_130_and_leaves_no_process() {
    let place = fresh("interrupt");
    template(&place, "own", &adds(4));
    for signal in [("INT", 130), ("TERM", 143)] {
        let mut watching = Watching::start(&place, &["own.asm"]);
        watching.until_refined(1, "own.asm");
        let process = watching.child.id();
        wait_until("a worker waits", || !workers_of(process).is_empty());
        let workers = workers_of(process);
        let status = Command::new("kill")
            .args([format!("-{}", signal.0), process.to_string()])
            .status();
        assert!(status.expect("kill runs").success());
        let ended = watching.child.wait().expect("ends");
        assert_eq!(ended.code(), Some(signal.1), "{}", watching.said());
        let is_gone = |worker: &u32| !Path::new(&format!("/proc/{worker}")).exists();
        wait_until("no worker is left", || workers.iter().all(is_gone));
    }
}

#[test]
fn what_no_editor_saves_is_refused() {
    let place = fresh("refused");
    for (name, why) in [
        ("inline", "that is built in, and nobody saves it"),
        ("-", "standard input is not saved"),
        ("nowhere.asm", "there is no such file"),
    ] {
        let run = run_in(&place, &["watch", "--plain", name]);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        assert!(run.said().contains(why), "{name}: {}", run.stderr);
    }
}

#[cfg(not(feature = "web"))]
#[test]
fn a_build_without_the_page_says_which_line_adds_it() {
    let run = run_in(&fresh("no_page"), &["serve"]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(
        run.said().contains("cargo build --release --features web"),
        "{}",
        run.stderr
    );
}

#[test]
fn very_many_saves_leave_neither_descriptors_nor_processes_nor_memory_behind() {
    let place = fresh("many");
    template(&place, "own", &adds(1));
    let watching = Watching::start(&place, &["own.asm", "--time", "1"]);
    watching.until_refined(1, "own.asm");
    let process = watching.child.id();
    let open = || {
        fs::read_dir(format!("/proc/{process}/fd"))
            .expect("its descriptors")
            .count()
    };
    let save = |from: u32, to: u32| {
        for run in from..=to {
            watching.save("own.asm", &adds(1 + run as usize % 9));
            // Some are refined, and of some the refining is given up.
            watching.until(&format!("{run} own.asm: at once"));
        }
        watching.until_refined(to, "own.asm");
        wait_until("a worker waits", || workers_of(process).len() == 1);
    };
    save(2, 20);
    let before = (open(), memory_kib(process));
    save(21, 1000);
    let after = (open(), memory_kib(process));
    assert!(after.0 <= before.0 + 2, "descriptors: {before:?} {after:?}");
    // The history and what the allocator keeps, and not a thousand runs.
    assert!(after.1 < before.1 + 8 * 1024, "KiB: {before:?} {after:?}");
}
