//! The turns of the images that a row's branch misses are inferred from: pairs of two for each site.
//!
//! Correct means: all images of a site are verified as those of the row are, those of a pair take as many turns
//! over the same segments, and what goes wrong with them costs the row nothing but this site's number,
//! which has the reason instead.

use std::collections::BTreeSet;
use std::ops::Range;

use super::guarded;
use super::neighbours;
use super::order::rotated;
use super::timing::{Budget, Proved, Scale, TIMED, Turner, UNTIMED, quiet_turns};
use super::verify;
use crate::counter::CounterSource;
use crate::injection::{ADDED_CYCLES, COPIES, IMAGES_PER_SITE, PAIRS};
use crate::job::{Failure, Plan, Uninferred};
use crate::stage::{Ground, Request, Stage, Visits};
use crate::stats::quantile::{median, sorted};
use crate::stats::random::SplitMix64;
use crate::stats::{Chunk, ImageSamples, References, SiteSamples};
use crate::template::Order;

/// Rounds that every pair has, whatever its budget: fewer pairs have no interval.
const FEWEST_ROUNDS: u32 = 8;
/// The time for an image, milliseconds, below which its turns are short: rounds are what an interval is made of, and
/// half of the chunks in each costs it less than half of the rounds would.
const SHORT_MS: f64 = 5.0;
/// Chunks of a short turn that are timed.
const SHORT_TIMED: u32 = 4;
/// The least time for an image, milliseconds, that leaves any for the walks which bound the misses.
const LEAST_REFERRED_MS: f64 = 3.0;
/// Turns without a context switch that both images of a pair should have, where there is time for them.
const ENOUGH_PAIRS: usize = 12;
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
fn by_site(stage: &Stage<'_>) -> Vec<(usize, Range<usize>)> {
    let all = stage.delayed();
    let starts = all.clone().step_by(IMAGES_PER_SITE);
    let sites = stage.row.injection.delayed().map(|(site, _)| site);
    sites
        .zip(starts)
        .map(|(site, start)| (site, start..start + IMAGES_PER_SITE))
        .collect()
}

/// The pairs of a site's images.
fn pairs(images: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let starts = images.clone().step_by(COPIES);
    starts.map(|start| start..start + COPIES)
}

/// Compares the results of all of these images. Returns the sites that they are of no use for, and why: all of a
/// row whose own iterations already take too long.
pub fn verify(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    iteration_ns: f64,
) -> Vec<Uninferred> {
    let mut uninferred = Vec::new();
    for (site, mut images) in by_site(stage) {
        if let Some(why) = too_long(iteration_ns) {
            uninferred.push(Uninferred { site, why });
            continue;
        }
        let failure = images.find_map(|image| {
            stage.rewind(ground, image);
            let verified = guarded(|| verify_image(stage, ground, visits, image));
            stage.rewind(ground, image);
            verified.err()
        });
        uninferred.extend(failure.map(|failure| Uninferred {
            site,
            why: why(&failure),
        }));
    }
    uninferred
}

/// The first elements one by one, so that two results that are swapped are noticed, and of the rest of the walk
/// the next ones a few at a time: of a quarter of a million elements one by one an image takes as long as its
/// turns do. What lies beyond is compared by the sum of each timed chunk.
fn verify_image(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    image: usize,
) -> Result<(), Failure> {
    const ONE_BY_ONE: u64 = 256;
    const FEW: u64 = 64;
    const MOST: u64 = 1 << 12;
    if !stage.row.has_walk() {
        return verify::verify_image(stage, ground, visits, image, 0).map(|_| ());
    }
    let mut element = 0;
    let end = visits.len().min(MOST);
    while element < end {
        let step = if element < ONE_BY_ONE { 1 } else { FEW };
        let count = step.min(end - element);
        let exit = stage.enter(ground, image, visits, element, count)?;
        if let Some(expected) = visits.expected(element, count) {
            verify::compare(&exit, (element, count), expected)?;
        }
        element += count;
    }
    Ok(())
}

