//! How far the numbers can be trusted on this machine, as a table: `cargo bench --bench trust`, or a part of
//! it, as in `cargo bench --bench trust -- chase`, `placements` or `imported`.
//!
//! Correct means: each run is a process of its own, as a user starts it, a difference that is to be
//! found exists by construction, and what a table row claims is counted and not estimated.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;
use serde_json::Value;

#[path = "trust/chase.rs"]
mod chase;
#[path = "trust/imported.rs"]
mod imported;
#[path = "trust/placements.rs"]
mod placements;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dispatchlab");
/// Runs of which the variation is taken.
const RUNS: usize = 20;
/// Comparisons of a row with itself, and of two that differ.
const COMPARISONS: usize = 200;

fn main() {
    // `cargo test --benches` has nothing to learn here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("trust: measures only under `cargo bench --bench trust`");
    }
    let folder = std::env::temp_dir().join(format!("dispatchlab-trust-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the templates");
    let cpu = sched_getcpu().expect("a CPU").to_string();
    // `cargo bench --bench trust -- misses`, `-- chase` and `-- placements` make one table alone.
    let wanted = std::env::args().nth(1);
    let head = || println!("{:<58} {:>8} {:>12}", "what", "goal", "found");
    match wanted.as_deref() {
        Some("chase") => {
            head();
            return chase::report();
        }
        Some("placements") => {
            head();
            return placements::report(&cpu);
        }
        Some("imported") => {
            imported::report(&folder, &cpu);
            return fs::remove_dir_all(&folder).expect("the folder can go");
        }
        _ => {}
    }
    misses(&folder, &cpu);
    if wanted.as_deref() == Some("misses") {
        return fs::remove_dir_all(&folder).expect("the folder can go");
    }
    head();
    variation("alone", &cpu);
    let busy = Busy::on(&cpu);
    variation("beside a busy loop on the CPU", &cpu);
    drop(busy);
    differences(&folder);
    costs();
    chase::report();
    placements::report(&cpu);
    fs::remove_dir_all(&folder).expect("the folder can go");
}

fn row(what: &str, goal: &str, found: &str) {
    println!("{what:<58} {goal:>8} {found:>12}");
}

/// Runs of each row whose misses are known.
const MISSES_RUNS: usize = 6;

/// A template on a branch that depends on the object's number, and one on a jump through a table.
const COIN: &str = ";! heap = \"pointer\"\n;! params = { order = \"random\", objects = 2 }\n;! result = \"eax\"\n;! expect = \
                    \"id\"\n;! dispatch = \"site\"\nbody: mov ecx, [rax]\n mov eax, 1\n cmp ecx, 2\nsite: jne first\n mov \
                    eax, 2\nfirst: nop\n";
/// A jump through a table over so many objects.
fn table(objects: u32) -> String {
    let mut text = format!(
        ";! heap = \"pointer\"\n;! params = {{ order = \"random\", objects = {objects} }}\n;! result = \"eax\"\n;! \
         expect = \"id\"\n;! clobbers = \"all\"\n;! dispatch = \"site\"\nbody: mov ecx, [rax]\n lea rdx, \
         [\"places\" - 8]\nsite: jmp [rdx+rcx*8]\n"
    );
    for object in 0..objects {
        let _ = writeln!(text, "c{object}: mov eax, {}\n jmp done", object + 1);
    }
    text.push_str("done: nop\ndata \"places\":\n");
    for object in 0..objects {
        let _ = writeln!(text, " dq c{object}");
    }
    text
}

/// Two calls of one target each iteration, chosen by different bits of a number: each is as if it stood alone.
const TWO_SITES: &str = ";! heap = \"pointer\"\n;! params = { order = \"random\", objects = 64 }\n;! clobbers = \
                         \"all\"\n;! dispatch = [\"first\", \"second\"]\nbody: mov eax, [rax]\n dec eax\n mov ecx, eax\n \
                         and ecx, 7\n shr eax, 3\n lea rdx, [\"one\"]\n lea rsi, [\"two\"]\n mov rdi, [rsi + \
                         rax*8]\nfirst: jmp [rdx + rcx*8]\na0: nop\na1: nop\na2: nop\na3: nop\na4: nop\na5: nop\na6: \
                         nop\na7: jmp go\ngo:\nsecond: jmp rdi\nb0: nop\nb1: nop\nb2: nop\nb3: nop\nb4: nop\nb5: \
                         nop\nb6: nop\nb7: nop\ndata \"one\": dq a0, a1, a2, a3, a4, a5, a6, a7\ndata \"two\": dq b0, \
                         b1, b2, b3, b4, b5, b6, b7\n";

/// A jump that runs three times an iteration, each time to one of four places.
const LOOP: &str = ";! heap = \"pointer\"\n;! params = { order = \"random\", objects = 64 }\n;! clobbers = \"all\"\n;! \
                    dispatch = \"site\"\nbody: mov eax, [rax]\n dec eax\n mov esi, 3\n lea rdx, [\"one\"]\nagain: mov \
                    ecx, eax\n and ecx, 3\n shr eax, 2\nsite: jmp [rdx + rcx*8]\na0: nop\na1: nop\na2: nop\na3: dec \
                    esi\n jnz again\ndata \"one\": dq a0, a1, a2, a3\n";

