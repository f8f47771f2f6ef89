//! Events about calls and jumps, held against loops of which their counts are known.
//!
//! Correct means: an event with a name of our own is believed only where its code counts what the name says in a loop
//! that has it, and nothing in those that have not. What a code means differs from family to family.

use std::io;

use super::clock::Clock;
use super::group::{EventGroup, Refused};
use super::pmu::{CHANCE, Counted, HANDFUL, JUMPS_MISSED, TURNS, Tries, count};
use crate::job::Unavailable;
use crate::job::catalogue::Known;
use crate::link::kernel::{self, RETURNS};
use crate::stats::quantile::{median, sorted};
use crate::sys::mapping::{Executable, PAGE, Window};

/// Jumps of each chain. The first levels of branch target buffers have 256 to 1536 places since Zen, what stands in front
/// of them 8 or 16; the second levels 4096 to 7168 (AMD's optimization guides of families 17h and 19h), and the largest
/// of Intel's 12 K (its optimization manual, Golden Cove).
const CHAINS: [u32; 3] = [192, 3072, 65_536];
/// Jumps of a chain that are counted.
const CHAINED: u64 = 2 * CHAINS[2] as u64;
/// The share of jumps that an event about them counts.
const MOST: std::ops::RangeInclusive<f64> = 0.9..=1.1;
/// The share that one about others counts.
const FEW: f64 = 0.05;
/// The share of returns that go astray that is missed.
const ASTRAY: std::ops::RangeInclusive<f64> = 0.95..=1.01;

/// Chains of direct jumps, each with its entry.
#[derive(Debug)]
pub(super) struct Chains([(Executable, u64); 3]);

impl Chains {
    /// Emits them.
    ///
    /// # Errors
    /// When there is no executable memory.
    fn new(window: &mut Window) -> io::Result<Chains> {
        let mut chain = |jumps: u32| -> io::Result<(Executable, u64)> {
            let code = kernel::emit_chain(jumps);
            let mut memory = window.take(2 * PAGE + code.len())?;
            let start = 2 * PAGE;
            memory.bytes()[start..start + code.len()].copy_from_slice(&code);
            let entry = memory.address() + start as u64;
            let end = start + code.len().next_multiple_of(PAGE);
            Ok((memory.seal(start..end)?, entry))
        };
        let [short, middle, long] = CHAINS.map(&mut chain);
        Ok(Chains([short?, middle?, long?]))
    }
}

/// What an event counted: of all turns of each loop, and of each jump of the chains, where it is about these.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Loops {
    steady: f64,
    coins: f64,
    jumps: f64,
    returns: f64,
    chains: Option<[f64; 3]>,
}

/// Holds the only member of a group against what it is known to count.
///
/// # Errors
/// Where it counts something else, or nothing sound.
pub(super) fn hold<N: Copy>(
    group: &EventGroup<N>,
    known: Known,
    (clock, window, chains): (&mut Clock, &mut Window, &mut Option<Chains>),
) -> Result<(), Unavailable> {
    let Counted {
        steady,
        coins,
        jumps,
    } = Tries::count(group, clock)?.of(0);
    let returns = middle(group, TURNS, |turns| clock.go_astray(turns))?;
    let chains = match known.is_of_chains() {
        false => None,
        true => {
            if chains.is_none() {
                *chains = Some(Chains::new(window).map_err(|error| Unavailable {
                    reason: format!(
                        "there is no memory for the loops that it is held against: {error}"
                    ),
                    remedy: "raise the limit of memory, or leave the event out".into(),
                })?);
            }
            chains
                .as_mut()
                .map(|chains| of_chains(group, chains))
                .transpose()?
        }
    };
    let loops = Loops {
        steady,
        coins,
        jumps,
        returns,
        chains,
    };
    loops.judge(known)
}

