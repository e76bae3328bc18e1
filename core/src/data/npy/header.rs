//! The header of an `.npy` file.

/// How every `.npy` file starts.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// A type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl Kind {
    /// The bytes of one element.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// What precedes the elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) big_endian: bool,
    /// Column-major.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// The header and the elements' bytes behind it.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let (text, data) = split(bytes)?;
        let mut scanner = Scanner { rest: text };
        let dict = scanner.dict()?;
        let missing = |key: &str| format!("the .npy header has no `{key}`: {}", text.trim());
        let (kind, big_endian) = kind(&dict.descr.ok_or_else(|| missing("descr"))?)?;
        let header = Self {
            kind,
            big_endian,
            fortran: dict.fortran_order.ok_or_else(|| missing("fortran_order"))?,
            shape: dict.shape.ok_or_else(|| missing("shape"))?,
        };
        Ok((header, data))
    }
}

/// Whether the header is in order but the elements are text, objects or records.
#[cfg(feature = "files")]
pub(super) fn is_not_numeric(npy: &[u8]) -> bool {
    split(npy)
        .and_then(|(text, _)| Scanner { rest: text }.dict())
        .is_ok_and(|dict| dict.descr.is_some_and(|descr| kind(&descr).is_err()))
}

/// An array of text.
#[cfg(feature = "files")]
pub(super) struct TextArray {
    pub(super) shape: Vec<usize>,
    /// In the order in which they are stored; none for an empty one.
    pub(super) values: crate::data::Texts,
}

/// The array, if its elements are text of a fixed length: `<U3`, `|S3`.
#[cfg(feature = "files")]
pub(super) fn text_array(npy: &[u8]) -> Result<Option<TextArray>, String> {
    let (text, data) = split(npy)?;
    let dict = Scanner { rest: text }.dict()?;
    let (Some(descr), Some(shape)) = (dict.descr, dict.shape) else { return Ok(None) };
    let (big_endian, rest) =
        (descr.starts_with('>'), descr.trim_start_matches(['<', '>', '|', '=']));
    let (unit, length) = match (rest.strip_prefix('U'), rest.strip_prefix('S')) {
        (Some(length), _) => (4, length),
        (_, Some(length)) => (1, length),
        _ => return Ok(None),
    };
    let width = length.parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
    let n = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
    let promised = width.zip(n).and_then(|(width, n)| width.checked_mul(n));
    if promised != Some(data.len()) || data.is_empty() {
        return Err(format!("{} bytes follow for text `{descr}` of shape {shape:?}", data.len()));
    }
    let value = |element: &[u8]| -> Result<Option<String>, String> {
        let text = if unit == 1 {
            String::from_utf8(element.to_vec()).ok()
        } else {
            let (units, _) = element.as_chunks::<4>();
            let code = |b: &[u8; 4]| {
                char::from_u32(if big_endian {
                    u32::from_be_bytes(*b)
                } else {
                    u32::from_le_bytes(*b)
                })
            };
            units.iter().map(code).collect()
        };
        let text: String =
            text.ok_or_else(|| format!("an element of type `{descr}` is no text"))?;
        let text = text.trim_end_matches('\0').trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    };
    let values = data.chunks_exact(width.unwrap_or(1)).map(value).collect::<Result<_, _>>()?;
    Ok(Some(TextArray { shape, values }))
}

/// The text of the header and the bytes behind it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("not an .npy file: the magic string is missing")?;
    let (len, rest) = match rest {
        [1, 0, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [1..=3, 0, ..] | [] | [_] => return Err("the .npy header is cut short".into()),
        [major, minor, ..] => return Err(format!("unknown .npy version {major}.{minor}")),
    };
    let (text, data) = rest.split_at_checked(len).ok_or("the .npy header is cut short")?;
    let text = std::str::from_utf8(text).map_err(|_| "the .npy header is not text")?;
    Ok((text, data))
}

/// Type and byte order of a descriptor such as `<f4`.
fn kind(descr: &str) -> Result<(Kind, bool), String> {
    let big_endian = descr.starts_with('>');
    let kind = match descr.trim_start_matches(['<', '>', '|', '=']) {
        "b1" => Kind::Bool,
        "i1" => Kind::I8,
        "u1" => Kind::U8,
        "i2" => Kind::I16,
        "u2" => Kind::U16,
        "i4" => Kind::I32,
        "u4" => Kind::U32,
        "i8" => Kind::I64,
        "u8" => Kind::U64,
        "f2" => Kind::F16,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => {
            return Err(format!(
                "elements of type `{descr}`: expected float16, float32, float64, an integer type or bool"
            ));
        }
    };
    Ok((kind, big_endian))
}

/// The values of the header's keys.
#[derive(Default)]
struct Dict {
    descr: Option<String>,
    fortran_order: Option<bool>,
    shape: Option<Vec<usize>>,
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn dict(&mut self) -> Result<Dict, String> {
        let mut dict = Dict::default();
        self.expect("{")?;
        while !self.take("}") {
            let key = self.quoted()?;
            self.expect(":")?;
            match key {
                "descr" => dict.descr = Some(self.descr()?),
                "fortran_order" => dict.fortran_order = Some(self.boolean()?),
                "shape" => dict.shape = Some(self.shape()?),
                _ => return Err(format!("unknown key `{key}` in the .npy header")),
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(dict)
    }

    /// A quoted descriptor; a list of fields is returned as `[…]`, which is no number type.
    fn descr(&mut self) -> Result<String, String> {
        if !self.take("[") {
            return self.quoted().map(str::to_owned);
        }
        let end = self.rest.rfind(']').ok_or("the .npy header has an unclosed `[`")?;
        self.rest = &self.rest[end + 1..];
        Ok("[…]".into())
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn shape(&mut self) -> Result<Vec<usize>, String> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            let rest = self.rest.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at(end);
            let length = digits.parse();
            shape.push(length.map_err(|_| format!("`{digits}` in the shape is no length"))?);
            self.rest = rest;
            // Python 2 wrote its long integers as 10L.
            self.take("L");
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        let quote = if self.take("\"") { '"' } else { self.expect("'").map(|()| '\'')? };
        let (text, rest) =
            self.rest.split_once(quote).ok_or("the .npy header has an unclosed quote")?;
        self.rest = rest;
        Ok(text)
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            return Ok(());
        }
        let found: String = self.rest.trim().chars().take(12).collect();
        Err(format!("expected `{token}` in the .npy header, found `{found}`"))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