/// So many nested calls, of which the outermost return is studied.
fn nested(calls: u32) -> String {
    let mut text = ";! clobbers = \"all\"\n;! dispatch = \"site\"\nbody: call \"f1\"\n".to_string();
    for at in 1..=calls {
        let _ = writeln!(text, "func \"f{at}\":");
        if at < calls {
            let _ = writeln!(text, " call \"f{}\"", at + 1);
        }
        let label = if at == 1 { "site: " } else { " " };
        let _ = writeln!(text, "{label}ret");
    }
    text
}

/// Rows whose misses are known, or between which numbers they lie, beside what is inferred of them.
fn misses(folder: &Path, cpu: &str) {
    let file = |name: &str, text: &str| {
        let path = folder.join(format!("{name}.asm"));
        fs::write(&path, text).expect("a template");
        path.display().to_string()
    };
    let mut rows: Vec<(String, f64, f64)> = Vec::new();
    let of_random = |k: u32| (f64::from(k) - 1.0) / f64::from(k);
    for k in [1, 2, 4, 8, 64, 256, 1024, 4096] {
        let name = format!("itab_call[order=random,targets={k}]");
        rows.push((name, of_random(k), of_random(k)));
    }
    // Visits are independent: no predictor is below 1 - P, and one that repeats the last target misses where
    // two visits differ.
    for (percent, k) in [(90, 2), (80, 2), (90, 8), (99, 2)] {
        let p = f64::from(percent) / 100.0;
        let others = (1.0 - p) / f64::from(k - 1);
        let again = p * p + f64::from(k - 1) * others * others;
        rows.push((
            format!("itab_call[order=hot:{percent},targets={k}]"),
            1.0 - p,
            1.0 - again,
        ));
    }
    // A run begins with another target k - 1 times in k; a predictor that is slow to follow may miss each.
    for (length, k) in [(4, 4), (8, 8), (16, 4)] {
        let least = of_random(k) / f64::from(length);
        rows.push((
            format!("itab_call[order=runs:{length},targets={k}]"),
            least,
            2.0 * least,
        ));
    }
    for name in [
        "guard[cases=5,hit=last]",
        "type_switch[cases=8,hit=last]",
        "itab_call[order=same,targets=8]",
        "guard",
    ] {
        rows.push((name.into(), 0.0, 0.0));
    }
    for k in [2, 4, 8, 16] {
        // Each comparison can be guessed one way, and at most one of an iteration is told of.
        let name = format!("type_switch[cases={k},hit=order,order=random,strategy=linear]");
        rows.push((name, 0.5, 1.0));
    }
    rows.push((
        "guard[cases=2,guards=1,hit=order,order=random]".into(),
        0.5,
        0.5,
    ));
    rows.push((
        "type_switch[cases=8,hit=order,order=random,strategy=jump]".into(),
        0.875,
        0.875,
    ));
    rows.push(("vtable_call[order=random,targets=8]".into(), 0.875, 0.875));
    rows.push(("retpoline".into(), 1.0, 1.0));
    rows.push((file("coin", COIN), 0.5, 0.5));
    for objects in [2, 8, 16, 64, 1024] {
        let name = format!("table_{objects}");
        let known = of_random(objects);
        rows.push((file(&name, &table(objects)), known, known));
    }
    rows.push((file("two_sites", TWO_SITES), 1.75, 1.75));
    rows.push((file("loop", LOOP), 2.25, 2.25));
    rows.push((file("nested_16", &nested(16)), 0.0, 0.0));
    // More than any core is known to remember returns.
    rows.push((file("nested_72", &nested(72)), 1.0, 1.0));
    println!(
        "| row | known | inferred: median of {MISSES_RUNS} runs | least to most | `--quick` |"
    );
    println!("|---|---|---|---|---|");
    for (name, least, most) in rows {
        let inferred = |arguments: &[&str]| {
            let all = [&["run", &name, "--cpu", cpu], arguments].concat();
            run(&all).0["rows"][0]["metrics"]["branch_misses"]["value"].as_f64()
        };
        let mut found: Vec<f64> = (0..MISSES_RUNS).filter_map(|_| inferred(&[])).collect();
        found.sort_by(f64::total_cmp);
        let number =
            |value: Option<f64>| value.map_or("none".into(), |value| format!("{value:.3}"));
        let known = if (most - least).abs() < 1e-9 {
            format!("{least:.3}")
        } else {
            format!("{least:.3} to {most:.3}")
        };
        let shown = Path::new(&name)
            .file_name()
            .map_or(name.clone(), |file| file.to_string_lossy().into());
        println!(
            "| `{shown}` | {known} | {} | {} to {} | {} |",
            number(found.get(found.len() / 2).copied()),
            number(found.first().copied()),
            number(found.last().copied()),
            number(inferred(&["--quick"]))
        );
    }
}

/// A process that does nothing, all the time, on one CPU.
struct Busy(Child);

