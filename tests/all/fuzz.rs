//! The targets of `fuzz/` for a second each, on inputs made from real ones by small changes.
//!
//! Correct means: nothing panics, and the same seed makes the same inputs. `cargo fuzz` looks further.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::fuzz;
use dispatchlab::job::file::SavedJob;
use dispatchlab::job::{Counters, Plan};
use dispatchlab::prepare::{apart, prepare};
use dispatchlab::scenario::Scenario;
use dispatchlab::stats::random::SplitMix64;
use dispatchlab::template::{Library, shipped};

/// Inputs that even the slowest machine tries, and at which the fastest one ends.
const LEAST_INPUTS: u32 = 50;
const MOST_INPUTS: u32 = 20_000;

/// Seconds that a target runs, `FUZZ_SECONDS` or one, and the seed of its inputs, `FUZZ_SEED` or one.
fn knob(name: &str) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(1)
}

/// Texts to change, and pieces to put into them.
struct Inputs {
    texts: Vec<String>,
    pieces: Vec<String>,
    random: SplitMix64,
}

impl Inputs {
    fn new(texts: Vec<String>, extra: &[&str]) -> Inputs {
        // Words of the texts themselves are what a person's slip would put in the wrong place.
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let words = texts
            .iter()
            .flat_map(|text| text.split(|c: char| !is_part(c)));
        let mut pieces: Vec<String> = words.map(str::to_string).collect();
        pieces.sort();
        pieces.dedup();
        pieces.extend(extra.iter().map(|piece| (*piece).to_string()));
        Inputs {
            texts,
            pieces,
            random: SplitMix64::new(knob("FUZZ_SEED")),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound.max(1) as u64) as usize
    }

    /// A boundary of characters in `text`.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn next(&mut self) -> String {
        let at = self.below(self.texts.len());
        let mut text = self.texts[at].clone();
        for _ in 0..=self.below(4) {
            let (start, other) = (self.place(&text), self.place(&text));
            match self.below(6) {
                // A piece put in, or in the place of as many characters.
                0 | 1 => {
                    let piece = self.below(self.pieces.len());
                    text.insert_str(start, &self.pieces[piece]);
                }
                2 => {
                    let piece = self.below(self.pieces.len());
                    let piece = self.pieces[piece].clone();
                    let mut end = (start + piece.len()).min(text.len());
                    while !text.is_char_boundary(end) {
                        end -= 1;
                    }
                    text.replace_range(start..end, &piece);
                }
                // A few characters left out, or twice.
                3 => {
                    let end = text[start..].char_indices().nth(1 + self.below(8));
                    let end = end.map_or(text.len(), |(at, _)| start + at);
                    text.replace_range(start..end, "");
                }
                4 => {
                    let (from, to) = (start.min(other), start.max(other));
                    let copy: String = text[from..to].chars().take(64).collect();
                    text.insert_str(to, &copy);
                }
                // Cut off, seldom as early as this chooses.
                _ if self.below(8) == 0 => text.truncate(start),
                _ => {}
            }
        }
        text
    }

    fn run(mut self, target: fn(&str)) {
        let started = Instant::now();
        let seconds = knob("FUZZ_SECONDS");
        let most = MOST_INPUTS.saturating_mul(seconds as u32);
        for number in 0..most {
            if started.elapsed() >= Duration::from_secs(seconds) && number >= LEAST_INPUTS {
                return;
            }
            let input = self.next();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "input {number} panics:\n{input}");
        }
    }
}

fn templates() -> Vec<String> {
    let library = Library::embedded();
    let text = |name: &String| library.load(name).expect("a shipped template").text;
    library.names().iter().map(text).collect()
}

#[rustfmt::skip]
const ODD: &[&str] = &[
    "0", "-1", "1", "255", "65536", "4294967295", "4294967296", "9223372036854775807", "18446744073709551615", "1e308", "NaN",
    "\"", "'", "[", "]", "{", "}", "(", ")", "{{", "}}", "{%", "%}", ":", ";", ";!", ",", "=", "\n", "\t", "\0", "\u{1f}", "é", "🦀", "\u{2028}",
];

