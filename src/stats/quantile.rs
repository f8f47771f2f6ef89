//! Quantiles of sorted numbers.
//!
//! Correct means: [`rank`] gives a number that was observed, and [`median`] the textbook's; neither
//! panics on an empty slice.

/// The share of visits that a segment's value leaves below it. Interruptions only ever add time,
/// and bursts of them reach the median; the minimum is biased low for code whose cost is random.
pub const LOWER_QUARTILE: f64 = 0.25;

/// The smallest value that at least a share of `q` of all values do not exceed (Hyndman and Fan's
/// type 1); `None` where there is no value.
///
/// It never lies between two values, so that of two visits, one of them interrupted, it is the
/// clean one and not a mixture.
pub fn rank(sorted: &[f64], q: f64) -> Option<f64> {
    let place = (sorted.len() as f64 * q).ceil() as usize;
    sorted.get(place.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// The middle value, or the mean of the two in the middle; `None` where there is no value.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// The mean of the middle half; `None` where there is no value. It does not care for outliers, as the
/// median, and lies between the steps of readings that come in steps.
pub fn middle_mean(sorted: &[f64]) -> Option<f64> {
    let quarter = sorted.len() / 4;
    let middle = &sorted[quarter..sorted.len() - quarter];
    (!middle.is_empty()).then(|| middle.iter().sum::<f64>() / middle.len() as f64)
}

/// The numbers in ascending order.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    #[test]
    fn quartiles_of_the_textbook_sample_are_observed_values() {
        // Hyndman and Fan's type 1 of 1..=10, as R's quantile(1:10, type = 1) prints it.
        let values = sorted((1..=10).map(f64::from));
        assert_eq!(
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| rank(&values, q)),
            [1.0, 3.0, 5.0, 8.0, 10.0].map(Some)
        );
        assert_eq!(median(&values), Some(5.5));
    }

    #[test]
    fn one_value_is_every_quantile_and_no_value_is_none() {
        assert_eq!((middle_mean(&[4.0]), middle_mean(&[])), (Some(4.0), None));
        assert_eq!(middle_mean(&[0.0, 1.0, 2.0, 900.0]), Some(1.5));
        assert_eq!(rank(&[4.0], 0.25), Some(4.0));
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(rank(&[], 0.25), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn of_two_visits_the_quartile_is_the_faster_one() {
        assert_eq!(rank(&[5.0, 900.0], LOWER_QUARTILE), Some(5.0));
    }

    #[test]
    fn a_rank_is_what_counting_finds() {
        let mut random = SplitMix64::new(7);
        for length in 1..40 {
            let values = sorted((0..length).map(|_| random.below(20) as f64));
            for q in [0.025, 0.1, 0.25, 0.5, 0.975] {
                let reaches = |value: f64| {
                    values.iter().filter(|&&other| other <= value).count() as f64
                        >= q * values.len() as f64
                };
                let counted = values.iter().copied().find(|&value| reaches(value));
                assert_eq!(rank(&values, q), counted, "{values:?} {q}");
            }
        }
    }
}