impl Busy {
    fn on(cpu: &str) -> Busy {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]);
        let child = command.spawn().expect("a shell starts");
        let mut set = CpuSet::new();
        set.set(cpu.parse().expect("a number")).expect("a CPU");
        let pid = Pid::from_raw(child.id() as i32);
        sched_setaffinity(pid, &set).expect("the loop is pinned");
        Busy(child)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It ends in no other way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program and gives what it printed as JSON, and the seconds that it took.
fn run(arguments: &[&str]) -> (Value, f64) {
    let start = Instant::now();
    let output = Command::new(PROGRAM)
        .args(arguments)
        .args(["--json", "-q"])
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let seconds = start.elapsed().as_secs_f64();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (serde_json::from_str(&text).expect("JSON"), seconds)
}

/// The coefficient of variation of the cycles of separate runs, in percent: of all, and of those
/// that did not warn of a neighbour on the core.
fn variation(where_: &str, cpu: &str) {
    for name in ["direct_call", "itab_call"] {
        let cycles = |_| {
            let (document, _) = run(&["run", name, "--time", "30", "--cpu", cpu]);
            let row = &document["rows"][0];
            let value = row["metrics"]["cycles"]["value"].as_f64();
            (
                value.expect("cycles"),
                row["warnings"] == serde_json::json!([]),
            )
        };
        let values: Vec<(f64, bool)> = (0..RUNS).map(cycles).collect();
        let all: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
        let calm = values.iter().filter(|(_, is_calm)| *is_calm);
        let calm: Vec<f64> = calm.map(|(value, _)| *value).collect();
        let what = format!("{name}, {where_}: variation over {RUNS} runs");
        row(&what, "0.3 %", &of(&all));
        if calm.len() < RUNS {
            row(
                &format!("  over the {} that did not warn", calm.len()),
                "0.3 %",
                &of(&calm),
            );
        }
    }
}

fn of(values: &[f64]) -> String {
    if values.len() < 2 {
        return "unknown".into();
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = |value: &f64| (value - mean).powi(2);
    let variance = values.iter().map(square).sum::<f64>() / (count - 1.0);
    format!("{:.3} %", 100.0 * variance.sqrt() / mean)
}

/// A chain of dependent adds of a given length.
fn chain(folder: &Path, length: u32) -> PathBuf {
    let path = folder.join(format!("chain{length}.asm"));
    let mut text = String::from(";! clobbers = \"all\"\nbody:\n");
    for _ in 0..length {
        let _ = writeln!(text, " add rax, rax");
    }
    fs::write(&path, text).expect("a template");
    path
}

/// How often a row is told apart from itself, and from one that takes one cycle in a hundred more.
fn differences(folder: &Path) {
    let verdicts = |base: &str, other: &str, count: usize| {
        let mut seconds = Vec::new();
        let mut told = 0;
        for _ in 0..count {
            let (document, took) = run(&["compare", base, other]);
            let verdict = &document["comparisons"][0]["verdict"];
            told += usize::from(verdict == "faster" || verdict == "slower");
            seconds.push(took);
        }
        seconds.sort_by(f64::total_cmp);
        (told, seconds[count / 2])
    };
    for name in ["direct_call", "itab_call[order=random,targets=8]"] {
        let count = COMPARISONS / 2;
        let (told, _) = verdicts(name, name, count);
        let share = 100.0 * told as f64 / count as f64;
        row(
            &format!("{name} against itself: told apart"),
            "5 %",
            &format!("{share:.1} %"),
        );
    }
    let [base, other] = [100, 101].map(|length| chain(folder, length).display().to_string());
    let (told, seconds) = verdicts(&base, &other, RUNS);
    row(
        "1 % that exists: found",
        "always",
        &format!("{told} of {RUNS}"),
    );
    row(
        "  seconds of one such comparison",
        "0.5 s",
        &format!("{seconds:.2} s"),
    );
}

/// What more variants, points and placements take: time a piece, and memory.
fn costs() {
    let each = |what: &str, few: (&[&str], f64), many: (&[&str], f64)| {
        let (_, least) = run(few.0);
        let (_, most) = run(many.0);
        let growth = (most / many.1) / (least / few.1);
        row(
            &format!("{what}: seconds each, {} of them against {}", many.1, few.1),
            "1.2 x",
            &format!("{growth:.2} x"),
        );
    };
    let names = [
        "inline",
        "direct_call",
        "ptr_method",
        "value_method",
        "itab_call",
        "wrapper_call",
        "itab_wrapper",
        "type_switch",
    ];
    let all: Vec<&str> = ["compare"].into_iter().chain(names).collect();
    each("variants in a comparison", (&all[..3], 2.0), (&all, 8.0));
    let sweep = |values: &'static str| ["sweep", "direct_call", "-P", values];
    each(
        "points of a sweep",
        (&sweep("align=0..7"), 8.0),
        (&sweep("align=0..63"), 64.0),
    );
    let placed = |count: &'static str| ["run", "direct_call", "--placements", count];
    each("placements", (&placed("8"), 8.0), (&placed("64"), 64.0));
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    row(
        "memory of the largest of these processes",
        "200 MiB",
        &format!("{} MiB", children.max_rss() / 1024),
    );
}
