//! The models on patterns whose misses are known, and beside their twins.
//!
//! Correct means: where a pattern decides what any predictor of a kind must miss, the model misses that;
//! elsewhere it agrees with its twin.

use super::*;
use crate::predict::twins;
use crate::stats::random::SplitMix64;

/// A loop that calls one of many functions through a register, by the numbers of the functions.
fn calls(functions: &[u64]) -> Vec<Branch> {
    let one = |&number: &u64| {
        let callee = 0x2000 + 64 * number;
        [
            branch(0x1000, BranchKind::IndirectCall, true, callee),
            branch(callee + 8, BranchKind::Return, true, 0x1002),
            branch(0x1010, BranchKind::Conditional, true, 0x1000),
        ]
    };
    functions.iter().flat_map(one).collect()
}

/// A loop around a switch of so many cases: one comparison after the other until one is equal.
fn switch(cases: &[u64], count: u64) -> Vec<Branch> {
    let one = |&case: &u64| {
        let compared = (0..=case.min(count - 1)).map(move |at| {
            branch(
                0x1000 + 9 * at,
                BranchKind::Conditional,
                at == case,
                0x1800 + 16 * at,
            )
        });
        let rest = [
            branch(0x1805 + 16 * case, BranchKind::Jump, true, 0x1900),
            branch(0x1910, BranchKind::Conditional, true, 0x1000),
        ];
        compared.chain(rest)
    };
    cases.iter().flat_map(one).collect()
}

fn branch(ip: u64, kind: BranchKind, taken: bool, target: u64) -> Branch {
    Branch {
        ip,
        kind,
        taken,
        target,
    }
}

fn cyclic(count: u64, length: u64) -> Vec<u64> {
    (0..length).map(|at| at % count).collect()
}

fn random(count: u64, length: u64) -> Vec<u64> {
    let mut random = SplitMix64::new(1);
    (0..length).map(|_| random.below(count)).collect()
}

fn runs(count: u64, run: u64, length: u64) -> Vec<u64> {
    let each = random(count, length / run);
    each.into_iter()
        .flat_map(|number| std::iter::repeat_n(number, run as usize))
        .collect()
}

/// Misses for each of so many iterations, behind the first quarter of the trace.
fn rate(mut model: impl Model, trace: &[Branch], iterations: u64) -> f64 {
    let (warm_up, rest) = trace.split_at(trace.len() / 4);
    for branch in warm_up {
        model.misses(branch);
    }
    let misses = rest.iter().filter(|branch| model.misses(branch)).count();
    misses as f64 / (iterations as f64 * 0.75)
}

#[track_caller]
fn near(actual: f64, expected: f64, within: f64) {
    assert!(
        (actual - expected).abs() <= within,
        "{actual:.3} is not within {within} of {expected:.3}"
    );
}

const LONG: u64 = 20_000;

#[test]
fn random_targets_are_missed_by_every_model_as_often_as_chance_says() {
    for count in [2, 4, 8, 64] {
        let trace = calls(&random(count, LONG));
        let chance = 1.0 - 1.0 / count as f64;
        near(rate(LastTarget::new(), &trace, LONG), chance, 0.02);
        near(
            rate(Ittage::new(Path::Textbook), &trace, LONG),
            chance,
            0.03,
        );
        near(
            rate(Ittage::new(Path::ConditionalOnly), &trace, LONG),
            chance,
            0.03,
        );
    }
}

#[test]
fn one_target_is_never_missed() {
    let trace = calls(&cyclic(1, LONG));
    let (warm_up, rest) = trace.split_at(300);
    for mut model in models() {
        warm_up.iter().for_each(|branch| {
            model.misses(branch);
        });
        let misses = rest.iter().filter(|branch| model.misses(branch));
        assert_eq!(misses.count(), 0, "{}", model.name());
    }
}