/// The counts of a jump, in each chain.
fn of_chains<N: Copy>(group: &EventGroup<N>, chains: &mut Chains) -> Result<[f64; 3], Refused> {
    let mut of_a_jump = [0.0; 3];
    for (((code, entry), jumps), found) in chains.0.iter_mut().zip(CHAINS).zip(&mut of_a_jump) {
        let turns = CHAINED / u64::from(jumps);
        let counted = middle(group, turns, |turns| {
            code.enter(*entry, turns);
        })?;
        *found = counted / CHAINED as f64;
    }
    Ok(of_a_jump)
}

/// The median of what so many turns count, of five tries, which a reading that something else disturbs does not end.
fn middle<N: Copy>(
    group: &EventGroup<N>,
    turns: u64,
    mut run: impl FnMut(u64),
) -> Result<f64, Refused> {
    const GOOD: usize = 5;
    const MOST: usize = 20;
    let mut counted = Vec::new();
    let mut refused = Refused::Unbelieved;
    for _ in 0..MOST {
        match count(group, turns, &mut run) {
            Ok(counts) => counted.extend(counts.first()),
            Err(why) => refused = why,
        }
        if counted.len() == GOOD {
            break;
        }
    }
    let counted = sorted(counted);
    median(&counted)
        .filter(|_| counted.len() == GOOD)
        .ok_or(refused)
}

