//! The whole program with a PMU behind it, sound and faulty, on a machine that has none.
//!
//! Correct means: a report has what the counters of [the shim](../fixtures/pmu/shim.c) counted where they are
//! sound, and where they are not no wrong number, a reason, and the clock. Each test ends in what a reader sees.
//! Where there is no C compiler the tests say so and hold nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use dispatchlab::counter::pmu::Held;
use dispatchlab::job::EventState;
use serde_json::Value;

use crate::common::{Run, dispatchlab, folder, rows, state_home, template, unfolded, value};

/// Fifty multiplications, each of which waits for the one before.
const CHAIN: &str = ";! title = \"a chain\"\nbody:\n times 50 imul rax, rax\n";
/// Ten turns with a branch that is never taken, and the loop's end, which is a surprise.
const BRANCHES: &str = ";! title = \"ten turns\"\n;! result = \"eax\"\n;! expect = 30\nbody:\n xor eax, eax\n \
                        mov ecx, 10\n clc\nturn:\n jc out\n lea eax, [rax + 3]\n dec ecx\n jnz turn\nout:\n nop\n";

/// The shim, built once; none where there is no C compiler.
fn shim() -> Option<&'static PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let library = folder("shim").join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pmu/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]);
        compiler.arg(&library).arg(source).arg("-ldl");
        let built = compiler.output().ok()?;
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        Some(library)
    });
    if built.is_none() {
        println!("skipped: there is no C compiler `cc`");
    }
    built.as_ref()
}

/// A machine with a PMU.
struct Machine {
    fault: &'static str,
    read: &'static str,
    errno: i32,
}

impl Machine {
    /// A PMU that is read with `read()`, with a fault of the shim's or with none.
    fn with(fault: &'static str) -> Machine {
        Machine {
            fault,
            read: "read",
            errno: 0,
        }
    }

    /// The same, read with `rdpmc`. Where the CPU has counters the instruction does not trap, so that no shim can
    /// answer it.
    fn by_rdpmc(fault: &'static str) -> Machine {
        Machine {
            read: "rdpmc",
            ..Machine::with(fault)
        }
    }

    /// What a command prints there; `None` where there is no shim.
    fn dispatchlab(&self, arguments: &[&str]) -> Option<Run> {
        let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("XDG_STATE_HOME", state_home("pmu"))
            .env("LD_PRELOAD", shim()?)
            .env("SHIM_FAULT", self.fault)
            .env("SHIM_READ", self.read)
            .env("SHIM_ERRNO", self.errno.to_string())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        Some(Run {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        })
    }

    /// What `doctor` finds there.
    fn doctor(&self) -> Value {
        let run = self.dispatchlab(&["doctor", "--json", "--time", "0.5", "--quick"]);
        let run = run.expect("there is a shim");
        assert!(!run.said().contains("NaN"), "{}", run.said());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr))
    }

    /// A short run of the templates, as a document. `counters` is `auto` or `pmu`.
    fn run(&self, counters: &str) -> Option<Value> {
        let run = self.run_undisturbed(counters, &["--json"])?;
        let said = (run.code, &run.stderr);
        assert_eq!(run.code, 0, "{}: {said:?}", self.fault);
        let document = serde_json::from_str(&run.stdout);
        Some(document.unwrap_or_else(|error| panic!("{error}: {said:?}")))
    }

    /// What it prints, once more where another process made a row's cycles others than its clock's: the multiplications
    /// that the clock is calibrated by take their time on the real machine.
    fn run_undisturbed(&self, counters: &str, more: &[&str]) -> Option<Run> {
        const TRIES: u32 = 3;
        let mut run = self.run_as(counters, more)?;
        for _ in 1..TRIES {
            let document: Option<Value> = serde_json::from_str(&run.stdout).ok();
            if !document.is_some_and(|document| is_disturbed(&document)) {
                break;
            }
            run = self.run_as(counters, more)?;
        }
        Some(run)
    }

    /// What it prints. What the time of a real machine decides is left out: what the shim steps through takes no time
    /// by its clock, and seconds by any other.
    fn run_as(&self, counters: &str, more: &[&str]) -> Option<Run> {
        shim()?;
        let path = folder("jobs").join(format!("{}-{}-{counters}.json", self.fault, self.read));
        let mut job = saved_job().clone();
        let plan = &mut job["plan"];
        plan["counters"] = "pmu".into();
        plan["or_clock"] = (counters == "auto").into();
        (plan["run_ms"], plan["chunk_ns"], plan["time_ms"]) = (0.into(), 4e3.into(), 0.1.into());
        std::fs::write(&path, job.to_string()).expect("writes");
        let path = path.display().to_string();
        self.dispatchlab(&[&["run", "--job", &path], more].concat())
    }
}