/// Why images that ended so are of no use.
pub fn why(failure: &Failure) -> String {
    let what = match failure {
        Failure::WrongResult { .. } => "gives another result",
        Failure::Panic(_) => "panics",
        Failure::Signal { .. } | Failure::Exit { .. } => "faults",
        Failure::Forbidden { .. } => "makes a system call",
        Failure::Timeout { .. } | Failure::TooLong { .. } | Failure::Slowed { .. } => {
            "does not end in time"
        }
        Failure::Clobber { .. }
        | Failure::Above { .. }
        | Failure::Worker(_)
        | Failure::Unfinished { .. }
        | Failure::Ended(_) => "does not leave alone what it must",
    };
    format!(
        "with latency in front of its dispatch branch the code {what}: does it read the flags behind \
         the branch, or its own length?"
    )
}

/// Gives the pairs of each site their turns, one after the other; and beside them what bounds the misses of a
/// row that studies one.
pub(super) fn infer(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    (plan, scale): (&Plan, &mut Scale),
) -> (Vec<SiteSamples>, Option<Box<References>>) {
    let mut sites = Vec::new();
    let by_site = by_site(&row.stage);
    let mut references = None;
    let all = by_site
        .iter()
        .flat_map(|(site, images)| pairs(images).map(move |pair| (site, pair)));
    for (site, images) in all {
        if row.uninferred.iter().any(|one| one.site == *site) {
            continue;
        }
        if ground.is_called_off() {
            let why =
                "a signal ended the run before the turns that they are inferred from; run it again";
            sites.push(without(*site, why.into()));
            continue;
        }
        let inferred = guarded(|| {
            let chunk = match size(row, ground, source, images.end - 1, scale)? {
                Ok(chunk) => chunk,
                Err(why) => return Ok(without(*site, why)),
            };
            // Both begin in one state, at one place of the walk.
            for image in images.clone() {
                row.stage.rewind(ground, image);
            }
            let mut study = Study::new(*site, &row.visits, chunk);
            let budget = (plan.infer_ms * 1e6 / PAIRS as f64, plan.patience);
            if plan.infer_ms < SHORT_MS {
                (study.timed, study.enough_pairs) = (SHORT_TIMED, FEWEST_ROUNDS as usize);
            }
            study.infer(
                &mut row.stage,
                &mut row.visits,
                (&mut *ground, &mut *source),
                &images,
                (budget, scale),
            )?;
            Ok(study.finished(row.stage.row.copies()))
        });
        sites.push(inferred.unwrap_or_else(|failure| without(*site, why(&failure))));
    }
    if let ([(_, images)], [one, ..]) = (&by_site[..], &sites[..])
        && sites.iter().all(|one| one.why.is_none())
        && source.is_timed()
        && plan.infer_ms >= LEAST_REFERRED_MS
        && !ground.is_called_off()
    {
        let first = images.start..images.start + COPIES;
        let held = guarded(|| refer(row, ground, source, (&first, one), scale));
        references = held.ok().flatten();
    }
    (sites, references)
}

