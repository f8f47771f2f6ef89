//! A row: what was counted and timed on both sides, and whether they agree.
//!
//! Correct means: times agree if the medians over the layouts differ by no more than 5 % of the larger, or if
//! the ranges over the layouts touch; instructions, if ours are all in Go's, in order, and Go has none besides but
//! those of its loop.

use super::causes;
use super::go::{ALL_LAYOUTS, Chunk, Program, Toolchain};
use super::ours::Ours;
use super::sequence::{self, Comparison};
use super::stepped;

/// How far two medians may lie apart.
const CLOSE: f64 = 0.05;
/// Ranges that are this near to each other touch.
const TOUCH: f64 = 1.01;

/// A scenario in a release.
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) version: String,
    /// Why it is not compared.
    pub(crate) skipped: Option<String>,
    pub(crate) comparison: Option<Comparison>,
    /// By layout: the cycles of each round that was quiet, and of the others.
    go: Vec<Vec<f64>>,
    noisy: Vec<Vec<f64>>,
    /// Least, median and most over placements, of each round.
    ours: Vec<[f64; 3]>,
    disturbed: Vec<[f64; 3]>,
    /// Whether one number says what our turns took, in each round.
    pub(crate) is_settled: bool,
    /// Instructions of our loop, the body apart.
    pub(crate) around: Option<f64>,
    /// What went wrong on the way.
    pub(crate) failed: Option<String>,
}

/// Least, median and most over layouts, in cycles.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

/// How the times compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Within 5 %.
    Close,
    /// Within what the layout of the code makes.
    InLayout,
    /// Neither.
    Apart,
}

impl Row {
    pub(crate) fn new(scenario: &str, toolchain: &Toolchain) -> Row {
        let needs_profile =
            ["guard", "func_guard"].contains(&scenario) && !toolchain.has_profiles();
        Row {
            scenario: scenario.to_string(),
            version: toolchain.version.clone(),
            skipped: needs_profile.then(|| "it takes no profile as text".to_string()),
            comparison: None,
            go: Vec::new(),
            noisy: Vec::new(),
            ours: Vec::new(),
            disturbed: Vec::new(),
            is_settled: true,
            around: None,
            failed: None,
        }
    }

    /// Single-steps both sides. A walk that draws at random has another order on either side, so
    /// that its orderly twin, which is the same code, is stepped in its place.
    pub(crate) fn count(&mut self, ours: &Ours, program: &Program) {
        let twin = self.scenario.replace("order=random,", "");
        let both = stepped::trace(program, &twin)
            .and_then(|go| Ok((ours.twin(&twin).iterations(sequence::NEEDED)?, go)));
        match both {
            Ok((ours, go)) => self.comparison = Some(Comparison::of(&go, &ours)),
            Err(why) => self.failed = Some(why),
        }
    }

    /// A round: each layout of Go, then ours; what has had so many quiet rounds already is left out.
    pub(crate) fn time(
        &mut self,
        ours: &Ours,
        programs: &[Program],
        round: usize,
        rounds: usize,
        quiet: &mut Quiet,
    ) {
        self.go.resize(programs.len(), Vec::new());
        self.noisy.resize(programs.len(), Vec::new());
        // Each round begins with another layout, so that none is always the first one.
        for turn in 0..programs.len() {
            let layout = (turn + round) % programs.len();
            if self.go[layout].len() >= rounds {
                continue;
            }
            let chunks = if self.scenario.contains("order=random") {
                64
            } else {
                12
            };
            match programs[layout].time(&self.scenario, chunks) {
                Ok(chunks) => match quiet.value(&chunks) {
                    Ok(value) => self.go[layout].push(value),
                    Err(value) => self.noisy[layout].push(value),
                },
                Err(why) => self.failed = Some(why),
            }
        }
        if self.ours.len() >= rounds {
            return;
        }
        match ours.time() {
            Ok(timed) => {
                self.around = timed.around;
                self.is_settled &= timed.is_settled;
                if timed.is_disturbed {
                    self.disturbed.push(timed.placements);
                } else {
                    self.ours.push(timed.placements);
                }
            }
            Err(why) => self.failed = Some(why),
        }
    }

    /// Whether there were so many quiet rounds, on either side.
    pub(crate) fn has_quiet(&self, rounds: usize) -> bool {
        self.ours.len() >= rounds && self.go.iter().all(|layout| layout.len() >= rounds)
    }

    /// Go's cycles, of the rounds that saw no neighbour, if there are any.
    pub(crate) fn go(&self) -> Option<Spread> {
        let mut layouts: Vec<f64> = self
            .go
            .iter()
            .zip(&self.noisy)
            .filter_map(|(quiet, noisy)| lower(quiet.clone()).or_else(|| lower(noisy.clone())))
            .collect();
        layouts.sort_by(f64::total_cmp);
        Some(Spread {
            least: *layouts.first()?,
            median: (layouts[(layouts.len() - 1) / 2] + layouts[layouts.len() / 2]) / 2.0,
            most: *layouts.last()?,
        })
    }

