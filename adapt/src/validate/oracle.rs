//! The oracle: accuracy on the target's labels, which nobody has who adapts.
//!
//! It is here to say how far a choice without labels is from the best one, always under its name.
//! It is no [`super::Validator`]: it needs a [`TestSet`], which no training or selecting code gets.

use ndarray::ArrayView2;
use transduct_core::{Result, data::TestSet};

use super::evidence::predictions;

/// The share of the rows of `test` that `logits` `(n, k)` classify rightly, in [0, 1]. Of equal
/// logits the first class counts as predicted.
///
/// # Errors
/// [`transduct_core::Error::Unscorable`] when a logit is not finite,
/// [`transduct_core::Error::Data`] when there are not as many logits as rows.
pub fn accuracy(test: &TestSet, logits: ArrayView2<'_, f32>) -> Result<f64> {
    Ok(test.accuracy(&predictions("oracle", "target", logits)?)?)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use transduct_core::data::{Dataset, Samples};

    use super::*;

    #[test]
    fn one_of_two_is_right() {
        let dataset = Dataset {
            name: "two".into(),
            samples: Samples::Features(array![[0.0], [1.0]]),
            labels: vec![1, 0],
            classes: vec!["a".into(), "b".into()],
        };
        let test = TestSet::new(dataset).unwrap();
        let logits = array![[0.0, 1.0], [0.0, 1.0]];
        assert_eq!(accuracy(&test, logits.view()).unwrap(), 0.5);
        assert!(accuracy(&test, logits.slice(ndarray::s![..1, ..])).is_err());
    }
}