/// The templates as a job, saved once.
fn saved_job() -> &'static Value {
    static SAVED: OnceLock<Value> = OnceLock::new();
    SAVED.get_or_init(|| {
        let folder = folder("saved");
        let path = folder.join("job.json").display().to_string();
        let files = [
            template(&folder, "chain", CHAIN),
            template(&folder, "branches", BRANCHES),
        ];
        let run = [
            "run",
            &files[0],
            &files[1],
            "--quick",
            "--placements",
            "1",
            "--counters",
            "none",
        ];
        let run = dispatchlab(&[&run[..], &["--save-job", &path]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        let text = std::fs::read_to_string(path).expect("it was saved");
        serde_json::from_str(&text).expect("a job")
    })
}

/// Where a column comes from.
fn source<'a>(document: &'a Value, event: &str) -> &'a Value {
    let sources = document["provenance"]["sources"]
        .as_array()
        .expect("a list");
    let mut sources = sources.iter();
    sources.find(|one| one["event"] == event).expect("a source")
}

/// Whether counters that are believed as a whole were not believed for a row.
fn is_disturbed(document: &Value) -> bool {
    let rows = rows(document);
    let mut sources = rows
        .iter()
        .map(|(_, row)| &row["metrics"]["cycles"]["source"]);
    source(document, "cycles")["source"] == "pmu" && sources.any(|source| source != "pmu")
}

/// Holds the counts of the templates against those by hand, all of them from the PMU.
fn assert_counted(document: &Value, imul: f64) {
    for (name, row) in rows(document) {
        let is_chain = name.contains("chain");
        let (instructions, branches, misses) = match is_chain {
            true => (50.0, 0.0, 0.0),
            false => (44.0, 20.0, 1.0),
        };
        for (metric, known, margin) in [
            ("instructions", instructions, 0.02),
            ("branches", branches, 0.02),
            ("branch_misses", misses, 0.001),
        ] {
            let counted = value(row, metric);
            assert!(
                (counted - known).abs() <= margin,
                "{name}: {metric} {counted}, not {known}"
            );
            assert_eq!(row["metrics"][metric]["source"], "pmu", "{name}: {metric}");
        }
        let cycles = value(row, "cycles");
        assert!(
            !is_chain || (cycles / (50.0 * imul) - 1.0).abs() < 0.01,
            "{name}: {cycles} cycles"
        );
        assert_eq!(row["metrics"]["cycles"]["source"], "pmu", "{name}");
    }
}

/// That a machine's counters are believed, whoever asks for them.
fn assert_believed(machine: &Machine, imul: f64) {
    for counters in ["auto", "pmu"] {
        let Some(document) = machine.run(counters) else {
            return;
        };
        assert_counted(&document, imul);
    }
}

