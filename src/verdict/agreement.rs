//! Whether models of predictors and inferred branch misses say the same of a row's dispatch branch.
//!
//! Correct means: what is said names both numbers and how each was obtained, a difference within what
//! both methods are good to is none, and nothing is said where there is only one of them.

use crate::branch::BranchKind;
use crate::link::Image;
use crate::prepare::Prepared;
use crate::report::SiteMisses;
use crate::report::misses::Modelled;

/// Misses per iteration that a modelled number may be from the interval of an inferred one: of a value without an interval
/// 0.05 is what the method is good to, and the other number is of a prefix of the walk.
const TOLERANCE: f64 = 0.1;

/// What one model says of the dispatch branch: from its misses there to those of all branches of its kind,
/// because in a chain of comparisons all of them wait for the register that is delayed.
#[derive(Debug, Clone, PartialEq)]
struct Opinion {
    model: String,
    least: f64,
    most: f64,
}

impl Opinion {
    fn distance(&self, inferred: Inferred) -> f64 {
        let (below, above) = (self.least - inferred.high, inferred.low - self.most);
        below.max(above).max(0.0)
    }
}

/// Misses as they were inferred. Where the interval is wide, the value of one run is not that of the next, and what is said
/// of it has to be.
#[derive(Debug, Clone, Copy)]
struct Inferred {
    value: f64,
    low: f64,
    high: f64,
}

impl Inferred {
    fn of(site: &SiteMisses) -> Option<Inferred> {
        let value = site.value?;
        Some(Inferred {
            value,
            low: site.low.unwrap_or(value).min(value),
            high: site.high.unwrap_or(value).max(value),
        })
    }
}

/// Where inference and models differ, in a sentence; `None` where they do not, or one of them is missing.
pub(super) fn disagreement(
    prepared: &Prepared,
    sites: &[SiteMisses],
    modelled: &Modelled,
) -> Option<String> {
    let differs = |site: &SiteMisses| {
        let opinions = opinions(&prepared.image, prepared, &site.label, modelled)?;
        said(Inferred::of(site)?, &opinions)
    };
    let first = sites.iter().find_map(|site| Some((site, differs(site)?)));
    first.map(|(site, said)| match sites.len() {
        1 => said,
        _ => format!("`{}`: {said}", site.label),
    })
}

fn opinions(
    image: &Image,
    prepared: &Prepared,
    dispatch: &str,
    modelled: &Modelled,
) -> Option<Vec<Opinion>> {
    let program = &prepared.row.program;
    let is_dispatch = |address: u64| image.label(program, address) == Some(dispatch);
    let site = modelled
        .sites
        .iter()
        .find(|site| is_dispatch(site.address) && site.executed > 0.0)?;
    let alike = |kind: BranchKind| modelled.sites.iter().filter(move |site| site.kind == kind);
    let opinion = |model: &str, own: f64| {
        let everywhere = alike(site.kind).flat_map(|site| &site.misses);
        let total: f64 = everywhere
            .filter(|miss| miss.model == model)
            .map(|miss| miss.value)
            .sum();
        Opinion {
            model: model.to_string(),
            least: own,
            most: total,
        }
    };
    let misses = site.misses.iter();
    Some(
        misses
            .map(|miss| opinion(&miss.model, miss.value))
            .collect(),
    )
}

