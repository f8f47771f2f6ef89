//! Every image, entered once for each element of the walk, each result compared.
//!
//! Correct means: two swapped cases are noticed, and so is a result that is wrong only once.

use crate::job::{Allocations, Checksum, Failure, PanicAt};
use crate::stage::{Exit, Ground, Stage, Visits, expected_of};
use crate::sys::time;

/// Entries of a row without a walk: its iterations differ only by what earlier ones left.
const ENTRIES_WITHOUT_WALK: u64 = 4096;
/// Time after which a row without a walk has been entered often enough at one placement.
const LONGEST_NS: u64 = 250_000_000;

/// Elements between the one that is entered and the one that is fetched meanwhile.
const AHEAD: u64 = 8;

/// What entering every element once has shown, at placement 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verified {
    /// The sums over one walk, where a result is stated.
    pub checksum: Option<Checksum>,
    /// What the modelled allocator gave out.
    pub allocations: Allocations,
    /// The panic that the last entry recovered from.
    pub panic: Option<PanicAt>,
    /// How many elements of the walk were compared in each image, where there was no time for all.
    pub only: Option<u64>,
}

/// Compares the result of each element in each image; of a walk as many as fit into so many nanoseconds, all images
/// together.
///
/// # Errors
/// The first wrong result, or what entering says.
pub fn verify(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    longest_ns: u64,
) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    let has_walk = stage.row.has_walk();
    let mut fewest = visits.len();
    let each_ns = longest_ns / stage.baseline().max(1) as u64;
    for image in 0..stage.baseline() {
        stage.rewind(ground, image);
        let before = stage.allocated(ground, image);
        let (sums, entered) = verify_image(stage, ground, visits, image, each_ns)?;
        fewest = fewest.min(entered);
        if image == 0 {
            let after = stage.allocated(ground, image);
            let copies = entered.max(1) * u64::from(stage.row.copies());
            let [blocks, bytes] =
                [0, 1].map(|of| after[of].wrapping_sub(before[of]) as f64 / copies as f64);
            verified = Verified {
                checksum: visits.expected(0, 1).map(|_| sums),
                allocations: Allocations {
                    blocks,
                    bytes,
                    iterations: entered * u64::from(stage.row.copies()),
                },
                panic: stage.last_panic(0),
                only: None,
            };
        }
        stage.rewind(ground, image);
    }
    verified.only = (has_walk && fewest < visits.len()).then_some(fewest);
    Ok(verified)
}

/// Asks the clock now and then whether there is time for more.
struct Deadline {
    ends_ns: u64,
    /// When it was last asked, and in front of which element.
    asked: (u64, u64),
    /// The element in front of which it is asked again.
    next: u64,
}

impl Deadline {
    fn in_ns(longest_ns: u64) -> Deadline {
        let now = time::nanoseconds();
        Deadline {
            ends_ns: now + longest_ns,
            asked: (now, 0),
            // The first element is always entered.
            next: 1,
        }
    }

    /// Whether there is time for an element: each is asked for where they take long, else one of many, for asking
    /// takes a part of what entering does.
    fn allows(&mut self, element: u64) -> bool {
        const LONG_NS: u64 = 100_000;
        const MANY: u64 = 64;
        if element < self.next {
            return true;
        }
        let now = time::nanoseconds();
        let (before, first) = self.asked;
        let is_long = now - before > LONG_NS * (element - first);
        self.next = element + if is_long { 1 } else { MANY };
        self.asked = (now, element);
        now < self.ends_ns
    }
}

/// The same for one image, whatever it is, from where it is: the sums, and how often it was entered. `longest_ns` is
/// of a walk.
///
/// # Errors
/// As [`verify`].
pub fn verify_image(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    image: usize,
    longest_ns: u64,
) -> Result<(Checksum, u64), Failure> {
    let has_walk = stage.row.has_walk();
    let entries = if has_walk {
        visits.len()
    } else {
        ENTRIES_WITHOUT_WALK
    };
    let mut sums = Checksum {
        expected: 0,
        actual: 0,
    };
    let mut deadline = Deadline::in_ns(if has_walk { longest_ns } else { LONGEST_NS });
    let mut entered = 0;
    let is_far = stage.pass() > 0;
    for element in (0..entries).take_while(|element| deadline.allows(*element)) {
        let at = if has_walk { element } else { 0 };
        if is_far {
            stage.approach(visits, at + AHEAD);
        }
        let exit = stage.enter(ground, image, visits, at, 1)?;
        entered += 1;
        // A walk's sums are read in its order, an object's result would be waited for.
        let expected = if has_walk {
            visits.expected(at, 1)
        } else {
            expected_of(stage.row, visits.kinds[0])
        };
        let Some(expected) = expected else {
            continue;
        };
        compare(&exit, (element, 1), expected)?;
        sums.expected = sums.expected.wrapping_add(expected);
        sums.actual = sums.actual.wrapping_add(exit.sum);
    }
    Ok((sums, entered))
}

/// Refuses an exit whose sum is not what so many iterations from `element` on must add up to.
///
/// # Errors
/// A wrong result there.
pub fn compare(
    exit: &Exit,
    (element, iterations): (u64, u64),
    expected: u64,
) -> Result<(), Failure> {
    if exit.sum == expected {
        return Ok(());
    }
    Err(Failure::WrongResult {
        element,
        iterations,
        expected,
        actual: exit.sum,
    })
}
