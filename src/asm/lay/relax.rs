//! Which branches must be long.
//!
//! Correct means: the same branches grow as where each round looks at all of them and lets those
//! grow that do not reach. A branch that is long stays it, so the search ends. Without alignment
//! the answer is the least one, whatever the order.
//!
//! A round looks only at branches over something that changed in the round before. A short branch
//! reaches over few bytes, so those stand near by, and each growth costs the same however long the
//! section is. Only sections with many alignments and many rounds take more than linear time: each
//! round walks the alignments behind what grew until they have taken up the difference.

use super::{Piece, PieceKind, distance, offsets};

/// The answer, and how much work it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::asm) struct Relaxed {
    /// Whether each piece is a long branch.
    pub(in crate::asm) long: Vec<bool>,
    /// How many times a branch was looked at.
    pub(in crate::asm) looks: usize,
}

/// A branch that can grow.
struct Branch {
    piece: usize,
    label: usize,
    /// Where it stands at the least: every branch short, no padding.
    least: usize,
    /// Bytes from its end to where it goes, now.
    distance: i64,
    /// By how much it grows.
    growth: i64,
}

/// An alignment.
struct Align {
    piece: usize,
    least: usize,
    /// Where it begins, now.
    start: i64,
    to: i64,
    most: i64,
}

impl Align {
    fn padding(&self) -> i64 {
        let bytes = (self.to - self.start % self.to) % self.to;
        if bytes > self.most { 0 } else { bytes }
    }
}

/// A piece that became longer or shorter.
#[derive(Clone, Copy)]
struct Change {
    piece: usize,
    least: usize,
    bytes: i64,
}

