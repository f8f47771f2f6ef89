//! The speeds that dispatchlab is held to, as a table: `cargo bench --bench speed`.
//!
//! Correct means: each row does the whole of what it says, a command's time is from before its
//! process starts until it has ended, and GNU `as` gets the same instructions.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead as _, BufReader, Read as _};

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use dispatchlab::asm;
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::Library;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dispatchlab");

fn main() {
    // `cargo test --benches` has nothing to learn here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("speed: measures only under `cargo bench --bench speed`");
    }
    let folder = std::env::temp_dir().join(format!("dispatchlab-speed-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the inputs");
    println!("{}\n", cpu());
    println!(
        "{:<44} {:<22} {:>10} {:>10}",
        "what", "goal", "least", "median"
    );
    commands(&folder);
    in_process();
    whole_runs(&folder);
    programs(&folder);
    fs::remove_dir_all(&folder).expect("the folder can go");
}

/// A large size, or with `--small` a hundredth of it, for a build that is not to be measured.
fn large(size: usize) -> usize {
    if std::env::args().any(|argument| argument == "--small") {
        size / 100
    } else {
        size
    }
}

/// Assembling as a command, its start included, beside GNU `as`.
fn commands(folder: &Path) {
    for (lines, times) in [(100, 200), (10_000, 40)] {
        let (own, gnu) = inputs(folder, lines);
        let yardstick = Command::new("as").arg("--version").output().is_ok();
        row(
            &format!("dispatchlab {}, {lines} lines", own[0]),
            "",
            &time_of(PROGRAM, &own, times),
        );
        if yardstick {
            row("  GNU as on them", "", &time_of("as", &gnu, times));
        } else {
            println!("  GNU as on them: skipped, there is no `as`; binutils has it");
        }
    }
}

/// The same instructions for dispatchlab and for GNU `as`, as arguments.
fn inputs(folder: &Path, lines: usize) -> (Vec<String>, Vec<String>) {
    let text = lines_of(lines);
    let path = |name: String| -> PathBuf { folder.join(name) };
    let write = |path: &Path, text: &str| fs::write(path, text).expect("an input");
    let (gnu, plain) = (path(format!("{lines}.s")), path(format!("{lines}.asm")));
    write(&gnu, &format!(".intel_syntax noprefix\n{text}"));
    write(&plain, &text);
    let words = |words: &[&str], file: &Path| {
        let words = words.iter().map(|word| (*word).to_owned());
        words
            .chain([file.display().to_string()])
            .collect::<Vec<_>>()
    };
    let own = words(&["asm", "--hex"], &plain);
    let object = folder.join("out.o").display().to_string();
    (own, words(&["--64", "-o", &object], &gnu))
}

/// Instructions as a type switch has them.
fn lines_of(count: usize) -> String {
    let mut text = String::new();
    for case in 0..count / 8 {
        let hash = (case as u64).wrapping_mul(2_654_435_761) & 0xffff_ffff;
        let _ = write!(
            text,
            "  cmp ecx, {hash}\n  jne next{case}\n  lea rcx, [rdx+{}]\n  cmp rax, rcx\n  jne done\n  \
             mov eax, [rbx]\n  add eax, {case}\n  jmp done\nnext{case}:\n",
            case % 512 * 8
        );
    }
    text + "done:\n  nop\n"
}

fn in_process() {
    for (instructions, times) in [(10_000, 30), (large(1_000_000), 3)] {
        let text = lines_of(instructions);
        let times = times_of(times, || {
            black_box(asm::fragment(black_box(&text)).expect("it assembles"));
        });
        let rate = instructions as f64 / times[0] / 1000.0;
        row(
            &format!("assemble {instructions}, in a process ({rate:.2} M/s)"),
            "1 M/s",
            &times,
        );
    }
    let links = large(100_000);
    let chain = chain(links);
    let times = times_of(3, || {
        black_box(asm::fragment(black_box(&chain)).expect("it assembles"));
    });
    row(
        &format!("assemble {links} branches, each grows the next"),
        "linear",
        &times,
    );
    for (targets, goal, times) in [
        (1, "", 20),
        (1024, "50 ms", 20),
        (large(100_000), "5 s, 1 GiB", 2),
    ] {
        let name = format!("itab_call[targets={targets}]");
        let scenario = scenario(&name);
        let times = times_of(times, || {
            black_box(prepare(black_box(&scenario)).expect("it links"));
        });
        row(&format!("prepare {name}"), goal, &times);
    }
    println!("  peak memory of this process: {} MiB", own_peak_mib());
}