/// That the clock stands in, with a reason that has these words, and that whoever asks for nothing but counters is
/// told the same.
fn assert_refused(machine: &Machine, words: &str) {
    let Some(document) = machine.run("auto") else {
        return;
    };
    for (name, row) in rows(&document) {
        assert_eq!(
            row["metrics"]["cycles"]["source"], "clock",
            "{name}: {row:#}"
        );
        assert!(value(row, "cycles") > 1.0, "{name}: {row:#}");
        let instructions = if name.contains("chain") { 50.0 } else { 44.0 };
        assert_eq!(value(row, "instructions"), instructions, "{name}");
        assert_eq!(row["metrics"]["instructions"]["basis"], "exact", "{name}");
    }
    let why = source(&document, "cycles")["why"]
        .as_str()
        .expect("a reason");
    assert!(why.contains(words), "{}: {why}", machine.fault);
    let demanded = machine.run_as("pmu", &[]).expect("there is a shim");
    assert_eq!(demanded.code, 5, "{}: {}", machine.fault, demanded.stdout);
    assert!(
        demanded.said().contains(words),
        "{}: {}",
        machine.fault,
        demanded.said()
    );
    assert_eq!(demanded.stdout, "");
}

/// The text of a run whose counters are not believed.
fn assert_text_has_the_clock(machine: &Machine) {
    let Some(run) = machine.run_as("auto", &[]) else {
        return;
    };
    let said = unfolded(&run.stdout);
    assert!(said.contains("cycles, ns measured (clock)"), "{said}");
    assert!(!said.contains("(pmu)"), "{said}");
}

#[test]
fn a_sound_pmu_counts_what_is_known_by_hand() {
    assert_believed(&Machine::with(""), 3.0);
}

#[test]
fn a_sound_pmu_that_programs_may_read_counts_the_same() {
    let Some(document) = Machine::by_rdpmc("").run("auto") else {
        return;
    };
    assert_counted(&document, 3.0);
    let why = source(&document, "cycles")["why"]
        .as_str()
        .expect("a reason");
    assert!(
        why.contains("read with rdpmc") && why.contains("counters fixed 1, fixed 0, 0, 3"),
        "{why}"
    );
}

#[test]
fn the_text_names_the_pmu_as_the_source_of_each_column() {
    let Some(run) = Machine::with("").run_as("auto", &["-v"]) else {
        return;
    };
    let said = unfolded(&run.stdout);
    assert!(
        said.contains("cycles: measured [pmu]: core cycles in user mode; read with read()"),
        "{said}"
    );
    assert!(said.contains("instructions a reading; PMU cpu"), "{said}");
}

/// The chunks of a row are short here, so that the end of one would be a miss in a hundred iterations.
#[test]
fn the_end_of_a_loop_is_no_miss_of_the_template_whether_the_predictor_learns_its_length_or_not() {
    let Some(learned) = Machine::with("learns-loops").run("auto") else {
        return;
    };
    for (name, row) in rows(&learned) {
        // The length of the inner loop is learned, too.
        assert_eq!(value(row, "branch_misses"), 0.0, "{name}");
        assert_eq!(row["metrics"]["branch_misses"]["source"], "pmu", "{name}");
    }
    let surprised = Machine::with("").run_as("auto", &["--json", "--samples"]);
    let surprised = surprised.expect("there is a shim");
    let document: Value = serde_json::from_str(&surprised.stdout).expect("a document");
    for (name, row) in rows(&document) {
        // Each chunk had the miss that the number is without.
        let iterations = chunk_of(row);
        let misses = if name.contains("chain") {
            0
        } else {
            iterations
        };
        let entered = row["samples"]["entry_overhead_events"][3].as_u64();
        let entered = entered.expect("a count");
        for chunk in row["samples"]["chunks"].as_array().expect("a list") {
            let is_empty = chunk["placement"].is_null();
            let counted = chunk["events"][3].as_u64().expect("a count") - entered;
            assert_eq!(counted, if is_empty { 1 } else { misses + 1 }, "{name}");
        }
        assert_eq!(
            value(row, "branch_misses") * iterations as f64,
            misses as f64
        );
    }
}

/// Iterations of a row's chunks, where its samples were asked for.
fn chunk_of(row: &Value) -> u64 {
    let iterations = row["samples"]["iterations_per_chunk"].as_u64();
    iterations.expect("a number")
}

#[test]
fn a_small_core_whose_multiplications_take_five_cycles_is_believed() {
    assert_believed(&Machine::with("imul5"), 5.0);
}

