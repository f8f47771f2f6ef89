//! How often an iteration runs the branches that a row studies, and whether they can go more than one way.
//!
//! Correct means: a count that is called exact is that of the whole walk, and a branch that is said to go
//! one way only was seen to go no other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::branches::{self, ends_turn};
use crate::branch::{Branch, BranchKind};
use crate::counter::interpreter::{self, Belief, Wanted};
use crate::counter::step::StepSource;
use crate::injection::Site;
use crate::job::{Failure, SiteCount};
use crate::link::{Image, Owner};
use crate::stage::{Ground, Stage, Visits};
use crate::template::RANDOM_ELEMENTS;

/// Iterations that are interpreted at the most: a hundredth of a second.
const MOST: u64 = 1 << 16;
/// Instructions of an iteration that is interpreted at all: a tenth of a second.
const LONGEST: u64 = 1 << 24;
/// Iterations that are stepped where the interpreter cannot.
const STEPPED: u64 = 64;

/// Counts each site of a row.
///
/// # Errors
/// What entering says.
pub fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    (steps, belief): (&mut StepSource, &mut Belief),
) -> Result<Vec<SiteCount>, Failure> {
    let sites = stage.row.injection.sites();
    if sites.is_empty() {
        return Ok(Vec::new());
    }
    let image = stage.images[0].clone();
    let places: Vec<Vec<u64>> = sites.iter().map(|site| places(&image, site)).collect();
    let has_walk = stage.row.has_walk();
    let whole = if has_walk {
        visits.len()
    } else {
        RANDOM_ELEMENTS
    };
    let wanted = whole.min(MOST).min(steps.depth().iterations);
    let mut told = Told::new(&image, &places, has_walk.then_some(visits));
    let is_believed = belief.ask(stage, ground, visits, steps.depth())?.is_ok();
    let base = image.site.code;
    let traced = is_believed.then(|| {
        let wanted = Wanted {
            iterations: wanted,
            longest: LONGEST,
        };
        interpreter::trace(stage, ground, visits, wanted, &mut |branch| {
            told.see(&Branch {
                ip: branch.ip - base,
                target: branch.target.wrapping_sub(base),
                ..branch
            });
        })
    });
    if !matches!(traced, Some(Ok(_))) {
        told = Told::new(&image, &places, has_walk.then_some(visits));
        let wanted = wanted.min(STEPPED);
        let log = steps.log();
        branches::trace(stage, ground, visits, wanted, log, &mut |branch| {
            told.see(&branch);
        })?;
    }
    // Of an iteration too long to be followed nothing is known.
    if told.turns == 0 {
        return Ok(Vec::new());
    }
    Ok(told.counts(whole, u64::from(stage.row.copies())))
}

/// Where a site stands, from the start of the code: once in each copy of the body.
fn places(image: &Image, site: &Site) -> Vec<u64> {
    let (section, offset) = site.place;
    let own = image.pieces.iter();
    let own = own.filter(|piece| piece.owner == Owner::Section(section));
    own.map(|piece| piece.addresses.start - image.site.code + u64::from(offset))
        .collect()
}

/// What the branches of whole turns have told.
struct Told<'a> {
    image: &'a Image,
    places: &'a [Vec<u64>],
    visits: Option<&'a Visits>,
    turns: u64,
    /// Of the turn that is not over.
    open: Vec<u64>,
    /// Of all turns.
    totals: Vec<u64>,
    /// Of the turn with the most.
    most: Vec<u64>,
    /// Where each site went.
    ways: Vec<BTreeSet<u64>>,
    /// Whether it is a return, which is predicted by the calls before it and not by where it went.
    returns: Vec<bool>,
    /// How often a turn of an object ran each site; none where two of its turns differ.
    by_object: BTreeMap<u32, Option<Vec<u64>>>,
}

impl<'a> Told<'a> {
    fn new(image: &'a Image, places: &'a [Vec<u64>], visits: Option<&'a Visits>) -> Told<'a> {
        Told {
            image,
            places,
            visits,
            turns: 0,
            open: vec![0; places.len()],
            totals: vec![0; places.len()],
            most: vec![0; places.len()],
            ways: vec![BTreeSet::new(); places.len()],
            returns: vec![false; places.len()],
            by_object: BTreeMap::new(),
        }
    }

    fn see(&mut self, branch: &Branch) {
        /// Ways that are told apart: more say nothing more.
        const MOST_WAYS: usize = 2;
        for (site, places) in self.places.iter().enumerate() {
            if let Some(copy) = places.iter().position(|place| *place == branch.ip) {
                self.open[site] += 1;
                // Copies of a body go to places of their own.
                let way = if branch.taken {
                    branch.target.wrapping_sub(places[copy])
                } else {
                    0
                };
                let ways = &mut self.ways[site];
                if ways.len() < MOST_WAYS {
                    ways.insert(way);
                }
                self.returns[site] |= branch.kind == BranchKind::Return;
            }
        }
        if ends_turn(self.image, branch) {
            for (total, own) in self.totals.iter_mut().zip(&self.open) {
                *total += own;
            }
            for (most, own) in self.most.iter_mut().zip(&self.open) {
                *most = (*most).max(*own);
            }
            let object = self.visits.map_or(0, |visits| {
                let at = self.turns % visits.len().max(1);
                visits.kinds.get(at as usize).copied().unwrap_or(0)
            });
            self.turns += 1;
            match self.by_object.entry(object) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Some(self.open.clone()));
                }
                Entry::Occupied(mut known) => {
                    if known
                        .get()
                        .as_ref()
                        .is_some_and(|known| *known != self.open)
                    {
                        known.insert(None);
                    }
                }
            }
            self.open.fill(0);
        }
    }

    /// The counts, where the walk has `whole` elements and each turn `unroll` copies of the body.
    fn counts(&self, whole: u64, unroll: u64) -> Vec<SiteCount> {
        let most = self.by_object.keys().max().copied().unwrap_or(0);
        let mut known: Vec<Option<&[u64]>> = vec![None; most as usize + 1];
        for (object, counts) in &self.by_object {
            known[*object as usize] = counts.as_deref();
        }
        let weighted = |site: usize| {
            let visits = self.visits?;
            let mut sum = 0;
            for object in &visits.kinds {
                sum += known.get(*object as usize).copied()??[site];
            }
            Some(sum as f64 / visits.len().max(1) as f64)
        };
        let is_whole = self.turns >= whole;
        let one = |site: usize| {
            let weighted = (!is_whole).then(|| weighted(site)).flatten();
            let traced = self.totals[site] as f64 / self.turns.max(1) as f64;
            let is_exact = is_whole || weighted.is_some();
            let mean = weighted.unwrap_or(traced);
            let most = if is_exact {
                mean
            } else {
                self.most[site] as f64
            };
            SiteCount {
                executions: mean / unroll as f64,
                most: most / unroll as f64,
                traced: (!is_exact).then_some(self.turns * unroll),
                goes_one_way: self.ways[site].len() < 2 && !self.returns[site],
            }
        };
        (0..self.places.len()).map(one).collect()
    }
}
