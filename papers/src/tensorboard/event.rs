//! Event files: records of TFRecord, each an `Event` of TensorFlow's protocol buffers.
//!
//! A record is the length n of its data (u64), the masked CRC of those 8 bytes (u32), the n bytes, and their
//! masked CRC, all little-endian. The CRC is CRC-32C, masked by a rotation and a constant, so that data that
//! hold CRCs have sound ones themselves.
//!
//! ```text
//! Event   { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary summary }
//! Summary { 1: repeated Value value }
//! Value   { 1: string tag, 2: float simple_value }
//! ```

use crc::{CRC_32_ISCSI, Crc};

/// What the first event of a file says.
const VERSION: &str = "brain.Event:2";

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// A number by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub(super) tag: String,
    pub(super) value: f32,
}

/// The bytes of an event file.
pub(super) struct Events(Vec<u8>);

impl Events {
    /// A file without numbers.
    pub(super) fn new() -> Self {
        let mut events = Self(Vec::new());
        let mut event = time(0);
        field(&mut event, 3, VERSION.as_bytes());
        events.record(&event);
        events
    }

    /// Adds what was measured at a step.
    pub(super) fn add(&mut self, step: u64, scalars: &[Scalar]) {
        let mut event = time(step);
        key(&mut event, 2, VARINT);
        varint(&mut event, step);
        let mut summary = Vec::new();
        for Scalar { tag, value } in scalars {
            let mut number = Vec::new();
            field(&mut number, 1, tag.as_bytes());
            key(&mut number, 2, BITS_32);
            number.extend(value.to_le_bytes());
            field(&mut summary, 1, &number);
        }
        field(&mut event, 5, &summary);
        self.record(&event);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn record(&mut self, data: &[u8]) {
        let length = (data.len() as u64).to_le_bytes();
        self.0.extend(length);
        self.0.extend(masked(&length).to_le_bytes());
        self.0.extend(data);
        self.0.extend(masked(data).to_le_bytes());
    }
}

fn masked(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

// Wire types.
const VARINT: u8 = 0;
const BITS_64: u8 = 1;
const BYTES: u8 = 2;
const BITS_32: u8 = 5;

/// An event that begins with its time: the step, in seconds.
fn time(step: u64) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, BITS_64);
    event.extend((step as f64).to_le_bytes());
    event
}

fn key(out: &mut Vec<u8>, number: u8, wire: u8) {
    out.push(number << 3 | wire);
}

/// A field of bytes, text or a message.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    key(out, number, BYTES);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4, and the mask by Python's integers.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(CRC32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC32C.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
    }

    /// >>> Event(wall_time=300, step=300, summary=Summary(value=[Value(tag="a/b", simple_value=1.5)]))
    #[test]
    fn an_event_is_the_bytes_of_protocol_buffers() {
        let mut events = Events::new();
        let start = events.bytes().len();
        assert_eq!(start, 12 + 9 + 2 + VERSION.len() + 4);
        events.add(300, &[Scalar { tag: "a/b".to_owned(), value: 1.5 }]);
        let record = &events.bytes()[start..];
        let mut expected = vec![0x09];
        expected.extend(300f64.to_le_bytes());
        expected.extend([0x10, 0xac, 0x02, 0x2a, 12, 0x0a, 10, 0x0a, 3, b'a', b'/', b'b', 0x15]);
        expected.extend(1.5f32.to_le_bytes());
        assert_eq!(record[..8], (expected.len() as u64).to_le_bytes());
        assert_eq!(record[12..record.len() - 4], expected);
    }
}