#[test]
fn ticks_that_are_called_cycles_are_refused_with_both_numbers() {
    let machine = Machine::with("ticks");
    assert_refused(&machine, "cycles in a loop that has 100000");
    assert_text_has_the_clock(&machine);
}

#[test]
fn counters_that_stay_zero_never_run_or_count_the_kernel_are_refused() {
    for (fault, words) in [
        ("all-zero", "the PMU counted 0 cycles"),
        ("never-ran", "the counters opened and never ran"),
    ] {
        assert_refused(&Machine::with(fault), words);
    }
}

#[test]
fn a_counter_that_counts_the_kernel_is_found_out_whatever_else_is_refused() {
    for fault in [
        "kernel",
        "kernel,double",
        "kernel,cycles-only",
        "kernel,partial",
    ] {
        assert_refused(
            &Machine::with(fault),
            "the PMU counts what the kernel does, too",
        );
    }
    // What counts cycles alone, of user mode, is believed.
    let Some(document) = Machine::with("cycles-only").run("auto") else {
        return;
    };
    for (name, row) in rows(&document) {
        assert_eq!(row["metrics"]["cycles"]["source"], "pmu", "{name}: {row:#}");
    }
}

#[test]
fn the_host_of_guests_is_counted_without_them() {
    assert_believed(&Machine::with("no-exclude-guest"), 3.0);
}

#[test]
fn one_reading_that_was_shared_condemns_nothing() {
    assert_believed(&Machine::with("one-shared-reading"), 3.0);
    assert_believed(&Machine::by_rdpmc("one-shared-reading"), 3.0);
}

/// Each kind of core on its own CPU. The shim's first CPU is a performance core.
#[test]
fn each_kind_of_core_is_counted_by_its_own_pmu_and_a_performance_core_is_the_default() {
    let machine = Machine::with("hybrid");
    for (cpu, kind) in [
        (None, "cpu_core"),
        (Some("0"), "cpu_core"),
        (Some("1"), "cpu_atom"),
    ] {
        let more: Vec<&str> = cpu
            .iter()
            .flat_map(|cpu| ["--cpu", cpu])
            .chain(["--json"])
            .collect();
        let Some(run) = machine.run_undisturbed("auto", &more) else {
            return;
        };
        if run.code == 2 {
            println!("skipped: {}", run.said());
            continue;
        }
        let document: Value = serde_json::from_str(&run.stdout).expect("a document");
        assert_counted(&document, 3.0);
        let why = source(&document, "cycles")["why"]
            .as_str()
            .expect("a reason");
        assert!(why.contains(&format!("PMU {kind}")), "{cpu:?}: {why}");
    }
}

/// The row's misses, which no sound counter has.
fn misses(document: &Value) -> Vec<Value> {
    let rows = rows(document).into_iter();
    rows.map(|(_, row)| row["metrics"]["branch_misses"].clone())
        .collect()
}

#[test]
fn where_misses_are_not_counted_the_rest_is_and_they_are_as_without_a_pmu() {
    for (fault, words) in [
        (
            "partial",
            "this CPU has no such event: perf_event_open says ENOENT",
        ),
        (
            "misses-not-taken",
            "branch misses in three loops that have next to none",
        ),
    ] {
        let Some(document) = Machine::with(fault).run("auto") else {
            return;
        };
        for (name, row) in rows(&document) {
            for metric in ["cycles", "instructions", "branches"] {
                assert_eq!(
                    row["metrics"][metric]["source"], "pmu",
                    "{fault}: {name}: {metric}"
                );
            }
        }
        for misses in misses(&document) {
            assert_ne!(misses["source"], "pmu", "{fault}: {misses:#}");
        }
        let source = source(&document, "branch_misses");
        assert_eq!(source["source"], "injection", "{fault}: {source:#}");
        assert!(
            source["why"]
                .as_str()
                .is_some_and(|why| why.contains(words)),
            "{fault}: {source:#}"
        );
    }
}

