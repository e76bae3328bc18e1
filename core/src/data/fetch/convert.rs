//! From the format of a data set's public home to the format that it is kept in.

use std::io::Cursor;

use crate::data::{optdigits, raw};

/// What is done to the unpacked content of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Convert {
    /// Nothing.
    AsIs,
    /// The greys of UCI's optical digits, text to IDX.
    OptdigitsImages,
    /// The digits of UCI's optical digits, text to IDX.
    OptdigitsLabels,
    /// The greys of the zip codes, text to IDX of 16-bit thousandths.
    ZipCodeImages,
    /// The digits of the zip codes, text to IDX.
    ZipCodeLabels,
    /// The file of this name in a zip archive.
    Unzip(&'static str),
}

impl Convert {
    /// The converted content.
    ///
    /// Errors: what is wrong with `content`.
    pub(in crate::data) fn apply(self, content: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::AsIs => Ok(content.to_owned()),
            Self::OptdigitsImages => {
                let (greys, digits) = optdigits::parse(content)?;
                Ok(idx(U8, &[digits.len(), optdigits::SIDE, optdigits::SIDE], &greys))
            }
            Self::OptdigitsLabels => {
                let (_, digits) = optdigits::parse(content)?;
                Ok(idx(U8, &[digits.len()], &digits))
            }
            Self::ZipCodeImages => {
                let (greys, digits) = zip_codes(content)?;
                let greys: Vec<u8> = greys.into_iter().flat_map(i16::to_be_bytes).collect();
                Ok(idx(I16, &[digits.len(), 16, 16], &greys))
            }
            Self::ZipCodeLabels => {
                let (_, digits) = zip_codes(content)?;
                Ok(idx(U8, &[digits.len()], &digits))
            }
            Self::Unzip(name) => unzip(content, name),
        }
    }
}

const U8: u8 = 0x08;
const I16: u8 = 0x0b;

/// An IDX file of one element type.
fn idx(element: u8, dims: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dims.len() as u8];
    for &dim in dims {
        bytes.extend((dim as u32).to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// The normalised zip codes of "The Elements of Statistical Learning": on each line the digit and
/// 256 greys from −1 to 1 in thousandths, separated by spaces. Greys are returned in thousandths.
fn zip_codes(text: &[u8]) -> Result<(Vec<i16>, Vec<u8>), String> {
    let text = std::str::from_utf8(text).map_err(|e| format!("not text: {e}"))?;
    let (mut greys, mut digits) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        let numbers = numbers.map_err(|e| format!("line {}: {e}", i + 1))?;
        let [digit, image @ ..] = &numbers[..] else { continue };
        if image.len() != 256 {
            let got = numbers.len();
            return Err(format!("line {}: {got} numbers, expected a digit and 256 greys", i + 1));
        }
        if digit.fract() != 0.0 || !(0.0..=9.0).contains(digit) {
            return Err(format!("line {}: digit {digit}, expected 0 to 9", i + 1));
        }
        for grey in image {
            let thousandths = grey * 1000.0;
            let exact = (thousandths - thousandths.round()).abs() < 1e-6;
            if !exact || thousandths.abs() > 1000.0 {
                let expected = "expected thousandths from -1 to 1";
                return Err(format!("line {}: grey {grey}, {expected}", i + 1));
            }
            greys.push(thousandths.round() as i16);
        }
        digits.push(*digit as u8);
    }
    Ok((greys, digits))
}

/// The content of the first file called `name`, in whatever folder of the archive.
fn unzip(archive: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let budget = raw::Budget::of(archive);
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|e| e.to_string())?;
    let path = archive.file_names().find(|path| path.rsplit('/').next() == Some(name));
    let path = path.ok_or_else(|| format!("the archive has no file {name}"))?.to_owned();
    let file = archive.by_name(&path).map_err(|e| format!("{path}: {e}"))?;
    budget.unpack(file).map_err(|e| format!("{path}: {e}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::data::idx::{IdxArray, parse};

    fn array(convert: Convert, text: &str) -> IdxArray {
        parse(&convert.apply(text.as_bytes()).unwrap(), Path::new("x")).unwrap()
    }

    #[test]
    fn optical_digits_become_idx() {
        let text = format!("{}7\n{}2\n", "16,".repeat(64), "3,".repeat(64));
        let images = array(Convert::OptdigitsImages, &text);
        assert_eq!(images.dims, [2, 8, 8]);
        assert_eq!(images.values, [[16.0; 64], [3.0; 64]].concat());
        let labels = array(Convert::OptdigitsLabels, &text);
        assert_eq!((labels.dims, labels.values), (vec![2], vec![7.0, 2.0]));
    }

    #[test]
    fn zip_codes_become_idx_of_thousandths() {
        let text = format!("6.0000 -1.0000 -0.6310 {}\n", "1.0000 ".repeat(254));
        let images = array(Convert::ZipCodeImages, &text);
        assert_eq!(images.dims, [1, 16, 16]);
        assert_eq!(images.values[..3], [-1000.0, -631.0, 1000.0]);
        assert_eq!(array(Convert::ZipCodeLabels, &text).values, [6.0]);
    }

    #[test]
    fn lines_of_another_form_are_named() {
        let message = |line: &str| Convert::ZipCodeImages.apply(line.as_bytes()).unwrap_err();
        assert_eq!(message("6 0 0"), "line 1: 3 numbers, expected a digit and 256 greys");
        assert_eq!(message(&"10 ".repeat(257)), "line 1: digit 10, expected 0 to 9");
        assert_eq!(
            message(&format!("\n1 {}", "0.0005 ".repeat(256))),
            "line 2: grey 0.0005, expected thousandths from -1 to 1"
        );
        assert_eq!(message("six"), "line 1: invalid float literal");
        let message = Convert::OptdigitsLabels.apply(b"1,2").unwrap_err();
        assert_eq!(message, "line 1: 2 numbers, expected 64 greys and a digit");
    }

    #[test]
    fn a_file_is_found_in_any_folder_of_an_archive() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for (path, content) in [("top/not_a.mat", "no"), ("top/data/a.mat", "yes")] {
            writer.start_file(path, options).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        let archive = writer.finish().unwrap().into_inner();
        assert_eq!(Convert::Unzip("a.mat").apply(&archive).unwrap(), b"yes");
        let message = Convert::Unzip("b.mat").apply(&archive).unwrap_err();
        assert_eq!(message, "the archive has no file b.mat");
        assert!(Convert::Unzip("a.mat").apply(b"<html>").is_err());
    }
}
