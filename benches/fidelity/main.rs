//! dispatchlab's rows against what Go compilers make of Go: `cargo bench --bench fidelity`.
//!
//! The loops of `benches/go/` are built with every Go that is installed, and run in turns with our
//! rows on one CPU; and one iteration of each is single-stepped and held against ours, instruction
//! by instruction. Options, behind `--`: `--quick` (few rows, one round), `--counts` (no times),
//! `--rounds N`, `--cpu N`, `--markdown` (writes the tables into docs/book.md;
//! with `--counts` the times that stand there stay), and any word, of
//! which rows must contain one.
//!
//! Correct means: both sides count core cycles by a chain of known length beside each chunk, both sums
//! are checked, nothing is subtracted, each row that disagrees says so, and a row that cannot be
//! compared says why.

mod agreement;
mod causes;
mod go;
mod ours;
mod sequence;
mod stepped;
mod table;

use std::path::PathBuf;

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use agreement::{Quiet, Row, Times};
use go::{Layouts, Program, Toolchain};
use ours::Ours;

/// How many times as many rounds there are at most on a core that is not quiet.
const PATIENCE: usize = 5;

fn main() {
    let options = Options::from(std::env::args().skip(1));
    let toolchains = match Toolchain::installed() {
        Ok(found) => found,
        Err(why) => return println!("fidelity: skipped, {why}"),
    };
    stay_on(options.cpu);
    let mut rows = Vec::new();
    let mut quiet = None;
    let folder = std::env::temp_dir().join(format!("dispatchlab-fidelity-{}", std::process::id()));
    for toolchain in &toolchains {
        let mut layouts = match Layouts::build(toolchain, &folder, options.layouts) {
            Ok(layouts) => layouts,
            Err(why) => {
                eprintln!("fidelity: {} is left out: {why}", toolchain.version);
                continue;
            }
        };
        let quiet = quiet.get_or_insert_with(|| match options.rounds {
            0 => Quiet::default(),
            _ => Quiet::look(&layouts.few()[0]),
        });
        rows.extend(rows_of(toolchain, &mut layouts, &options, quiet));
    }
    // What is left behind in the folder for temporary files is nobody's loss.
    let _ = std::fs::remove_dir_all(&folder);
    print!("{}", table::text(&rows));
    if options.is_markdown {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/book.md");
        table::write_into(&path, &rows).expect("docs/book.md has a place for the tables");
    }
    let unlike: Vec<&Row> = rows.iter().filter(|row| row.is_unlike()).collect();
    if !unlike.is_empty() {
        eprintln!(
            "fidelity: {} rows have other instructions than Go's, and no cause is known",
            unlike.len()
        );
        std::process::exit(1);
    }
}

/// Every kernel of a build, counted, and timed in rounds, Go and ours in turns.
fn rows_of(
    toolchain: &Toolchain,
    layouts: &mut Layouts<'_>,
    options: &Options,
    quiet: &mut Quiet,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for kernel in layouts.few()[0].kernels() {
        if !options.wants(&kernel) {
            continue;
        }
        let mut row = Row::new(&kernel, toolchain);
        let ours = match row.skipped.take() {
            Some(why) => Err(why),
            None => Ours::of(&kernel, &toolchain.release, options.cpu),
        };
        match ours {
            Ok(ours) => {
                row.count(&ours, &layouts.few()[0]);
                time(&mut row, &ours, layouts.few(), options.rounds, quiet);
                // A taken branch costs a cycle more at some places, and at four of them it may do so at none or at each.
                if row.is_unexplained() {
                    match layouts.all() {
                        Ok(all) => time(&mut row, &ours, all, options.rounds, quiet),
                        Err(why) => row.failed = Some(why),
                    }
                }
            }
            Err(why) => row.skipped = Some(why),
        }
        eprintln!("{} {}", toolchain.version, row.line());
        rows.push(row);
    }
    rows
}

/// Times a row in rounds.
fn time(row: &mut Row, ours: &Ours, programs: &[Program], rounds: usize, quiet: &mut Quiet) {
    // Where a neighbour was at work there are more rounds, and where the two sides lie apart: noise can do that, too.
    for round in 0..rounds * PATIENCE {
        let is_apart = row.times() == Some(Times::Apart);
        let needed = rounds * if is_apart { 2 } else { 1 };
        if round > 0 && row.has_quiet(needed) {
            break;
        }
        row.time(ours, programs, round, needed, quiet);
    }
}

/// What the command line asks for.
struct Options {
    rounds: usize,
    layouts: usize,
    cpu: usize,
    is_markdown: bool,
    is_quick: bool,
    words: Vec<String>,
}

impl Options {
    /// Cargo puts `--bench` in front under `cargo bench`; `cargo test` does not, and gets the quick
    /// pass without times.
    fn from(arguments: impl Iterator<Item = String>) -> Options {
        let mut options = Options {
            rounds: 3,
            layouts: 4,
            cpu: sched_getcpu().expect("a CPU"),
            is_markdown: false,
            is_quick: false,
            words: Vec::new(),
        };
        let arguments: Vec<String> = arguments.collect();
        let is_bench = arguments.iter().any(|one| one == "--bench");
        let mut arguments = arguments.into_iter();
        let number = |given: Option<String>| -> usize {
            given
                .and_then(|text| text.parse().ok())
                .expect("a number behind the option")
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--quick" => options.is_quick = true,
                "--counts" => options.rounds = 0,
                "--markdown" => options.is_markdown = true,
                "--rounds" => options.rounds = number(arguments.next()),
                "--cpu" => options.cpu = number(arguments.next()),
                word => options.words.push(word.to_string()),
            }
        }
        if !is_bench {
            options.rounds = 0;
        }
        if options.is_quick {
            options.rounds = options.rounds.min(1);
        }
        if options.rounds == 0 {
            options.layouts = 1;
        }
        options
    }

    /// Whether a row is to be run.
    fn wants(&self, kernel: &str) -> bool {
        const QUICK: [&str; 6] = [
            "method_direct",
            "itab_call",
            "itab_wrapper",
            "closure",
            "promoted",
            "type_switch[cases=8,hit=order,strategy=go]",
        ];
        if self.is_quick {
            return QUICK.contains(&kernel);
        }
        self.words.is_empty() || self.words.iter().any(|word| kernel.contains(word.as_str()))
    }
}

/// This process and all that it starts, on one CPU.
fn stay_on(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("a CPU's number");
    sched_setaffinity(Pid::from_raw(0), &set).expect("this process may use the CPU");
}
