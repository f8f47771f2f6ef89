//! From what a worker said of a row to the row of the report.
//!
//! Correct means: every number carries the basis of the source that gave it, and every failure the
//! template's own line.

use std::collections::BTreeSet;

use crate::go::modelled::{self, InGo};
use crate::job::{Executions, Plan, Proof, RuntimeCall};
use crate::machine::{CoreClock, Machine};
use crate::prepare::Prepared;
use crate::report::listing::Listing;
use crate::report::misses::{Modelled, Models};
use crate::report::{Around, Baseline, Basis, Checksum, LongRun, ModelledRuntime, Row, Status};
use crate::scenario::Scenario;
use crate::stats::{self, Quantity, Timing};
use crate::template::{Origin, Template};
use crate::worker::parent::RowOutcome;

mod agreement;
mod assumed;
mod cold;
mod contamination;
mod counted;
mod fault;
mod listing;
mod locked;
mod metrics;
mod misses;
mod predicted;
mod published;
mod settled;
mod sources;
#[cfg(test)]
mod tests;

pub use fault::{failed, unended};
pub(crate) use predicted::told;
pub use published::hold;
pub use sources::settle;

use fault::{no_result, panicked};
use metrics::{
    contradiction, exact, further, lost, mark_allocations, measured, metrics, unexpected_misses,
};

/// Gives modelled branches the files that a reader finds their lines in.
pub(crate) fn in_files(template: &Template, modelled: &mut Modelled) {
    for site in &mut modelled.sites {
        let place = site.line.map(|line| template.place(line));
        site.file = place.as_ref().and_then(|place| place.file.clone());
        site.line = place.map(|place| place.line);
    }
}

/// The code of a scenario that has not run, or whose executions nobody counted.
pub fn code(scenario: &Scenario, prepared: &Prepared) -> Listing {
    listing::listing(scenario, prepared, &Executions::default())
}

/// A row without numbers.
pub fn unmeasured(scenario: &Scenario, status: Status) -> Row {
    let template = &scenario.template;
    let header = &template.header;
    Row {
        scenario: scenario.name.clone(),
        template: template.name.clone(),
        template_path: match &template.origin {
            Origin::Embedded => "embedded".into(),
            Origin::File(path) => path.display().to_string(),
            Origin::Stdin => "-".into(),
        },
        template_sha256: template.sha256.clone(),
        params: scenario.params.clone(),
        title: header.title.clone(),
        status,
        clobbers: header.clobbers,
        ..Row::default()
    }
}

/// Those of the runtime's functions that do more in Go: what was seen to run, and where only a part of the
/// iterations was counted, what code leads to beside.
fn modelled_runtime(prepared: &Prepared, proof: &Proof) -> Vec<ModelledRuntime> {
    let known = |function: &str, seen: Option<&RuntimeCall>| {
        let (in_go, is_counted) = match modelled::in_go(function)? {
            InGo::Instructions(count) => (count, true),
            InGo::Beside(more) => (more, false),
        };
        Some(ModelledRuntime {
            function: function.trim_start_matches("runtime.").into(),
            calls: seen.map_or(0.0, |call| call.calls),
            instructions: seen.map_or(0.0, |call| call.instructions),
            in_go: in_go.into(),
            is_counted,
            may: seen.is_none(),
        })
    };
    let ran = proof.runtime.iter();
    let ran = ran.filter_map(|call| known(&call.function, Some(call)));
    let counts = proof.counts.as_ref();
    let is_part = counts.is_none_or(|counts| counts.stepped.is_some());
    let sections = prepared.row.program.sections.iter().filter(|_| is_part);
    let named: BTreeSet<&str> = sections
        .flat_map(|section| &section.fixups)
        .map(|fixup| fixup.symbol.as_str())
        .collect();
    let unseen = named
        .into_iter()
        .filter(|name| proof.runtime.iter().all(|call| call.function != **name));
    ran.chain(unseen.filter_map(|name| known(name, None)))
        .collect()
}

