//! The tables: for a terminal, and for docs/book.md.
//!
//! Correct means: nothing is computed here but ratios, what was not measured is a dash, and a time that stands in the document
//! stays there as long as nothing newer takes its place and the instructions are those that it was of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::agreement::{Row, Spread, Times};
use super::causes::{self, Cause};

/// Columns of a row behind its name.
struct Cells {
    go: String,
    ours: String,
    ratio: String,
    instructions: String,
    verdict: String,
}

const DASH: &str = "–";
/// What is said of a row whose times were never undisturbed.
const NOISE: &str = "disturbed";
/// What is said of ours where no one number says what it takes.
const UNSETTLED: &str = "not settled";

impl Cells {
    fn of(row: &Row) -> Cells {
        let cycles = |spread: Option<Spread>| {
            spread.map_or(DASH.to_string(), |spread| {
                let Spread {
                    least,
                    median,
                    most,
                } = spread;
                format!("{median:.2} ({least:.1}–{most:.1})")
            })
        };
        let ratio = match (row.go(), row.ours()) {
            (Some(go), Some(ours)) if row.is_settled => format!("{:.2}", ours.median / go.median),
            _ => DASH.to_string(),
        };
        Cells {
            go: cycles(row.go()),
            ours: cycles(row.ours()),
            ratio,
            instructions: instructions(row),
            verdict: verdict(row),
        }
    }
}

/// Go's = ours + the loop's, less the moves that its compiler saved.
fn instructions(row: &Row) -> String {
    let Some(counted) = &row.comparison else {
        return DASH.to_string();
    };
    if causes::of_instructions(row) == Some(Cause::Runtime) {
        return format!("{}, ours {}", number(counted.go), number(counted.ours));
    }
    let mut text = format!(
        "{} = {} + {}",
        number(counted.go),
        number(counted.ours),
        number(counted.around)
    );
    if counted.moves > 0.0 {
        let _ = write!(text, " − {}", number(counted.moves));
    }
    text
}

fn number(value: f64) -> String {
    if (value - value.round()).abs() < 0.005 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

fn verdict(row: &Row) -> String {
    let mut text = agreement(row);
    for (holds, word) in [(!row.is_settled, UNSETTLED), (row.is_disturbed(), NOISE)] {
        if holds {
            text = format!("{text}; {word}");
        }
    }
    text
}

fn agreement(row: &Row) -> String {
    if let Some(why) = &row.failed {
        return format!("failed: {why}");
    }
    let unlike = row.comparison.is_some() && !row.has_gos_instructions();
    let instructions = match (unlike, causes::of_instructions(row)) {
        (false, _) => None,
        (true, Some(cause)) => Some(cause.word()),
        (true, None) => Some("unexplained"),
    };
    let times = match row.times() {
        None => "",
        Some(Times::Close) => "within 5 %",
        Some(Times::InLayout) => "within layout",
        Some(Times::Apart) => match causes::of_times(row) {
            Some(cause) => return format!("apart: {}", cause.word()),
            None => "apart: unexplained",
        },
    };
    match (times, instructions) {
        ("", None) => "same code".to_string(),
        ("", Some(word)) => word.to_string(),
        (times, None) => times.to_string(),
        (times, Some(word)) => format!("{times}; {word}"),
    }
}

/// For a terminal: a row takes two lines, its name and its numbers.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    for version in versions(rows) {
        let _ = writeln!(
            out,
            "\nGo {version}\n  {:<20} {:<20} {:>5}  {:<14} verdict",
            "Go's cycles (layouts)", "ours", "ratio", "instructions"
        );
        for row in rows.iter().filter(|row| row.version == version) {
            match &row.skipped {
                Some(why) => {
                    let _ = writeln!(out, "{}: skipped, {why}", row.scenario);
                }
                None => {
                    let cells = Cells::of(row);
                    let _ = writeln!(
                        out,
                        "{}\n  {:<20} {:<20} {:>5}  {:<14} {}",
                        row.scenario,
                        cells.go,
                        cells.ours,
                        cells.ratio,
                        cells.instructions,
                        cells.verdict
                    );
                }
            }
        }
    }
    if rows.iter().any(Row::is_disturbed) {
        out += "\nSomething else was at work on the core all the time: run it again when it is quiet.\n";
    }
    out
}

fn versions(rows: &[Row]) -> Vec<String> {
    let mut versions: Vec<String> = rows.iter().map(|row| row.version.clone()).collect();
    versions.dedup();
    versions
}

