//! How often an iteration runs the branches that a row studies, and whether they can go more than one way.
//!
//! Correct means: a count that is called exact is that of the whole walk, and a branch that is said to go
//! one way only was seen to go no other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::branches::{self, Hears, ends_turn};
use super::executions::Ran;
use crate::branch::{Branch, BranchKind};
use crate::counter::interpreter::Belief;
use crate::counter::step::StepSource;
use crate::injection::Site;
use crate::job::{Failure, SiteCount};
use crate::link::{Image, Owner};
use crate::stage::{Ground, Stage, Visits};
use crate::template::RANDOM_ELEMENTS;

/// The part of the iterations that a count may have interpreted which sites alone have: a hundredth of a second.
const PART: u64 = 4;

/// How often each site of a row runs, and, where that is asked for, each instruction.
///
/// # Errors
/// What entering says.
pub(super) fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    is_traced: bool,
    (steps, belief): (&mut StepSource, &mut Belief),
) -> Result<(Vec<SiteCount>, Option<Ran>), Failure> {
    let copies = u64::from(stage.row.copies());
    let walk = stage.row.has_walk().then_some(visits);
    let whole = walk.map_or(RANDOM_ELEMENTS, Visits::len);
    let studied = Sites::of(stage);
    let mut told = studied.as_ref().map(|sites| sites.told(walk));
    let mut ran = is_traced.then(|| Ran::new(stage.images[0].clone(), copies));
    let mut hearers: Vec<&mut dyn Hears> = Vec::new();
    hearers.extend(told.as_mut().map(|told| told as &mut dyn Hears));
    hearers.extend(ran.as_mut().map(|ran| ran as &mut dyn Hears));
    if !hearers.is_empty() {
        let most = steps.depth().iterations / if is_traced { 1 } else { PART };
        let iterations = whole.min(most.max(1));
        let by = (iterations, steps, belief);
        let nil = branches::tell(stage, ground, visits, by, &mut hearers)?;
        if let Some(ran) = &mut ran {
            ran.end_at(&nil);
        }
    }
    let sites = told.map_or_else(Vec::new, |told| told.counts(whole, copies));
    Ok((sites, ran))
}

/// The sites of a row, and where they stand.
struct Sites {
    image: Image,
    /// Of each site, in each copy of the body.
    places: Vec<Vec<u64>>,
}

impl Sites {
    /// Those of a row; none where it studies none.
    fn of(stage: &Stage<'_>) -> Option<Sites> {
        let sites = stage.row.injection.sites();
        let image = stage.images[0].clone();
        let places = sites.iter().map(|site| places(&image, site)).collect();
        (!sites.is_empty()).then_some(Sites { image, places })
    }

    /// What their branches will have told, over a walk where there is one.
    fn told<'a>(&'a self, visits: Option<&'a Visits>) -> Told<'a> {
        Told::new(&self.image, &self.places, visits)
    }
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

    /// The counts, where the walk has `whole` elements and each turn `unroll` copies of the body; none of iterations
    /// that are too long to be followed.
    fn counts(&self, whole: u64, unroll: u64) -> Vec<SiteCount> {
        if self.turns == 0 {
            return Vec::new();
        }
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

impl Hears for Told<'_> {
    fn begin(&mut self) {
        *self = Told::new(self.image, self.places, self.visits);
    }

    fn hear(&mut self, branch: &Branch) {
        self.see(branch);
    }
}