#[test]
fn what_there_is_no_counter_for_beside_the_others_has_turns_of_its_own() {
    for (fault, free) in [("group-room", 3), ("group-never", 3), ("room-for-two", 2)] {
        let Some(document) = Machine::with(fault).run("auto") else {
            return;
        };
        assert_counted(&document, 3.0);
        let why = source(&document, "branch_misses")["why"]
            .as_str()
            .expect("a reason");
        let words = format!("{free} of 4 counters are free");
        assert!(
            why.contains("in turns of its own") && why.contains(&words),
            "{fault}: {why}"
        );
    }
}

#[test]
fn instructions_that_are_counted_twice_are_those_of_stepping() {
    let Some(document) = Machine::with("double").run("auto") else {
        return;
    };
    for (name, row) in rows(&document) {
        assert_eq!(row["metrics"]["instructions"]["basis"], "exact", "{name}");
        assert_eq!(row["metrics"]["cycles"]["source"], "pmu", "{name}");
    }
    let words = "instructions in three loops that have 110000";
    let why = source(&document, "instructions")["why"].clone();
    assert!(why.as_str().is_some_and(|why| why.contains(words)), "{why}");
    // The self-check has the same verdict, and says nothing else of what it refuses.
    let doctor = Machine::with("double").doctor();
    for event in ["cycles", "branches", "branch_misses"] {
        assert_eq!(source(&doctor, event)["source"], "pmu", "{doctor:#}");
    }
    assert_eq!(source(&doctor, "instructions")["why"], why);
    let is_refused = |one: &Value| one["kind"] == "pmu" && one["ok"] == false;
    let counters = doctor["counters"].as_array().expect("a list").iter();
    let refused: Vec<&Value> = counters.filter(|one| is_refused(one)).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(
        (&refused[0]["event"], &refused[0]["reason"]),
        (&"instructions".into(), &why)
    );
    let failed = doctor["checks"].as_array().expect("a list").iter();
    let failed = failed.filter(|one| one["ok"] == false && one["name"].to_string().contains("pmu"));
    assert_eq!(failed.count(), 0, "{doctor:#}");
}

#[test]
fn where_cycles_are_refused_the_other_columns_say_so_and_events_are_counted_all_the_same() {
    let events = ["-e", "cpu/branch-misses/,indirect-misses,r123", "--json"];
    let Some(run) = Machine::with("ticks").run_as("auto", &events) else {
        return;
    };
    let document: Value = serde_json::from_str(&run.stdout).expect("a document");
    for event in ["instructions", "branches", "branch_misses"] {
        let why = source(&document, event)["why"].to_string();
        assert!(
            why.contains("beside cycles of the CPU") && !why.contains("not asked"),
            "{why}"
        );
    }
    for (name, row) in rows(&document) {
        let misses = if name.contains("chain") { 0.0 } else { 1.0 };
        let counted = value(row, "cpu/branch-misses/");
        assert!((counted - misses).abs() < 0.1, "{name}: {row:#}");
        let refused = row["metrics"]["r123"]["why"].to_string();
        assert!(
            refused.contains("no such event") && !refused.contains("-e rNNNN"),
            "{refused}"
        );
    }
    let why = source(&document, "cpu/branch-misses/")["why"].to_string();
    assert!(why.contains("cycles of the CPU are refused"), "{why}");
    // Where nothing counts as it should, neither do they.
    let zeros = Machine::with("all-zero")
        .run_as("auto", &events)
        .expect("there is a shim");
    let zeros: Value = serde_json::from_str(&zeros.stdout).expect("a document");
    for (_, row) in rows(&zeros) {
        let metric = &row["metrics"]["cpu/branch-misses/"];
        assert!(
            metric["value"].is_null() && metric["why"].to_string().contains("the PMU counted 0"),
            "{metric:#}"
        );
        assert!(
            !metric["why"].to_string().contains("--counters clock"),
            "{metric:#}"
        );
    }
}

