//! Who takes the next turn.
//!
//! Correct means: in each round every image of every row has one turn; the rows' turns at one
//! placement are neighbours; and over as many rounds as there are rows, each row stands once at each
//! place among those neighbours.
//!
//! A fixed order would give what one row leaves behind (caches, predictors, frequency) always to the
//! same next one. So the order at a placement is a row of a Latin square, and each square is drawn
//! anew.

use crate::stats::random::SplitMix64;

/// Some images in the order of a round: whoever comes first finds other caches than those behind it, so each
/// comes first in its turn.
pub(super) fn rotated(round: u32, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |step| (round as usize + step) % count)
}

/// The order of the turns of some rows with equally many images.
#[derive(Debug)]
pub(super) struct TurnOrder {
    rows: usize,
    images: usize,
    random: SplitMix64,
    /// The square at work, for each image.
    squares: Vec<LatinSquare>,
}

/// A cyclic square, its rows, columns and numbers permuted.
#[derive(Debug, Clone, Default)]
struct LatinSquare {
    lines: Vec<usize>,
    places: Vec<usize>,
    names: Vec<usize>,
}

impl LatinSquare {
    fn drawn(size: usize, random: &mut SplitMix64) -> LatinSquare {
        let mut permutation = || {
            let mut all: Vec<usize> = (0..size).collect();
            for last in (1..size).rev() {
                all.swap(last, random.below(last as u64 + 1) as usize);
            }
            all
        };
        LatinSquare {
            lines: permutation(),
            places: permutation(),
            names: permutation(),
        }
    }

    fn line(&self, line: usize) -> impl Iterator<Item = usize> + '_ {
        let size = self.names.len();
        let places = self.places.iter();
        places.map(move |place| self.names[(self.lines[line] + place) % size])
    }
}

impl TurnOrder {
    pub(super) fn new(rows: usize, images: usize, seed: u64) -> TurnOrder {
        TurnOrder {
            rows,
            images,
            random: SplitMix64::new(seed),
            squares: vec![LatinSquare::default(); images],
        }
    }

    /// The (row, image) pairs of a round, in order. Rounds are asked for one after the other.
    pub(super) fn round(&mut self, turn: u32) -> Vec<(usize, usize)> {
        let line = turn as usize % self.rows.max(1);
        if line == 0 {
            let draw = |_| LatinSquare::drawn(self.rows, &mut self.random);
            self.squares = (0..self.images).map(draw).collect();
        }
        rotated(turn, self.images)
            .flat_map(|image| self.squares[image].line(line).map(move |row| (row, image)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_of_each_row_has_one_turn_a_round_beside_the_others_at_its_placement() {
        let mut order = TurnOrder::new(3, 5, 1);
        for turn in 0..20 {
            let round = order.round(turn);
            for neighbours in round.chunks(3) {
                assert!(
                    neighbours
                        .iter()
                        .all(|(_, image)| *image == neighbours[0].1)
                );
                let mut rows: Vec<usize> = neighbours.iter().map(|(row, _)| *row).collect();
                rows.sort_unstable();
                assert_eq!(rows, [0, 1, 2]);
            }
            let mut images: Vec<usize> = round.chunks(3).map(|turns| turns[0].1).collect();
            assert_eq!(images[0], turn as usize % 5, "the images rotate");
            images.sort_unstable();
            assert_eq!(images, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn images_swap_places_from_round_to_round() {
        let rounds = |count: usize| {
            (0..count as u32).map(move |round| rotated(round, count).collect::<Vec<_>>())
        };
        assert_eq!(rounds(2).collect::<Vec<_>>(), [[0, 1], [1, 0]]);
        for place in 0..4 {
            let mut there: Vec<usize> = rounds(4).map(|round| round[place]).collect();
            there.sort_unstable();
            assert_eq!(there, [0, 1, 2, 3], "each comes once at place {place}");
        }
    }

    #[test]
    fn each_row_stands_at_each_place_once_a_square() {
        const ROWS: usize = 4;
        let mut order = TurnOrder::new(ROWS, 2, 7);
        for _ in 0..10 {
            let rounds: Vec<_> = (0..ROWS as u32).map(|turn| order.round(turn)).collect();
            for image in 0..2 {
                for place in 0..ROWS {
                    let at_image = |round: &Vec<(usize, usize)>| -> Vec<usize> {
                        let turns = round.iter().filter(|(_, at)| *at == image);
                        turns.map(|(row, _)| *row).collect()
                    };
                    let mut rows: Vec<usize> =
                        rounds.iter().map(|round| at_image(round)[place]).collect();
                    rows.sort_unstable();
                    assert_eq!(rows, [0, 1, 2, 3]);
                }
            }
        }
    }

    #[test]
    fn squares_are_drawn_anew() {
        let mut order = TurnOrder::new(3, 1, 1);
        let squares: Vec<Vec<_>> = (0..10)
            .map(|square| (0..3).map(|line| order.round(3 * square + line)).collect())
            .collect();
        assert!(squares.iter().any(|square| *square != squares[0]));
        // Those of two images are two.
        let mut order = TurnOrder::new(3, 2, 1);
        let rows = |turns: &[(usize, usize)]| turns.iter().map(|(row, _)| *row).collect::<Vec<_>>();
        assert!((0..9).any(|turn| {
            let round = order.round(turn);
            rows(&round[..3]) != rows(&round[3..])
        }));
    }
}
