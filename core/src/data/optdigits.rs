//! The text format of UCI's optical digits: on each line 64 greys from 0 to 16, row by row, and
//! the digit, all separated by commas.

/// 8×8 pixels an image.
pub(super) const SIDE: usize = 8;
/// Greys run from 0 to this.
pub(super) const MAX_GREY: u8 = 16;

/// The greys of all images, `(n, 8, 8)` in row-major order, and the n digits.
///
/// Errors: the line, counted from 1, and what is wrong with it.
pub(super) fn parse(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let text = std::str::from_utf8(text).map_err(|e| format!("not text: {e}"))?;
    let (mut greys, mut digits) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let numbers: Result<Vec<u8>, _> = line.split(',').map(|v| v.trim().parse()).collect();
        let numbers = numbers.map_err(|e| format!("line {}: {e}", i + 1))?;
        let [image @ .., digit] = &numbers[..] else { continue };
        if image.len() != SIDE * SIDE {
            let got = numbers.len();
            return Err(format!("line {}: {got} numbers, expected 64 greys and a digit", i + 1));
        }
        if let Some(grey) = image.iter().find(|&&grey| grey > MAX_GREY) {
            return Err(format!("line {}: grey {grey}, expected 0 to {MAX_GREY}", i + 1));
        }
        if *digit > 9 {
            return Err(format!("line {}: digit {digit}, expected 0 to 9", i + 1));
        }
        greys.extend(image);
        digits.push(*digit);
    }
    Ok((greys, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(grey: u8, digit: u8) -> String {
        format!("{}{digit}\n", format!("{grey},").repeat(64))
    }

    #[test]
    fn two_images() {
        let (greys, digits) = parse((line(0, 3) + &line(16, 9)).as_bytes()).unwrap();
        assert_eq!(greys, [[0; 64], [16; 64]].concat());
        assert_eq!(digits, [3, 9]);
    }

    #[test]
    fn bad_lines_are_named() {
        let message = |bad: &str| parse((line(1, 1) + bad).as_bytes()).unwrap_err();
        assert_eq!(message("1,2,3\n"), "line 2: 3 numbers, expected 64 greys and a digit");
        assert_eq!(message(&line(17, 0)), "line 2: grey 17, expected 0 to 16");
        assert_eq!(message(&line(1, 10)), "line 2: digit 10, expected 0 to 9");
        assert_eq!(message("a,b\n"), "line 2: invalid digit found in string");
        assert!(parse(&[0xff]).unwrap_err().starts_with("not text"));
    }
}
