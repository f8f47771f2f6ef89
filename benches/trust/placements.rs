//! Rows with more placements and fewer.
//!
//! Correct means: how many images of a row there are changes nothing in what one of them costs, beside the run
//! of the same process that nothing interrupts. The processes take turns.

use serde_json::Value;

use super::{row, run};

/// Numbers of placements.
const COUNTS: [&str; 3] = ["1", "4", "16"];
/// Times that each takes its turn; large rows take some minutes.
const ROUNDS: usize = 5;
/// What they may differ by.
const AGREES: f64 = 0.05;

/// Rows whose data no core's second cache holds.
const LARGE: [&str; 15] = [
    "method_inline[objects=2097152]",
    "method_inline[indexed=true,objects=2097152,stride=32]",
    "method_inline[indexed=true,objects=2097152,order=random]",
    "method_direct[objects=2097152]",
    "method_direct[indexed=true,objects=2097152,stride=32]",
    "method_direct[indexed=true,objects=2097152,order=random]",
    "method_iface[objects=2097152]",
    "method_iface[indexed=true,objects=2097152,stride=32]",
    "method_iface[indexed=true,objects=2097152,order=random]",
    "method_iface[objects=2097152,order=random]",
    "method_iface[objects=2097152,order=sorted]",
    "method_iface[objects=2097152,order=runs:8]",
    "method_iface[objects=2097152,stride=32]",
    "method_iface[indexed=true,objects=131072,order=random]",
    "itab_call[objects=65536,order=random]",
];

/// Others.
const SMALL: [&str; 12] = [
    "inline",
    "direct_call",
    "wrapper_call",
    "itab_call",
    "itab_call[order=random,targets=8]",
    "itab_call[order=random,targets=1024]",
    "itab_wrapper",
    "type_switch",
    "type_switch[cases=8,hit=order,order=random,strategy=jump]",
    "hash_collision",
    "guard",
    "convert_value",
];

/// Prints two lines for each row: how far apart all are as shares of a run in the same process, and the cycles.
///
/// What a line costs that no near cache keeps is not the same in two processes, whatever their placements: the
/// pages are others, and so are the neighbours on the last cache. A process's own run has the same ones.
pub(super) fn report(cpu: &str) {
    for name in LARGE.into_iter().chain(SMALL) {
        let mut found: [Found; COUNTS.len()] = Default::default();
        for _ in 0..ROUNDS {
            for (count, found) in COUNTS.iter().zip(&mut found) {
                let (document, _) = run(&["run", name, "--placements", count, "--cpu", cpu]);
                found.add(&document["rows"][0]);
            }
        }
        tell(name, &found);
    }
}

/// What the runs of one number of placements gave.
#[derive(Default)]
struct Found {
    cycles: Vec<f64>,
    /// The cycles as a share of those of the run that nothing interrupted, where one was believed.
    shares: Vec<f64>,
}

impl Found {
    fn add(&mut self, row: &Value) {
        let cycles = row["metrics"]["cycles"]["value"].as_f64();
        let long_run = row["long_run"]["cycles"].as_f64();
        self.cycles.extend(cycles);
        let shares = cycles.zip(long_run).map(|(cycles, run)| cycles / run);
        self.shares.extend(shares);
    }
}

fn middle(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn tell(name: &str, found: &[Found; COUNTS.len()]) {
    let shares = found.iter().filter_map(|found| middle(&found.shares));
    // The run itself is one of those that are to agree.
    let shares: Vec<f64> = shares.chain([1.0]).collect();
    let most = shares.iter().copied().fold(f64::MIN, f64::max);
    let least = shares.iter().copied().fold(f64::MAX, f64::min);
    let apart = most / least - 1.0;
    row(
        &format!("{name}: placements 1, 4, 16 and a run"),
        &format!("{:.0} %", AGREES * 100.0),
        &format!("{:.1} %", apart * 100.0),
    );
    let with = found.iter().map(|found| {
        let cycles = middle(&found.cycles).map_or("none".into(), |cycles| format!("{cycles:.2}"));
        let share = middle(&found.shares).map_or("none".into(), |share| format!("{share:.3}"));
        let least = found.cycles.iter().copied().fold(f64::INFINITY, f64::min);
        let most = found.cycles.iter().copied().fold(0.0, f64::max);
        format!("{cycles} ({least:.2} to {most:.2}; {share} of the run)")
    });
    let with: Vec<String> = with.collect();
    println!("  {}", with.join(", "));
}
