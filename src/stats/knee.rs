//! Where a curve bends.
//!
//! Correct means: a knee is a point from which two straight lines, one before it and one from it on,
//! fit the curve far better than one line does, and at which the curve leaves the line before it by
//! more than what the points themselves are uncertain by. A straight line has none, noise has none.

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where it stands on the axis on which lines are straight.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// How far its value may be off either way: its layout range, at least.
    pub uncertainty: f64,
}

/// Two lines have to leave at most this share of one line's squared error.
const LEFT: f64 = 0.25;
/// The curve has to leave the line by more than this share of its value.
const SHARE: f64 = 0.1;
/// Knees beyond these are details.
const MOST: usize = 4;

/// Indices of the points from which on the curve is another, ascending.
pub fn knees(points: &[Point]) -> Vec<usize> {
    let mut found = Vec::new();
    search(points, 0, &mut found);
    // The plainest ones first, where there are too many.
    found.sort_by(|one: &(usize, f64), other| other.1.total_cmp(&one.1));
    found.truncate(MOST);
    let mut knees: Vec<usize> = found.into_iter().map(|(at, _)| at).collect();
    knees.sort_unstable();
    knees
}

/// Finds the best split and goes on in both parts; `found` gets (index, relative size).
fn search(points: &[Point], offset: usize, found: &mut Vec<(usize, f64)>) {
    if points.len() < 3 {
        return;
    }
    let whole = Line::through(points).squared_error(points);
    let split = |at: &usize| {
        let (before, after) = points.split_at(*at);
        Line::through(before).squared_error(before) + Line::through(after).squared_error(after)
    };
    let splits = 1..points.len();
    let Some(at) = splits.min_by(|one, other| split(one).total_cmp(&split(other))) else {
        return;
    };
    let (before, after) = points.split_at(at);
    let expected = Line::through(before).at(after[0].x);
    let step = (after[0].y - expected).abs();
    let uncertainty = after[0].uncertainty.max(before[at - 1].uncertainty);
    let size = step / before[at - 1].y.abs().max(f64::MIN_POSITIVE);
    if split(&at) <= LEFT * whole && size > SHARE && step > uncertainty {
        found.push((offset + at, size));
        search(before, offset, found);
        search(after, offset + at, found);
    }
}

/// y = level + slope × (x − middle), the least squares' choice.
struct Line {
    level: f64,
    slope: f64,
    middle: f64,
}

impl Line {
    fn through(points: &[Point]) -> Line {
        let count = points.len() as f64;
        let middle = points.iter().map(|point| point.x).sum::<f64>() / count;
        let level = points.iter().map(|point| point.y).sum::<f64>() / count;
        let (mut up, mut across) = (0.0, 0.0);
        for point in points {
            up += (point.x - middle) * (point.y - level);
            across += (point.x - middle).powi(2);
        }
        let slope = if across > 0.0 { up / across } else { 0.0 };
        Line {
            level,
            slope,
            middle,
        }
    }

    fn at(&self, x: f64) -> f64 {
        self.level + self.slope * (x - self.middle)
    }

    fn squared_error(&self, points: &[Point]) -> f64 {
        let errors = points.iter().map(|point| point.y - self.at(point.x));
        errors.map(|error| error * error).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    fn of(values: &[f64]) -> Vec<usize> {
        let points: Vec<Point> = values
            .iter()
            .enumerate()
            .map(|(at, &y)| Point {
                x: at as f64,
                y,
                uncertainty: 0.1,
            })
            .collect();
        knees(&points)
    }

    #[test]
    fn a_step_is_a_knee_where_it_goes_up_or_down() {
        assert_eq!(of(&[5.4, 21.0, 22.0, 23.5, 24.0, 25.0]), [1]);
        assert_eq!(of(&[5.0, 5.0, 5.01, 5.0, 8.0, 8.01, 8.0]), [4]);
        assert_eq!(of(&[8.0, 8.0, 8.0, 5.0, 5.0]), [3]);
    }

    #[test]
    fn a_curve_that_starts_to_rise_bends_there() {
        assert_eq!(of(&[5.0, 5.0, 5.0, 5.0, 6.0, 7.0, 8.0, 9.0]), [4]);
    }

    #[test]
    fn two_steps_are_two_knees() {
        assert_eq!(
            of(&[5.0, 5.0, 5.0, 9.0, 9.0, 9.0, 20.0, 20.0, 20.0]),
            [3, 6]
        );
    }

    #[test]
    fn a_straight_line_has_none_however_steep() {
        assert!(of(&[5.0, 5.0, 5.0, 5.0]).is_empty());
        assert!(of(&[3.0, 6.0, 9.0, 12.0, 15.0, 18.0]).is_empty());
    }

    #[test]
    fn noise_and_steps_within_the_uncertainty_are_none() {
        let mut random = SplitMix64::new(3);
        for _ in 0..100 {
            let noisy = |_| 5.0 + random.below(1000) as f64 / 5000.0;
            let values: Vec<f64> = (0..20).map(noisy).collect();
            assert!(of(&values).is_empty());
        }
        let wide = |(at, y): (usize, f64)| Point {
            x: at as f64,
            y,
            uncertainty: 2.0,
        };
        let points: Vec<Point> = [5.0, 5.0, 5.0, 6.5, 6.5, 6.5]
            .into_iter()
            .enumerate()
            .map(wide)
            .collect();
        assert!(knees(&points).is_empty());
    }

    #[test]
    fn too_few_points_have_none() {
        assert!(of(&[]).is_empty());
        assert!(of(&[5.0, 50.0]).is_empty());
    }
}