#[test]
fn no_template_makes_the_parser_or_the_linker_panic() {
    // One that would take all memory or hours is cut off there.
    apart::use_program(env!("CARGO_BIN_EXE_dispatchlab"));
    let extra = [
        ODD,
        &[
            "{% for t in range(3) %}",
            "{% endfor %}",
            "body:",
            "func \"main.f\":",
            "data \"x\":",
            "\n resb 1073741824\n",
            "\n times 300 dq 1, \"main.f\"\n",
            "times 70 ",
            "setup:",
            "expand = true",
        ],
    ]
    .concat();
    Inputs::new(templates(), &extra).run(fuzz::template);
}

#[test]
fn no_header_makes_its_reader_panic() {
    let line = |line: &str| line.strip_prefix(";! ").map(|line| format!("{line}\n"));
    let header = |text: String| text.lines().filter_map(line).collect();
    Inputs::new(templates().into_iter().map(header).collect(), ODD).run(fuzz::header);
}

#[test]
fn no_report_makes_its_reader_panic_or_steers_a_terminal() {
    let texts = vec![
        include_str!("../golden/report_all.json").to_string(),
        include_str!("../golden/report_all.json").replace("\"direct_call\"", "\"a\\u001bb\""),
    ];
    let extra = [
        ODD,
        &["\\u001b", "\\u202e", "null", "true", "1e999", "\"exact\""],
    ]
    .concat();
    Inputs::new(texts, &extra).run(fuzz::report);
}

#[test]
fn no_name_steers_a_terminal() {
    let texts = [
        "itab_call[order=random]",
        "größe 面\t\u{202e}x\u{1b}[2J",
        "/nowhere/a b.asm",
        "",
    ];
    let extra = [
        ODD,
        &[
            "\u{1b}", "\u{9b}", "\u{200b}", "\u{2066}", "\u{feff}", "\r", "\u{7f}",
        ],
    ]
    .concat();
    Inputs::new(texts.map(str::to_string).to_vec(), &extra).run(fuzz::printed);
}

#[test]
fn no_suite_makes_its_reader_panic() {
    let texts = shipped::SUITES.iter().map(|(_, text)| text.to_string());
    let extra = [
        ODD,
        &[
            "\"\"\"",
            "[[section]]",
            "{ row = \"",
            "to = \"",
            "[x=",
            "\n]",
            "ns = ",
        ],
    ]
    .concat();
    Inputs::new(texts.collect(), &extra).run(fuzz::suite);
}

#[test]
fn no_line_makes_the_assembler_panic() {
    let lines = [
        include_str!("../fixtures/families.txt"),
        "x: jne x\n dq 1, \"a\", -2\nalign 16\n1: loop 1b\n jmp short 1f\n1: lea rcx, [x+8]\n dd x, hash(\"main.T\")\n",
    ];
    let mut texts: Vec<String> = lines
        .iter()
        .flat_map(|text| text.lines())
        .map(str::to_string)
        .collect();
    texts.extend(templates());
    let extra = [
        ODD,
        &[
            "{k1}", "{z}", "{1to16}", "{rn-sae}", "1f", "1b", "rax", "xmm31", "ptr", "gs:", "short",
        ],
    ]
    .concat();
    Inputs::new(texts, &extra).run(fuzz::assembler);
}

