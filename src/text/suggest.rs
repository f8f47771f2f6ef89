//! The nearest known word to one that is not known.
//!
//! Correct means: a word that a slip of the fingers away from a candidate finds it, and a word that
//! resembles none finds none.

use strsim::osa_distance;

/// The candidate that `word` most likely meant, or none where nothing is near.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong: `targts` finds `targets`, `x` finds nothing.
    let allowed = word.chars().count().div_ceil(3).min(3);
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| {
            distance <= allowed && distance < candidate.chars().count()
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use crate::text::closest;

    #[test]
    fn a_slip_of_the_fingers_finds_the_word_meant() {
        let words = ["targets", "title", "types", "order"];
        assert_eq!(closest("tragets", words), Some("targets"));
        assert_eq!(closest("Order", words), Some("order"));
        assert_eq!(
            closest("typ", words),
            None,
            "two letters of three are too many to guess"
        );
        assert_eq!(closest("spacing", words), None);
        assert_eq!(closest("", words), None);
    }
}
