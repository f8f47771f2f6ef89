//! Misses of all models, counted at each branch of the code.
//!
//! Correct means: each branch of the trace is shown to each model once; what happens in the warm-up is
//! learnt and not counted. Its memory grows with the branches of the code and not with the trace.

use std::collections::{BTreeMap, HashMap};

use super::{Model, models};
use crate::branch::{Branch, BranchKind};

/// The models at work.
pub struct Tally {
    models: Vec<Box<dyn Model>>,
    numbers: HashMap<u64, usize>,
    sites: Vec<(u64, SiteTally)>,
    is_counting: bool,
}

/// What happened at one branch of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTally {
    /// Its kind.
    pub kind: BranchKind,
    /// How often it was executed behind the warm-up.
    pub executed: u64,
    /// How often each model that predicts it was wrong, in the order of [`models`].
    pub misses: Vec<u64>,
}

impl Tally {
    /// All models, before the first branch.
    pub fn new() -> Tally {
        Tally {
            models: models(),
            numbers: HashMap::new(),
            sites: Vec::new(),
            is_counting: false,
        }
    }

    /// Shows the models a branch.
    pub fn see(&mut self, branch: &Branch) {
        let number = *self.numbers.entry(branch.ip).or_insert_with(|| {
            let site = SiteTally {
                kind: branch.kind,
                executed: 0,
                misses: vec![0; self.models.len()],
            };
            self.sites.push((branch.ip, site));
            self.sites.len() - 1
        });
        let site = &mut self.sites[number].1;
        let weight = u64::from(self.is_counting);
        site.executed += weight;
        for (model, misses) in self.models.iter_mut().zip(&mut site.misses) {
            if model.misses(branch) {
                *misses += weight;
            }
        }
    }

    /// Ends the warm-up.
    pub fn begin_counting(&mut self) {
        self.is_counting = true;
    }

    /// The models that predict branches of a kind: index into [`SiteTally::misses`] and name.
    pub fn models_of(&self, kind: BranchKind) -> impl Iterator<Item = (usize, &'static str)> {
        let models = self.models.iter().enumerate();
        models
            .filter(move |(_, model)| model.predicts(kind))
            .map(|(at, model)| (at, model.name()))
    }

    /// Every branch that was executed, warm-up included, by address.
    pub fn sites(&self) -> BTreeMap<u64, &SiteTally> {
        self.sites.iter().map(|(ip, site)| (*ip, site)).collect()
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}