/// The last model is the one of its kind that knows most of the past, and the only one whose error alone
/// is worth a word: that a simple one is wrong is to be expected.
fn said(inferred: Inferred, opinions: &[Opinion]) -> Option<String> {
    let differs = |opinion: &&Opinion| opinion.distance(inferred) > TOLERANCE;
    let wrong: Vec<&Opinion> = opinions.iter().filter(differs).collect();
    let best = opinions
        .iter()
        .find(|opinion| ["ittage", "tage"].contains(&opinion.model.as_str()))?;
    if !differs(&best) {
        return None;
    }
    let right: Vec<&Opinion> = opinions
        .iter()
        .filter(|opinion| !differs(opinion))
        .collect();
    let listed = |opinions: &[&Opinion]| {
        let one = |opinion: &&Opinion| {
            let Opinion { model, least, most } = opinion;
            if most - least < 0.005 {
                format!("{model} {least:.2}")
            } else {
                format!("{model} {least:.2} to {most:.2}")
            }
        };
        opinions.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let value = inferred.value;
    Some(if right.is_empty() {
        let why = if wrong.iter().all(|opinion| value < opinion.least) {
            "this CPU learns what they do not, or not as its own loop would"
        } else {
            "this CPU misses what they learn"
        };
        format!(
            "{value:.2} branch misses are inferred and no model agrees (modelled: {}): {why}",
            listed(&wrong)
        )
    } else {
        format!(
            "{value:.2} branch misses are inferred, as {} would have them and {} would not: this CPU is no \
             textbook predictor",
            listed(&right),
            listed(&wrong)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Inferred, Opinion};

    fn opinions(values: &[(&str, f64)]) -> Vec<Opinion> {
        let one = |&(model, value): &(&str, f64)| Opinion {
            model: model.into(),
            least: value,
            most: value,
        };
        values.iter().map(one).collect()
    }

    /// What is said of a value with an interval so far around it.
    fn within(value: f64, half: f64, opinions: &[Opinion]) -> Option<String> {
        let (low, high) = (value - half, value + half);
        super::said(Inferred { value, low, high }, opinions)
    }

    fn said(value: f64, opinions: &[Opinion]) -> Option<String> {
        within(value, 0.0, opinions)
    }

    #[test]
    fn what_is_said_of_a_wide_interval_does_not_hang_on_where_in_it_the_value_is() {
        let all = opinions(&[
            ("last-target", 1.0),
            ("ittage", 0.0),
            ("ittage-conditional", 0.5),
        ]);
        let right = "as last-target 1.00 would have them and ittage 0.00, ittage-conditional 0.50 would not";
        for (value, half) in [(0.97, 0.03), (0.925, 0.06), (0.88, 0.05), (0.851, 0.05)] {
            let told = within(value, half, &all).expect("a difference");
            assert!(told.contains(right), "{value}: {told}");
        }
        // Where no end of it comes near, no model agrees.
        let told = within(0.849, 0.05, &all).expect("a difference");
        assert!(told.contains("no model agrees"), "{told}");
        // What the best model says lies in the interval.
        assert_eq!(within(0.3, 0.25, &all), None);
    }

    #[test]
    fn where_all_agree_nothing_is_said() {
        let all = opinions(&[
            ("last-target", 0.875),
            ("ittage", 0.87),
            ("ittage-conditional", 0.88),
        ]);
        assert_eq!(said(0.86, &all), None);
        assert_eq!(said(0.80, &all), None);
    }

    #[test]
    fn where_none_agrees_both_numbers_are_named_and_the_likely_reason() {
        let all = opinions(&[("last-target", 0.996), ("ittage", 0.996)]);
        let low = said(0.65, &all).expect("a difference");
        assert!(
            low.contains("0.65 branch misses are inferred and no model agrees"),
            "{low}"
        );
        assert!(
            low.contains("modelled: last-target 1.00, ittage 1.00"),
            "{low}"
        );
        assert!(low.contains("learns what they do not"), "{low}");
        let high = said(1.3, &all).expect("a difference");
        assert!(high.contains("misses what they learn"), "{high}");
    }

    #[test]
    fn a_cycle_that_is_missed_is_said_to_be_unlike_the_textbook() {
        let cyclic = opinions(&[
            ("last-target", 1.0),
            ("ittage", 0.0),
            ("ittage-conditional", 0.5),
        ]);
        let told = said(0.99, &cyclic).expect("a difference");
        assert!(
            told.contains("as last-target 1.00 would have them"),
            "{told}"
        );
        assert!(
            told.contains("ittage 0.00, ittage-conditional 0.50 would not"),
            "{told}"
        );
    }

    #[test]
    fn that_a_simple_model_is_wrong_is_no_news() {
        let learned = opinions(&[("bimodal", 0.5), ("gshare", 0.0), ("tage", 0.0)]);
        assert_eq!(said(0.01, &learned), None);
    }

    #[test]
    fn a_chain_of_comparisons_agrees_anywhere_between_its_first_and_all_of_them() {
        let chain = [Opinion {
            model: "tage".into(),
            least: 0.3,
            most: 1.0,
        }];
        assert_eq!(said(0.8, &chain), None);
        assert!(said(0.1, &chain).is_some());
    }
}
