//! Rows with more placements and fewer.
//!
//! Correct means: how many images of a row there are changes nothing in what one of them costs, and all agree
//! with a run that nothing interrupts. Each is a process of its own, and they take turns.

use super::{row, run};

/// Numbers of placements.
const COUNTS: [&str; 3] = ["1", "4", "16"];
/// Times that each takes its turn; large rows take some minutes.
const ROUNDS: usize = 3;
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

/// Prints a line for each row.
pub(super) fn report(cpu: &str) {
    for name in LARGE.into_iter().chain(SMALL) {
        let mut cycles: [Vec<f64>; COUNTS.len()] = Default::default();
        let mut long_runs = Vec::new();
        let mut withheld = 0;
        for _ in 0..ROUNDS {
            for (count, cycles) in COUNTS.iter().zip(&mut cycles) {
                let (document, _) = run(&["run", name, "--placements", count, "--cpu", cpu]);
                let found = &document["rows"][0];
                match found["metrics"]["cycles"]["value"].as_f64() {
                    Some(value) => cycles.push(value),
                    None => withheld += 1,
                }
                long_runs.extend(found["long_run"]["cycles"].as_f64());
            }
        }
        tell(name, cycles.map(middle), middle(long_runs), withheld);
    }
}

fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn tell(name: &str, cycles: [Option<f64>; COUNTS.len()], long_run: Option<f64>, withheld: usize) {
    let shown = |value: &Option<f64>| value.map_or("none".into(), |value| format!("{value:.2}"));
    let with: Vec<String> = cycles.iter().map(shown).collect();
    let all: Vec<f64> = cycles
        .iter()
        .chain([&long_run])
        .flatten()
        .copied()
        .collect();
    let most = all.iter().copied().fold(f64::MIN, f64::max);
    let least = all.iter().copied().fold(f64::MAX, f64::min);
    let apart = most / least - 1.0;
    row(
        &format!("{name}: placements 1, 4, 16 and a run"),
        &format!("{:.0} %", AGREES * 100.0),
        &format!("{:.1} %", apart * 100.0),
    );
    row(
        &format!("  {}, run {}", with.join(", "), shown(&long_run)),
        "",
        &match (withheld, apart > AGREES) {
            (0, true) => "apart".into(),
            (0, false) => String::new(),
            _ => format!("{withheld} without"),
        },
    );
}
