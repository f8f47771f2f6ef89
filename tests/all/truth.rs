//! Code that carries something from iteration to iteration, sets up at length, or learns.
//!
//! Correct means: a body cannot tell that its loop was left and entered again, nor that other images run in
//! between, so what it carries is in step for ever and a setup has run once and whole; and a row whose cost has
//! no one value says so instead of giving one. No absolute cycles are compared: a row is held against another
//! one of the same run, and where others of the machine disturb a run, it is made again.

use std::path::Path;

use crate::common::{folder, json, rows, template};
use serde_json::Value;

/// Runs that are made where others of the machine may have spoilt one.
const TRIES: u32 = 6;

/// Templates of one test, as files.
struct Templates {
    folder: std::path::PathBuf,
    paths: Vec<String>,
}

impl Templates {
    fn new(test: &str) -> Templates {
        Templates {
            folder: folder(&format!("truth_{test}")),
            paths: Vec::new(),
        }
    }

    fn with(mut self, name: &str, text: &str) -> Templates {
        self.paths.push(template(&self.folder, name, text));
        self
    }

    /// Runs them all, and gives their rows in order.
    fn run(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all: Vec<&str> = vec!["run"];
        all.extend(arguments);
        all.extend(self.paths.iter().map(String::as_str));
        let (_, document) = json(&all);
        let rows = rows(&document);
        assert_eq!(rows.len(), self.paths.len(), "{document:#}");
        rows.into_iter().map(|(_, row)| row.clone()).collect()
    }
}

/// The name of a row, for messages.
fn name(row: &Value) -> &str {
    let path = row["scenario"].as_str().expect("a name");
    Path::new(path)
        .file_name()
        .map_or(path, |name| name.to_str().expect("UTF-8"))
}

fn assert_ok(row: &Value) {
    assert_eq!(row["status"], "ok", "{}: {:#}", name(row), row["fault"]);
}

/// Cycles of a row; none where it says why there are none.
fn cycles(row: &Value) -> Option<f64> {
    let cycles = &row["metrics"]["cycles"];
    if cycles["value"].is_null() {
        assert_eq!(cycles["basis"], "unsupported", "{}: {cycles:#}", name(row));
        let why = cycles["why"].as_str().expect("a reason");
        assert!(why.starts_with("not settled: "), "{}: {why}", name(row));
        assert_eq!(row["settled"], false, "{}: {row:#}", name(row));
    }
    cycles["value"].as_f64()
}

/// Whether a row says that others of the machine had a part in its number.
fn is_disturbed(row: &Value) -> bool {
    let warnings = row["warnings"].as_array().expect("a list");
    let says = |warning: &Value| {
        warning
            .as_str()
            .is_some_and(|text| text.contains("samples"))
    };
    warnings.iter().any(says)
}

