//! A line with a scale: where a value lies on it, and which values are written beside it.
//!
//! Correct means: all values that it was made of lie on it, equal distances are equal differences, or on a logarithmic one
//! equal ratios, and what is written beside it lies where it is written.

/// A scale from its low end to its high end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ruler {
    low: f64,
    high: f64,
    is_log: bool,
}

/// More than anything that is measured: what lies beyond is drawn here, for a report that is read back may hold any number.
const MOST: f64 = 1e15;
/// The least ratio or value that is told from 0 where values are shown by ratio.
const LEAST: f64 = 1e-9;

/// Numbers that can be drawn.
fn sound(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.map(|value| value.clamp(-MOST, MOST))
}

/// A largest value that is so many times the least one is shown by ratio.
const WIDE: f64 = 12.0;

impl Ruler {
    /// From 0 to the largest value.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Ruler {
        let most = sound(values).fold(0.0, f64::max);
        Ruler {
            low: 0.0,
            high: if most > LEAST { most * 1.05 } else { 1.0 },
            is_log: false,
        }
    }

    /// From a little below the least value to a little above the largest, by ratio where they lie far apart and none
    /// is 0 or less.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Ruler {
        let (low, high) = sound(values).fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Ruler::from_zero([]);
        }
        if low > LEAST && high > low * WIDE {
            return Ruler::by_ratio([low, high]);
        }
        let margin = ((high - low) * 0.08).max(high.abs() * 0.01).max(1e-9);
        Ruler {
            low: if low >= 0.0 {
                (low - margin).max(0.0)
            } else {
                low - margin
            },
            high: high + margin,
            is_log: false,
        }
    }

    /// By ratio, of values above 0.
    pub(super) fn by_ratio(values: impl IntoIterator<Item = f64>) -> Ruler {
        let above = sound(values).filter(|value| *value > 0.0);
        let above = above.map(|value| value.max(LEAST));
        let (low, high) = above.fold((f64::MAX, 0.0f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Ruler::from_zero([]);
        }
        let margin = (high / low).powf(0.05).max(1.02);
        Ruler {
            low: low / margin,
            high: high * margin,
            is_log: true,
        }
    }

    /// Whether equal distances are equal ratios.
    pub(super) fn is_by_ratio(&self) -> bool {
        self.is_log
    }

    /// Where a value lies: 0 at the low end, 1 at the high one; what lies outside is at that end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.is_log {
            true => (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        share.clamp(0.0, 1.0)
    }

    /// Some values between the ends that are short to write, ascending: about so many, and two at the least.
    pub(super) fn ticks(&self, count: usize) -> Vec<f64> {
        let inside = |value: &f64| (self.low..=self.high).contains(value);
        if self.is_log {
            for steps in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]] {
                let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
                let of = |decade: i32| steps.iter().map(move |step| rounded(*step, decade));
                let ticks: Vec<f64> = decades.flat_map(of).filter(inside).collect();
                if ticks.len() >= count.min(3) {
                    let each = ticks.len().div_ceil(count.max(2) * 2);
                    return ticks.into_iter().step_by(each.max(1)).collect();
                }
            }
        }
        let wanted = (self.high - self.low) / count.max(1) as f64;
        let decade = wanted.log10().floor() as i32;
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| rounded(step, decade));
        let step = steps.into_iter().find(|step| *step >= wanted);
        let step = step.unwrap_or(wanted);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|at| tidy(at as f64 * step)).collect()
    }
}

/// A step of a decade, without the noise that powers have.
fn rounded(step: f64, decade: i32) -> f64 {
    tidy(step * 10f64.powi(decade))
}

fn tidy(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_between_the_ends_and_in_their_order() {
        let tables: [&[f64]; 5] = [
            &[5.0],
            &[3.8, 5.04, 5.32, 10.09],
            &[0.58, 3.8, 32.0, 230.0],
            &[0.0, 1e9],
            &[-3.0, 4.0],
        ];
        for values in tables {
            for ruler in [
                Ruler::around(values.iter().copied()),
                Ruler::from_zero(values.iter().copied()),
            ] {
                let places: Vec<f64> = values.iter().map(|value| ruler.at(*value)).collect();
                assert!(places.is_sorted(), "{ruler:?}: {places:?}");
                assert!(
                    places.iter().all(|at| (0.0..=1.0).contains(at)),
                    "{ruler:?}"
                );
            }
            let ruler = Ruler::around(values.iter().copied());
            assert!(
                values
                    .iter()
                    .all(|value| ruler.at(*value) > 0.0 || *value == 0.0)
            );
        }
        assert_eq!(Ruler::around([]), Ruler::around([f64::NAN]));
    }

    #[test]
    fn what_lies_far_apart_is_shown_by_ratio() {
        for (most, is_log) in [(11.9, false), (12.1, true)] {
            assert_eq!(Ruler::around([1.0, most]).is_by_ratio(), is_log, "{most}");
        }
        assert!(!Ruler::around([0.0, 1000.0]).is_by_ratio());
        let ruler = Ruler::by_ratio([1.0, 100.0]);
        let middle = ruler.at(10.0) - (ruler.at(1.0) + ruler.at(100.0)) / 2.0;
        assert!(middle.abs() < 1e-12, "{middle}");
    }

    #[test]
    fn ticks_are_short_lie_inside_and_are_two_at_the_least() {
        for (low, high) in [
            (5e-324, 1e308),
            (5.0, 1e308),
            (-1e300, 5e-324),
            (5e-324, 5e-324),
            (1e-310, 1.0),
            (1.0, 1.02),
            (5.0, 5.0),
            (0.58, 230.0),
            (1.0, 1e6),
            (3.0, 40.0),
            (0.9, 1.1),
        ] {
            for ruler in [
                Ruler::around([low, high]),
                Ruler::by_ratio([low, high]),
                Ruler::from_zero([high]),
            ] {
                let ticks = ruler.ticks(5);
                assert!((2..=12).contains(&ticks.len()), "{ruler:?}: {ticks:?}");
                assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
                let is_inside = |tick: &f64| (ruler.low..=ruler.high).contains(tick);
                assert!(ticks.iter().all(is_inside), "{ruler:?}: {ticks:?}");
                assert!(
                    ticks.iter().all(|tick| format!("{tick:e}").len() <= 8),
                    "{ticks:?}"
                );
            }
        }
    }
}