/// Times the row's code where its branch is predicted and where it is not, where neither is what its walk does
/// and its objects lie in the nearest caches. An element of several receivers has branches of each, so that no
/// element stays with one.
fn refer(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    (images, site): (&Range<usize>, &SiteSamples),
    scale: &mut Scale,
) -> Result<Option<Box<References>>, Failure> {
    const MOST_SEGMENTS: u64 = 32;
    const MOST_ELEMENTS: u64 = 1 << 17;
    let segments = (MOST_ELEMENTS / row.chunk).clamp(1, MOST_SEGMENTS);
    let objects = row.stage.row.heap.objects.len() as u64;
    let order = row.stage.row.settings.walk.order;
    let is_one_of_them = matches!(order, Order::Same | Order::Random);
    let is_of_one = row.stage.row.has_walk() && !row.stage.row.is_by_element();
    if !is_of_one || is_one_of_them || !(2..=NEAR_OBJECTS).contains(&objects) {
        return Ok(None);
    }
    // Most rows are predicted, in their own loop and in the fenced one: there is nothing to bound.
    let first = row.stage.visits(vec![0; row.chunk as usize])?;
    let mut least = [u64::MAX; 2];
    for _ in 0..3 {
        for (least, visits) in least.iter_mut().zip([&row.visits, &first]) {
            let request = Request {
                image: 0,
                visits,
                element: 0,
                iterations: row.chunk,
            };
            *least = (*least).min(row.stage.enter_between(ground, request, || ())?.ticks);
        }
    }
    if least[0] < least[1] + row.chunk && !waits(site) {
        return Ok(None);
    }
    let one = stay(row, ground, source)?;
    let mut random = SplitMix64::new(0);
    let drawn = (0..segments * row.chunk)
        .map(|_| random.below(objects) as u32)
        .collect();
    let mut drawn = row.stage.visits(drawn)?;
    let mut unfenced = Study::new(0, &drawn, row.chunk);
    for turn in 0..FEWEST_ROUNDS {
        unfenced.turn(
            &mut row.stage,
            &mut drawn,
            (&mut *ground, &mut *source),
            (turn, 0, 0),
        )?;
    }
    let chunk = site.iterations_per_chunk / u64::from(row.stage.row.copies());
    let mut missed = Study::new(0, &drawn, chunk.min(drawn.len()));
    let budget = (0.0, 0.0);
    missed.infer(
        &mut row.stage,
        &mut drawn,
        (&mut *ground, &mut *source),
        images,
        (budget, scale),
    )?;
    let [random, _] = unfenced.samples.images;
    Ok(Some(Box::new(References {
        segments: segments as u32,
        one,
        random,
        missed: missed.finished(row.stage.row.copies()),
    })))
}

/// Times the row's code where it stays with one object, with some objects in turn: each is a segment. A branch that
/// went elsewhere before can take hundreds of visits until it is predicted, so that each has a turn of its own,
/// whose first chunks are not timed.
fn stay(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
) -> Result<ImageSamples, Failure> {
    const MOST: u64 = 8;
    let objects = row.stage.row.heap.objects.len() as u64;
    let mut random = SplitMix64::new(1);
    let mut all = ImageSamples::default();
    for turn in 0..objects.min(MOST) {
        let object = match objects <= MOST {
            true => turn,
            false => random.below(objects),
        };
        let mut visits = row.stage.visits(vec![object as u32; row.chunk as usize])?;
        let mut study = Study::new(0, &visits, row.chunk);
        study.turn(
            &mut row.stage,
            &mut visits,
            (&mut *ground, &mut *source),
            (turn as u32, 0, 0),
        )?;
        let [samples, _] = study.samples.images;
        let chunks = samples.chunks.into_iter();
        all.chunks.extend(chunks.map(|chunk| Chunk {
            segment: turn as u32,
            ..chunk
        }));
        all.switches.extend(samples.switches);
    }
    Ok(all)
}

/// Whether the image with more latency takes noticeably longer: 2 ticks an iteration are about what a tenth of a miss
/// makes.
fn waits(site: &SiteSamples) -> bool {
    const TICKS: f64 = 2.0;
    let [less, more] = site.images.each_ref().map(|image| {
        let ticks = image.chunks.iter().map(|chunk| chunk.ticks as f64);
        median(&sorted(ticks)).unwrap_or(0.0)
    });
    more - less > TICKS * site.iterations_per_chunk as f64
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
    if !source.is_timed() {
        return Ok(Ok(row.chunk));
    }
    let heap = &row.stage.row.heap;
    let longest = match row.stage.row.has_walk() {
        false => LARGEST,
        true => row.visits.len().min(LARGEST),
    };
    let least_ns = match heap.objects.len() as u64 > NEAR_OBJECTS {
        true => FAR_CHUNK_NS,
        false => CHUNK_NS,
    };
    let mut chunk = 1;
    loop {
        let request = Request {
            image,
            visits: &row.visits,
            element: 0,
            iterations: chunk,
        };
        let mut best = u64::MAX;
        for _ in 0..3 {
            row.stage.rewind(ground, image);
            best = best.min(row.stage.enter_between(ground, request, || ())?.ticks);
        }
        let nanoseconds = best as f64 / scale.tsc_hz * 1e9;
        if let Some(why) = too_long(nanoseconds / chunk as f64) {
            return Ok(Err(why));
        }
        if nanoseconds >= least_ns || chunk * 2 > longest {
            return Ok(Ok(chunk));
        }
        chunk *= 2;
    }
}