#[test]
fn a_raw_code_that_is_refused_is_not_told_to_be_a_raw_code() {
    for errno in [
        libc::ENOENT,
        libc::ENXIO,
        libc::ENODEV,
        libc::EINVAL,
        libc::ENOSPC,
    ] {
        let machine = Machine {
            errno,
            ..Machine::with("refuses-codes")
        };
        let Some(run) = machine.run_as("auto", &["-e", "r123"]) else {
            return;
        };
        let said = unfolded(&run.stdout);
        assert!(said.contains("unsupported: r123"), "{said}");
        for word in ["-e r", "breakpoint", "--counters"] {
            assert!(!said.contains(word), "{errno}: {word}: {said}");
        }
    }
}

#[test]
fn a_legend_names_only_what_stands_in_the_table() {
    for fault in ["stands-still", "ticks"] {
        let Some(run) = Machine::with(fault).run_as("auto", &[]) else {
            return;
        };
        let said = unfolded(&run.stdout);
        for words in [
            "(pmu)",
            "misses measured",
            "misses inferred",
            "NaN",
            "-0.000",
        ] {
            assert!(!said.contains(words), "{fault}: {words}: {said}");
        }
        assert!(said.contains("instr, branch exact"), "{fault}: {said}");
    }
}

/// Faults that come behind the check.
#[test]
fn counters_that_stop_behind_the_check_leave_a_row_its_clock_and_say_so() {
    for (fault, words) in [
        ("stands-still", "the counters stood still while code ran"),
        ("taken-later", "never ran"),
    ] {
        let Some(document) = Machine::with(fault).run("auto") else {
            return;
        };
        let rows = rows(&document);
        let replaced = rows
            .iter()
            .filter(|(_, row)| row["metrics"]["cycles"]["source"] == "clock");
        assert!(replaced.clone().count() > 0, "{fault}: {document:#}");
        for (name, row) in replaced {
            assert!(value(row, "cycles") > 1.0, "{fault}: {name}");
            assert_eq!(
                row["metrics"]["instructions"]["basis"], "exact",
                "{fault}: {name}"
            );
            let warnings = row["warnings"].to_string();
            assert!(
                warnings.contains(words) && warnings.contains("cycles are the clock's"),
                "{fault}: {warnings}"
            );
            // A second run of the row, by the clock, has what the counters were to say: in so short a one there may be
            // too few turns, and then that is the reason.
            let misses = &row["metrics"]["branch_misses"];
            let why = misses["why"].as_str().unwrap_or_default();
            assert!(
                misses["basis"] == "inferred" || !why.contains("counter"),
                "{fault}: {name}: {misses}"
            );
        }
    }
}

#[test]
fn a_reading_that_went_back_is_left_out_and_the_row_is_not() {
    let Some(document) = Machine::with("goes-back").run("auto") else {
        return;
    };
    assert_counted(&document, 3.0);
    let warnings = rows(&document)[0].1["warnings"].to_string();
    assert!(
        warnings.contains(
            "1 reading of the hardware counters was refused and left out: a counter ran backwards"
        ),
        "{warnings}"
    );
}

#[test]
fn of_two_ways_to_read_the_quieter_one_is_taken() {
    let Some(document) = Machine::by_rdpmc("slow-rdpmc").run("auto") else {
        return;
    };
    assert_counted(&document, 3.0);
    let why = source(&document, "cycles")["why"]
        .as_str()
        .expect("a reason");
    assert!(
        why.contains("read with read(), for readings by rdpmc differ from each other by"),
        "{why}"
    );
}