#[test]
fn a_cycle_of_targets_is_learnt_from_the_path_alone() {
    for count in [2, 8, 64] {
        let trace = calls(&cyclic(count, LONG));
        near(rate(LastTarget::new(), &trace, LONG), 1.0, 0.0);
        near(rate(Ittage::new(Path::Textbook), &trace, LONG), 0.0, 0.02);
        let blind = rate(Ittage::new(Path::ConditionalOnly), &trace, LONG);
        assert!(blind > 0.4, "{blind:.3} of a cycle of {count}");
    }
}

#[test]
fn runs_of_targets_are_missed_where_they_change() {
    for (count, run, last) in [(2, 16, 0.031), (8, 16, 0.055), (8, 64, 0.014)] {
        let trace = calls(&runs(count, run, LONG));
        near(rate(LastTarget::new(), &trace, LONG), last, 0.01);
        near(rate(Ittage::new(Path::Textbook), &trace, LONG), last, 0.04);
    }
}

#[test]
fn a_random_sequence_that_comes_again_is_memorised_from_the_path_alone() {
    const REPEATED: u64 = 2048;
    let sequence: Vec<u64> = random(8, REPEATED).repeat(24);
    let iterations = sequence.len() as u64;
    let trace = calls(&sequence);
    let learnt = rate(Ittage::new(Path::Textbook), &trace, iterations);
    assert!(learnt < 0.5, "{learnt:.3}");
    let blind = rate(Ittage::new(Path::ConditionalOnly), &trace, iterations);
    assert!(blind > 0.8, "{blind:.3}");
}

#[test]
fn a_random_switch_is_missed_about_once_and_half_of_the_time_with_two_cases() {
    // Of k cases no predictor can do better than (k-1)/k.
    for (count, bimodal, gshare, tage) in [
        (2, 0.50, 0.50, 0.50),
        (4, 0.85, 0.90, 0.79),
        (8, 1.00, 1.04, 0.92),
        (16, 1.04, 1.11, 0.97),
    ] {
        let trace = switch(&random(count, LONG), count);
        let least = 1.0 - 1.0 / count as f64 - 0.02;
        for (model, expected) in [
            (rate(Bimodal::new(), &trace, LONG), bimodal),
            (rate(Gshare::new(), &trace, LONG), gshare),
            (rate(Tage::new(), &trace, LONG), tage),
        ] {
            near(model, expected, 0.15);
            assert!(model > least, "{model:.3} of {count} cases");
        }
    }
}

#[test]
fn a_cyclic_switch_takes_a_history_that_is_long_enough() {
    let of = |count| switch(&cyclic(count, LONG), count);
    for (count, bimodal) in [(2, 0.5), (8, 0.88), (16, 0.94)] {
        near(rate(Bimodal::new(), &of(count), LONG), bimodal, 0.55);
        near(rate(Tage::new(), &of(count), LONG), 0.0, 0.02);
    }
    near(rate(Gshare::new(), &of(2), LONG), 0.0, 0.01);
    // Up to 16 comparisons and a loop in each iteration: 16 outcomes do not tell where the cycle is.
    assert!(rate(Gshare::new(), &of(16), LONG) > 0.25);
}

#[test]
fn models_of_simple_kinds_are_their_twins_where_nothing_shares_an_entry() {
    let trace = [
        calls(&random(64, 4000)),
        calls(&cyclic(9, 4000)),
        switch(&random(8, 4000), 8),
    ]
    .concat();
    let one_site: Vec<Branch> = trace
        .iter()
        .filter(|branch| branch.kind == BranchKind::Conditional)
        .map(|one| Branch { ip: 0x1000, ..*one })
        .collect();
    same(LastTarget::new(), twins::last_target(), &trace);
    same(Bimodal::new(), twins::counters(0), &trace);
    same(Gshare::new(), twins::counters(16), &one_site);
    same(ReturnStack::new(returns::DEEP), twins::returns(), &trace);
}

