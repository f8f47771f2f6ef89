//! The models again: unbounded, unhashed, and as dumb as they can be. For tests.

use std::collections::HashMap;

use super::history::geometric;
use super::ittage::Path;
use super::returns::is_behind;
use super::{Model, is_indirect};
use crate::branch::{Branch, BranchKind};

/// A map from what is known to what happens next.
pub(super) struct Twin<F>(F);

impl<F: FnMut(&Branch) -> Option<bool>> Model for Twin<F> {
    fn name(&self) -> &'static str {
        "twin"
    }

    fn predicts(&self, _: BranchKind) -> bool {
        true
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        (self.0)(branch) == Some(false)
    }
}

fn is_conditional(branch: &Branch) -> bool {
    branch.kind == BranchKind::Conditional
}

/// Each branch goes where it went last.
pub(super) fn last_target() -> impl Model {
    let mut last: HashMap<u64, u64> = HashMap::new();
    Twin(move |branch: &Branch| {
        let is_same = |target| target == Some(branch.target);
        is_indirect(branch.kind).then(|| is_same(last.insert(branch.ip, branch.target)))
    })
}

/// A counter from 0 to 3 for each branch and its last outcomes, so many of them.
pub(super) fn counters(history: usize) -> impl Model {
    let mut all: Vec<bool> = vec![false; history];
    let mut counters: HashMap<(u64, Vec<bool>), i32> = HashMap::new();
    Twin(move |branch: &Branch| {
        if !is_conditional(branch) {
            return None;
        }
        let last = all[all.len() - history..].to_vec();
        let counter = counters.entry((branch.ip, last)).or_insert(1);
        let was_right = (*counter >= 2) == branch.taken;
        *counter = (*counter + if branch.taken { 1 } else { -1 }).clamp(0, 3);
        all.push(branch.taken);
        Some(was_right)
    })
}

/// Calls that are open, however many.
pub(super) fn returns() -> impl Model {
    let mut calls: Vec<u64> = Vec::new();
    Twin(move |branch: &Branch| match branch.kind {
        BranchKind::Call | BranchKind::IndirectCall => {
            calls.push(branch.ip);
            None
        }
        BranchKind::Return => {
            let call = calls.pop();
            Some(call.is_some_and(|call| is_behind(call, branch.target)))
        }
        _ => None,
    })
}

/// What happened in each context: the last time, and how often in a row since.
type Contexts = HashMap<(u64, Vec<bool>), (u64, u32)>;

/// What happens next is what happened in the longest context that was seen before: one context longer
/// is remembered with each miss. A context that was wrong twice in a row changes its mind.
fn longest_context(
    lengths: Vec<usize>,
    mut outcome: impl FnMut(&Branch) -> Option<u64>,
    mut bits: impl FnMut(&Branch) -> Vec<bool>,
) -> impl Model {
    let mut all: Vec<bool> = vec![false; 1024];
    let mut tables: Vec<Contexts> = vec![HashMap::new(); lengths.len()];
    Twin(move |branch: &Branch| {
        let was_right = outcome(branch).map(|actual| {
            let context = |table: usize| (branch.ip, all[all.len() - lengths[table]..].to_vec());
            let known = (0..lengths.len())
                .rev()
                .find(|&table| tables[table].contains_key(&context(table)));
            let was_right = known.is_some_and(|table| {
                let (next, sure) = tables[table].get_mut(&context(table)).expect("known");
                let was_right = *next == actual;
                *sure = if was_right {
                    (*sure + 1).min(3)
                } else {
                    sure.saturating_sub(1)
                };
                if *sure == 0 {
                    *next = actual;
                }
                was_right
            });
            let longer = known.map_or(0, |table| table + 1);
            if !was_right && longer < lengths.len() {
                tables[longer].insert(context(longer), (actual, 1));
            }
            was_right
        });
        all.extend(bits(branch));
        was_right
    })
}

/// Of [`super::Tage`]; its shortest context is the branch alone.
pub(super) fn tage() -> impl Model {
    longest_context(
        [0].into_iter().chain(geometric::<12>(4.0, 640.0)).collect(),
        |branch| is_conditional(branch).then_some(u64::from(branch.taken)),
        |branch| {
            is_conditional(branch)
                .then_some(branch.taken)
                .into_iter()
                .collect()
        },
    )
}

/// Of [`super::Ittage`]; its shortest context is the branch alone.
pub(super) fn ittage(path: Path) -> impl Model {
    longest_context(
        [0].into_iter().chain(geometric::<8>(4.0, 200.0)).collect(),
        |branch| is_indirect(branch.kind).then_some(branch.target),
        move |branch| {
            let bits = path.bits(branch);
            (0..bits.count)
                .rev()
                .map(|at| bits.value >> at & 1 == 1)
                .collect()
        },
    )
}
