//! Why a row has no numbers, or what it ended in.
//!
//! Correct means: the reason, the template's own line where it is known, and the registers that
//! this line names.

use crate::report::{FaultReport, Status};
use crate::text::{Paint, Style};

/// The paragraphs that say so; none for a row that is as it should be.
pub(super) fn reasons(status: &Status, style: Style) -> Vec<String> {
    let asked_for = matches!(
        status,
        Status::Panic {
            asked_for: true,
            ..
        }
    );
    let paint = if asked_for {
        Paint::Expected
    } else {
        Paint::Failure
    };
    let named = |text: &str| {
        format!(
            "{} {text}",
            style.paint(paint, &format!("{}:", status.name()))
        )
    };
    match status {
        Status::Ok => Vec::new(),
        Status::Panic { message, .. } => vec![named(message)],
        Status::Fault(report) | Status::Timeout(report) => {
            let mut reasons = vec![named(&what(report))];
            reasons.extend(place(report));
            reasons
        }
        Status::WrongResult {
            element,
            iterations,
            expected,
            actual,
        } => {
            let [actual, expected] = [actual, expected].map(|sum| number(*sum));
            let what = match iterations {
                1 => format!("element {element} gave {actual}, expected {expected}"),
                _ => format!(
                    "{iterations} iterations from element {element} on add up to {actual}, expected {expected}; each \
                     element was right when it was verified, so what they leave behind makes one wrong later"
                ),
            };
            vec![named(&what)]
        }
        Status::Ended { message, help, .. } => vec![named(&format!("{message}; {help}"))],
        Status::Error(diagnostics) => {
            let one = |diagnostic: &crate::text::diagnostic::Diagnostic| {
                let help = diagnostic
                    .help
                    .as_ref()
                    .map(|help| format!("; {}", help.lines().next().unwrap_or_default()));
                named(&format!(
                    "{}:{}:{}: {}{}",
                    diagnostic.file,
                    diagnostic.line,
                    diagnostic.column,
                    diagnostic.message,
                    help.unwrap_or_default()
                ))
            };
            const SHOWN: usize = 5;
            let mut reasons: Vec<String> = diagnostics.iter().take(SHOWN).map(one).collect();
            if diagnostics.len() > SHOWN {
                let more = diagnostics.len() - SHOWN;
                reasons.push(format!("and {more} more; `dispatchlab check` shows them"));
            }
            reasons
        }
    }
}

/// The message, with the signal's name and the address where it does not say them.
fn what(report: &FaultReport) -> String {
    let mut text = report.message.clone();
    let missing = |part: &&String| !report.message.contains(part.as_str());
    if let Some(address) = report.address.as_ref().filter(missing) {
        text = format!("{text} (address {address})");
    }
    match report.signal.as_ref().filter(missing) {
        Some(signal) => format!("{signal}: {text}"),
        None => text,
    }
}

/// The template's line, and the registers that it names.
fn place(report: &FaultReport) -> Option<String> {
    let line = report.line?;
    let mut place = format!("{}:{line}", report.template);
    let Some(text) = &report.text else {
        return Some(place);
    };
    place = format!("{place}: {text}");
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let named = report
        .registers
        .iter()
        .filter(|(name, _)| words.contains(&name.as_str()));
    let registers: Vec<String> = named
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    if !registers.is_empty() {
        place = format!("{place} ({})", registers.join(", "));
    }
    Some(place)
}

/// Small numbers as people write them, large ones as addresses are.
fn number(value: u64) -> String {
    const SMALL: u64 = 1 << 24;
    if value < SMALL {
        value.to_string()
    } else {
        format!("{value:#x}")
    }
}
