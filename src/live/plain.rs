//! What a save came to, as lines for a log.
//!
//! Correct means: each line begins with the number of its save, each number stands beside its basis, and a ratio beside
//! its interval and what it is of.

use super::{Against, Outcome, Pass, Update};
use crate::report::terminal::reasons;
use crate::report::{Basis, Comparison, Metric, Row, Status};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;
use crate::text::{Style, hanging};

/// A paragraph for each update, whose further lines are indented; with a line break at the end.
pub fn render(update: &Update, style: Style) -> String {
    let lead = format!("{}  {}:", update.run, update.name);
    let text = match &update.outcome {
        Outcome::Gone => "no number: the file is gone; it is measured again once it is back".into(),
        Outcome::Refused(why) => format!("no number: {why}"),
        Outcome::Row(pass, row) if row.metrics.is_some() => found(*pass, row, update, style),
        Outcome::Row(_, row) => return because(&row.status, &lead, style),
        Outcome::Wrong(wrong) => return because(&Status::Error(wrong.clone()), &lead, style),
    };
    hanging(&text, &lead, 3, style.width)
}

/// A paragraph for each reason why there is no number.
fn because(status: &Status, lead: &str, style: Style) -> String {
    let reasons = reasons(status, style);
    let lines = reasons
        .iter()
        .map(|reason| hanging(&format!("no number: {reason}"), lead, 3, style.width));
    lines.collect()
}

fn found(pass: Pass, row: &Row, update: &Update, style: Style) -> String {
    let quantities = Quantity::columns();
    let numbers =
        quantities.filter_map(|quantity| number(quantity, row.metric(quantity)?, pass, style));
    let mut parts = vec![numbers.collect::<Vec<_>>().join(", ")];
    if pass == Pass::AtOnce {
        parts[0].insert_str(0, "at once ");
    }
    parts.extend(reasons(&row.status, style));
    let against = update.against.iter().map(|against| held(against, style));
    parts.extend(against);
    if update.is_baseline {
        parts.push("the baseline from here on".into());
    }
    parts.join("; ")
}

/// A number, its unit and its basis; nothing of one that is not there yet.
fn number(quantity: Quantity, metric: &Metric, pass: Pass, style: Style) -> Option<String> {
    let known = quantity.known();
    let name = known.short;
    let Some(value) = metric.value else {
        let why = metric.why.as_deref();
        let why = why.map_or(String::new(), |why| format!(" ({why})"));
        let said = || format!("{name} {}{why}", Basis::Unsupported.name());
        return (pass == Pass::InTurns).then(said);
    };
    let decimals = match metric.basis == Basis::Exact && value.fract() == 0.0 {
        true => 0,
        false => known.decimals.unwrap_or(2),
    };
    let dash = dash(style);
    let interval = match (metric.low, metric.high) {
        (Some(low), Some(high)) if metric.basis != Basis::Exact => {
            let ends = [low, high].map(|end| format!("{end:.decimals$}"));
            match ends[0] == ends[1] {
                true => String::new(),
                false => format!(" [{}{dash}{}]", ends[0], ends[1]),
            }
        }
        _ => String::new(),
    };
    let basis = match metric.stepped {
        Some(first) => format!("{} over the first {first} iterations", metric.basis.name()),
        None => metric.basis.name().to_string(),
    };
    Some(format!("{value:.decimals$}{interval} {name} {basis}"))
}

/// Cycles held against those of an earlier run.
fn held(against: &Against, style: Style) -> String {
    match against.cycles() {
        Some(cycles) => ratio(cycles, &against.name, style),
        None => format!(
            "not held against {}: no numbers, or another `clobbers`",
            against.name
        ),
    }
}

fn ratio(cycles: &Comparison, name: &str, style: Style) -> String {
    let times = if style.unicode { "×" } else { "x" };
    let Some(ratio) = cycles.ratio else {
        let why = cycles.why.as_deref().unwrap_or("no number");
        return format!("no ratio to {name}: {why}");
    };
    let interval = match (cycles.low, cycles.high) {
        (Some(low), Some(high)) => format!(" [{low:.3}{}{high:.3}]", dash(style)),
        _ => String::new(),
    };
    let verdict = match cycles.verdict {
        Some(Verdict::Same) => ", not told apart",
        Some(Verdict::Faster) => ", faster",
        Some(Verdict::Slower) => ", slower",
        Some(Verdict::Undecided) => ", undecided",
        None => "",
    };
    format!("{ratio:.3}{times}{interval} of {name}{verdict}")
}

fn dash(style: Style) -> &'static str {
    if style.unicode { "–" } else { "-" }
}
