//! Changes of files that know nothing of their formats.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use transduct_core::{Rng, Stream, rng};

/// The most bytes of a mutated file.
pub const LARGEST: usize = 1 << 16;

/// Numbers at which sizes and signs turn.
const INTERESTING: [u64; 20] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_ffff,
    0x4000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1000_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// What texts have where a reader may not expect it.
const WORDS: [&[u8]; 24] = [
    b"99999999999999999999",
    b"18446744073709551615",
    b"9223372036854775807",
    b"4294967296",
    b"33554431",
    b"1e308",
    b"-1",
    b"-0",
    b"0.5",
    b"nan",
    b"inf",
    b"?",
    b"\"",
    b"'",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"#",
    b"[[",
    b"{{",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
];

/// Files without end, each a seed after a few changes. The same ones for the same seeds and number.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    rng: Rng,
    bytes: Vec<u8>,
}

impl Mutator {
    /// Changes of `seeds`, of which there must be one.
    pub fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        assert!(!seeds.is_empty(), "there must be a seed");
        Self { seeds, rng: rng(seed, Stream::Source), bytes: Vec::new() }
    }

    /// The next file.
    #[allow(clippy::should_implement_trait, reason = "it lends its buffer")]
    pub fn next(&mut self) -> &[u8] {
        let seed = self.rng.gen_range(0..self.seeds.len());
        self.bytes.clear();
        self.bytes.extend_from_slice(&self.seeds[seed]);
        // One change half of the time, two a quarter of it, and so on.
        let mut changes = 1;
        while changes < 12 && self.rng.gen_bool(0.5) {
            changes += 1;
        }
        for _ in 0..changes {
            self.change();
        }
        self.bytes.truncate(LARGEST);
        &self.bytes
    }

    fn change(&mut self) {
        let Self { seeds, rng, bytes } = self;
        let n = bytes.len();
        if n == 0 {
            bytes.push(rng.r#gen());
            return;
        }
        // Headers are where sizes are: half of the changes are near the start.
        let at = match rng.gen_bool(0.5) {
            true => rng.gen_range(0..n.min(160)),
            false => rng.gen_range(0..n),
        };
        match rng.gen_range(0..12) {
            0 => bytes[at] ^= 1 << rng.gen_range(0..8),
            1 => bytes[at] = rng.r#gen(),
            2 => bytes[at] = bytes[at].wrapping_add(rng.gen_range(1..=16)),
            3 | 4 => {
                let width = [1, 2, 4, 8][rng.gen_range(0..4)];
                let base = INTERESTING[rng.gen_range(0..INTERESTING.len())];
                let value = base.wrapping_add(rng.gen_range(0..5)).wrapping_sub(2);
                let value = if rng.gen_bool(0.5) { base } else { value };
                let little = &value.to_le_bytes()[..width];
                let end = n.min(at + width);
                bytes[at..end].copy_from_slice(&little[..end - at]);
                if rng.gen_bool(0.5) {
                    bytes[at..end].reverse();
                }
            }
            5 => bytes.truncate(at),
            6 => {
                let end = n.min(at + rng.gen_range(1..=32));
                bytes.drain(at..end);
            }
            7 => {
                // Again, as often as leaves room.
                let end = n.min(at + rng.gen_range(1..=64));
                let piece = bytes[at..end].to_vec();
                let most = (LARGEST.saturating_sub(n) / piece.len()).clamp(1, 200);
                let times = if rng.gen_bool(0.8) { 1 } else { rng.gen_range(1..=most) };
                bytes.splice(at..at, piece.repeat(times));
            }
            8 => {
                let word = WORDS[rng.gen_range(0..WORDS.len())];
                let end = if rng.gen_bool(0.5) { at } else { n.min(at + word.len()) };
                bytes.splice(at..end, word.iter().copied());
            }
            9 => {
                // A piece of another seed, here or from here on.
                let other = &seeds[rng.gen_range(0..seeds.len())];
                let from = rng.gen_range(0..=other.len());
                let to = other.len().min(from + rng.gen_range(1..=512));
                let end = if rng.gen_bool(0.5) { n } else { at };
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            10 => {
                // Another number in the place of the digits at or behind here.
                let digits = |b: &u8| b.is_ascii_digit();
                let Some(start) = bytes[at..].iter().position(digits) else { return };
                let start = at + start;
                let length = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
                let value = match rng.gen_bool(0.5) {
                    true => INTERESTING[rng.gen_range(0..INTERESTING.len())],
                    false => 1 << rng.gen_range(0..64),
                };
                bytes.splice(start..start + length, value.to_string().into_bytes());
            }
            _ => {
                let end = n.min(at + rng.gen_range(2..=64));
                bytes[at..end].shuffle(rng);
            }
        }
    }
}