/// Branches over 126 bytes, one branch among them: each grows when the one behind it does.
fn chain(links: usize) -> String {
    let mut text = String::new();
    for link in 0..links {
        let room = if link + 1 < links { 62 } else { 80 };
        let _ = write!(
            text,
            "l{link}: jmp l{}\n  db \"{}\"\n",
            link + 2,
            "x".repeat(room)
        );
    }
    let _ = write!(
        text,
        "l{links}: db \"{}\"\nl{}: nop\n",
        "x".repeat(64),
        links + 1
    );
    text
}

fn scenario(name: &str) -> Scenario {
    let (template, parameters) = parse_name(name).expect("a name as the command line takes it");
    let template = Library::embedded().load(&template).expect("it is shipped");
    Scenario::bind(Arc::new(template), &parameters).expect("its parameters are in range")
}

fn whole_runs(folder: &Path) {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let file = folder.join("own.asm");
    let template = include_str!("../asm_templates/itab_call.asm");
    fs::write(&file, template).expect("an input");
    let file = file.display().to_string();
    row(
        "run FILE --quick",
        "60 ms",
        &time_of(PROGRAM, &words(&["run", &file, "--quick"]), 15),
    );
    let plain = folder.join("plain.asm");
    fs::write(&plain, "body:\n add rax, 1\n").expect("an input");
    let plain = plain.display().to_string();
    row(
        "run FILE --quick, of no branch",
        "30 ms",
        &time_of(PROGRAM, &words(&["run", &plain, "--quick"]), 15),
    );
    row(
        "run itab_call",
        "400 ms",
        &time_of(PROGRAM, &words(&["run", "itab_call"]), 9),
    );
    row(
        "watch, save to the number at once",
        "50 ms",
        &saves(folder, "at once"),
    );
    row(
        "watch, save to the number in turns",
        "",
        &saves(folder, "misses"),
    );
    if cfg!(feature = "web") {
        row("serve, edit to the number", "300 ms", &edits());
    } else {
        println!("  serve: skipped, this build has no page; --features web has it");
    }
    let targets = large(100_000);
    let many = words(&[
        "run",
        "itab_call",
        "-p",
        &format!("targets={targets}"),
        "--quick",
        "--counters",
        "none",
    ]);
    row(
        &format!("run of {targets} targets, not timed"),
        "1 GiB each",
        &time_of(PROGRAM, &many, 1),
    );
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("a process can ask for its children");
    println!(
        "  peak memory of its larger process: {} MiB",
        usage.max_rss() / 1024
    );
}

/// What is asked of programs: large ones are read, and a running one is traced.
fn programs(folder: &Path) {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.into()).collect() };
    match large_program(folder) {
        Some(file) => {
            let size = fs::metadata(&file).map_or(0, |file| file.len()) / 1_000_000;
            let file = file.display().to_string();
            for arguments in [["sym", &file, "f777"], ["sites", &file, "f777"]] {
                let what = format!("{} of a program of {size} MB", arguments[0]);
                row(&what, "1 s", &time_of(PROGRAM, &words(&arguments), 5));
            }
        }
        None => println!("  large programs: skipped, there is no `as`; binutils has it"),
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/traced.go");
    let program = folder.join("traced").display().to_string();
    let mut build = Command::new("go");
    build.args(["build", "-o", &program, source]);
    build.env("GO111MODULE", "off").env("GOFLAGS", "");
    if !build.output().is_ok_and(|output| output.status.success()) {
        return println!("  trace: skipped, there is no Go that builds a program");
    }
    let mut rates: Vec<f64> = (0..5)
        .filter_map(|time| traced(&program, &folder.join(format!("types-{time}.txt"))))
        .collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    match rates[..] {
        [] => println!("  trace: skipped, nobody may trace here"),
        [most, ..] => println!(
            "{:<44} {:<22} {most:>8.0} /s {:>8.0} /s",
            "visits of one thread, traced",
            "50,000 /s",
            rates[rates.len() / 2]
        ),
    }
}