/// Why nothing is inferred of a branch whose iteration takes so long.
fn too_long(iteration_ns: f64) -> Option<String> {
    (iteration_ns > LONGEST_ITERATION_NS).then(|| {
        format!(
            "an iteration takes {:.0} µs, in which the delay of one branch does not show",
            iteration_ns / 1000.0
        )
    })
}

/// The turns of a pair of one site's images.
struct Study {
    samples: SiteSamples,
    /// The segment that comes next, for each image.
    next: [u32; COPIES],
    /// Chunks of a turn that are timed.
    timed: u32,
    /// Pairs of undisturbed turns that are enough.
    enough_pairs: usize,
}

impl Study {
    fn new(site: usize, visits: &Visits, chunk: u64) -> Study {
        Study {
            samples: SiteSamples {
                site,
                iterations_per_chunk: chunk,
                segments: visits.len().div_ceil(chunk).max(1) as u32,
                added_cycles: ADDED_CYCLES,
                ..SiteSamples::default()
            },
            next: [0; COPIES],
            timed: TIMED,
            enough_pairs: ENOUGH_PAIRS,
        }
    }

    /// The samples, where each turn of the loop has so many copies of the body.
    fn finished(mut self, unroll: u32) -> SiteSamples {
        self.samples.iterations_per_chunk *= u64::from(unroll);
        self.samples
    }

    /// Gives both images turns, for so many nanoseconds each or a few times as many.
    fn infer(
        &mut self,
        stage: &mut Stage<'_>,
        visits: &mut Visits,
        (ground, source): (&mut Ground, &mut dyn CounterSource),
        images: &Range<usize>,
        ((each_ns, patience), scale): ((f64, f64), &mut Scale),
    ) -> Result<(), Failure> {
        let budget = Budget::new(each_ns * COPIES as f64, patience);
        for turn in 0u32.. {
            if turn >= FEWEST_ROUNDS
                && (ground.is_called_off()
                    || budget.is_over(|| self.quiet_pairs(scale) < self.enough_pairs))
            {
                break;
            }
            for copy in rotated(turn, COPIES) {
                let image = images.start + copy;
                self.turn(
                    stage,
                    visits,
                    (&mut *ground, &mut *source),
                    (turn, copy, image),
                )?;
            }
        }
        Ok(())
    }

    fn turn(
        &mut self,
        stage: &mut Stage<'_>,
        visits: &mut Visits,
        (ground, source): (&mut Ground, &mut dyn CounterSource),
        (turn, copy, image): (u32, usize, usize),
    ) -> Result<(), Failure> {
        let (chunk, segments) = (self.samples.iterations_per_chunk, self.samples.segments);
        for part in 0..(UNTIMED + self.timed).min(segments) {
            // Else the first image of a round would find the walk in a farther cache than the other.
            let segment = u64::from((self.next[copy] + part) % segments);
            visits.touch(segment * chunk, chunk);
        }
        let mut turner = Turner {
            stage,
            ground,
            source,
            request: Request {
                image,
                visits,
                element: 0,
                iterations: chunk,
            },
            segments,
            segment: &mut self.next[copy],
            timed: self.timed,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_iteration_beyond_ten_microseconds_nothing_is_inferred() {
        assert_eq!(too_long(9_900.0), None);
        let why = too_long(10_100.0).expect("a reason");
        assert_eq!(
            why,
            "an iteration takes 10 µs, in which the delay of one branch does not show"
        );
    }
}
