//! Several reports beside each other: which machines they are of, and each scenario on one scale.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Page;
use super::html::{Svg, escaped, number, tick};
use crate::report::fleet::{self, Line, Named, OfCpu};
use crate::report::ruler::Ruler;

const WIDTH: f64 = 720.0;
/// What a kind of CPU takes of a drawing: its name, and under it its dots.
const ROW: f64 = 48.0;

/// The reports, and the scenarios that more than one of them has.
pub(super) fn section(pages: &[Page]) -> String {
    let named: Vec<Named<'_>> = pages
        .iter()
        .map(|page| Named {
            name: &page.name,
            document: &page.document,
        })
        .collect();
    let mut out = String::from("<section><h2>Reports</h2>");
    out += &reports(&named);
    let lines = fleet::lines(&named);
    let shared: Vec<&Line> = lines.iter().filter(|line| line.reports() > 1).collect();
    if shared.is_empty() {
        return out
            + "<p class=\"note\">no scenario of one text is in more than one of them</p></section>";
    }
    let _ = write!(
        out,
        "<h2>Side by side</h2><p class=\"note\">cycles of an iteration; a dot is a report, a line a kind of CPU; hollow: more than 5 % \
         from the others of its kind</p>"
    );
    for line in shared {
        out += &chart(line, &named);
    }
    out + "</section>"
}

/// One line a report; those that ran the same rows have one letter.
fn reports(named: &[Named<'_>]) -> String {
    let mut jobs = BTreeMap::new();
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>report</th><th>CPU</th><th>kernel</th><th>core</th><th>tool</th>\
         <th>date</th><th>rows as they ran</th></tr></thead><tbody>",
    );
    for report in named {
        let known = &report.document.provenance;
        let job = known
            .job_sha256
            .as_deref()
            .map_or("not told".to_string(), |job| {
                let count = jobs.len();
                let number: usize = *jobs.entry(job.to_string()).or_insert(count);
                let digits: String = job.chars().take(12).collect();
                format!("job {} ({digits})", number + 1)
            });
        let core = known
            .core_hz
            .map_or("–".to_string(), |hz| format!("{:.3} GHz", hz / 1e9));
        let cells = [
            report.name,
            &fleet::cpu_of(report.document),
            &known.kernel,
            &core,
            &known.tool,
            &known.date,
            &job,
        ];
        out += "<tr>";
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>"
}

fn chart(line: &Line, named: &[Named<'_>]) -> String {
    let values = line.cpus.iter().flat_map(|cpu| &cpu.values);
    let ruler = Ruler::around(values.filter_map(|(_, metric)| metric.value));
    let height = ROW * line.cpus.len() as f64 + 24.0;
    let bottom = height - 24.0;
    let mut svg = Svg::new(WIDTH, height);
    let at = |value: f64| 20.0 + ruler.at(value) * (WIDTH - 40.0);
    for value in ruler.ticks(5) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 20.0), "middle", &tick(value));
    }
    for (index, cpu) in line.cpus.iter().enumerate() {
        let top = ROW * index as f64;
        let y = top + 38.0;
        let name = super::comparisons::shortened(&cpu.cpu, 44);
        svg.text("label", (0.0, top + 22.0), "start", &name);
        if let Some(median) = cpu.median {
            svg.line("value", (at(median), y - 8.0), (at(median), y + 8.0));
            let said = format!("{} ×{}", number(median), cpu.values.len());
            svg.text("label", (WIDTH, top + 22.0), "end", &said);
        }
        for (report, metric) in &cpu.values {
            let tip = format!(
                "{}: {}",
                named[*report].name,
                super::rows::told(metric, "cycles")
            );
            let class = if cpu.apart.contains(report) {
                "theirs"
            } else {
                "ours"
            };
            let value = metric.value.unwrap_or_default();
            svg.tipped(&tip, |svg| svg.circle(class, (at(value), y), 4.5));
        }
    }
    let mut out = format!(
        "<figure><figcaption>{}</figcaption>{}",
        escaped(&line.scenario),
        svg.finish("chart", &line.scenario)
    );
    for said in line.cpus.iter().flat_map(|cpu| said(cpu, named)) {
        let _ = write!(out, "<p class=\"warning\">{}</p>", escaped(&said));
    }
    out + "</figure>"
}

/// What lies apart, by name, and what has no number.
fn said(cpu: &OfCpu, named: &[Named<'_>]) -> Vec<String> {
    let names = |all: &[usize]| {
        let names: Vec<&str> = all.iter().map(|report| named[*report].name).collect();
        names.join(", ")
    };
    let mut said = Vec::new();
    match (&cpu.apart[..], cpu.values.len(), cpu.median) {
        ([], ..) | (.., None) => {}
        (apart, 2, _) => said.push(format!(
            "{} differ by more than 5 % on one kind of CPU",
            names(apart)
        )),
        (apart, _, Some(median)) => said.push(format!(
            "{}: more than 5 % from {}, the median of {} reports of this CPU",
            names(apart),
            number(median),
            cpu.values.len()
        )),
    }
    if !cpu.without.is_empty() {
        said.push(format!("{}: no number", names(&cpu.without)));
    }
    said
}
