//! The choice of a step from the scores of a run.

/// The step of the highest score, and that score. Of equal scores the earliest in `history` wins:
/// less training for the same evidence. Scores that are not numbers are passed over; nothing comes
/// back where no other is left.
pub fn best(history: impl IntoIterator<Item = (u64, f64)>) -> Option<(u64, f64)> {
    history.into_iter().filter(|(_, score)| !score.is_nan()).fold(None, |best, next| match best {
        Some((_, score)) if next.1 <= score => best,
        _ => Some(next),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_equal_scores_wins() {
        assert_eq!(best([(10, 0.2), (20, 0.7), (30, 0.7), (40, 0.1)]), Some((20, 0.7)));
        assert_eq!(best([(10, -1.0), (20, -1.0)]), Some((10, -1.0)));
    }

    #[test]
    fn a_score_that_is_no_number_is_never_chosen() {
        assert_eq!(best([(10, f64::NAN), (20, -3.0), (30, f64::NAN)]), Some((20, -3.0)));
        assert_eq!(best([(10, f64::NAN)]), None);
        assert_eq!(best([]), None);
    }
}
