//! The nearest known word to one that is not known.
//!
//! Correct means: a word that a slip of the fingers away from a candidate finds it, and a word that
//! resembles none finds none.

/// The candidate that `word` most likely meant, or none where nothing is near.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong: `targts` finds `targets`, `x` finds nothing.
    let allowed = word.chars().count().div_ceil(3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance <= allowed && distance < candidate.chars().count()
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Damerau-Levenshtein distance with adjacent transpositions, letters compared without case.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
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