/// The template's remark, and what a recorded walk is made of.
fn note(scenario: &Scenario, prepared: &Prepared) -> Option<String> {
    let recorded = scenario.recording.as_ref().map(|one| one.describe());
    let parts: Vec<String> = prepared.note.clone().into_iter().chain(recorded).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The row of a scenario that was given to a worker.
pub fn judge(
    scenario: &Scenario,
    prepared: &Prepared,
    outcome: RowOutcome,
    plan: &Plan,
    machine: &Machine,
    clock: &mut CoreClock,
) -> Row {
    let status = match (&outcome.failure, &outcome.proof) {
        (Some(failure), _) => failed(scenario, prepared, failure, plan),
        (
            None,
            Some(Proof {
                panic: Some(panic), ..
            }),
        ) => panicked(scenario, prepared, *panic, plan),
        (None, Some(_)) => Status::Ok,
        (None, None) => no_result(scenario, "the worker said nothing of this row".into()),
    };
    let mut row = unmeasured(scenario, status);
    row.note = note(scenario, prepared);
    let (None, Some(proof)) = (&outcome.failure, &outcome.proof) else {
        return row;
    };
    row.modelled_runtime = modelled_runtime(prepared, proof);
    row.verified = proof.checksum.is_some();
    row.checksum = checksum(proof);
    row.warnings.extend(proof.only_verified.map(|only| {
        format!(
            "only {only} of the {} elements of its walk were verified one by one, in the {} s that a row may take; the \
             others by the sums of timed chunks: --max-row S allows more",
            proof.elements, plan.max_row_s
        )
    }));
    let summary = outcome.timing.as_ref().map(|timing| {
        let summary = stats::summarize(timing, plan.seed);
        clock.see(timing.tsc_hz, summary.core_hz);
        summary
    });
    let counting = outcome.timing.as_ref();
    let counting = counting.and_then(|timing| timing.counting.as_ref());
    let replaced = counting.filter(|counting| counting.is_replaced);
    let without = replaced.map(|_| {
        let why = "the hardware counters are not believed in this row, as its warning says";
        let has_turns = |timing: &Timing| !timing.delayed.is_empty();
        // Where there is nothing to infer from, the row says why itself.
        let infers = outcome.timing.as_ref().is_some_and(has_turns)
            || prepared.row.injection.sites().is_empty();
        machine.distrusting(why.into(), infers)
    });
    let machine = without.as_ref().unwrap_or(machine);
    let refused = counting.and_then(|counting| {
        let why = counting.why.as_deref()?;
        Some(format!("{why}; {}", counting.remedy))
    });
    let refused = refused.as_deref();
    let mut sites = Vec::new();
    if machine.source("branch_misses").basis == Basis::Inferred {
        let known = (proof, &outcome.uninferred[..]);
        sites = misses::sites(&prepared.row, known, outcome.timing.as_ref(), plan.seed);
        let timed = outcome.timing.as_ref().zip(summary.as_ref());
        let has_walk = prepared.row.has_walk();
        // Of a branch that goes one way no sequence, and no part of the walk, has other misses.
        let varies = !proof.sites.iter().all(|site| site.goes_one_way);
        row.warnings.extend(
            timed
                .filter(|_| varies)
                .map_or_else(Vec::new, |(timing, summary)| {
                    misses::doubts(&sites, (timing, has_walk), summary, plan.seed)
                }),
        );
    }
    let inferred = misses::total(&prepared.row.injection, &sites);
    let mut metrics = metrics(
        proof,
        (summary.as_ref(), outcome.timing.as_ref()),
        (machine, plan.seed),
        (refused, &inferred, misses::remark(&sites)),
    );
    mark_allocations(&mut metrics, proof, prepared.row.has_walk());
    if let (Some(summary), Some(timing)) = (&summary, &outcome.timing) {
        settled::explain(&mut metrics, summary, timing);
        row.warnings.extend(settled::doubt(&metrics, summary));
        settled::withhold(&mut metrics, summary);
    }
    row.warnings
        .extend(unexpected_misses(scenario, &metrics, &proof.sites));
    row.warnings.extend(locked::doubt(
        &prepared.image,
        machine.known(),
        &metrics[Quantity::Branches],
    ));
    row.warnings
        .extend(contradiction(&metrics, proof.counts.as_ref()));
    row.warnings.extend(counting.and_then(|counting| {
        // Where the clock stands in, what could be done has been.
        if counting.is_replaced {
            let why = counting.why.as_deref()?;
            let misses = match metrics[Quantity::BranchMisses].value {
                None if !prepared.row.injection.sites().is_empty() => {
                    "; --counters clock infers branch misses, too"
                }
                _ => "",
            };
            return Some(format!(
                "the hardware counters are not believed: {why}; cycles are the clock's{misses}"
            ));
        }
        let readings = match counting.refused {
            1 => "1 reading of the hardware counters was".into(),
            count => format!("{count} readings of the hardware counters were"),
        };
        Some(match metrics[Quantity::Cycles].value {
            // The row is made of the others.
            Some(_) => format!(
                "{readings} refused and left out: {}; where that goes on, {}",
                counting.why.as_deref()?,
                counting.remedy
            ),
            None => format!("{readings} refused: {}", refused?),
        })
    }));
    row.modelled = proof.prediction.as_ref().map(|prediction| {
        let modelled = told(prepared, prediction);
        Models {
            disagreement: agreement::disagreement(prepared, &sites, &modelled),
            modelled,
        }
    });
    for site in &mut sites {
        let place = scenario.template.place(site.line);
        (site.line, site.file) = (place.line, place.file);
    }
    if let Some(models) = &mut row.modelled {
        in_files(&scenario.template, &mut models.modelled);
    }
    metrics.sites = sites;
    metrics.further = further(outcome.timing.as_ref(), machine, plan.seed);
    if let Some(summary) = &summary {
        let beside = counted::beside(summary, &metrics[Quantity::Cycles]);
        metrics.further.splice(0..0, beside);
    }
    row.metrics = Some(metrics);
    let executions = proof.executions.as_ref();
    row.listing = executions.map(|executions| listing::listing(scenario, prepared, executions));
    row.cold = cold::cold(prepared, summary.as_ref().and_then(|one| one.cold.as_ref()));
    row.warnings
        .extend(row.cold.as_ref().and_then(cold::warning));
    let around = &proof.around_body;
    row.around = Some(Around {
        instructions: around.instructions,
        branches: around.branches,
    });
    if let Some(summary) = summary {
        row.iterations = summary.iterations;
        row.dropped_samples = summary.dropped;
        row.settled = summary.settled.map(|one| one.is_settled);
        let long_run = summary.settled.and_then(|one| one.long_run);
        row.long_run = long_run.map(|cycles| LongRun { cycles });
        row.bistable = summary.modes.is_some();
        row.modes = summary.modes.into_iter().flatten().collect();
        row.layout = Some(summary.layout);
        row.repeats = outcome
            .timing
            .as_ref()
            .map_or_else(Vec::new, stats::repeats);
        row.chunks = outcome.timing.as_ref().map_or_else(Vec::new, stats::shown);
        row.baseline = Some(Baseline {
            cycles: match &summary.baseline_cycles {
                Some(cycles) => measured(cycles, machine, "cycles", refused),
                None => lost(),
            },
            instructions: exact(proof.harness_instructions, None),
        });
        row.doubtful = summary.doubtful;
        row.disturbances = Some(summary.disturbances);
        row.warnings.extend(
            outcome
                .timing
                .iter()
                .flat_map(|timing| contamination::warnings(&summary, timing, machine)),
        );
    }
    row
}

fn checksum(proof: &Proof) -> Option<Checksum> {
    let sums = proof.checksum?;
    Some(Checksum {
        expected: format!("{:#x}", sums.expected),
        actual: format!("{:#x}", sums.actual),
    })
}

/// Fills in the ratios to the reference, between rows of one harness state only, and what a miss costs beside a row
/// that has none.
pub fn relate(rows: &mut [Row], reference: Option<&str>) {
    counted::cost_misses(rows);
    let cycles = |row: &Row| row.value(Quantity::Cycles);
    let Some(base) = rows
        .iter()
        .find(|row| Some(row.scenario.as_str()) == reference)
    else {
        return;
    };
    let (Some(base_cycles), clobbers) = (cycles(base), base.clobbers) else {
        return;
    };
    for row in rows.iter_mut().filter(|row| row.clobbers == clobbers) {
        row.ratio = cycles(row).map(|value| value / base_cycles);
    }
}