#[track_caller]
fn same(mut model: impl Model, mut twin: impl Model, trace: &[Branch]) {
    for (at, branch) in trace.iter().enumerate() {
        assert_eq!(
            model.misses(branch),
            twin.misses(branch),
            "branch {at}: {branch:x?}"
        );
    }
}

#[test]
fn models_with_shared_entries_miss_about_as_often_as_their_twins() {
    const LENGTH: u64 = 4000;
    for (name, sequence, count) in [
        ("cyclic", cyclic(8, LENGTH), 8),
        ("random 2", random(2, LENGTH), 2),
        ("random 8", random(8, LENGTH), 8),
        ("runs", runs(8, 16, LENGTH), 8),
        ("again", random(8, 200).repeat(20), 8),
    ] {
        let rates = |trace: &[Branch], model: f64, twin: f64| {
            assert!(!trace.is_empty());
            assert!(
                (model - twin).abs() < 0.15,
                "{name}: {model:.3}, twin {twin:.3}"
            );
        };
        let trace = calls(&sequence);
        for path in [Path::Textbook, Path::ConditionalOnly] {
            rates(
                &trace,
                rate(Ittage::new(path), &trace, LENGTH),
                rate(twins::ittage(path), &trace, LENGTH),
            );
        }
        let trace = switch(&sequence, count);
        let (model, twin) = (
            rate(Tage::new(), &trace, LENGTH),
            rate(twins::tage(), &trace, LENGTH),
        );
        // The twin believes each context at once, so that it errs more often where there is nothing to learn.
        let least = if name.starts_with("random") {
            model.min(twin)
        } else {
            twin
        };
        rates(&trace, model, least);
        let gshare = rate(Gshare::new(), &trace, LENGTH);
        rates(&trace, gshare, rate(twins::counters(16), &trace, LENGTH));
    }
}

#[test]
fn calls_deeper_than_a_stack_are_missed_on_the_way_back() {
    for depth in [4, 16, 17, 32, 40] {
        let call = |at: u64| branch(0x1000 + 16 * at, BranchKind::Call, true, 0x1010 + 16 * at);
        let back = |at: u64| branch(0x9000, BranchKind::Return, true, 0x1005 + 16 * at);
        let trace: Vec<Branch> = (0..depth)
            .map(call)
            .chain((0..depth).rev().map(back))
            .collect();
        let missed = |mut model: ReturnStack| trace.iter().filter(|one| model.misses(one)).count();
        let deep = missed(ReturnStack::new(returns::DEEP));
        let shallow = missed(ReturnStack::new(returns::SHALLOW));
        assert_eq!(deep as u64, depth.saturating_sub(32), "depth {depth}");
        assert_eq!(shallow as u64, depth.saturating_sub(16), "depth {depth}");
        same(ReturnStack::new(64), twins::returns(), &trace);
    }
}

#[test]
fn a_tally_counts_at_each_branch_and_nothing_of_the_warm_up() {
    let mut tally = Tally::new();
    let trace = calls(&cyclic(2, 100));
    trace.iter().for_each(|branch| tally.see(branch));
    assert!(tally.sites().values().all(|site| site.executed == 0));
    tally.begin_counting();
    trace.iter().for_each(|branch| tally.see(branch));
    let sites = tally.sites();
    let addresses: Vec<u64> = sites.keys().copied().collect();
    assert_eq!(addresses, [0x1000, 0x1010, 0x2008, 0x2048]);
    let of = |ip: u64| -> Vec<(&str, u64)> {
        let models = tally.models_of(sites[&ip].kind);
        models
            .map(|(at, name)| (name, sites[&ip].misses[at]))
            .collect()
    };
    assert_eq!(
        (sites[&0x1000].executed, sites[&0x2008].executed),
        (100, 50)
    );
    assert_eq!(of(0x1000)[0], ("last-target", 100));
    assert_eq!(of(0x1010), [("bimodal", 0), ("gshare", 0), ("tage", 0)]);
    assert_eq!(of(0x2008), [("return-stack", 0), ("return-stack-16", 0)]);
}