/// What a document has already: the line of each row, by release and scenario, and what its times were measured on.
#[derive(Default)]
struct Known<'a> {
    lines: BTreeMap<(&'a str, &'a str), &'a str>,
    machine: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(tables: &'a str) -> Known<'a> {
        let mut known = Known::default();
        let mut release = "";
        for line in tables.lines() {
            if let Some(version) = line.strip_prefix("### Go ") {
                release = version;
            }
            if let Some((scenario, _)) =
                line.strip_prefix("| `").and_then(|one| one.split_once('`'))
            {
                known.lines.insert((release, scenario), line);
            }
            if let Some(at) = line.find(MACHINE) {
                known.machine = Some(line[at..].trim_end_matches('.'));
            }
        }
        known
    }

    /// The times of a row that was not timed again, where both sides execute as many instructions as they did then: what of
    /// them passes for the loop, and why, is of now.
    fn times(&self, row: &Row, now: Cells) -> Cells {
        let line = self.lines.get(&(&row.version[..], &row.scenario[..]));
        let cells = line.map(|line| line.split(" | ").collect::<Vec<_>>());
        let Some([_, go, ours, ratio, instructions, verdict]) = cells.as_deref() else {
            return now;
        };
        let [then, both] = [instructions, &&now.instructions[..]].map(|cell| counts(cell));
        let is_same = then
            .iter()
            .zip(&both)
            .all(|(then, now)| (then - now).abs() < 0.15);
        if row.times().is_some() || !is_same || *go == DASH {
            return now;
        }
        let verdict = verdict.trim_end_matches(" |");
        let cause = causes::of_instructions(row).filter(|_| !row.has_gos_instructions());
        let verdict = match (verdict.split("; ").next(), cause) {
            (Some(times), Some(cause)) if times.starts_with("apart") => {
                verdict.replacen(times, &format!("apart: {}", cause.word()), 1)
            }
            (Some(times), cause) if times.starts_with("within") => {
                let cause = cause.map(Cause::word);
                let kept = [UNSETTLED, NOISE].map(|word| verdict.contains(word).then_some(word));
                let said = [Some(times), cause].into_iter().chain(kept).flatten();
                let said: Vec<&str> = said.collect();
                said.join("; ")
            }
            _ => verdict.to_string(),
        };
        Cells {
            go: go.to_string(),
            ours: ours.to_string(),
            ratio: ratio.to_string(),
            verdict,
            ..now
        }
    }
}

/// Go's instructions and ours, the first two numbers of their cell.
fn counts(cell: &str) -> Vec<f64> {
    let words = cell.split([' ', ',']);
    let numbers = words.filter_map(|word| word.parse().ok());
    numbers.take(2).collect()
}

fn markdown(rows: &[Row], known: &Known<'_>) -> String {
    let mut out = String::new();
    let mut lines = Vec::new();
    for version in versions(rows) {
        let _ = write!(
            out,
            "\n### Go {version}\n\n| scenario | Go, cycles | ours | ours / Go | instructions: Go = ours + loop | verdict |\n\
             |---|--:|--:|--:|---|---|\n"
        );
        let of_it = || rows.iter().filter(|row| row.version == version);
        for row in of_it().filter(|row| row.skipped.is_none()) {
            let cells = known.times(row, Cells::of(row));
            let line = format!(
                "| `{}` | {} | {} | {} | {} | {} |",
                row.scenario, cells.go, cells.ours, cells.ratio, cells.instructions, cells.verdict
            );
            let _ = writeln!(out, "{line}");
            lines.push(line);
        }
        for row in of_it() {
            if let Some(why) = &row.skipped {
                let _ = write!(out, "\n`{}` is skipped: {why}.\n", row.scenario);
            }
        }
    }
    out += "\n";
    for cause in Cause::ALL {
        let _ = writeln!(out, "- *{}*: {}.", cause.word(), cause.text());
    }
    let count = |verdict: &str| lines.iter().filter(|line| line.contains(verdict)).count();
    let [close, within, apart] = ["| within 5 %", "| within layout", "| apart"].map(count);
    let timed = close + within + apart;
    let machine = match known.machine {
        // Only counted, so the times are those of the machine that is named.
        Some(machine) if rows.iter().all(|row| row.times().is_none()) => machine.to_string(),
        _ => machine(),
    };
    let _ = write!(
        out,
        "\nOf {timed} rows that were timed {close} are within 5 %, {within} within the layout, {apart} apart"
    );
    if timed < lines.len() {
        let _ = write!(out, "; {} more were counted alone", lines.len() - timed);
    }
    let _ = writeln!(out, ". {machine}.");
    out
}

/// What the sentence on the machine begins with.
const MACHINE: &str = "The CPU was ";

fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    format!("{MACHINE}{name}")
}

/// Puts the tables into a document, between its marks.
pub(crate) fn write_into(path: &Path, rows: &[Row]) -> io::Result<()> {
    const START: &str = "<!-- fidelity -->\n";
    let document = fs::read_to_string(path)?;
    let missing = || io::Error::other(format!("{} has no mark `{START}`", path.display()));
    let (before, rest) = document.split_once(START).ok_or_else(missing)?;
    let (tables, after) = rest.split_once("<!-- end -->").ok_or_else(missing)?;
    let tables = markdown(rows, &Known::of(tables));
    fs::write(
        path,
        format!("{before}{START}{tables}\n<!-- end -->{after}"),
    )
}
