//! The turns of the images that a row's branch misses are inferred from: two for each site.
//!
//! Correct means: both images of a site are verified as those of the row are, they take as many turns
//! over the same segments, and what goes wrong with them costs the row nothing but this site's number,
//! which has the reason instead.

use std::collections::BTreeSet;
use std::ops::Range;

use super::guarded;
use super::neighbours;
use super::stage::{Ground, Stage, Visits};
use super::timing::{Proved, Scale, TIMED, Turner, UNTIMED, quiet_turns};
use super::verify;
use crate::counter::{CounterSource, Request};
use crate::injection::IMAGES_PER_SITE;
use crate::job::{Failure, Plan, Uninferred};
use crate::stats::{ImageSamples, SiteSamples};
use crate::sys::time;
use crate::template::HeapKind;

/// Rounds that every site has, whatever its budget: fewer pairs have no interval.
const FEWEST_ROUNDS: u32 = 8;
/// Pairs of turns without a context switch that a site should have.
const ENOUGH_PAIRS: usize = 16;
/// The least time of a chunk, nanoseconds; the longest is twice as long. What interrupts a chunk then costs
/// few of them.
const CHUNK_NS: f64 = 20_000.0;
/// The same where the objects are more than the nearest caches hold: both images visit the same ones in
/// neighbouring turns, and in a short chunk the second finds what the first has fetched.
const FAR_CHUNK_NS: f64 = 100_000.0;
/// Objects that the nearest caches hold.
const NEAR_OBJECTS: u64 = 1 << 13;
/// The longest iteration, nanoseconds, in which the delay of a single branch shows.
const LONGEST_ITERATION_NS: f64 = 10_000.0;

/// The images of each site that has any, with the site's index.
fn pairs(stage: &Stage<'_>) -> Vec<(usize, Range<usize>)> {
    let all = stage.delayed();
    let starts = all.clone().step_by(IMAGES_PER_SITE);
    let sites = stage.row.injection.delayed().map(|(site, _)| site);
    let pairs = sites.zip(starts);
    pairs
        .map(|(site, start)| (site, start..start + IMAGES_PER_SITE))
        .collect()
}

/// Compares the result of each element in all of these images. Returns the sites that they are of no use
/// for, and why.
pub fn verify(stage: &mut Stage<'_>, ground: &mut Ground, visits: &Visits) -> Vec<Uninferred> {
    let mut uninferred = Vec::new();
    for (site, mut images) in pairs(stage) {
        let failure = images.find_map(|image| {
            guarded(|| verify::verify_image(stage, ground, visits, image)).err()
        });
        uninferred.extend(failure.map(|failure| Uninferred {
            site,
            why: why(&failure),
        }));
    }
    uninferred
}

/// Why images that ended so are of no use.
pub fn why(failure: &Failure) -> String {
    let what = match failure {
        Failure::WrongResult { .. } => "gives another result",
        Failure::Panic(_) => "panics",
        Failure::Signal { .. } | Failure::Exit { .. } => "faults",
        Failure::Forbidden { .. } => "makes a system call",
        Failure::Timeout { .. } => "does not end in time",
        Failure::Clobber { .. } | Failure::Worker(_) => "does not leave alone what it must",
    };
    format!(
        "with latency in front of its dispatch branch the code {what}: does it read the flags behind \
         the branch, or its own length?"
    )
}

/// Gives the images of each site their turns, one after the other.
pub(super) fn infer(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    (plan, scale): (&Plan, &mut Scale),
) -> Vec<SiteSamples> {
    let mut sites = Vec::new();
    for (site, images) in pairs(&row.stage) {
        if row.uninferred.iter().any(|one| one.site == site) {
            continue;
        }
        let inferred = guarded(|| {
            let sized = size(row, ground, source, images.end - 1, scale)?;
            let mut study = match sized {
                Ok(chunk) => Study::new(site, &row.visits, chunk),
                Err(why) => return Ok(without(site, why)),
            };
            study.infer(row, ground, source, &images, (plan, scale))?;
            Ok(study.samples)
        });
        sites.push(inferred.unwrap_or_else(|failure| without(site, why(&failure))));
    }
    sites
}

fn without(site: usize, why: String) -> SiteSamples {
    SiteSamples {
        site,
        why: Some(why),
        ..SiteSamples::default()
    }
}

