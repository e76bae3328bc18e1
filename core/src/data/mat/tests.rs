use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;

/// Writes elements by the format's description, independently of the reader.
#[derive(Clone, Copy)]
struct Writer {
    big_endian: bool,
}

impl Writer {
    fn word(self, v: u32) -> [u8; 4] {
        if self.big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    }

    fn header(self) -> Vec<u8> {
        let mut bytes = vec![b' '; 124];
        bytes[..19].copy_from_slice(b"MATLAB 5.0 MAT-file");
        bytes.extend(if self.big_endian { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
        bytes
    }

    fn element(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = [self.word(kind), self.word(data.len() as u32)].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// A short element, at most 4 bytes.
    fn short(self, kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.word(kind | (data.len() as u32) << 16).to_vec();
        bytes.extend(data);
        bytes.resize(8, 0);
        bytes
    }

    fn matrix(self, name: &str, class: u32, dims: &[i32], values: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = dims.iter().flat_map(|&d| self.word(d as u32)).collect();
        let flags = [self.word(class), self.word(0)].concat();
        let name = match name.len() {
            1..=4 => self.short(types::INT8, name.as_bytes()),
            _ => self.element(types::INT8, name.as_bytes()),
        };
        let parts =
            [&self.element(types::UINT32, &flags)[..], &self.element(types::INT32, &dims), &name];
        self.element(types::MATRIX, &[&parts.concat()[..], values].concat())
    }

    fn compressed(self, element: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(element).unwrap();
        let data = encoder.finish().unwrap();
        [&self.word(types::COMPRESSED)[..], &self.word(data.len() as u32), &data].concat()
    }

    fn doubles(self, values: &[f64]) -> Vec<u8> {
        let bytes = |v: &f64| {
            if self.big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
        };
        self.element(types::DOUBLE, &values.iter().flat_map(bytes).collect::<Vec<u8>>())
    }
}

const LE: Writer = Writer { big_endian: false };

fn read(bytes: &[u8]) -> Result<Vec<(String, Array2<f64>)>, DataError> {
    super::parse(bytes, Path::new("x.mat"))
}

fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn columns_become_rows_in_both_byte_orders() {
    for big_endian in [false, true] {
        let w = Writer { big_endian };
        let values = w.doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let plain = w.matrix("features", 6, &[2, 3], &values);
        for element in [w.compressed(&plain), plain] {
            let read = read(&[w.header(), element].concat()).unwrap();
            let expected = array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]];
            assert_eq!(read, [("features".to_owned(), expected)]);
            assert!(read[0].1.is_standard_layout());
        }
    }
}

#[test]
fn every_class_and_storage_is_a_number() {
    let stored: [(u32, Vec<u8>, f64); 10] = [
        (types::INT8, (-7i8).to_le_bytes().into(), -7.0),
        (types::UINT8, 200u8.to_le_bytes().into(), 200.0),
        (types::INT16, (-700i16).to_le_bytes().into(), -700.0),
        (types::UINT16, 60_000u16.to_le_bytes().into(), 60_000.0),
        (types::INT32, (-70_000i32).to_le_bytes().into(), -70_000.0),
        (types::UINT32, 4_000_000_000u32.to_le_bytes().into(), 4e9),
        (types::SINGLE, 0.5f32.to_le_bytes().into(), 0.5),
        (types::DOUBLE, 0.1f64.to_le_bytes().into(), 0.1),
        (types::INT64, (-5i64).to_le_bytes().into(), -5.0),
        (types::UINT64, 5u64.to_le_bytes().into(), 5.0),
    ];
    for (kind, data, expected) in stored {
        // Any numeric class may be stored in any smaller type; 6 is double, 9 with 0x200 logical.
        for class in (6..=15).chain([0x209]) {
            let short = (data.len() <= 4).then(|| LE.short(kind, &data));
            for values in short.into_iter().chain([LE.element(kind, &data)]) {
                let file = [LE.header(), LE.matrix("a", class, &[1, 1], &values)].concat();
                assert_eq!(read(&file).unwrap(), [("a".to_owned(), array![[expected]])]);
            }
        }
    }
}

#[test]
fn what_is_not_read_is_reported_only_when_asked_for() {
    let empty = LE.doubles(&[]);
    let flags = LE.element(types::UINT32, &[17, 0, 0, 0, 0, 0, 0, 0]);
    let object = [flags, LE.short(types::INT8, b"tbl"), empty.clone()].concat();
    let object = LE.element(types::MATRIX, &object);
    let file = [
        LE.header(),
        LE.matrix("names", 1, &[1, 1], &LE.matrix("", 4, &[1, 1], &LE.short(16, b"a"))),
        LE.matrix("info", 2, &[1, 1], &empty),
        LE.matrix("title", 4, &[1, 2], &LE.short(16, b"ab")),
        LE.matrix("graph", 5, &[2, 2], &empty),
        LE.matrix("z", 0x806, &[1, 1], &[LE.doubles(&[1.0]), LE.doubles(&[2.0])].concat()),
        LE.matrix("f", 16, &[1, 1], &empty),
        object,
        LE.matrix("cube", 6, &[1, 1, 1], &LE.doubles(&[1.0])),
        LE.matrix("", 9, &[1, 1], &LE.short(types::UINT8, &[1])),
        LE.matrix("labels", 9, &[2, 1], &LE.short(types::UINT8, &[3, 4])),
    ]
    .concat();
    assert_eq!(read(&file).unwrap(), [("labels".to_owned(), array![[3.0], [4.0]])]);
    let get = |name| message(find(&file, Path::new("x.mat"), name));
    for (name, kind) in [
        ("names", "a cell array"),
        ("info", "a structure"),
        ("title", "text"),
        ("graph", "a sparse matrix"),
        ("z", "complex"),
        ("f", "a function handle"),
        ("tbl", "an object"),
        ("cube", "an array of 3 dimensions"),
    ] {
        let expected = format!("x.mat: variable `{name}` is {kind}: expected a real");
        assert!(get(name).starts_with(&expected), "{}", get(name));
    }
    assert_eq!(
        get("fts"),
        "x.mat: no variable `fts`; the file has: names, info, title, graph, z, f, tbl, cube, labels"
    );
}

#[test]
fn messages_say_what_is_wrong() {
    let mut hdf5 = LE.header();
    hdf5.resize(512, 0);
    hdf5.extend(b"\x89HDF\r\n\x1a\n");
    assert!(message(read(&hdf5)).contains("v7.3 file (HDF5) is not supported: save it with `-v7`"));
    assert!(message(read(b"short")).contains("128 bytes is cut short"));
    assert!(message(read(&[0; 200])).contains("byte order mark is missing"));
    let file = [LE.header(), LE.matrix("fts", 6, &[1, 2], &LE.doubles(&[1.0, 2.0]))].concat();
    let cut = message(read(&file[..file.len() - 8]));
    assert!(cut.contains("element at byte 128: type 14 promises 64 bytes, and 56 follow"), "{cut}");
    let short = [LE.header(), LE.matrix("fts", 6, &[2, 2], &LE.doubles(&[1.0]))].concat();
    assert!(message(read(&short)).contains("variable `fts` is 2 × 2 and has 1 values"));
    let mut spoilt = [LE.header(), LE.compressed(&LE.matrix("a", 6, &[0, 0], &[]))].concat();
    *spoilt.last_mut().unwrap() ^= 1;
    assert!(message(read(&spoilt)).contains("zlib stream is damaged"));
}

proptest! {
    #[test]
    fn matrices_round_trip(
        rows in 0usize..6,
        cols in 0usize..6,
        seed in prop::collection::vec(any::<f64>(), 36),
        big_endian: bool,
        compress: bool,
    ) {
        let matrix = Array2::from_shape_fn((rows, cols), |(i, j)| seed[6 * i + j]);
        let w = Writer { big_endian };
        let columns: Vec<f64> = matrix.t().iter().copied().collect();
        let element = w.matrix("matrix", 6, &[rows as i32, cols as i32], &w.doubles(&columns));
        let element = if compress { w.compressed(&element) } else { element };
        let read = read(&[w.header(), element].concat()).unwrap();
        let bits = |v: &f64| v.to_bits();
        prop_assert!(read[0].1.iter().map(bits).eq(matrix.iter().map(bits)));
        prop_assert_eq!(read[0].1.dim(), (rows, cols));
    }
}

#[cfg(feature = "files")]
#[test]
fn office_caltech_has_the_published_sizes() {
    let Some(root) = crate::data::testing::data_root("MATLAB files") else {
        return;
    };
    for (name, n) in [("amazon", 958), ("Caltech10", 1123), ("dslr", 157), ("webcam", 295)] {
        let path = root.join(format!("office_caltech10_surf/{name}_SURF_L10.mat"));
        let fts = get(&path, "fts").unwrap();
        assert_eq!(fts.dim(), (n, 800));
        assert!(
            fts.iter().all(|&v| v >= 0.0 && v.fract() == 0.0),
            "{name}: visual words are counts"
        );
        let labels = get(&path, "labels").unwrap();
        assert_eq!(labels.len(), n);
        let mut classes: Vec<i64> = labels.iter().map(|&v| v as i64).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes, (1..=10).collect::<Vec<_>>());
    }
}

/// Each stream alone would pass.
#[test]
fn streams_that_together_fill_the_memory_are_refused() {
    let zeros = LE.element(types::UINT8, &vec![0; 20 << 20]);
    let matrix = LE.compressed(&LE.matrix("a", 9, &[1, 20 << 20], &zeros));
    let one = [&LE.header()[..], &matrix].concat();
    assert_eq!(parse(&one, Path::new("x.mat")).unwrap().len(), 1);
    let three = [&one[..], &matrix, &matrix].concat();
    let message = parse(&three, Path::new("x.mat")).unwrap_err().to_string();
    assert!(message.contains("it unpacks to more than"), "{message}");
}
