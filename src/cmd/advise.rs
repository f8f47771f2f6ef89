//! `advise`: which way to choose is the best at a call site, in the order of types that a recording has.
//!
//! Correct means: what is advised was measured in that very order, beside the others; where the intervals do not decide,
//! that is the answer; and nothing that a way costs is missing from its number without a word.

mod site;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::arguments::{confidence, named};
use super::compare::{CONFIDENCE, TIME_MS};
use super::names::{bind_fitting, inputs, recorded};
use super::output::Output;
use super::{Common, Stop, print_json, print_plain};
use crate::advise::{Candidate, Site};
use crate::pipeline::advise::{Advice, Outcome, advise};
use crate::pipeline::{self, Task};
use crate::report::{Comparison, Report, Row, json as report_json, terminal};
use crate::scenario::{Scenario, parse_name};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;
use crate::text::paths::{named as shown, path};
use crate::text::{Style, folded, hanging, printable};

/// What a row of the table is wide at most, so that names of ways stand beside numbers.
const WAY: usize = 30;

/// What the advice is for, and where to put it.
#[derive(Debug, Args)]
pub(super) struct Advised {
    /// Scenario or template file whose receivers are interface values of several types; or a program
    #[arg(value_name = "TEMPLATE|PROGRAM", value_parser = named())]
    name: String,
    /// The program's call site, as `sites` prints it: its address, FUNC+0x10, or FUNC where it has one
    site: Option<String>,
    /// Write the template of the best way here
    #[arg(short, long, value_name = "FILE.asm")]
    output: Option<PathBuf>,
    /// Confidence of all intervals together
    #[arg(long, value_name = "SHARE", default_value_t = CONFIDENCE, allow_negative_numbers = true, value_parser = confidence)]
    conf: f64,
}

pub(super) fn run(common: &Common, advised: &Advised) -> Result<i32, Stop> {
    let asked = asked(common, advised)?;
    let candidates = asked.site.candidates();
    let scenarios = scenarios(common, &candidates, &asked.parameters)?;
    let target = advised.output.as_deref();
    let output = target
        .map(|target| Output::new_one("-o", target))
        .transpose()?;
    let read = inputs(common, std::slice::from_ref(&advised.name), &scenarios)?;
    Output::check(&output.iter().collect::<Vec<&Output>>(), &read)?;
    let mut settings = common.settings(None)?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    let _core = common.claim_core(&mut settings);
    let voice = common.progress();
    let tasks = scenarios.iter().map(Task::new).collect();
    let advice = advise(tasks, &settings, advised.conf, &mut voice.telling())?;
    drop(voice);
    let code = pipeline::exit_code(&advice.report);
    let found = Found::of(&asked, &candidates, &advice);
    common.say(&match common.json {
        true => terminal::warnings(&advice.report, common.error_style()),
        false => terminal::warnings_beside(&advice.report, common.error_style()),
    });
    let written = match (output, found.chosen()) {
        (Some(output), Some(Candidate { text: Ok(text), .. })) => {
            output.write(text, printable::lines)?;
            target.map(shown)
        }
        _ => None,
    };
    if common.json {
        print_json(&format!("{:#}\n", found.document(written.as_deref())))?;
    } else {
        print_plain(&found.text(common.style(), advised.conf, written.as_deref()))?;
    }
    Ok(code)
}

/// What was asked.
struct Asked {
    /// What the site is called.
    name: String,
    site: Site,
    /// What is said of the sequence.
    sequence: String,
    /// Whether predictors learn it as a whole.
    is_learnt: bool,
    /// Where the sequence is.
    file: String,
    /// What all ways are bound to.
    parameters: Vec<(String, String)>,
}