/// Lets branches grow until all reach that can.
pub(in crate::asm) fn relax(pieces: &[Piece<'_>]) -> Relaxed {
    let mut relaxed = Relaxed {
        long: vec![false; pieces.len()],
        looks: 0,
    };
    let can_grow =
        |piece: &Piece<'_>| matches!(piece.kind, PieceKind::Branch { long: Some(_), .. });
    if !pieces.iter().any(can_grow) {
        return relaxed;
    }
    let (mut branches, mut aligns, window) = measure(pieces, &relaxed.long);
    let mut touched: Vec<usize> = (0..branches.len()).collect();
    let mut changes = Vec::new();
    loop {
        changes.clear();
        for branch in touched.drain(..).map(|at| &branches[at]) {
            relaxed.looks += 1;
            if i8::try_from(branch.distance).is_err() && !relaxed.long[branch.piece] {
                relaxed.long[branch.piece] = true;
                changes.push(Change {
                    piece: branch.piece,
                    least: branch.least,
                    bytes: branch.growth,
                });
            }
        }
        if changes.is_empty() {
            return relaxed;
        }
        pad(&mut changes, &mut aligns);
        for change in &changes {
            let first = branches.partition_point(|branch| branch.least + window < change.least);
            let near = branches[first..]
                .iter_mut()
                .take_while(|branch| branch.least <= change.least + window);
            for (at, branch) in (first..).zip(near) {
                relaxed.looks += 1;
                if branch.piece < change.piece && change.piece < branch.label {
                    branch.distance += change.bytes;
                } else if branch.label <= change.piece && change.piece <= branch.piece {
                    branch.distance -= change.bytes;
                } else {
                    continue;
                }
                if !relaxed.long[branch.piece] {
                    touched.push(at);
                }
            }
        }
    }
}

/// The branches that can grow and the alignments, as they stand while all branches are short, and
/// how far from a branch that reaches a piece can stand over which it goes.
fn measure(pieces: &[Piece<'_>], short: &[bool]) -> (Vec<Branch>, Vec<Align>, usize) {
    /// The reach of 8 bits, and the longest instruction.
    const REACH: usize = 128 + 15;
    let starts = offsets(pieces, short);
    let (mut branches, mut aligns) = (Vec::new(), Vec::new());
    let (mut padding, mut addend) = (0, 0);
    for (at, piece) in pieces.iter().enumerate() {
        let least = starts[at] - padding;
        match &piece.kind {
            PieceKind::Branch {
                short,
                long: Some(long),
                target,
                label,
            } => {
                addend = addend.max(target.addend.unsigned_abs());
                branches.push(Branch {
                    piece: at,
                    label: *label,
                    least,
                    distance: distance(&starts, at, *label, target.addend),
                    growth: signed(long.bytes().len()) - signed(short.bytes().len()),
                });
            }
            PieceKind::Align(padding_of) => {
                aligns.push(Align {
                    piece: at,
                    least,
                    start: signed(starts[at]),
                    to: i64::from(padding_of.to),
                    most: i64::from(padding_of.most),
                });
                padding += starts[at + 1] - starts[at];
            }
            _ => {}
        }
    }
    let addend = usize::try_from(addend).unwrap_or(usize::MAX);
    let length = starts[pieces.len()];
    (branches, aligns, (REACH.saturating_add(addend)).min(length))
}

/// Adds what the changes, all growths of branches, make of the alignments behind them.
fn pad(changes: &mut Vec<Change>, aligns: &mut [Align]) {
    if aligns.is_empty() {
        return;
    }
    changes.sort_unstable_by_key(|change| change.piece);
    let grown = changes.len();
    let (mut next, mut at, mut shift) = (0, 0, 0);
    while next < grown || shift != 0 {
        if shift == 0 {
            // Nothing moves up to the next piece that grew.
            let piece = changes[next].piece;
            at += aligns[at..].partition_point(|align| align.piece < piece);
        }
        let Some(align) = aligns.get_mut(at) else {
            return;
        };
        while next < grown && changes[next].piece < align.piece {
            shift += changes[next].bytes;
            next += 1;
        }
        let before = align.padding();
        align.start += shift;
        let bytes = align.padding() - before;
        if bytes != 0 {
            shift += bytes;
            changes.push(Change {
                piece: align.piece,
                least: align.least,
                bytes,
            });
        }
        at += 1;
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm::encode::emit::{Encoded, Field, Width};
    use crate::asm::inst::{Name, Padding, Target};
    use crate::asm::lay::{Ground, Places, lay_out};
    use crate::asm::problem::Span;

    /// Deterministic, so that a failure can be repeated.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % bound as u64).unwrap()
        }
    }

    fn fixed(length: usize) -> PieceKind<'static> {
        PieceKind::Fixed(Encoded::new(&[0x90; 15][..length], None), None)
    }

    /// A branch to a label that stands before piece `label`.
    fn branch(label: usize, addend: i64) -> PieceKind<'static> {
        let encoded = |length: usize, width: Width| {
            Encoded::new(&[0; 15][..length], Some(Field { offset: 1, width }))
        };
        PieceKind::Branch {
            short: encoded(2, Width::Rel8),
            long: Some(encoded(5, Width::Rel32)),
            label,
            target: Target {
                name: Name::Label("x"),
                addend,
                span: Span {
                    column: 1,
                    width: 1,
                },
            },
        }
    }

    fn section(random: &mut Random, aligned: bool, addends: [i64; 3]) -> Vec<Piece<'static>> {
        let count = 2 + random.below(120);
        let labels: Vec<usize> = (0..8).map(|_| random.below(count + 1)).collect();
        let kinds = (0..count).map(|_| match random.below(if aligned { 10 } else { 8 }) {
            0..3 => branch(labels[random.below(8)], 0),
            3 => branch(labels[random.below(8)], addends[random.below(3)]),
            4..8 => fixed(random.below(9)),
            _ => PieceKind::Align(Padding {
                to: 1 << random.below(6),
                fill: None,
                most: random.below(64) as u32,
            }),
        });
        kinds.map(|kind| Piece { line: 0, kind }).collect()
    }

    /// Starts over after each single branch that does not reach.
    fn naive(pieces: &[Piece<'_>]) -> Vec<bool> {
        let mut long = vec![false; pieces.len()];
        'over: loop {
            for (at, piece) in pieces.iter().enumerate() {
                let PieceKind::Branch { label, target, .. } = &piece.kind else {
                    continue;
                };
                let starts = offsets(pieces, &long);
                let far = i8::try_from(distance(&starts, at, *label, target.addend)).is_err();
                if far && !long[at] {
                    long[at] = true;
                    continue 'over;
                }
            }
            return long;
        }
    }

    /// Looks at all branches in each round.
    fn round_by_round(pieces: &[Piece<'_>]) -> Vec<bool> {
        let mut long = vec![false; pieces.len()];
        loop {
            let starts = offsets(pieces, &long);
            let mut grown = false;
            for (at, piece) in pieces.iter().enumerate() {
                if let PieceKind::Branch {
                    long: Some(_),
                    target,
                    label,
                    ..
                } = &piece.kind
                    && !long[at]
                    && i8::try_from(distance(&starts, at, *label, target.addend)).is_err()
                {
                    long[at] = true;
                    grown = true;
                }
            }
            if !grown {
                return long;
            }
        }
    }

    /// Each branch reaches the next but one until the branch between them grows: one round for
    /// each, from the last one on, where `last` bytes behind it are too many.
    fn chain(links: usize, last: usize) -> Vec<Piece<'static>> {
        let mut kinds = Vec::new();
        for link in 0..links {
            kinds.push(branch(2 * (link + 2), 0));
            kinds.push(fixed_bytes(if link + 1 < links { 62 } else { last }));
        }
        kinds.extend([64, 1, 1].map(fixed_bytes));
        let piece = |kind| Piece { line: 0, kind };
        kinds.into_iter().map(piece).collect()
    }

    fn fixed_bytes(length: usize) -> PieceKind<'static> {
        PieceKind::Bytes(vec![0x90; length])
    }

    #[test]
    fn a_chain_of_branches_takes_work_in_proportion_to_its_length() {
        let looks = |links: usize| {
            let relaxed = relax(&chain(links, 80));
            let grown = relaxed.long.iter().filter(|long| **long).count();
            assert!(grown + 1 >= links, "{grown} of {links} grew");
            relaxed.looks
        };
        let untouched = relax(&chain(1000, 62));
        assert!(!untouched.long.contains(&true));
        let (short, long) = (looks(1000), looks(50_000));
        assert!(long <= 51 * short, "{short} looks, then {long}");
        assert!(long <= 50_000 * 16, "{long} looks");
        assert_eq!(relax(&chain(200, 80)).long, round_by_round(&chain(200, 80)));
    }

    #[test]
    fn alignment_and_addends_leave_the_rounds_as_they_are() {
        let mut random = Random(0xd1b5_4a32_d192_ed03);
        let mut grown = 0;
        for _ in 0..2000 {
            let pieces = section(&mut random, true, [0, -90, 400]);
            let long = relax(&pieces).long;
            assert_eq!(long, round_by_round(&pieces));
            grown += long.iter().filter(|long| **long).count();
        }
        assert!(grown > 10_000, "only {grown} branches grew");
    }

    #[test]
    fn relaxation_finds_what_starting_over_each_time_finds() {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let mut grown = 0;
        for _ in 0..300 {
            let pieces = section(&mut random, false, [0, 3, -200]);
            let long = relax(&pieces).long;
            assert_eq!(long, naive(&pieces));
            grown += long.iter().filter(|long| **long).count();
        }
        assert!(grown > 1000, "only {grown} branches grew");
    }

    #[test]
    fn every_branch_reaches_across_alignment_too() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..300 {
            let pieces = section(&mut random, true, [0; 3]);
            let lines = [1];
            let ground = Ground {
                pieces: &pieces,
                places: &Places::default(),
                lines: &lines,
                symbol: None,
                is_unique: &|_| true,
                is_code: true,
                aside: usize::MAX,
                is_open: false,
                room: u64::MAX,
            };
            let laid = lay_out(&ground);
            assert_eq!(laid.problems, []);
            assert_eq!(
                laid.bytes.len(),
                *offsets(&pieces, &relax(&pieces).long).last().unwrap()
            );
        }
    }
}
