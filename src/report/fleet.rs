//! Reports of several machines or days held beside each other: of each scenario a line for each kind of CPU.
//!
//! Correct means: only rows of one text, with one set of parameters, stand in a line together, and each report once; a
//! report that lies apart from the others of its CPU is named; and nothing is averaged over different CPUs.

use super::saved::Document;
use super::{Metric, Row};
use crate::stats::Quantity;
use crate::stats::quantile::{median, sorted};

/// A report further than this share from the median of its CPU lies apart: days, kernels and neighbours were seen to move
/// a row by half of it.
const APART: f64 = 0.05;

/// A report with its name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What tells it from others.
    pub name: &'a str,
    /// The report.
    pub document: &'a Document,
}

/// One scenario over all reports that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub scenario: String,
    /// SHA-256 of its template's text.
    pub template_sha256: String,
    /// One for each kind of CPU.
    pub cpus: Vec<OfCpu>,
}

impl Line {
    /// How many reports have it.
    pub fn reports(&self) -> usize {
        let of = |cpu: &OfCpu| cpu.values.len() + cpu.without.len();
        self.cpus.iter().map(of).sum()
    }
}

/// A scenario on one kind of CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct OfCpu {
    /// The brand, and the hypervisor where there is one.
    pub cpu: String,
    /// Indices of the reports, each with its cycles, in the order of the reports. Of a report that has the row several
    /// times, as a sweep has what is the same at every point, it is the value in the middle, of two the lower one.
    pub values: Vec<(usize, Metric)>,
    /// Median of those with a number.
    pub median: Option<f64>,
    /// Indices of the reports that lie apart from that.
    pub apart: Vec<usize>,
    /// Indices of the reports in which the row has no number.
    pub without: Vec<usize>,
}

/// What CPU a report is of.
pub fn cpu_of(document: &Document) -> String {
    let known = &document.provenance;
    match &known.hypervisor {
        Some(hypervisor) => format!("{} under {hypervisor}", known.cpu),
        None => known.cpu.clone(),
    }
}

/// The scenarios, in the order in which the reports have them.
pub fn lines(reports: &[Named<'_>]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, report) in reports.iter().enumerate() {
        let cpu = cpu_of(report.document);
        for shown in &report.document.rows {
            let row = &shown.row;
            let at = lines.iter().position(|line| {
                line.scenario == row.scenario && line.template_sha256 == row.template_sha256
            });
            let at = at.unwrap_or_else(|| {
                lines.push(Line {
                    scenario: row.scenario.clone(),
                    template_sha256: row.template_sha256.clone(),
                    cpus: Vec::new(),
                });
                lines.len() - 1
            });
            see(&mut lines[at], &cpu, index, row);
        }
    }
    for of_cpu in lines.iter_mut().flat_map(|line| &mut line.cpus) {
        once_each(of_cpu);
        judge(of_cpu);
    }
    lines
}

fn see(line: &mut Line, cpu: &str, index: usize, row: &Row) {
    let at = line.cpus.iter().position(|known| known.cpu == cpu);
    let at = at.unwrap_or_else(|| {
        line.cpus.push(OfCpu {
            cpu: cpu.to_string(),
            values: Vec::new(),
            median: None,
            apart: Vec::new(),
            without: Vec::new(),
        });
        line.cpus.len() - 1
    });
    let of_cpu = &mut line.cpus[at];
    match row
        .metric(Quantity::Cycles)
        .filter(|metric| metric.value.is_some())
    {
        Some(metric) => of_cpu.values.push((index, metric.clone())),
        None => of_cpu.without.push(index),
    }
}

/// Leaves one value, or none, of each report.
fn once_each(of_cpu: &mut OfCpu) {
    let of_one = of_cpu.values.chunk_by(|one, next| one.0 == next.0);
    let middle = |rows: &[(usize, Metric)]| {
        let mut rows: Vec<&(usize, Metric)> = rows.iter().collect();
        rows.sort_by(|(_, one), (_, other)| {
            let [one, other] = [one, other].map(|metric| metric.value.unwrap_or(f64::MAX));
            one.total_cmp(&other)
        });
        rows[(rows.len() - 1) / 2].clone()
    };
    of_cpu.values = of_one.map(middle).collect();
    let has_one = |report: &usize| of_cpu.values.iter().any(|(own, _)| own == report);
    of_cpu.without.retain(|report| !has_one(report));
    of_cpu.without.dedup();
}