impl Loops {
    fn judge(&self, known: Known) -> Result<(), Unavailable> {
        let turns = TURNS as f64;
        let [short, middle, long] = self.chains.unwrap_or([f64::NAN; 3]);
        let none = |counts: &[f64]| counts.iter().all(|count| count.abs() <= HANDFUL);
        let Loops {
            steady,
            coins,
            jumps,
            returns,
            ..
        } = *self;
        let (is_sound, what) = match known {
            Known::MissedCoins => (
                none(&[steady, jumps, returns]) && CHANCE.contains(&(coins / turns)),
                "mispredicted conditional jumps",
            ),
            Known::MissedJumps => (
                none(&[steady, coins, returns]) && JUMPS_MISSED.contains(&(jumps / turns)),
                "mispredicted indirect jumps",
            ),
            Known::Jumps => (
                none(&[steady, coins, returns, jumps - turns]),
                "indirect jumps",
            ),
            Known::MissedReturns => (
                none(&[steady, coins, jumps]) && ASTRAY.contains(&(returns / turns)),
                "mispredicted returns",
            ),
            Known::Returns => (
                none(&[steady, coins, jumps, returns - RETURNS as f64 * turns]),
                "returns",
            ),
            Known::Redirects => (
                none(&[steady]) && short.abs() <= FEW && MOST.contains(&long),
                "jumps that the decoder is the first to see",
            ),
            Known::SecondLevel => (
                none(&[steady]) && short.abs() <= FEW && MOST.contains(&middle),
                "jumps that the second level of the branch target buffer has",
            ),
            Known::FirstLevel => (
                none(&[steady]) && MOST.contains(&short),
                "jumps that the first level of the branch target buffer has",
            ),
        };
        is_sound.then_some(()).ok_or_else(|| {
            let chains = self.chains.map_or_else(String::new, |[short, middle, long]| {
                let [few, more, many] = CHAINS;
                format!(
                    ", and {short:.3}, {middle:.3} and {long:.3} a jump in chains of {few}, {more} and {many}"
                )
            });
            Unavailable {
                reason: format!(
                    "its code counted {steady}, {coins}, {jumps} and {returns} in four loops of {turns} turns{chains}, \
                     which are not their {what}"
                ),
                remedy: "it is not believed; -e rNNNN takes another code of the CPU's manual".into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_believed_where_it_counts_what_its_name_says_and_nothing_else() {
        type Counts = ([f64; 4], Option<[f64; 3]>);
        const NO_CHAINS: Option<[f64; 3]> = None;
        #[rustfmt::skip] // a table: one code a line
        let table: [(Known, Counts, bool); 30] = [
            (Known::MissedCoins,   ([ 0.0,  990.0,    0.0,    0.0], NO_CHAINS), true),
            (Known::MissedCoins,   ([16.0,  601.0,   16.0,   16.0], NO_CHAINS), true),
            (Known::MissedCoins,   ([17.0,  990.0,    0.0,    0.0], NO_CHAINS), false),
            (Known::MissedCoins,   ([ 0.0,  599.0,    0.0,    0.0], NO_CHAINS), false), // taken ones alone, by chance
            (Known::MissedCoins,   ([ 0.0,  990.0, 1750.0,    0.0], NO_CHAINS), false),
            (Known::MissedCoins,   ([ 0.0,  990.0,    0.0, 2000.0], NO_CHAINS), false), // all misses
            (Known::MissedJumps,   ([ 0.0,    0.0, 1750.0,    0.0], NO_CHAINS), true),
            (Known::MissedJumps,   ([ 0.0,    0.0, 2000.0,    0.0], NO_CHAINS), false),
            (Known::MissedJumps,   ([ 0.0,    0.0, 1750.0, 2000.0], NO_CHAINS), false), // returns too
            (Known::Jumps,         ([ 0.0,    0.0, 2016.0,   16.0], NO_CHAINS), true),
            (Known::Jumps,         ([ 0.0,    0.0, 2017.0,    0.0], NO_CHAINS), false),
            (Known::Jumps,         ([ 0.0,    0.0, 2000.0, 4000.0], NO_CHAINS), false),
            (Known::MissedReturns, ([ 0.0,    0.0,    0.0, 2000.0], NO_CHAINS), true),
            (Known::MissedReturns, ([ 0.0,    0.0,    0.0, 1901.0], NO_CHAINS), true),
            (Known::MissedReturns, ([ 0.0,    0.0,    0.0, 1899.0], NO_CHAINS), false),
            (Known::MissedReturns, ([ 0.0,    0.0,    0.0, 4000.0], NO_CHAINS), false), // all returns
            (Known::MissedReturns, ([ 0.0,  990.0,    0.0, 2000.0], NO_CHAINS), false),
            (Known::Returns,       ([ 0.0,    0.0,    0.0, 4016.0], NO_CHAINS), true),
            (Known::Returns,       ([ 0.0,    0.0,    0.0, 2000.0], NO_CHAINS), false),
            (Known::Redirects,     ([ 0.0,    0.0,    0.0,    0.0], Some([0.0, 0.4, 0.91])), true),
            (Known::Redirects,     ([ 0.0,    0.0,    0.0,    0.0], Some([0.0, 0.4, 0.89])), false),
            (Known::Redirects,     ([ 0.0,    0.0,    0.0,    0.0], Some([0.06, 1.0, 1.0])), false), // all jumps
            (Known::Redirects,     ([17.0,    0.0,    0.0,    0.0], Some([0.0, 0.0, 1.0])), false),
            (Known::Redirects,     ([ 0.0,    0.0,    0.0,    0.0], NO_CHAINS), false),
            (Known::SecondLevel,   ([ 0.0,    0.0,    0.0,    0.0], Some([0.05, 1.0, 0.0])), true),
            (Known::SecondLevel,   ([ 0.0,    0.0,    0.0,    0.0], Some([0.06, 1.0, 0.0])), false),
            (Known::SecondLevel,   ([ 0.0,    0.0,    0.0,    0.0], Some([0.0, 0.89, 1.0])), false),
            (Known::FirstLevel,    ([ 0.0,    0.0,    0.0,    0.0], Some([1.09, 0.0, 0.0])), true),
            (Known::FirstLevel,    ([ 0.0,    0.0,    0.0,    0.0], Some([1.11, 0.0, 0.0])), false),
            (Known::FirstLevel,    ([ 0.0,    0.0,    0.0,    0.0], Some([0.89, 1.0, 1.0])), false),
        ];
        for (known, ([steady, coins, jumps, returns], chains), is_sound) in table {
            let loops = Loops {
                steady,
                coins,
                jumps,
                returns,
                chains,
            };
            assert_eq!(loops.judge(known).is_ok(), is_sound, "{known:?}: {loops:?}");
        }
    }
}
