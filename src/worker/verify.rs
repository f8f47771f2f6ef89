//! Every image, entered once for each element of the walk, each result compared.
//!
//! Correct means: two swapped cases are noticed, and so is a result that is wrong only once.

use crate::go::HeapKind;
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
}

/// Compares the result of each element in each image.
///
/// # Errors
/// The first wrong result, or what entering says.
pub fn verify(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    for image in 0..stage.baseline() {
        stage.rewind(ground, image);
        let before = stage.allocated(ground, image);
        let (sums, entered) = verify_image(stage, ground, visits, image)?;
        if image == 0 {
            let after = stage.allocated(ground, image);
            let [blocks, bytes] =
                [0, 1].map(|of| after[of].wrapping_sub(before[of]) as f64 / entered.max(1) as f64);
            verified = Verified {
                checksum: expected_of(stage.row, 0).map(|_| sums),
                allocations: Allocations {
                    blocks,
                    bytes,
                    iterations: entered,
                },
                panic: stage.last_panic(0),
            };
        }
        stage.rewind(ground, image);
    }
    Ok(verified)
}

/// The same for one image, whatever it is, from where it is: the sums, and how often it was entered.
///
/// # Errors
/// As [`verify`].
pub fn verify_image(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    image: usize,
) -> Result<(Checksum, u64), Failure> {
    let has_walk = stage.row.heap.kind != HeapKind::None;
    let entries = if has_walk {
        visits.len()
    } else {
        ENTRIES_WITHOUT_WALK
    };
    let mut sums = Checksum {
        expected: 0,
        actual: 0,
    };
    let started = time::nanoseconds();
    let goes_on =
        |element: u64| has_walk || element == 0 || time::nanoseconds() - started < LONGEST_NS;
    let mut entered = 0;
    for element in (0..entries).take_while(|element| goes_on(*element)) {
        let at = if has_walk { element } else { 0 };
        stage.approach(visits, at + AHEAD);
        let exit = stage.enter(ground, image, visits, at, 1)?;
        entered += 1;
        // A walk's sums are read in its order, an object's result would be waited for.
        let expected = if has_walk {
            visits.expected(at, 1)
        } else {
            expected_of(stage.row, visits.objects[0])
        };
        let Some(expected) = expected else {
            continue;
        };
        compare(&exit, element, expected)?;
        sums.expected = sums.expected.wrapping_add(expected);
        sums.actual = sums.actual.wrapping_add(exit.sum);
    }
    Ok((sums, entered))
}

/// Refuses an exit whose sum is not what the iterations from `element` must add up to.
///
/// # Errors
/// A wrong result at `element`.
pub fn compare(exit: &Exit, element: u64, expected: u64) -> Result<(), Failure> {
    if exit.sum == expected {
        return Ok(());
    }
    Err(Failure::WrongResult {
        element,
        expected,
        actual: exit.sum,
    })
}