fn asked(common: &Common, advised: &Advised) -> Result<Asked, Stop> {
    let (name, mut given) = match &advised.site {
        Some(_) => (advised.name.clone(), Vec::new()),
        None if path(&advised.name).is_file() => (advised.name.clone(), Vec::new()),
        None => parse_name(&advised.name)?,
    };
    given.extend(common.parameters()?);
    let order = given.iter().rev().find(|(key, _)| key == "order");
    let Some(file) = order.and_then(|(_, order)| order.strip_prefix('@')) else {
        return Err(Stop::Usage(
            "`advise` needs the order in which types come: -p order=@FILE, a recording of `trace`"
                .into(),
        ));
    };
    let file = file.to_string();
    let (recording, text) = recorded(&file)?;
    let (title, site) = match &advised.site {
        Some(site) => site::of_program(&name, site, &given, (&recording, &text))?,
        None => site::of_template(common, &name, &given, (&recording, &text))?,
    };
    // The file name may be another path to the same program; the site is the same one.
    let of = |title: &str| Some(title.rsplit_once(" in ")?.0.to_string());
    let first = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# visits of "));
    if let (Some(_), Some(first)) = (&advised.site, first)
        && of(first) != of(&title)
    {
        common.warn(&format!(
            "warning: @{file} is a recording of {first}, and not of {title}: its types need not come there\n"
        ));
    }
    /// What is in the text of each way.
    const SETTLED: [&str; 4] = ["go", "targets", "cases", "hit"];
    given.retain(|(key, _)| !SETTLED.contains(&&key[..]));
    Ok(Asked {
        name: title,
        site,
        sequence: recording.describe(),
        is_learnt: recording.is_learnt(),
        file,
        parameters: given,
    })
}

/// The ways that there are, as scenarios.
fn scenarios(
    common: &Common,
    candidates: &[Candidate],
    parameters: &[(String, String)],
) -> Result<Vec<Scenario>, Stop> {
    let library = common.library()?;
    let made = candidates.iter().filter_map(|one| {
        let text = one.text.as_ref().ok()?;
        Some(library.of_text(&one.name, text.clone()))
    });
    let templates = made
        .map(|made| Ok((Arc::new(made?), Vec::new())))
        .collect::<Result<Vec<_>, Stop>>()?;
    if templates.is_empty() {
        let why = candidates.iter().find_map(|one| one.text.as_ref().err());
        return Err(Stop::Usage(format!(
            "there is no way to measure this sequence: {}",
            why.map_or("", |cannot| &cannot.0)
        )));
    }
    bind_fitting(&templates, parameters)
}

/// What came of it, ready to be told.
struct Found<'a> {
    asked: &'a Asked,
    candidates: &'a [Candidate],
    advice: &'a Advice,
}

impl<'a> Found<'a> {
    fn of(asked: &'a Asked, candidates: &'a [Candidate], advice: &'a Advice) -> Found<'a> {
        Found {
            asked,
            candidates,
            advice,
        }
    }

    fn report(&self) -> &'a Report {
        &self.advice.report
    }

