//! What imported leaf functions take, beside the program that they are of.
//!
//! Correct means: the program times its own loop, on the same CPU, in turns with ours; on both sides each call gets what the
//! one before it gave, so that the loop around is hidden behind the function, and nothing is subtracted; of both the tenth of the chunks that were fastest is left out and the next one counts, for a neighbour on the core
//! makes all others slower; and a function agrees where the program's own time is within 5 % of ours, at the
//! place or between the places of the code that were timed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use super::PROGRAM;

const SOURCE: &str = include_str!("leaves.go");
/// Turns, and chunks in one of the program's.
const TURNS: usize = 15;
const CHUNKS: &str = "400";
/// What two times may differ by.
const WITHIN: f64 = 0.05;

/// A function: its name for the program, how it is imported, and what becomes of the template's text, so that each call gets
/// what the one before it gave.
struct Leaf {
    name: &'static str,
    import: &'static [&'static str],
    chained: &'static [(&'static str, &'static str)],
}

/// The argument is in the register that the result is left in, and stays there.
const BY_ITSELF: &[(&str, &str)] = &[
    ("        mov  rax, 1000003\n", ""),
    ("body:\n", "setup:  mov  rax, 1000003\nbody:\n"),
];

const LEAVES: [Leaf; 4] = [
    Leaf {
        name: "mixed",
        import: &["main.mixed", "--arg", "AX=1000003"],
        chained: BY_ITSELF,
    },
    Leaf {
        name: "ones",
        import: &["main.ones", "--arg", "AX=1000003"],
        chained: BY_ITSELF,
    },
    Leaf {
        name: "root",
        import: &["main.root", "--arg", "AX=1000003"],
        chained: BY_ITSELF,
    },
    Leaf {
        name: "At",
        import: &["main.Curve,*main.Poly", "--method", "At", "--arg", "BX=3"],
        // The loop gives the receiver in rax and rbx.
        chained: &[
            ("mov  rbx, 3\n", "mov  rbx, r12\n"),
            (
                "site:   call rdx\n",
                "site:   call rdx\n        mov  r12, rax\n",
            ),
        ],
    },
];

/// The table; says why where there is none.
pub(super) fn report(folder: &Path, cpu: &str) {
    let program = match build(folder) {
        Ok(program) => program,
        Err(why) => return println!("imported functions: skipped, {why}"),
    };
    println!(
        "{:<8} {:>10} {:>10} {:>8} {:>17}  agrees",
        "function", "Go's ns", "ours", "ratio", "ours by placement"
    );
    for Leaf {
        name,
        import,
        chained,
    } in LEAVES
    {
        let template = folder.join(format!("{name}.asm"));
        let mut import_it = Command::new(PROGRAM);
        import_it.arg("import").arg(&program).args(import);
        let mut made = said(&mut import_it);
        for (from, to) in chained {
            assert!(made.contains(from), "{name}: no `{from}` in {made}");
            made = made.replace(from, to);
        }
        fs::write(&template, made).expect("the folder takes a template");
        let mut turns: Vec<Turn> = (0..TURNS)
            .map(|_| turn(&program, name, &template, cpu))
            .collect();
        turns.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        let middle = &turns[TURNS / 2];
        let (least, most) = middle.range;
        let agrees = (least * (1.0 - WITHIN)..=most * (1.0 + WITHIN)).contains(&middle.go);
        println!(
            "{name:<8} {:>10.2} {:>10.2} {:>8.3} {:>17}  {}",
            middle.go,
            middle.ours,
            middle.ratio(),
            format!("{least:.2} to {most:.2}"),
            if agrees { "yes" } else { "NO" }
        );
    }
}

/// Nanoseconds of a call, of both, one after the other.
struct Turn {
    go: f64,
    ours: f64,
    /// Least and most of ours over placements.
    range: (f64, f64),
}

impl Turn {
    fn ratio(&self) -> f64 {
        self.ours / self.go
    }
}

fn turn(program: &Path, name: &str, template: &Path, cpu: &str) -> Turn {
    let mut own = Command::new(program);
    own.args([name, CHUNKS]).env("GOMAXPROCS", "1");
    let own = said_on(cpu, &mut own);
    let mut run = Command::new(PROGRAM);
    run.arg("run").arg(template);
    run.args(["--json", "--quick", "--counters", "clock", "--cpu", cpu]);
    let document: Value = serde_json::from_str(&said(&mut run)).expect("JSON");
    let row = &document["rows"][0];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let (ns, cycles) = (
        number(&row["metrics"]["ns"]["value"]),
        number(&row["metrics"]["cycles"]["value"]),
    );
    // One list of chunks for each placement, in cycles.
    let chunks = row["chunks"].as_array().into_iter().flatten();
    let of_place = |chunks: &Value| {
        let chunks = chunks.as_array().into_iter().flatten();
        least(chunks.map(number).collect()) * ns / cycles
    };
    let places: Vec<f64> = chunks.map(of_place).collect();
    let range = places
        .iter()
        .fold((f64::INFINITY, 0.0f64), |(low, high), one| {
            (low.min(*one), high.max(*one))
        });
    Turn {
        go: least(own.lines().filter_map(|line| line.parse().ok()).collect()),
        ours: places.first().copied().unwrap_or(f64::NAN),
        range,
    }
}

/// The number that one in ten is below.
fn least(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 10).copied().unwrap_or(f64::NAN)
}

fn build(folder: &Path) -> Result<std::path::PathBuf, String> {
    let source = folder.join("leaves.go");
    fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let program = folder.join("leaves");
    let output = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .envs([
            ("GOTOOLCHAIN", "local"),
            ("GO111MODULE", "off"),
            ("CGO_ENABLED", "0"),
        ])
        .output()
        .map_err(|error| format!("there is no Go: {error}"))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// What a command says that runs on one CPU.
fn said_on(cpu: &str, command: &mut Command) -> String {
    let mut cpus = CpuSet::new();
    cpus.set(cpu.parse().expect("a number")).expect("a CPU");
    // A thread, so that what is started otherwise is not bound to its CPU.
    thread::scope(|scope| {
        let bound = scope.spawn(|| {
            sched_setaffinity(Pid::from_raw(0), &cpus).expect("the thread is pinned");
            said(command)
        });
        bound.join().expect("the command runs")
    })
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