/// Runs templates until what `judge` says of their cycles is so. A row without a number that says why, and
/// one that says that it was disturbed, are not wrong: a machine where all runs have some proves nothing.
fn until(
    templates: &Templates,
    arguments: &[&str],
    judge: impl Fn(&[Value], &[f64]) -> Result<(), String>,
) {
    let mut wrong = Vec::new();
    for _ in 0..TRIES {
        let rows = templates.run(arguments);
        rows.iter().for_each(assert_ok);
        let Some(values) = rows.iter().map(cycles).collect::<Option<Vec<f64>>>() else {
            continue;
        };
        match judge(&rows, &values) {
            Ok(()) => return,
            Err(_) if rows.iter().any(is_disturbed) => {}
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("no undisturbed numbers in {TRIES} runs");
}

#[test]
fn what_a_register_counts_reaches_its_limit_however_often_the_loop_is_left() {
    let counting = |limit: u32| {
        format!(
            "setup:  xor  ecx, ecx\n\
             body:   inc  ecx\n\
             \x20       cmp  ecx, {limit}\n\
             \x20       jb   on\n\
             \x20       ud2\n\
             on:     nop\n"
        )
    };
    // Several rows: each fault is named by its own image, whatever ran before it.
    let rows = Templates::new("restart")
        .with("at_once", &counting(4))
        .with("limit65536", &counting(65_536))
        .with("limit262144", &counting(262_144))
        .with("limit1000000", &counting(1_000_000))
        .run(&["--quick"]);
    for row in rows {
        let fault = &row["fault"];
        assert_eq!(row["status"], "fault", "{}: {row:#}", name(&row));
        assert_eq!(fault["signal"], "SIGILL", "{}: {fault:#}", name(&row));
        assert_eq!(fault["line"], 5, "{}: {fault:#}", name(&row));
    }
}

/// A loop of so many turns in the setup, and one load in the body.
fn spin(turns: u32) -> String {
    format!(
        ";! heap     = \"pointer\"\n\
         ;! params   = {{ order = \"cyclic\", objects = 4 }}\n\
         ;! result   = \"eax\"\n\
         ;! expect   = \"id\"\n\
         ;! clobbers = \"all\"\n\
         setup:  mov  ecx, {turns}\n\
         wait:   dec  ecx\n\
         \x20       jne  wait\n\
         body:   mov  eax, [rax]\n"
    )
}

/// A setup that fills a table so often, and a body that reads its first word.
fn table(times: u32) -> String {
    format!(
        ";! result = \"eax\"\n\
         ;! expect = 7\n\
         setup:  mov  r8d, {times}\n\
         fill:   lea  rdi, [\"table\"]\n\
         \x20       mov  ecx, 512\n\
         \x20       mov  eax, 7\n\
         \x20       rep  stosd\n\
         \x20       dec  r8d\n\
         \x20       jne  fill\n\
         body:   mov  eax, [\"table\"]\n\
         data \"table\": resb 2048\n"
    )
}

/// Whether all cost the same, roughly.
fn alike(values: &[f64]) -> Result<(), String> {
    let most = values.iter().copied().fold(0.0, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    if least > 0.1 && most / least < 1.5 {
        Ok(())
    } else {
        Err(format!("{values:?}"))
    }
}

#[test]
fn a_setup_of_any_length_is_in_no_number() {
    let spins = Templates::new("spin")
        .with("spin1000", &spin(1000))
        .with("spin100000", &spin(100_000))
        .with("spin1000000", &spin(1_000_000));
    until(&spins, &["--quick"], |rows, values| {
        for row in rows {
            let empty = &row["baseline"]["instructions"]["value"];
            assert_eq!(*empty, 11.0, "{}: show --harness has them", name(row));
            assert_eq!(row["verified"], true, "{}", name(row));
        }
        alike(values)
    });
    let tables = Templates::new("table")
        .with("table10", &table(10))
        .with("table4000", &table(4000));
    until(&tables, &["--quick"], |_, values| alike(values));
}

#[test]
fn phases_of_tens_of_thousands_of_iterations_have_their_mean_as_the_value() {
    let walk = |taken: &str| {
        let chain = " imul rax, rax\n".repeat(20);
        format!(
            ";! clobbers = \"all\"\n\
             setup:  xor  ecx, ecx\n\
             body:   inc  ecx\n\
             \x20       test ecx, 0x8000\n\
             \x20       {taken}  long\n\
             \x20       add  rax, rax\n\
             \x20       jmp  done\n\
             long:\n{chain}done:   nop\n"
        )
    };
    let templates = Templates::new("phases")
        .with("both", &walk("jne"))
        .with("short", &walk("jc "))
        .with("long", &walk("jnc"));
    until(&templates, &["--quick"], |_, values| {
        let [both, short, long] = values else {
            return Err(format!("{values:?}"));
        };
        let mean = (short + long) / 2.0;
        match *both > 0.7 * mean && *both < 1.4 * mean && *both > 4.0 * short {
            true => Ok(()),
            false => Err(format!("{both} of {short} and {long}")),
        }
    });
}

/// A chase over all lines of a buffer in an order that no prefetcher follows, which the setup lays out: the
/// number of the next line is that of this one times a number that leaves 1 when divided by 4, and an odd one
/// more, which comes round to the first after all of them.
fn chase(kib: u32) -> String {
    let lines = kib * 16;
    format!(
        ";! unroll = 32\n\
         setup:  lea  rdi, [\"nodes\"]\n\
         \x20       xor  eax, eax\n\
         \x20       mov  ecx, {lines}\n\
         1:      imul rdx, rax, 162769\n\
         \x20       add  rdx, 12345677\n\
         \x20       and  edx, {lines} - 1\n\
         \x20       mov  esi, edx\n\
         \x20       shl  rsi, 6\n\
         \x20       add  rsi, rdi\n\
         \x20       shl  rax, 6\n\
         \x20       mov  [rdi + rax], rsi\n\
         \x20       mov  eax, edx\n\
         \x20       dec  ecx\n\
         \x20       jne  1b\n\
         body:   mov  rdi, [rdi]\n\
         data \"nodes\":\n\
         \x20       align 64\n\
         \x20       resb {kib} * 1024\n"
    )
}

#[test]
fn a_chase_goes_on_where_it_was_and_so_through_all_of_its_data() {
    let templates = Templates::new("chase")
        .with("chase16", &chase(16))
        .with("chase8192", &chase(8192));
    let mut found = Vec::new();
    for _ in 0..TRIES {
        let rows = templates.run(&["--quick"]);
        rows.iter().for_each(assert_ok);
        // Where turns and the run do not agree, as on a host whose last cache others use too, the run has
        // seen what the links cost.
        let cost = |row| cycles(row).or_else(|| row["long_run"]["cycles"].as_f64());
        let [near, far] = [&rows[0], &rows[1]].map(|row| cost(row).expect("one of the two"));
        if far > 3.0 * near {
            return;
        }
        found.push((near, far));
    }
    panic!("8 MiB cost as little as 16 KiB: {found:?}");
}

#[test]
fn of_more_data_than_a_quarter_of_a_mebibyte_the_mean_is_the_value() {
    // An object takes 16 bytes, so that 16,384 of them fill it by themselves.
    let text = |objects: u32| {
        format!(
            ";! heap = \"pointer\"\n;! params = {{ objects = {objects}, order = \"random\" }}\n;! result = \"eax\"\n;! \
             expect = \"id\"\nbody:\n mov eax, [rax]\n"
        )
    };
    let templates = Templates::new("far")
        .with("near", &text(16_000))
        .with("far", &text(16_500));
    let mut far = Vec::new();
    for _ in 0..TRIES {
        let rows = templates.run(&["--counters", "clock", "--quick"]);
        rows.iter().for_each(assert_ok);
        let is_mean = |row: &Value| {
            let why = row["metrics"]["cycles"]["why"].to_string();
            why.contains("the mean of visits")
        };
        assert!(!is_mean(&rows[0]), "{:#}", rows[0]);
        if is_mean(&rows[1]) {
            return;
        }
        // Of a row that did not settle there is neither, and where others disturbed it, one chunk may have become
        // as long as the walk: then there are no visits of segments to take a mean of.
        far.push(rows[1]["metrics"]["cycles"].clone());
    }
    panic!("never the mean: {far:#?}");
}

#[test]
fn jumps_that_no_predictor_has_learnt_have_no_value_or_that_of_learnt_ones() {
    let jumps = |count: usize| {
        let jump = |number| format!(" jmp j{number}\nj{number}:\n");
        format!("body:\n{}", (0..count).map(jump).collect::<String>())
    };
    let templates = Templates::new("learning")
        .with("jumps100", &jumps(100))
        .with("jumps1000", &jumps(1000));
    for row in templates.run(&["--quick"]) {
        assert_ok(&row);
        let count = row["metrics"]["branches"]["value"].as_f64().expect("exact");
        match cycles(&row) {
            Some(_) => {
                let most = row["layout"]["cycles_max"].as_f64().expect("a value");
                assert!(most < 3.0 * count, "{}: {row:#}", name(&row));
            }
            None => {
                let why = row["metrics"]["cycles"]["why"].as_str().expect("a reason");
                let names_states =
                    why.contains(" % of turns, ") || why.contains(" cycles by placement");
                let names_untrained = why.contains("jumps cost that no predictor knows");
                assert!(names_states || names_untrained, "{}: {why}", name(&row));
            }
        }
    }
}

/// Runs templates that trap where what they carry is out of step.
fn assert_in_step(templates: &Templates) {
    let rows = templates.run(&["--quick", "--placements", "4"]);
    rows.iter().for_each(assert_ok);
}

/// A body in which `check` may jump to `bad`, with r8d at the number of iterations before this one.
fn carrying(header: &str, setup: &str, check: &str, data: &str) -> String {
    let lines = |text: &str| -> String {
        let lines = text.split(';').map(str::trim);
        lines.map(|line| format!(" {line}\n")).collect()
    };
    format!(
        "{header}setup:\n xor r8d, r8d\n{}body:\n{} inc r8d\n jmp done\nbad: ud2\ndone: nop\n{data}",
        lines(setup),
        lines(check)
    )
}

const NO_WALK: &str = ";! clobbers = \"all\"\n";
const WALK: &str = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! clobbers = \"all\"\n";
const INFERRED: &str = ";! clobbers = \"all\"\n;! heap = \"pointer\"\n;! dispatch = \"site\"\n;! params = { objects = 64, order = \"random\" }\n;! result = \"eax\"\n;! expect = \"id\"\n";

#[test]
fn a_counter_in_memory_and_one_in_a_register_stay_in_step() {
    let count = "cmp r8d, [\"n\"]; jne bad; inc dword [\"n\"]";
    let data = "data \"n\": dd 0\n";
    // The branch that is inferred depends on the object.
    let inferred =
        format!("{count}; mov ecx, [rax]; test ecx, 1; site: jne odd; nop; odd: mov eax, ecx");
    let templates = Templates::new("in_step")
        .with("registers", &carrying("", "nop", count, data))
        .with("unrolled", &carrying(";! unroll = 4\n", "nop", count, data))
        .with("frames", &carrying(NO_WALK, "nop", count, data))
        .with("walk", &carrying(WALK, "nop", count, data))
        .with("inferred", &carrying(INFERRED, "nop", &inferred, data))
        .with(
            "buffer",
            // A page of its own for each iteration, of so many.
            &carrying(
                NO_WALK,
                "nop",
                "mov ecx, r8d; and ecx, 255; shl ecx, 12; lea rdx, [\"pages\"]; mov r9d, r8d; shr r9d, 8; \
                 cmp r9d, [rdx + rcx]; jne bad; inc dword [rdx + rcx]",
                "data \"pages\": resb 256 * 4096\n",
            ),
        );
    assert_in_step(&templates);
    // Rows that take turns share a stack and the registers, calls behind a scrub are entered elsewhere, and
    // many images may be.
    let [registers, unrolled, frames, walk, inferred, buffer] = &templates.paths[..] else {
        unreachable!("six of them");
    };
    for arguments in [
        &["compare", registers, unrolled][..],
        &["compare", frames, walk, inferred, buffer],
        &["run", "-p", "cold=dcache", frames, inferred],
        &["run", "--placements", "16", frames],
    ] {
        let (code, document) = json(&[arguments, &["--quick"]].concat());
        assert_eq!(code, 0, "{document:#}");
        for (_, row) in rows(&document) {
            assert_ok(row);
        }
    }
}

#[test]
fn code_pointers_that_a_setup_stores_lead_into_its_own_image() {
    let data = "func \"main.f\": lea eax, [r8 + 7]\n ret\ndata \"pointer\": dq 0\n";
    let setup = "lea rax, [\"main.f\"]; mov [\"pointer\"], rax";
    let check = "lea r9, [\"main.f\"]; cmp r9, [\"pointer\"]; jne bad; call [\"pointer\"]; lea ecx, [r8 + 7]; \
                 cmp eax, ecx; jne bad";
    // Written by a setup that is too long to be stepped, and again by each iteration.
    let late = format!("mov ecx, 100000; 1: dec ecx; jne 1b; {setup}");
    let again = format!("{check}; mov [\"pointer\"], r9");
    let templates = Templates::new("pointers")
        .with("once", &carrying(NO_WALK, setup, check, data))
        .with("late", &carrying(NO_WALK, &late, check, data))
        .with("again", &carrying("", setup, &again, data))
        .with("walk", &carrying(WALK, setup, check, data));
    assert_in_step(&templates);
}

#[test]
fn a_setup_has_run_once_and_whole() {
    let once = carrying(
        "",
        "inc dword [\"n\"]",
        "cmp dword [\"n\"], 1; jne bad",
        "data \"n\": dd 0\n",
    );
    // More instructions than are stepped; one that began again would find what was done.
    let long = |turns: u32, header: &str| {
        carrying(
            header,
            &format!("mov ecx, {turns}; 1: inc dword [\"n\"]; push rcx; pop rcx; dec ecx; jne 1b"),
            &format!("cmp dword [\"n\"], {turns}; jne bad"),
            "data \"n\": dd 0\n",
        )
    };
    // Nor does one that skips what is done already find its data half made.
    let skipping = carrying(
        "",
        "cmp dword [\"is_made\"], 0; jne bad; mov dword [\"is_made\"], 1; lea rdi, [\"table\"]; mov ecx, 20000; \
         1: mov [rdi], ecx; add rdi, 4; dec ecx; jne 1b; mov dword [\"is_whole\"], 1",
        "cmp dword [\"is_whole\"], 1; jne bad; cmp dword [\"table\" + 79996], 1; jne bad",
        "data \"is_made\": dd 0\ndata \"is_whole\": dd 0\ndata \"table\": resd 20000\n",
    );
    let templates = Templates::new("once")
        .with("once", &once)
        .with("near_the_log", &long(12_000, ""))
        .with("above_the_log", &long(50_000, WALK))
        .with("skipping", &skipping);
    assert_in_step(&templates);
}

#[test]
fn a_setup_that_faults_names_its_line_however_late_it_does() {
    for turns in [1, 100_000] {
        let text =
            format!("setup:\n mov ecx, {turns}\n1: dec ecx\n jne 1b\n mov eax, [rcx]\nbody: nop\n");
        let rows = Templates::new("setup_faults")
            .with(&format!("turns{turns}"), &text)
            .run(&["--quick"]);
        assert_eq!(rows[0]["status"], "fault", "{turns}: {:#}", rows[0]);
        assert_eq!(rows[0]["fault"]["signal"], "SIGSEGV", "{turns}");
        assert_eq!(
            rows[0]["fault"]["line"], 5,
            "{turns}: {:#}",
            rows[0]["fault"]
        );
    }
}

/// Instructions for each of some registers, with `REG` as its name and `START` as a number of its own.
fn for_each(registers: &[&str], text: &str) -> String {
    let one = |(at, register): (usize, &&str)| {
        let start = 1_000_003 * (at + 1);
        text.replace("REG", register)
            .replace("START", &start.to_string())
    };
    let all: Vec<String> = registers.iter().enumerate().map(one).collect();
    all.join("; ")
}

#[test]
fn general_registers_are_carried() {
    // r8 counts, r9 is what the others are held against, and r14 is g.
    let free = [
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r10", "r11",
    ];
    let harness = ["r12", "r13", "r15"];
    let walk = ["rsi", "rdi", "rbp", "r10", "r11"];
    let template = |header, registers: &[&str]| {
        let setup = for_each(registers, "mov REG, START");
        let check = for_each(
            registers,
            "lea r9, [r8 + START]; cmp REG, r9; jne bad; inc REG",
        );
        carrying(header, &setup, &check, "")
    };
    let templates = Templates::new("general")
        .with("registers", &template("", &free))
        .with(
            "frames",
            &template(NO_WALK, &[&free[..], &harness[..]].concat()),
        )
        .with("walk", &template(WALK, &walk));
    assert_in_step(&templates);
}

/// Whether this CPU and its kernel have a feature, as the standard library's macro found; says so where not.
fn has(feature: &str, is_there: bool) -> bool {
    if !is_there {
        println!("skipped: no {feature} here");
    }
    is_there
}

fn numbered(name: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{name}{number}")).collect()
}

/// A template in which each vector register holds a number of its own in its lowest and in its highest
/// quarter or half, and goes up with the iterations. `load` puts eax into all of REG, `lowest` and `highest`
/// bring a part into eax.
fn vectors(header: &str, registers: &[String], load: &str, parts: &[&str]) -> String {
    let registers: Vec<&str> = registers.iter().map(String::as_str).collect();
    let setup = for_each(&registers, &format!("mov eax, START; {load}"));
    let compared = |part: &&str| format!("{part}; cmp eax, r9d; jne bad");
    let compared: Vec<String> = parts.iter().map(compared).collect();
    let check = format!(
        "lea r9d, [r8d + START]; {}; lea eax, [r8d + START + 1]; {load}",
        compared.join("; ")
    );
    carrying(header, &setup, &for_each(&registers, &check), "")
}

#[test]
fn vector_registers_are_carried() {
    let load = "movd REG, eax; pshufd REG, REG, 0";
    let parts = ["movd eax, REG", "pextrd eax, REG, 3"];
    let xmm = numbered("xmm", 0..16);
    let mut templates = Templates::new("vectors")
        .with("xmm", &vectors("", &xmm, load, &parts))
        .with("xmm_all", &vectors(NO_WALK, &xmm[..3], load, &parts))
        .with("xmm_walk", &vectors(WALK, &xmm[8..], load, &parts));
    if has("AVX2", is_x86_feature_detected!("avx2")) {
        // The upper half through a register that is compared before.
        let load = "movd xmm15, eax; vpbroadcastd REG, xmm15";
        let parts = ["vextracti128 xmm15, REG, 1; vpextrd eax, xmm15, 3"];
        let ymm = numbered("ymm", 0..15);
        templates = templates
            .with("ymm", &vectors("", &ymm, load, &parts))
            .with("ymm_walk", &vectors(WALK, &ymm, load, &parts));
    }
    if has("AVX-512", is_x86_feature_detected!("avx512f")) {
        let load = "vpbroadcastd REG, eax";
        let parts = ["vextracti32x4 xmm15, REG, 3; vpextrd eax, xmm15, 3"];
        let zmm = [numbered("zmm", 0..15), numbered("zmm", 16..32)].concat();
        templates = templates
            .with("zmm", &vectors("", &zmm, load, &parts))
            .with("zmm_all", &vectors(NO_WALK, &zmm, load, &parts));
    }
    assert_in_step(&templates);
}

#[test]
fn mask_registers_are_carried() {
    if !has("AVX-512", is_x86_feature_detected!("avx512f")) {
        return;
    }
    let masks = numbered("k", 0..8);
    let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
    let template = |header, setup, check| {
        carrying(
            header,
            &for_each(&masks, setup),
            &for_each(&masks, check),
            "",
        )
    };
    let setup = "mov eax, START; kmovw REG, eax";
    let check = "kmovw eax, REG; lea r9d, [r8d + START]; movzx r9d, r9w; cmp eax, r9d; jne bad; inc eax; kmovw REG, eax";
    let mut templates = Templates::new("masks")
        .with("words", &template("", setup, check))
        .with("words_all", &template(NO_WALK, setup, check));
    if has("AVX512BW", is_x86_feature_detected!("avx512bw")) {
        let setup = "mov rax, START; shl rax, 30; kmovq REG, rax";
        let check = "kmovq rax, REG; shr rax, 30; lea r9, [r8 + START]; cmp rax, r9; jne bad; inc rax; shl rax, 30; \
                     kmovq REG, rax";
        templates = templates.with("quadwords", &template("", setup, check));
    }
    assert_in_step(&templates);
}

#[test]
fn x87_and_mmx_registers_are_carried() {
    // A sum on the x87 stack, with another number below it, and a control word of its own.
    let x87 = carrying(
        "",
        "mov dword [\"word\"], 0x0f7f; fldcw [\"word\"]; mov dword [\"low\"], 77; fild dword [\"low\"]; fldz",
        "fist dword [\"sum\"]; cmp r8d, [\"sum\"]; jne bad; fxch st1; fist dword [\"low\"]; fxch st1; \
         cmp dword [\"low\"], 77; jne bad; fnstcw [\"word\"]; cmp word [\"word\"], 0x0f7f; jne bad; fld1; faddp st1, st0",
        "data \"sum\": dq 0\ndata \"low\": dq 0\ndata \"word\": dq 0\n",
    );
    let all = numbered("mm", 0..8);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mmx = carrying(
        NO_WALK,
        &for_each(&all, "mov eax, START; movd REG, eax; punpckldq REG, REG"),
        &for_each(
            &all,
            "lea r9d, [r8d + START]; movd eax, REG; cmp eax, r9d; jne bad; psrlq REG, 32; movd eax, REG; cmp eax, r9d; \
             jne bad; inc eax; movd REG, eax; punpckldq REG, REG",
        ),
        "",
    );
    let templates = Templates::new("x87").with("x87", &x87).with("mmx", &mmx);
    assert_in_step(&templates);
}

#[test]
fn the_stack_keeps_what_the_body_left_around_its_pointer() {
    // The body's own bytes, and below them as far as a stack may reach.
    let registers = |at: &str| {
        carrying(
            "",
            &format!("mov dword [rsp {at}], 0"),
            &format!("cmp r8d, [rsp {at}]; jne bad; inc dword [rsp {at}]"),
            "",
        )
    };
    // Four frames take turns, 64 bytes apart; each counts a quarter of the iterations.
    let frames = |header, at: i32| {
        let zero = |frame: i32| format!("mov dword [rsp + {}], 0", at + 64 * frame);
        let setup: Vec<String> = (0..4).map(zero).collect();
        let check = format!(
            "mov ecx, r8d; shr ecx, 2; cmp ecx, [rsp + {at}]; jne bad; inc dword [rsp + {at}]"
        );
        carrying(header, &setup.join("; "), &check, "")
    };
    let templates = Templates::new("stack")
        .with("first", &registers(""))
        .with("last", &registers("+ 252"))
        .with("below", &registers("- 4"))
        .with("far_below", &registers("- 100000"))
        .with("frames_first", &frames(NO_WALK, 0))
        .with("frames_last", &frames(NO_WALK, 60))
        .with("frames_below", &frames(NO_WALK, -100))
        .with("frames_walk", &frames(WALK, 16))
        .with("frames_far", &frames(WALK, -100_000));
    assert_in_step(&templates);
}

#[test]
fn what_a_recovered_panic_unwinds_keeps_what_was_left_before_it() {
    let header = ";! heap = \"pointer\"\n;! clobbers = \"all\"\n;! params = { recover = true, panics = true }\n";
    let text = carrying(
        header,
        "nop",
        "cmp r8d, [\"n\"]; jne bad; inc dword [\"n\"]; inc r8d; call \"main.f\"; nop",
        "func \"main.f\": call \"runtime.panicwrap\"\n nop\ndata \"n\": dd 0\n",
    );
    let templates = Templates::new("panics").with("panics", &text);
    for row in templates.run(&["--quick", "--placements", "4"]) {
        assert_eq!(row["status"], "panic", "{:#}", row["fault"]);
        assert!(row["panic"].is_string(), "{row:#}");
        cycles(&row);
    }
    let (code, document) = json(&["run", "wrapper_call[receiver=nil,recover=true]", "--quick"]);
    assert_eq!(code, 0);
    assert_eq!(rows(&document)[0].1["status"], "panic");
}

#[test]
fn an_image_that_fails_is_its_rows_alone() {
    let data = "data \"n\": dd 0\n";
    let count = "cmp r8d, [\"n\"]; jne bad; inc dword [\"n\"]";
    // The last of four placements has its callee at 48, and only there.
    let fails = |when: &str| {
        let check = format!(
            "{count}; lea rcx, [\"main.f\"]; and ecx, 63; cmp ecx, 48; jne 1f; cmp r8d, {when}; je bad; 1: nop"
        );
        carrying(
            NO_WALK,
            "nop",
            &check,
            &format!("func \"main.f\": ret\n{data}"),
        )
    };
    let good = carrying(NO_WALK, "nop", count, data);
    let templates = Templates::new("failing")
        .with("good", &good)
        .with("at_once", &fails("0"))
        .with("late", &fails("60000"))
        .with("behind", &good);
    for command in ["run", "compare"] {
        let mut arguments = vec![command, "--placements", "4", "--time", "4"];
        arguments.extend(templates.paths.iter().map(String::as_str));
        let (code, document) = json(&arguments);
        assert_eq!(code, 4, "{document:#}");
        for (name, row) in rows(&document) {
            let is_good = name.ends_with("good") || name.ends_with("behind");
            if is_good {
                assert_ok(row);
                assert!(row["iterations"].as_u64().expect("a count") > 0);
            } else {
                assert_eq!(row["status"], "fault", "{name}: {row:#}");
                assert_eq!(row["fault"]["signal"], "SIGILL", "{name}: {row:#}");
            }
        }
    }
}