/// Finds what lies apart. Of two nobody knows which.
fn judge(of_cpu: &mut OfCpu) {
    let values = sorted(of_cpu.values.iter().filter_map(|(_, metric)| metric.value));
    of_cpu.median = median(&values);
    let Some(middle) = of_cpu.median else { return };
    let is_apart = |metric: &Metric| {
        let value = metric.value.unwrap_or(middle);
        (value - middle).abs() > middle * APART
    };
    let own = of_cpu.values.iter().filter(|(_, metric)| is_apart(metric));
    of_cpu.apart = match values.len() {
        2 if values[1] > values[0] * (1.0 + APART) => {
            of_cpu.values.iter().map(|(index, _)| *index).collect()
        }
        2 => Vec::new(),
        _ => own.map(|(index, _)| *index).collect(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn document(cpu: &str, cycles: f64) -> Document {
        let mut report = fixture::report();
        report.rows = vec![fixture::ok("direct_call", cycles, cycles, (4.0, 2.0))];
        report.provenance.cpu = cpu.into();
        report.provenance.hypervisor = None;
        Document::of(&report)
    }

    fn told(documents: &[Document]) -> Vec<Line> {
        let named: Vec<Named<'_>> = documents
            .iter()
            .map(|document| Named {
                name: "r",
                document,
            })
            .collect();
        lines(&named)
    }

    #[test]
    fn one_that_lies_apart_from_the_others_of_its_cpu_is_named() {
        for (last, apart) in [(5.24, vec![]), (5.26, vec![3]), (4.74, vec![3])] {
            let all = [5.0, 5.0, 5.01, last].map(|cycles| document("a", cycles));
            let lines = told(&all);
            assert_eq!((lines.len(), lines[0].cpus.len()), (1, 1));
            assert_eq!(lines[0].cpus[0].apart, apart, "{last}");
        }
        // Of two that differ nobody knows which one it is.
        for (second, apart) in [(5.24, vec![]), (5.26, vec![0, 1])] {
            let lines = told(&[5.0, second].map(|cycles| document("a", cycles)));
            assert_eq!(lines[0].cpus[0].apart, apart, "{second}");
        }
    }

    #[test]
    fn a_report_that_has_a_row_at_every_point_of_a_sweep_counts_once() {
        let mut swept = document("a", 5.2);
        for cycles in [5.0, 5.1, 9.0] {
            swept.rows.extend(document("a", cycles).rows);
        }
        let lines = told(&[swept.clone()]);
        assert_eq!(lines[0].reports(), 1);
        let lines = told(&[swept.clone(), document("a", 5.15)]);
        let values = lines[0].cpus[0].values.iter();
        let values: Vec<_> = values.map(|(at, metric)| (*at, metric.value)).collect();
        assert_eq!(values, [(0, Some(5.1)), (1, Some(5.15))]);
        // Where one of its rows has a number it is not among those without, and else once.
        swept.rows[0].row.metrics = None;
        assert_eq!(told(&[swept.clone()])[0].cpus[0].without, [0; 0]);
        for shown in &mut swept.rows {
            shown.row.metrics = None;
        }
        assert_eq!(told(&[swept])[0].cpus[0].without, [0]);
    }

    #[test]
    fn nothing_is_told_over_different_cpus_or_texts() {
        let mut other = document("b", 50.0);
        let lines = told(&[document("a", 5.0), other.clone(), document("a", 5.1)]);
        let medians: Vec<_> = lines[0]
            .cpus
            .iter()
            .map(|one| (&*one.cpu, one.median))
            .collect();
        assert_eq!(medians, [("a", Some(5.05)), ("b", Some(50.0))]);
        other.rows[0].row.template_sha256 = "another".into();
        assert_eq!(told(&[document("a", 5.0), other]).len(), 2);
    }

    #[test]
    fn a_report_without_the_number_is_counted_among_those_without() {
        let mut without = document("a", 5.0);
        without.rows[0].row.metrics = None;
        let lines = told(&[document("a", 5.0), without]);
        assert_eq!(lines[0].cpus[0].without, [1]);
        assert_eq!(lines[0].cpus[0].median, Some(5.0));
    }
}