/// 196,000 functions of some 480 bytes, as an object file of 100 MB.
fn large_program(folder: &Path) -> Option<PathBuf> {
    let (source, object) = (folder.join("large.s"), folder.join("large.o"));
    let text = format!(
        "\t.text\n\t.macro one\n\t.globl f\\@\n\t.type f\\@, @function\nf\\@:\n\t.fill 476, 1, 0x90\n\tcall *24(%rax)\n\tret\n\
         \t.size f\\@, .-f\\@\n\t.endm\n\t.rept {}\n\tone\n\t.endr\n",
        large(196_000)
    );
    fs::write(&source, text).ok()?;
    let mut assemble = Command::new("as");
    assemble.arg("-o").arg(&object).arg(&source);
    let is_made = assemble.status().is_ok_and(|status| status.success());
    is_made.then_some(object)
}

/// Visits a second of a site that a program comes to in a loop, as `trace` measures them.
fn traced(program: &str, recording: &Path) -> Option<f64> {
    const VISITS: &str = "60000";
    let mut trace = Command::new(PROGRAM);
    trace.args(["trace", "--json", "--at", "main.read", "-o"]);
    trace.arg(recording).args(["--", program, VISITS, "1"]);
    let output = trace.output().ok()?;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let number = |key: &str| document["trace"][key].as_f64();
    Some(number("visits")? / number("seconds")?)
}

/// Saves, or edits, that are timed.
const EDITS: u32 = 15;

/// A template that differs from all others.
fn edited(edit: u32) -> String {
    format!(
        "{}; {edit}\n",
        include_str!("../asm_templates/itab_call.asm")
    )
}

/// Milliseconds from a save until `watch --plain` has printed this of it, ascending.
fn saves(folder: &Path, printed: &str) -> Vec<f64> {
    /// A worker has to be ready again, as it is when somebody types.
    const BETWEEN: Duration = Duration::from_millis(150);
    let file = folder.join("watched.asm");
    fs::write(&file, edited(1)).expect("an input");
    let mut child = Command::new(PROGRAM)
        .args(["watch", "--plain", "--quick"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut run = String::new();
    let mut until = |edit: u32, word: &str| loop {
        let line = lines.next().expect("it goes on").expect("UTF-8");
        if !line.starts_with(' ') {
            run = line.split(' ').next().unwrap_or_default().to_string();
        }
        if run == edit.to_string() && line.contains(word) {
            break;
        }
    };
    until(1, "misses");
    let mut times = Vec::new();
    for edit in 2..2 + EDITS {
        std::thread::sleep(BETWEEN);
        let saved = Instant::now();
        fs::write(&file, edited(edit)).expect("a save");
        until(edit, printed);
        times.push(saved.elapsed().as_secs_f64() * 1000.0);
        if printed != "misses" {
            until(edit, "misses");
        }
    }
    times.sort_unstable_by(f64::total_cmp);
    child.kill().and_then(|()| child.wait()).expect("it ends");
    times
}

/// Milliseconds from an edit until the page has its answer, ascending.
fn edits() -> Vec<f64> {
    let mut child = Command::new(PROGRAM)
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("an address");
    let address = line.trim().strip_prefix("http://").expect("an address");
    let (host, path) = address.split_once('/').expect("a token");
    let ask = |edit: u32| {
        let text = edited(edit)
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .replace('\t', "\\t");
        let body = format!("{{\"name\":\"own\",\"text\":\"{text}\"}}");
        let length = body.len();
        let mut stream = TcpStream::connect(host).expect("it listens");
        let head = format!(
            "POST /{path}api/run HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        io::Write::write_all(&mut stream, format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains("\"cycles\""), "{answer}");
    };
    ask(1);
    let mut edit = 1;
    let times = times_of(EDITS as usize, || {
        edit += 1;
        ask(edit);
    });
    child.kill().and_then(|()| child.wait()).expect("it ends");
    times
}

/// Milliseconds of so many runs of a command, ascending.
fn time_of(program: &str, arguments: &[String], times: usize) -> Vec<f64> {
    times_of(times, || {
        let status = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("it starts");
        assert!(status.success(), "{program} {arguments:?}: {status}");
    })
}

fn times_of(times: usize, mut work: impl FnMut()) -> Vec<f64> {
    let mut measured: Vec<f64> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    measured.sort_unstable_by(f64::total_cmp);
    measured
}

fn row(what: &str, goal: &str, sorted: &[f64]) {
    let median = sorted[sorted.len() / 2];
    println!(
        "{what:<44} {goal:<22} {:>7.2} ms {median:>7.2} ms",
        sorted[0]
    );
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let name = name.map_or("unknown CPU", |name| {
        name.trim_start_matches([' ', '\t', ':'])
    });
    format!("{name}, load {load}")
}

fn own_peak_mib() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process can ask for itself");
    usage.max_rss() / 1024
}