#[test]
fn the_loop_of_a_runs_first_row_is_held_against_a_breakpoint_and_the_details_say_what_it_counted() {
    let Some(run) = Machine::with("").run_as("auto", &["-v"]) else {
        return;
    };
    let said = unfolded(&run.stdout);
    if !said.contains("breakpoint: counts no iterations here") {
        let words = "breakpoint: the CPU counted 64 of 64 iterations of the first row";
        assert!(said.contains(words), "{said}");
        let fewer = Machine::with("fewer-heads").run_as("auto", &[]);
        let fewer = fewer.expect("there is a shim");
        let words = "ran 63 times, by a breakpoint of the CPU, where 64 iterations were asked for";
        assert!(fewer.said().contains(words), "{}", fewer.said());
    }
    // Where the kernel has none to give, that is a detail.
    let refusing = Machine {
        errno: libc::EACCES,
        ..Machine::with("errno")
    };
    let details = refusing.run_as("auto", &["-v"]).expect("there is a shim");
    let words = "breakpoint: counts no iterations here: not allowed";
    assert!(
        unfolded(&details.stdout).contains(words),
        "{}",
        details.stdout
    );
    let told = refusing.run_as("auto", &[]).expect("there is a shim");
    assert!(!told.said().contains("breakpoint"), "{}", told.said());
}

#[test]
fn each_errno_is_said_in_words_of_its_own() {
    for (errno, words) in [
        (libc::EACCES, "not allowed"),
        (libc::EPERM, "not allowed"),
        (libc::ENOSYS, "no such system call"),
        (libc::EBUSY, "another user has the PMU"),
        (libc::EOPNOTSUPP, "the PMU refuses the event"),
        (
            libc::EINVAL,
            "this CPU has no such event, or this kernel does not know it",
        ),
        (libc::EMFILE, "too many open files"),
    ] {
        let machine = Machine {
            errno,
            ..Machine::with("errno")
        };
        let Some(run) = machine.run_as("pmu", &[]) else {
            return;
        };
        assert_eq!(
            (run.code, &run.stdout[..]),
            (5, ""),
            "{errno}: {}",
            run.stderr
        );
        assert!(run.said().contains(words), "{errno}: {}", run.said());
    }
}

#[test]
fn events_of_our_own_names_and_of_the_kernels_list_are_counted() {
    let events = [
        "-e",
        "indirect-branches,indirect-misses,conditional-misses,return-misses,returns,decode-redirects,btb-l2-overrides,\
         btb-l1-overrides,cpu/branch-misses/,r123",
        "--json",
        "--samples",
    ];
    let Some(run) = Machine::with("").run_as("auto", &events) else {
        return;
    };
    let document: Value = serde_json::from_str(&run.stdout).expect("a document");
    for (name, row) in rows(&document) {
        let misses = if name.contains("chain") { 0.0 } else { 1.0 };
        for (event, known) in [
            ("indirect-branches", 0.0),
            ("indirect-misses", 0.0),
            ("conditional-misses", misses),
            ("return-misses", 0.0),
            ("returns", 0.0),
            ("decode-redirects", 0.0),
            ("btb-l2-overrides", 0.0),
            ("btb-l1-overrides", 0.0),
            ("cpu/branch-misses/", misses),
        ] {
            let metric = &row["metrics"][event];
            if metric["why"] == dispatchlab::job::catalogue::NO_CODE {
                println!("skipped: {event}: nothing is known of this CPU");
                continue;
            }
            assert_eq!(metric["source"], "pmu", "{name}: {event}: {metric:#}");
            // The loop's own end is in it.
            let own = value(row, event) - known;
            let most = 1.5 / chunk_of(row) as f64;
            assert!((-1e-9..most).contains(&own), "{name}: {event}: {metric:#}");
        }
        let why = row["metrics"]["r123"]["why"].as_str().expect("a reason");
        assert!(
            why.contains("this CPU has no such event") && why.contains("another code"),
            "{why}"
        );
    }
}

#[test]
fn a_code_that_counts_something_else_than_its_name_says_is_no_number() {
    const NAMES: [&str; 7] = [
        "indirect-branches",
        "indirect-misses",
        "returns",
        "return-misses",
        "decode-redirects",
        "btb-l2-overrides",
        "btb-l1-overrides",
    ];
    let events = ["-e", &NAMES.join(","), "--json"];
    let Some(run) = Machine::with("swapped").run_as("auto", &events) else {
        return;
    };
    let document: Value = serde_json::from_str(&run.stdout).expect("a document");
    for (name, row) in rows(&document) {
        for event in NAMES {
            let metric = &row["metrics"][event];
            assert!(metric["value"].is_null(), "{name}: {event}: {metric:#}");
            let why = metric["why"].as_str().expect("a reason");
            let is_known =
                why.contains("which are not their") || why == dispatchlab::job::catalogue::NO_CODE;
            assert!(is_known, "{why}");
        }
    }
}