    /// Ours, likewise.
    pub(crate) fn ours(&self) -> Option<Spread> {
        let rounds = if self.ours.is_empty() {
            &self.disturbed
        } else {
            &self.ours
        };
        let column = |number: usize| lower(rounds.iter().map(|round| round[number]).collect());
        Some(Spread {
            least: column(0)?,
            median: column(1)?,
            most: column(2)?,
        })
    }

    /// Whether one side or a layout had no quiet round at all.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.ours().is_some() && !self.has_quiet(1)
    }

    pub(crate) fn times(&self) -> Option<Times> {
        let (go, ours) = (self.go()?, self.ours()?);
        let larger = ours.median.max(go.median);
        Some(if (ours.median - go.median).abs() <= CLOSE * larger {
            Times::Close
        } else if go.least <= TOUCH * ours.most && ours.least <= TOUCH * go.most {
            Times::InLayout
        } else {
            Times::Apart
        })
    }

    /// Whether the instructions are Go's.
    pub(crate) fn has_gos_instructions(&self) -> bool {
        self.comparison.as_ref().is_some_and(|one| {
            one.only_go.is_empty()
                && one.only_ours.is_empty()
                && (one.loop_jumps - 1.0).abs() < 0.01
        })
    }

    /// Whether the instructions are others, and nobody knows why.
    pub(crate) fn is_unlike(&self) -> bool {
        self.comparison.is_some()
            && !self.has_gos_instructions()
            && causes::of_instructions(self).is_none()
    }

    /// Whether Go's loop was timed wherever it can be built.
    pub(crate) fn has_all_layouts(&self) -> bool {
        self.go.len() >= ALL_LAYOUTS
    }

    /// Whether its times are apart, and nobody knows why.
    pub(crate) fn is_unexplained(&self) -> bool {
        self.times() == Some(Times::Apart) && causes::of_times(self).is_none()
    }

    /// One line on it, to follow the run by.
    pub(crate) fn line(&self) -> String {
        let mut line = self.scenario.clone();
        if let Some(why) = &self.skipped {
            return format!("{line}: skipped, {why}");
        }
        if let Some(c) = &self.comparison {
            line += &format!(
                ": instructions {:.2} = {:.2} and {:.2} around, {:.2} moves less, {:.2} padding, {:.2} jumps, taken {:.2} and {:.2}; only Go {:?}; only ours {:?}",
                c.go,
                c.ours,
                c.around,
                c.moves,
                c.padding,
                c.loop_jumps,
                c.go_taken,
                c.ours_taken,
                c.only_go,
                c.only_ours
            );
        }
        if let (Some(go), Some(ours)) = (self.go(), self.ours()) {
            line += &format!(
                "; cycles {:.2} ({:.2} to {:.2}) against {:.2} ({:.2} to {:.2})",
                go.median, go.least, go.most, ours.median, ours.least, ours.most
            );
        }
        if let Some(why) = &self.failed {
            line += &format!("; {why}");
        }
        line
    }
}

/// What four independent additions take where nothing else is at work on the core.
#[derive(Default)]
pub(crate) struct Quiet(f64);

impl Quiet {
    /// Looks for a while, because a neighbour may come and go.
    pub(crate) fn look(program: &Program) -> Quiet {
        const LOOKS: u32 = 40;
        let mut quiet = Quiet(f64::INFINITY);
        for _ in 0..LOOKS {
            let chunks = program.time("inline", 12).unwrap_or_default();
            let widths = chunks.iter().map(|chunk| chunk.width);
            quiet.0 = widths.fold(quiet.0, f64::min);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        quiet
    }

    /// The cycles of a run, from the chunks that saw no neighbour; as an error from all, where these
    /// are not enough.
    fn value(&mut self, chunks: &[Chunk]) -> Result<f64, f64> {
        const NEIGHBOUR: f64 = 1.15;
        const ENOUGH: usize = 2;
        let widths = chunks.iter().map(|chunk| chunk.width);
        self.0 = widths.fold(self.0, f64::min);
        let is_quiet = |chunk: &Chunk| chunk.width < NEIGHBOUR * self.0;
        quartiles(chunks, is_quiet, ENOUGH)
            .ok_or_else(|| quartiles(chunks, |_| true, 1).unwrap_or(f64::NAN))
    }
}

/// The lower quartile of the visits of each segment, and the mean of those; none where a segment has
/// too few visits.
fn quartiles(chunks: &[Chunk], wanted: impl Fn(&Chunk) -> bool, enough: usize) -> Option<f64> {
    let segments = chunks.iter().map(|chunk| chunk.segment + 1).max()?;
    let mut sum = 0.0;
    for segment in 0..segments {
        let visits = chunks
            .iter()
            .filter(|chunk| chunk.segment == segment && wanted(chunk));
        let cycles: Vec<f64> = visits.map(|chunk| chunk.cycles).collect();
        if cycles.len() < enough {
            return None;
        }
        sum += lower(cycles)?;
    }
    Some(sum / segments as f64)
}

/// The lower quartile.
fn lower(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 4).copied()
}
