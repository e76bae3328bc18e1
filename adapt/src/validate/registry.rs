//! The one list of validators.

use transduct_core::{Error, Result, suggest};

use super::{
    DeepEmbedded, Entropy, ImportanceWeighted, InformationMaximisation, SoftNeighbourhoodDensity,
    SourceAccuracy, Validator,
};

/// All validators. Adding one is its file and its line here.
pub fn validators() -> Vec<Box<dyn Validator>> {
    vec![
        Box::new(DeepEmbedded),
        Box::new(Entropy),
        Box::new(InformationMaximisation),
        Box::new(ImportanceWeighted),
        Box::new(SoftNeighbourhoodDensity),
        Box::new(SourceAccuracy),
    ]
}

/// The validator of this name.
///
/// # Errors
/// [`Error::Unknown`] for a name that is not in the list.
pub fn validator(name: &str) -> Result<Box<dyn Validator>> {
    validators().into_iter().find(|v| v.name() == name).ok_or_else(|| Error::Unknown {
        kind: "validator",
        name: name.to_owned(),
        suggestion: suggest::nearest(name, validators().iter().map(|v| v.name())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_slips_mended() {
        for listed in validators() {
            assert_eq!(validator(listed.name()).unwrap().name(), listed.name());
        }
        let message = validator("entropi").err().map(|e| e.to_string());
        let expected = "unknown validator `entropi`; did you mean `entropy`?";
        assert_eq!(message.as_deref(), Some(expected));
    }
}