/// Iterations of a chunk of these images, or why there can be none. Of a source that is scripted they are the
/// row's.
fn size(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &dyn CounterSource,
    image: usize,
    scale: &Scale,
) -> Result<Result<u64, String>, Failure> {
    const LARGEST: u64 = 1 << 18;
    const FEW: u64 = 16;
    if !source.is_timed() {
        return Ok(Ok(row.chunk));
    }
    let heap = &row.stage.row.heap;
    let longest = match heap.kind {
        HeapKind::None => LARGEST,
        _ => row.visits.len().min(LARGEST),
    };
    let least_ns = match heap.objects.len() as u64 > NEAR_OBJECTS {
        true => FAR_CHUNK_NS,
        false => CHUNK_NS,
    };
    let mut chunk = FEW.min(longest);
    loop {
        let request = Request {
            image,
            visits: &row.visits,
            element: 0,
            iterations: chunk,
        };
        let mut best = u64::MAX;
        for _ in 0..3 {
            best = best.min(row.stage.enter_between(ground, request, || ())?.ticks);
        }
        let nanoseconds = best as f64 / scale.tsc_hz * 1e9;
        let each = nanoseconds / chunk as f64;
        if each > LONGEST_ITERATION_NS {
            return Ok(Err(format!(
                "an iteration takes {:.0} µs, in which the delay of one branch does not show",
                each / 1000.0
            )));
        }
        if nanoseconds >= least_ns || chunk * 2 > longest {
            return Ok(Ok(chunk));
        }
        chunk *= 2;
    }
}

/// The turns of one site's images.
struct Study {
    samples: SiteSamples,
    /// The segment that comes next, for each image.
    next: [u32; IMAGES_PER_SITE],
}

impl Study {
    fn new(site: usize, visits: &Visits, chunk: u64) -> Study {
        Study {
            samples: SiteSamples {
                site,
                iterations_per_chunk: chunk,
                segments: visits.len().div_ceil(chunk).max(1) as u32,
                ..SiteSamples::default()
            },
            next: [0; IMAGES_PER_SITE],
        }
    }

    fn infer(
        &mut self,
        row: &mut Proved<'_>,
        ground: &mut Ground,
        source: &mut dyn CounterSource,
        images: &Range<usize>,
        (plan, scale): (&Plan, &mut Scale),
    ) -> Result<(), Failure> {
        let chunk = self.samples.iterations_per_chunk;
        let budget_ns = plan.infer_ms * 1e6 * IMAGES_PER_SITE as f64;
        let started = time::nanoseconds();
        for turn in 0u32.. {
            let spent = (time::nanoseconds() - started) as f64;
            let is_enough =
                self.quiet_pairs(scale) >= ENOUGH_PAIRS || spent >= plan.patience * budget_ns;
            if turn >= FEWEST_ROUNDS && spent >= budget_ns && is_enough {
                break;
            }
            // Whoever comes first in a round finds other caches than the one behind it.
            let order = if turn % 2 == 1 { [1, 0] } else { [0, 1] };
            for copy in order {
                self.turn(row, ground, source, (turn, copy, images.start + copy))?;
            }
        }
        self.samples.iterations_per_chunk = chunk * u64::from(row.stage.row.unroll);
        Ok(())
    }

    fn turn(
        &mut self,
        row: &mut Proved<'_>,
        ground: &mut Ground,
        source: &mut dyn CounterSource,
        (turn, copy, image): (u32, usize, usize),
    ) -> Result<(), Failure> {
        let (chunk, segments) = (self.samples.iterations_per_chunk, self.samples.segments);
        for part in 0..(UNTIMED + TIMED).min(segments) {
            // Else the first image of a round would find the walk in a farther cache than the other.
            let segment = u64::from((self.next[copy] + part) % segments);
            row.visits.touch(segment * chunk, chunk);
        }
        let mut turner = Turner {
            stage: &mut row.stage,
            ground,
            source,
            request: Request {
                image,
                visits: &row.visits,
                element: 0,
                iterations: chunk,
            },
            segments,
            segment: &mut self.next[copy],
            counting: None,
        };
        let before = neighbours::context_switches().filter(|_| turner.source.is_timed());
        let samples = &mut self.samples.images[copy];
        turner.run(turn, samples)?;
        let switches =
            before.and_then(|before| neighbours::context_switches()?.checked_sub(before));
        samples.switches.extend(switches.map(|count| count as u32));
        Ok(())
    }

    /// Turns in which nothing else ran beside either image, nor took much of the core.
    fn quiet_pairs(&self, scale: &mut Scale) -> usize {
        let mut quiet = |image: &ImageSamples| -> BTreeSet<u32> { quiet_turns(image, scale) };
        let [less, more] = &self.samples.images;
        let (less, more) = (quiet(less), quiet(more));
        less.intersection(&more).count()
    }
}