    /// The candidates that were measured, in the order of the rows.
    fn measured(&self) -> impl Iterator<Item = &'a Candidate> {
        self.candidates.iter().filter(|one| one.text.is_ok())
    }

    /// The candidate of a row.
    fn of_row(&self, row: usize) -> Option<&'a Candidate> {
        self.measured().nth(row)
    }

    /// Its row, and its cycles held against the call's.
    fn numbers(&self, candidate: &Candidate) -> (Option<&'a Row>, Option<&'a Comparison>) {
        let at = self.measured().position(|one| one.name == candidate.name);
        let row = at.and_then(|at| self.report().rows.get(at));
        let of_row = |one: &&Comparison| {
            one.metric == "cycles" && row.is_some_and(|row| row.scenario == one.other)
        };
        (row, self.report().comparisons.iter().find(of_row))
    }

    /// The way that is written: the best, or of those that may be the one with the least ratio.
    fn chosen(&self) -> Option<&'a Candidate> {
        match &self.advice.outcome {
            Outcome::Best(row) => self.of_row(*row),
            Outcome::Undecided(rows) => self.of_row(*rows.first()?),
            Outcome::Nothing(_) => None,
        }
    }

    fn text(&self, style: Style, confidence: f64, written: Option<&str>) -> String {
        let mut out = hanging(
            &format!("{}, {}", self.asked.name, self.asked.sequence),
            "",
            2,
            style.width,
        );
        out.push('\n');
        self.types(&mut out);
        out.push('\n');
        self.table(&mut out, style);
        out.push('\n');
        let said = self.outcome(confidence);
        out += &hanging(&said, "", 2, style.width);
        for rival in &self.advice.rivals {
            let title = |scenario: &str| {
                let row = self
                    .report()
                    .rows
                    .iter()
                    .position(|row| row.scenario == scenario);
                row.and_then(|row| self.of_row(row))
                    .map_or("", |one| &one.title)
            };
            let (why, _) = doubt(rival, self.report());
            let [least, other] = [&rival.base, &rival.other].map(|one| title(one));
            let said = format!("{other} against {least}: {why}");
            out += &hanging(&said, "", 2, style.width);
        }
        out.push('\n');
        for remark in self.remarks() {
            out += &hanging(&remark, "", 2, style.width);
        }
        if let Some(chosen) = self.chosen() {
            let least = match self.advice.outcome {
                Outcome::Undecided(_) => ", the one with the least ratio",
                _ => "",
            };
            let _ = writeln!(out, "\n{}{least}, in Go:\n", chosen.title);
            for line in self.asked.site.source(&chosen.way).lines() {
                // A terminal is shown no tabs.
                let line = line.replace('\t', "    ");
                let _ = writeln!(out, "{}", format!("    {line}").trim_end());
            }
        }
        if let Some(written) = written {
            let _ = writeln!(
                out,
                "\nwrote {written}\nnext: dispatchlab run {written}{}",
                self.options()
            );
        }
        out
    }

    /// The parameters, as `run` takes them.
    fn options(&self) -> String {
        let parameters = self.asked.parameters.iter();
        parameters
            .map(|(key, value)| format!(" -p {key}={value}"))
            .collect()
    }

    fn types(&self, out: &mut String) {
        const SHOWN: usize = 12;
        let site = &self.asked.site;
        let ranked = site.ranked();
        let _ = writeln!(out, "  {:>6} {:>9} {:>8}  met", "number", "visits", "share");
        for &number in ranked.iter().take(SHOWN) {
            let _ = writeln!(
                out,
                "  {number:>6} {:>9} {:>6.1} %  {}",
                site.types[number as usize].visits,
                site.share(number),
                site.name(number)
            );
        }
        if ranked.len() > SHOWN {
            let _ = writeln!(out, "  and {} more types", ranked.len() - SHOWN);
        }
    }

    fn table(&self, out: &mut String, style: Style) {
        let _ = writeln!(
            out,
            "  {:<WAY$} {:>8} {:>12}  interval",
            "way", "cycles", "to the call"
        );
        for candidate in self.candidates {
            if let Err(cannot) = &candidate.text {
                let line = format!("  {:<WAY$} cannot: {}\n", candidate.title, cannot.0);
                out.push_str(&folded(&line, 4, style.width));
                continue;
            }
            let (row, compared) = self.numbers(candidate);
            let Some(cycles) = row.and_then(|row| row.value(Quantity::Cycles)) else {
                let status = row.map(|row| terminal::reasons(&row.status, style));
                let why = row
                    .and_then(|row| row.metric(Quantity::Cycles)?.why.clone())
                    .or_else(|| status?.first().cloned())
                    .unwrap_or_else(|| "it was not measured".into());
                let line = format!("  {:<WAY$} no number: {why}\n", candidate.title);
                out.push_str(&folded(&line, 4, style.width));
                continue;
            };
            let ratio = match (compared.and_then(|one| one.ratio), compared) {
                (Some(ratio), _) => format!("{ratio:.4}"),
                (None, None) => "1".into(),
                (None, Some(_)) => style.absent().into(),
            };
            let interval = match compared.and_then(|one| Some((one.low?, one.high?))) {
                Some((low, high)) => format!("{low:.4} to {high:.4}"),
                None => String::new(),
            };
            let verdict = match compared.and_then(|one| one.verdict) {
                Some(Verdict::Faster) => "faster",
                Some(Verdict::Slower) => "slower",
                Some(Verdict::Undecided) => "undecided",
                Some(Verdict::Same) => "~",
                None => "",
            };
            let line = format!(
                "  {:<WAY$} {cycles:>8.2} {ratio:>12}  {interval:<16}  {verdict}",
                candidate.title
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }

    /// The answer, in a sentence or two.
    fn outcome(&self, confidence: f64) -> String {
        let title = |row: &usize| self.of_row(*row).map_or("", |one| &one.title);
        let said = match &self.advice.outcome {
            Outcome::Best(0) => {
                "best: the call through the itab; all other ways are slower.".into()
            }
            Outcome::Best(row) => {
                let compared = self.of_row(*row).and_then(|one| self.numbers(one).1);
                let ratio = compared.and_then(|one| Some((one.ratio?, one.low?, one.high?)));
                let ratio = ratio.map_or(String::new(), |(ratio, low, high)| {
                    format!(", {ratio:.3} times the cycles of the call ({low:.3} to {high:.3})")
                });
                format!("best: {}{ratio}; all other ways are slower.", title(row))
            }
            Outcome::Undecided(rows) => {
                let has_number = |row: &&usize| {
                    let row = self.report().rows.get(**row);
                    row.is_some_and(|row| row.value(Quantity::Cycles).is_some())
                };
                let (known, unknown): (Vec<&usize>, Vec<&usize>) =
                    rows.iter().partition(has_number);
                let names = |rows: &[&usize]| {
                    let names: Vec<&str> = rows.iter().map(|row| title(row)).collect();
                    names.join(" and ")
                };
                let mut said = match known[..] {
                    [only] => format!(
                        "undecided: of those with a number, {} is the best",
                        title(only)
                    ),
                    _ => format!(
                        "undecided between {}, at {:.0} % confidence of all intervals together",
                        names(&known),
                        confidence * 100.0
                    ),
                };
                if !unknown.is_empty() {
                    let _ = write!(
                        said,
                        "; any without a number may be better: {}",
                        names(&unknown)
                    );
                }
                let is_open = |one: &Comparison| doubt(one, self.report()).1;
                match !unknown.is_empty() || self.advice.rivals.iter().any(is_open) {
                    true => said + ". A longer --time may decide.",
                    // More turns do not move code.
                    false => said + ".",
                }
            }
            Outcome::Nothing(why) => format!("nothing is advised: {why}."),
        };
        match self.asked.is_learnt {
            true => format!(
                "{said} That is so of this short recording, which predictors learn as it starts over; in your program \
                 another way may be the best: `trace` with more --visits."
            ),
            false => said,
        }
    }

    /// What the numbers do not say themselves.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![
            "cycles: of a call, measured in turns in one worker in the order of the recording; each method takes two \
             instructions, inlined behind a guard or a case (-p callee=called: called by name), and not those of your \
             program."
                .to_string(),
            "types: their hashes are those of types called main.T0, main.T1, …; with those of yours the order of a \
             switch and the size of a table may be others."
                .into(),
        ];
        if let Some(row) = self.report().rows.first()
            && let Some(source) = row
                .metric(Quantity::Cycles)
                .and_then(|cycles| cycles.source.clone())
        {
            remarks[0] = format!(
                "{} Source: {source}, on {}.",
                remarks[0],
                self.report().provenance.cpu
            );
        }
        let of_ways = self.candidates.iter().filter_map(|one| {
            let remark = one.remark.as_ref()?;
            Some(format!("{}: {remark}.", one.title))
        });
        remarks.extend(of_ways);
        remarks
    }

    fn document(&self, written: Option<&str>) -> Value {
        let site = &self.asked.site;
        let types: Vec<Value> = site
            .types
            .iter()
            .enumerate()
            .map(
                |(number, one)| json!({ "number": number, "name": one.name, "visits": one.visits }),
            )
            .collect();
        let ways: Vec<Value> = self.candidates.iter().map(|one| self.way(one)).collect();
        let name = |row: &usize| self.of_row(*row).map(|one| one.name.clone());
        let (best, undecided, why) = match &self.advice.outcome {
            Outcome::Best(row) => (name(row), Vec::new(), None),
            Outcome::Undecided(rows) => (None, rows.iter().filter_map(name).collect(), None),
            Outcome::Nothing(why) => (None, Vec::new(), Some(why)),
        };
        let way = |scenario: &str| {
            let row = self
                .report()
                .rows
                .iter()
                .position(|row| row.scenario == scenario);
            row.and_then(|row| name(&row))
        };
        let rivals = self.advice.rivals.iter().map(|one| {
            let (why, _) = doubt(one, self.report());
            json!({
                "least": way(&one.base),
                "way": way(&one.other),
                "ratio": one.ratio,
                "low": one.low,
                "high": one.high,
                "why": why,
            })
        });
        let rivals: Vec<Value> = rivals.collect();
        let report: Value = serde_json::from_str(&report_json::render(self.report()))
            .unwrap_or_else(|error| unreachable!("a report is JSON: {error}"));
        let chosen = self.chosen();
        json!({
            "schema": 1,
            "advice": {
                "site": self.asked.name,
                "order": format!("@{}", self.asked.file),
                "visits": site.visits,
                "is_learnt": self.asked.is_learnt,
                "types": types,
                "ways": ways,
                "best": best,
                "undecided": undecided,
                "why": why,
                "rivals": rivals,
                "go_source": chosen.map(|one| site.source(&one.way)),
                "template": chosen.and_then(|one| one.text.as_ref().ok()),
                "written": written,
            },
            "report": report,
        })
    }

    fn way(&self, candidate: &Candidate) -> Value {
        let (row, compared) = self.numbers(candidate);
        json!({
            "way": candidate.name,
            "title": candidate.title,
            "cannot": candidate.text.as_ref().err().map(|cannot| &cannot.0),
            "remark": candidate.remark,
            "cycles": row.and_then(|row| row.metric(Quantity::Cycles)),
            "ratio": compared.and_then(|one| one.ratio),
            "low": compared.and_then(|one| one.low),
            "high": compared.and_then(|one| one.high),
            "verdict": compared.and_then(|one| one.verdict),
        })
    }
}

