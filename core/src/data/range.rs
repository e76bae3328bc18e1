//! The range of the numbers that pictures are stored as.
//!
//! An image in [`Samples`] lies in [0, 1]. What its file holds is known from the type of the numbers,
//! or has to be judged by their values:
//!
//! | stored as | becomes 0…1 |
//! |---|---|
//! | unsigned 8 bits | 0…255 |
//! | unsigned 16 bits | 0…65535 |
//! | `bool` | 0…1 |
//! | other integers, all from 0 to 1 | 0…1 |
//! | other integers, all from 0 to 255 | 0…255 |
//! | other integers | an error: the range must be given |
//! | floats, all from −0.5 to 1.5 | as they are |
//! | floats, all from 0 to 255 | 0…255 |
//! | other floats | as they are |
//!
//! A range that is given wins over all of it. What was judged is told in a note, unless floats lie in
//! [0, 1] as they should, and is to be used for new files of the same kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Samples;

/// `LOW..HIGH`: the stored numbers that become 0 and 1. Nothing is clipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ValueRange {
    low: i32,
    high: i32,
}

impl ValueRange {
    /// The range of bytes.
    pub const BYTES: Self = Self { low: 0, high: 255 };
    /// The range of 16 bits.
    pub const WORDS: Self = Self { low: 0, high: 65535 };
    /// The range that images have already.
    pub const UNIT: Self = Self { low: 0, high: 1 };

    /// A stored number as one of an image.
    pub fn value(self, stored: f64) -> f32 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((stored - low) / (high - low)) as f32
    }
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl FromStr for ValueRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(low, high)| {
            Some((low.trim().parse().ok()?, high.trim().trim_start_matches('=').parse().ok()?))
        });
        match ends {
            Some((low, high)) if low < high => Ok(Self { low, high }),
            _ => Err(format!(
                "`{text}`: expected two whole numbers LOW..HIGH, the lower one first, as in 0..255"
            )),
        }
    }
}

impl TryFrom<String> for ValueRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ValueRange> for String {
    fn from(range: ValueRange) -> Self {
        range.to_string()
    }
}

/// What is known of the range before the file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the user says.
    pub given: Option<ValueRange>,
    /// What was judged of files of the same kind before; it serves where a file's own type does not
    /// say.
    pub judged: Option<ValueRange>,
}

/// How the numbers of a file are understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    /// What becomes 0…1.
    pub range: ValueRange,
    /// Whether the values decided, and not their type or the user.
    pub judged: bool,
    /// What to tell the user.
    pub note: Option<String>,
}

/// A kind of stored numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Bool,
    Byte,
    Word,
    Integer,
    Float,
}

/// The range of numbers of a kind, of which `least` and `most` are the extremes.
///
/// Errors: integers whose range has to be given.
pub(super) fn understand(
    stored: Stored,
    (least, most): (f64, f64),
    known: Known,
) -> Result<Understood, String> {
    let told = |range, note| Ok(Understood { range, judged: false, note });
    let judged = |range, note: String| Ok(Understood { range, judged: true, note: Some(note) });
    if let Some(range) = known.given {
        return told(range, None);
    }
    match (stored, known.judged) {
        (Stored::Bool, _) => return told(ValueRange::UNIT, None),
        (Stored::Byte, _) => return told(ValueRange::BYTES, None),
        (Stored::Word, _) => {
            let note = (most > 255.0 && most < 4096.0).then(|| {
                format!(
                    "the pictures have 16 bits, and none is above {most}: 65535 is taken for white; \
                     --value-range 0..4095 would be that of 12 bits"
                )
            });
            return told(ValueRange::WORDS, note);
        }
        (_, Some(range)) => return told(range, None),
        _ => {}
    }
    let within = |low: f64, high: f64| low <= least && most <= high;
    let seen = format!("the pictures' numbers lie between {least} and {most}");
    let option = "--value-range LOW..HIGH says otherwise";
    match stored {
        Stored::Integer if within(0.0, 1.0) => {
            judged(ValueRange::UNIT, format!("{seen}: 1 is taken for white; {option}"))
        }
        Stored::Integer if within(0.0, 255.0) => {
            judged(ValueRange::BYTES, format!("{seen}: 255 is taken for white; {option}"))
        }
        Stored::Integer => Err(format!(
            "{seen}, and integers of this type say nothing of their range: give it by --value-range \
             LOW..HIGH, as in 0..4095"
        )),
        _ if within(-0.001, 1.001) => {
            Ok(Understood { range: ValueRange::UNIT, judged: true, note: None })
        }
        _ if within(-0.5, 1.5) => {
            judged(ValueRange::UNIT, format!("{seen}: they stay as they are; {option}"))
        }
        _ if within(0.0, 255.0) => {
            judged(ValueRange::BYTES, format!("{seen}: 255 is taken for white; {option}"))
        }
        _ => judged(
            ValueRange::UNIT,
            format!("{seen}, and not in [0, 1]: they stay as they are; {option}"),
        ),
    }
}