#[test]
fn a_bundle_has_what_decides_and_no_name_of_the_machine() {
    let path = folder("bundle").join("bundle.json");
    let file = path.display().to_string();
    let doctor = ["doctor", "--time", "0.5", "--quick", "--report", &file];
    let Some(run) = Machine::with("ticks").dispatchlab(&doctor) else {
        return;
    };
    assert!(
        run.stdout.contains("Self-check of the harness"),
        "{}",
        run.stderr
    );
    let text = std::fs::read_to_string(path).expect("it was written");
    let bundle: Value = serde_json::from_str(&text).expect("JSON");
    let counted = |name: &str| bundle["counted"][name].clone();
    let held: Vec<Held> = serde_json::from_value(counted("held")).expect("groups");
    let states: Vec<EventState> = serde_json::from_value(counted("states")).expect("states");
    let tries = held[0]
        .tries
        .as_ref()
        .expect("it was held against the loops");
    assert_eq!(tries.judge(&held[0].members), states);
    let cycles = states[0].1.clone().expect_err("they are ticks");
    assert!(
        cycles.reason.contains("cycles in a loop that has 100000"),
        "{cycles}"
    );
    for (name, is_there) in [
        ("cpuid", bundle["cpuid"]["0x0"].is_array()),
        ("kernel", bundle["kernel"].is_string()),
        (
            "answers",
            bundle["counted"]["answers"]["cycles"].is_object(),
        ),
        ("devices", bundle["devices"]["software/type"] == "1"),
        ("doctor", bundle["doctor"]["checks"].is_array()),
        ("tour", bundle["tour"]["rows"][0]["metrics"].is_object()),
        ("kernel_log", bundle["kernel_log"].is_object()),
        ("perf_stat", bundle["perf_stat"].is_object()),
        (
            "pages",
            bundle["counted"]["pages"]["cycles"]["pmc_width"].is_u64(),
        ),
    ] {
        assert!(is_there, "{name}");
    }
    let openings = bundle["counted"]["openings"].as_array().expect("a list");
    // Four alone, the leader of a group, and its four members.
    assert_eq!(openings.len(), 9, "{openings:?}");
    assert!(
        openings.iter().all(|one| one["errno"].is_null()),
        "{openings:?}"
    );
    let samples = &bundle["row"]["rows"][0]["samples"];
    // The counters are not believed here, so that a row has none of theirs.
    assert!(samples["chunks"][0]["ticks"].is_u64(), "{samples}");
    for way in ["empty", "empty_by_call"] {
        let pairs = bundle["counted"][way].as_array().expect("a list");
        assert_eq!(pairs.len(), 501, "{way}");
        assert_eq!(pairs[0].as_array().expect("a pair").len(), 4, "{way}");
    }
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let names = [
        host.trim().to_string(),
        std::env::var("USER").unwrap_or_default(),
    ];
    for name in names.iter().filter(|name| name.len() > 4) {
        assert!(!text.contains(name.as_str()), "{name}");
    }
}

#[test]
fn doctor_takes_back_what_its_own_checks_refute() {
    if shim().is_none() {
        return;
    }
    let document = Machine::with("stands-still").doctor();
    let list = |name: &str| document[name].as_array().expect("a list").clone();
    let checks = list("checks");
    let is_of_pmu = |check: &&Value| {
        check["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("pmu: "))
    };
    assert!(
        checks
            .iter()
            .filter(is_of_pmu)
            .any(|check| check["ok"] == false),
        "{checks:#?}"
    );
    for counter in list("counters")
        .iter()
        .filter(|counter| counter["kind"] == "pmu")
    {
        assert_eq!(counter["ok"], false, "{counter:#}");
    }
    assert_eq!(source(&document, "cycles")["source"], "clock");
}
