//! Where a curve begins to rise or to fall.
//!
//! Correct means: a knee is a point to which the curve goes by a larger step than the one before, so
//! much larger that neither the points' uncertainty nor a tenth of the value explains it. A straight
//! line has none, noise has none, and a curve that settles after a step has that one.

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

/// The curve has to leave the line on which it came by more than this share of its value.
const SHARE: f64 = 0.1;
/// The first step has no other before it; it is a knee if it is so much larger than the second.
const FIRST: f64 = 1.5;
/// Knees beyond these are details.
const MOST: usize = 4;

/// Indices of the points from which on the curve is another, ascending.
pub fn knees(points: &[Point]) -> Vec<usize> {
    let slope = |to: usize| {
        let (from, to) = (points[to - 1], points[to]);
        (to.y - from.y) / (to.x - from.x)
    };
    // How far the step to a point is larger than one as steep as `before`, relative to the value.
    let excess = |to: usize, before: f64| {
        let (from, point) = (points[to - 1], points[to]);
        let off = (slope(to) - before).abs() * (point.x - from.x).abs();
        let is_settling = slope(to).abs() <= before.abs() && slope(to) * before >= 0.0;
        let needed = (SHARE * from.y.abs())
            .max(point.uncertainty)
            .max(from.uncertainty);
        let has_moved = (point.y - from.y).abs() > needed;
        (!is_settling && off > needed && has_moved)
            .then(|| off / from.y.abs().max(f64::MIN_POSITIVE))
    };
    if points.len() < 3 {
        return Vec::new();
    }
    let first = Some(slope(1)).filter(|step| step.abs() > FIRST * slope(2).abs());
    let mut found: Vec<(usize, f64)> = first
        .and_then(|_| Some((1, excess(1, 0.0)?)))
        .into_iter()
        .chain((2..points.len()).filter_map(|to| Some((to, excess(to, slope(to - 1))?))))
        .collect();
    // The plainest ones first, where there are too many.
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found.truncate(MOST);
    let mut knees: Vec<usize> = found.into_iter().map(|(at, _)| at).collect();
    knees.sort_unstable();
    knees
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
    fn a_curve_that_settles_after_its_first_step_has_that_one() {
        assert_eq!(of(&[7.5, 23.6, 31.8, 35.7, 38.1, 39.2, 39.8]), [1]);
    }

    #[test]
    fn a_step_is_a_knee_where_it_goes_up_or_down() {
        assert_eq!(of(&[5.4, 21.0, 22.0, 23.5, 24.0, 25.0]), [1]);
        assert_eq!(of(&[5.0, 5.0, 5.01, 5.0, 8.0, 8.01, 8.0]), [4]);
        assert_eq!(of(&[8.0, 8.0, 8.0, 5.0, 5.0]), [3]);
    }

    #[test]
    fn noise_behind_a_step_is_no_other_one() {
        assert_eq!(of(&[5.0, 5.0, 5.0, 9.0, 8.999, 8.999]), [3]);
        assert!(of(&[10.0, 7.0, 4.0, 4.0, 4.0]).is_empty());
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
    fn a_step_has_to_leave_the_uncertainty_of_both_its_points_and_a_tenth_of_the_value() {
        // The step is to the point at 3.
        for (uncertain, off, knees) in [
            (3, 2.9, 1),
            (3, 3.1, 0),
            (2, 2.9, 1),
            (2, 3.1, 0),
            (1, 9.0, 1),
        ] {
            let point = |(at, y): (usize, f64)| Point {
                x: at as f64,
                y,
                uncertainty: if at == uncertain { off } else { 0.0 },
            };
            let points: Vec<Point> = [5.0, 5.0, 5.0, 8.0, 8.0, 8.0]
                .into_iter()
                .enumerate()
                .map(point)
                .collect();
            assert_eq!(super::knees(&points).len(), knees, "{uncertain}, {off}");
        }
        assert!(of(&[10.0, 10.0, 10.0, 10.9, 10.9]).is_empty());
        assert_eq!(of(&[10.0, 10.0, 10.0, 11.1, 11.1]), [3]);
    }

    #[test]
    fn a_first_step_is_a_knee_where_it_is_half_again_as_large_as_the_second() {
        assert_eq!(of(&[5.0, 9.0, 9.0]), [1]);
        assert_eq!(of(&[10.0, 14.6, 17.6, 20.6]), [1]);
        assert!(of(&[10.0, 14.4, 17.4, 20.4]).is_empty());
    }

    #[test]
    fn a_peak_is_two_knees() {
        assert_eq!(of(&[5.0, 5.0, 10.0, 6.0, 6.0, 6.0]), [2, 3]);
    }

    #[test]
    fn of_many_knees_the_four_plainest_are_told() {
        let steps = |heights: &[f64]| {
            let mut y = 10.0;
            let mut values = vec![y, y];
            for height in heights {
                y += height * y;
                values.extend([y, y]);
            }
            of(&values)
        };
        assert_eq!(steps(&[0.5, 0.6, 0.7, 0.8]), [2, 4, 6, 8]);
        assert_eq!(steps(&[0.5, 0.6, 0.7, 0.8, 0.9]), [4, 6, 8, 10]);
    }

    #[test]
    fn too_few_points_have_none() {
        assert!(of(&[]).is_empty());
        assert!(of(&[5.0, 50.0]).is_empty());
    }
}