/// What to tell where the numbers of two domains' images differ by an order of magnitude: the greater
/// of the largest absolute values is ten times the other, or more.
pub fn compare(source: &Samples, target: &Samples) -> Option<String> {
    let most = |samples: &Samples| match samples {
        Samples::Images(x) => Some(x.iter().fold(0f32, |most, v| most.max(v.abs()))),
        #[cfg(feature = "files")]
        Samples::Pictures(_) => Some(1.0),
        _ => None,
    };
    let (s, t) = (most(source)?, most(target)?);
    (s.max(t) >= 10.0 * s.min(t)).then(|| {
        format!(
            "the images' numbers reach {s} in the source and {t} in the target: are they of one \
             range? --value-range LOW..HIGH gives what becomes 0 and 1"
        )
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array4};

    use super::*;

    fn plain(stored: Stored, ends: (f64, f64)) -> Understood {
        understand(stored, ends, Known::default()).unwrap()
    }

    #[test]
    fn the_type_decides_where_it_can() {
        assert_eq!(plain(Stored::Byte, (0.0, 3.0)).range, ValueRange::BYTES);
        assert_eq!(plain(Stored::Bool, (0.0, 1.0)).range, ValueRange::UNIT);
        assert_eq!(plain(Stored::Word, (0.0, 255.0)).range, ValueRange::WORDS);
        let twelve_bits = plain(Stored::Word, (0.0, 4000.0));
        assert_eq!(twelve_bits.range, ValueRange::WORDS);
        assert!(twelve_bits.note.unwrap().contains("--value-range 0..4095"));
    }

    #[test]
    fn other_numbers_are_judged_and_told() {
        let integers = plain(Stored::Integer, (0.0, 255.0));
        assert_eq!((integers.range, integers.judged), (ValueRange::BYTES, true));
        assert!(integers.note.unwrap().contains("between 0 and 255: 255 is taken for white"));
        assert_eq!(plain(Stored::Integer, (0.0, 1.0)).range, ValueRange::UNIT);
        assert!(understand(Stored::Integer, (-1.0, 5.0), Known::default()).is_err());
        assert!(understand(Stored::Integer, (0.0, 256.0), Known::default()).is_err());
        let unit = plain(Stored::Float, (0.0, 1.0));
        assert_eq!((unit.range, unit.note), (ValueRange::UNIT, None));
        assert_eq!(plain(Stored::Float, (-0.1, 1.2)).range, ValueRange::UNIT);
        assert_eq!(plain(Stored::Float, (0.0, 251.5)).range, ValueRange::BYTES);
        let standardised = plain(Stored::Float, (-2.1, 2.6));
        assert_eq!(standardised.range, ValueRange::UNIT);
        assert!(standardised.note.unwrap().contains("stay as they are"));
    }

    #[test]
    fn what_is_known_wins() {
        let words: ValueRange = "0..4095".parse().unwrap();
        let given = Known { given: Some(words), judged: None };
        for stored in [Stored::Byte, Stored::Word, Stored::Integer, Stored::Float] {
            let understood = understand(stored, (-9.0, 1e9), given).unwrap();
            assert_eq!(understood, Understood { range: words, judged: false, note: None });
        }
        let before = Known { given: None, judged: Some(ValueRange::BYTES) };
        // A dark picture alone would be judged otherwise.
        assert_eq!(understand(Stored::Float, (0.0, 1.0), before).unwrap().range, ValueRange::BYTES);
        assert_eq!(understand(Stored::Word, (0.0, 1.0), before).unwrap().range, ValueRange::WORDS);
    }

    #[test]
    fn a_range_is_text() {
        let range: ValueRange = "-1..1".parse().unwrap();
        assert_eq!([range.value(-1.0), range.value(0.0), range.value(2.0)], [0.0, 0.5, 1.5]);
        assert_eq!(serde_json::to_string(&range).unwrap(), r#""-1..1""#);
        assert_eq!(serde_json::from_str::<ValueRange>(r#""-1..1""#).unwrap(), range);
        for wrong in ["", "5", "1..0", "0..0", "0..1.5", "a..b"] {
            let message = wrong.parse::<ValueRange>().unwrap_err();
            assert!(message.contains("expected two whole numbers LOW..HIGH"), "{message}");
        }
    }

    #[test]
    fn domains_of_other_ranges_are_told() {
        let images = |v| Samples::Images(Array4::from_elem((2, 1, 2, 2), v));
        assert_eq!(compare(&images(1.0), &images(0.2)), None);
        let note = compare(&images(0.9), &images(220.0)).unwrap();
        assert!(note.contains("reach 0.9 in the source and 220 in the target"), "{note}");
        assert_eq!(compare(&images(1.0), &Samples::Features(Array2::ones((2, 2)))), None);
    }
}
