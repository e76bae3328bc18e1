//! Stored numbers of any type to the type that is asked for.

use std::fmt::Display;

use super::Kind;

/// What a stored number becomes.
pub(super) trait Element: Copy {
    /// What does not convert is not this.
    const NAME: &'static str;
    fn from_int(v: i64) -> Option<Self>;
    fn from_float(v: f64) -> Option<Self>;
}

impl Element for f32 {
    const NAME: &'static str = "a number";
    fn from_int(v: i64) -> Option<Self> {
        Some(v as Self)
    }
    fn from_float(v: f64) -> Option<Self> {
        Some(v as Self)
    }
}

impl Element for f64 {
    const NAME: &'static str = "a number";
    fn from_int(v: i64) -> Option<Self> {
        Some(v as Self)
    }
    fn from_float(v: f64) -> Option<Self> {
        Some(v)
    }
}

impl Element for i64 {
    const NAME: &'static str = "an integer";
    fn from_int(v: i64) -> Option<Self> {
        Some(v)
    }
    fn from_float(v: f64) -> Option<Self> {
        // Beyond 2⁵³ neighbouring integers share one f64.
        (v.fract() == 0.0 && v.abs() <= 9_007_199_254_740_992.0).then_some(v as Self)
    }
}

/// The elements in the order in which they are stored; `data` is a whole number of them.
pub(super) fn decode<T: Element>(
    data: &[u8],
    kind: Kind,
    big_endian: bool,
) -> Result<Vec<T>, String> {
    macro_rules! each {
        ($ty:ty, $convert:expr) => {
            converted(
                data,
                |b| if big_endian { <$ty>::from_be_bytes(b) } else { <$ty>::from_le_bytes(b) },
                $convert,
            )
        };
    }
    match kind {
        Kind::Bool => each!(u8, |v| T::from_int(i64::from(v != 0))),
        Kind::I8 => each!(i8, |v| T::from_int(v.into())),
        Kind::U8 => each!(u8, |v| T::from_int(v.into())),
        Kind::I16 => each!(i16, |v| T::from_int(v.into())),
        Kind::U16 => each!(u16, |v| T::from_int(v.into())),
        Kind::I32 => each!(i32, |v| T::from_int(v.into())),
        Kind::U32 => each!(u32, |v| T::from_int(v.into())),
        Kind::I64 => each!(i64, T::from_int),
        Kind::U64 => each!(u64, |v| match i64::try_from(v) {
            Ok(v) => T::from_int(v),
            Err(_) => T::from_float(v as f64),
        }),
        Kind::F16 => each!(half::f16, |v| T::from_float(v.into())),
        Kind::F32 => each!(f32, |v| T::from_float(v.into())),
        Kind::F64 => each!(f64, T::from_float),
    }
}

/// The numbers that `stored` reads from each N bytes, as `convert` takes them.
fn converted<T: Element, V: Copy + Display, const N: usize>(
    data: &[u8],
    stored: impl Fn([u8; N]) -> V,
    convert: impl Fn(V) -> Option<T>,
) -> Result<Vec<T>, String> {
    let (elements, _) = data.as_chunks::<N>();
    let mut values = Vec::with_capacity(elements.len());
    for (i, bytes) in elements.iter().enumerate() {
        let v = stored(*bytes);
        let value =
            convert(v).ok_or_else(|| format!("element {} is {v}, not {}", i + 1, T::NAME))?;
        values.push(value);
    }
    Ok(values)
}