/// Why a way was not shown to be slower than the one with the least ratio, and whether more turns may show it.
fn doubt(pair: &Comparison, report: &Report) -> (String, bool) {
    let times = match (pair.ratio, pair.low.zip(pair.high)) {
        (Some(ratio), Some((low, high))) => format!("{ratio:.4} times ({low:.4} to {high:.4})"),
        (Some(ratio), None) => format!("{ratio:.4} times"),
        (None, _) => String::new(),
    };
    if let (Some(Verdict::Undecided), None) = (pair.verdict, &pair.why) {
        let range = |scenario: &str| {
            let row = report.rows.iter().find(|row| row.scenario == scenario);
            let layout = row.and_then(|row| row.layout);
            layout.map_or(String::new(), |layout| {
                format!("{:.2} to {:.2}", layout.cycles_min, layout.cycles_max)
            })
        };
        let said = format!(
            "{times} in turns, but the place of the code changes more: {} cycles against {}",
            range(&pair.other),
            range(&pair.base)
        );
        return (said, false);
    }
    let why = pair.why.as_deref().unwrap_or("not told apart");
    let said = match times.is_empty() {
        true => why.to_string(),
        false => format!("{times}, {why}"),
    };
    (said, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn what_differs_in_turns_is_not_said_to_be_the_same_and_more_turns_do_not_move_code() {
        let row = |name: &str, least: f64, most: f64| {
            let mut row = fixture::ok(name, least, least, (5.0, 2.0));
            let layout = row.layout.as_mut().expect("a row with numbers has one");
            (layout.cycles_min, layout.cycles_max) = (least, most);
            row
        };
        let report = Report {
            rows: vec![row("switch", 12.0, 15.0), row("guards", 14.5, 16.0)],
            ..Report::default()
        };
        let pair = |low: f64, verdict: Verdict, why: Option<&str>| Comparison {
            base: "switch".into(),
            other: "guards".into(),
            metric: "cycles".into(),
            ratio: Some(1.2),
            low: Some(low),
            high: Some(1.25),
            p: Some(0.001),
            verdict: Some(verdict),
            basis: crate::report::Basis::Measured,
            pairs: Some(16),
            values: Some((12.0, 14.4)),
            why: why.map(str::to_string),
        };
        let by_place = "1.2000 times (1.1500 to 1.2500) in turns, but the place of the code changes more: 14.50 to \
                        16.00 cycles against 12.00 to 15.00";
        #[rustfmt::skip] // a table: what was compared, what is said, and whether more turns may decide
        let table = [
            (pair(1.15, Verdict::Undecided, None),               by_place,                                           false),
            (pair(0.98, Verdict::Same, None),                    "1.2000 times (0.9800 to 1.2500), not told apart",  true),
            (pair(1.15, Verdict::Undecided, Some("only 2 of 4")), "1.2000 times (1.1500 to 1.2500), only 2 of 4",    true),
        ];
        for (pair, said, is_open) in table {
            assert_eq!(doubt(&pair, &report), (said.to_string(), is_open));
        }
    }
}
