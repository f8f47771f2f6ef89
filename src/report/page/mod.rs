//! Reports as one HTML file to look at and to hand on.
//!
//! Correct means: the file is whole by itself, loads nothing and sends nothing; each number in it is that of a report, with
//! the word for how it was obtained under the pointer or beside it; and the reports themselves are in it as JSON.

mod comparisons;
mod figures;
mod html;
mod listing;
mod machines;
mod parts;
mod rows;
mod sites;
mod sweep;

use std::fmt::Write as _;

use html::{embedded, escaped, tagged};

use super::saved::Document;
use super::{Provenance, Report, json};
use crate::template::parse::lower_sha256;

/// A report to show.
#[derive(Debug, Clone)]
pub struct Page {
    /// What tells it from others: a file's name.
    pub name: String,
    /// What is shown.
    pub document: Document,
    /// The whole report.
    pub json: String,
}

/// A report that was just made, with a line break at the end.
pub fn render(report: &Report) -> String {
    let page = Page {
        name: String::new(),
        document: Document::of(report),
        json: json::render(report),
    };
    all(&[page])
}

/// What was scanned, drawn as in the page of its report; nothing where the report is no sweep's.
pub fn scanned(report: &Report) -> String {
    let document = Document::of(report);
    let scanned = document.sweep.as_ref();
    scanned.map_or_else(String::new, |sweep| sweep::section(&document, sweep))
}

/// Reports beside each other, then each by itself.
pub fn all(pages: &[Page]) -> String {
    // No text in the page can know it, so no script in one can run.
    let nonce = lower_sha256(pages.iter().map(|page| &page.json[..]));
    let mut out = head(&nonce, &title(pages));
    let _ = write!(
        out,
        "<header><h1>{}</h1></header><main>",
        escaped(&title(pages))
    );
    if pages.len() > 1 {
        out += &machines::section(pages);
    }
    for page in pages {
        out += &one(page, pages.len() > 1);
    }
    out += "</main>";
    for page in pages {
        let _ = write!(
            out,
            "<script type=\"application/json\" nonce=\"{nonce}\" data-report=\"{}\">{}</script>",
            escaped(&page.name),
            embedded(&page.json)
        );
    }
    let _ = write!(
        out,
        "<script nonce=\"{nonce}\">{}</script>",
        include_str!("page.js")
    );
    out + "</body></html>\n"
}

fn head(nonce: &str, title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'nonce-{nonce}'; \
         script-src 'nonce-{nonce}'; img-src data:\"><link rel=\"icon\" href=\"data:,\"><title>{}</title>\
         <style nonce=\"{nonce}\">{}</style></head><body>",
        escaped(title),
        include_str!("page.css")
    )
}

fn title(pages: &[Page]) -> String {
    match pages {
        [page] => match &page.document.provenance.command[..] {
            [] => "dispatchlab".into(),
            command => format!("dispatchlab {}", typed(command)),
        },
        _ => format!("dispatchlab: {} reports", pages.len()),
    }
}

/// A command line as a shell takes it.
fn typed(command: &[String]) -> String {
    let words = command.iter().map(String::as_str);
    // A word with a NUL was never typed.
    shlex::try_join(words).unwrap_or_else(|_| command.join(" "))
}

/// One report: what was asked of it first, then its rows, and where they come from.
fn one(page: &Page, is_one_of_several: bool) -> String {
    let document = &page.document;
    let mut out = String::from("<section class=\"report\">");
    if is_one_of_several {
        out += &tagged("h2", "file", &page.name);
    }
    let _ = write!(
        out,
        "<p class=\"machine\">{}</p>",
        escaped(&machine(&document.provenance))
    );
    for warning in &document.warnings {
        out += &tagged("p", "warning", warning);
    }
    if let Some(scanned) = &document.sweep {
        out += &sweep::section(document, scanned);
    }
    out += &comparisons::section(document);
    if let Some(ablation) = &document.ablation {
        out += &parts::section(ablation);
    }
    out += &figures::section(document);
    out += "<h2>Rows</h2><label class=\"filter\">only rows with <input type=\"search\" data-filter></label>";
    out += &rows::table(document);
    out += &provenance(document);
    out + "</section>"
}

/// The machine in one line.
fn machine(provenance: &Provenance) -> String {
    let mut line = provenance.cpu.clone();
    if let Some(hypervisor) = &provenance.hypervisor {
        let _ = write!(line, " under {hypervisor}");
    }
    if let Some(cpu) = provenance.pinned_cpu {
        let _ = write!(line, ", CPU {cpu}");
    }
    if let Some(hz) = provenance.core_hz {
        let _ = write!(line, " at {:.3} GHz", hz / 1e9);
    }
    let _ = write!(line, ", {}", provenance.date);
    line
}

/// Where the numbers come from, and the command line that makes them again.
fn provenance(document: &Document) -> String {
    let known = &document.provenance;
    let mut out = String::from("<h2>Where it comes from</h2><table class=\"provenance\"><tbody>");
    let mut line = |name: &str, text: &str| {
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td></tr>",
            escaped(name),
            escaped(text)
        );
    };
    if !known.command.is_empty() {
        line("command", &format!("dispatchlab {}", typed(&known.command)));
    }
    line("tool", &known.tool);
    let model = format!(
        "{} (family {}, model {})",
        known.cpu, known.family, known.model
    );
    line("CPU", &model);
    if let Some(revision) = &known.microcode {
        line("microcode", revision);
    }
    line("kernel", &known.kernel);
    if let Some(hypervisor) = &known.hypervisor {
        line("hypervisor", hypervisor);
    }
    if let Some(hz) = known.tsc_hz {
        line("time stamp counter", &format!("{:.3} GHz", hz / 1e9));
    }
    line("seed", &known.seed.to_string());
    line("date", &known.date);
    if let Some(job) = &known.job_sha256 {
        line("rows as they ran, SHA-256", job);
    }
    if let Some(predictor) = &known.predictor {
        line("predictors, as doctor inferred", predictor);
    }
    for source in &known.sources {
        let from = format!(
            "{} ({}): {}",
            source.basis.name(),
            source.source,
            source.why
        );
        line(&source.event.replace('_', " "), &from);
    }
    out + "</tbody></table>"
}

#[cfg(test)]
mod tests;