/// Lines that other tools print, and whole listings.
fn pasted() -> Vec<String> {
    let lines = include_str!("../fixtures/pasted/lines.tsv").lines();
    let texts = lines.filter_map(|row| row.split('\t').nth(1));
    let mut texts: Vec<String> = texts
        .map(|text| text.replace("\\n", "\n").replace("\\t", "\t"))
        .collect();
    texts.extend(
        [
            include_str!("../fixtures/pasted/gcc-att.txt"),
            include_str!("../fixtures/pasted/gcc-intel.txt"),
            include_str!("../fixtures/pasted/gdb-r.txt"),
            include_str!("../fixtures/pasted/objdump-intel.txt"),
            include_str!("../fixtures/pasted/visual-studio.txt"),
        ]
        .map(str::to_string),
    );
    texts
}

#[rustfmt::skip]
const SIGNS: &[&str] = &[
    "%rax", "$5", "(%rdi,%rcx,8)", "*", "{%k1}", "{1to16}", ".rept 3\n", "\n.endr\n", ".long .-1b", "<f+0x8>", "  1139:\t55  \t", "=> 0x40 <+4>:\t",
    "00007FF6A1B21000 48 8B 01   ", "[rip + ", "a::b<c>(d)", "%rep 2\n", ".section .rodata\n", ".text\n", "{evex} ", "/*", "*/", "$$", ".set x, ", "data16 ",
];

#[test]
fn no_line_of_another_tool_makes_a_reader_panic() {
    let extra = [ODD, SIGNS].concat();
    for target in [fuzz::att, fuzz::intel] {
        Inputs::new(pasted(), &extra).run(target);
    }
}

#[rustfmt::skip]
const OF_GO: &[&str] = &[
    "TEXT ·f(SB), NOSPLIT, $16-8\n", "MOVQ 8(AX), BX\n", "(SB)", "(FP)", "(TLS)", "$sym+8(SB)", "go.itab.\"\".A,\"\".B(SB)", "\n\t0x0049 00073 (a.go:1)\t",
    "  a.go:1\t0x45\t90\tNOP\n", "rel 8+8 t=1 main.f+0\n", "x SRODATA size=40\n", "\t0x0000 8a 3d 5f 61  .=_a\n", "DATA x+8(SB)/8, $", "GLOBL x(SB), $16\n", "DUFFZERO $99\n", "LOCK\n",
];

#[test]
fn no_listing_of_go_s_makes_its_reader_panic() {
    apart::use_program(env!("CARGO_BIN_EXE_dispatchlab"));
    let extra = [ODD, OF_GO].concat();
    let texts = [
        include_str!("../fixtures/go/call.txt"),
        include_str!("../fixtures/go/old.txt"),
        include_str!("../fixtures/go/shapes.txt"),
    ];
    let texts = texts.map(str::to_string).to_vec();
    Inputs::new(texts, &extra).run(fuzz::go);
}

#[test]
fn no_listing_makes_its_reader_panic() {
    apart::use_program(env!("CARGO_BIN_EXE_dispatchlab"));
    let extra = [ODD, SIGNS].concat();
    Inputs::new(pasted(), &extra).run(fuzz::listing);
}

#[test]
fn no_job_makes_the_linker_panic() {
    let library = Library::embedded();
    let jobs = library.names().into_iter().map(|name| {
        let template = Arc::new(library.load(&name).expect("a shipped template"));
        let objects = ("objects".to_string(), "2".to_string());
        let scenario = Scenario::bind(Arc::clone(&template), &[objects])
            .or_else(|_| Scenario::bind(template, &[]))
            .expect("its defaults");
        let row = prepare(&scenario).expect("it links").row;
        let plan = Plan {
            counters: Counters::None,
            ..Plan::default()
        };
        let saved = SavedJob::new(plan, Duration::from_secs(3), None, [(scenario, row)])
            .expect("a job of this program is one");
        saved.write().expect("plain data")
    });
    let extra = [
        ODD,
        &[
            "null",
            "true",
            "\"rel32\"",
            "\"abs64\"",
            "\"body\"",
            "\"iface\"",
            "[]",
            "[4294967295]",
            "\"\"",
        ],
    ]
    .concat();
    Inputs::new(jobs.collect(), &extra).run(fuzz::job);
}
