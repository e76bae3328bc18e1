//! Readers against files that are random, truncated or spoilt: they return, and they do not ask
//! for memory that the file does not account for.

#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, reason = "the good files are written to memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use ndarray::{arr1, arr2};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use proptest::prelude::*;
use transduct_core::data::folder::{self, FolderOptions};
use transduct_core::data::table::{Table, TextOptions};
use transduct_core::data::{Labels, idx, mat, npy, svmlight, svmlight::ZeroBased};

/// Counts what every thread holds and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    PEAK.set(PEAK.get().max(HELD.get()));
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counters are plain
// thread-local numbers that neither allocate nor need dropping.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes held at once while `f` runs, beyond those held before.
fn peak<T>(f: impl FnOnce() -> T) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    drop(f());
    (PEAK.get() - before) as usize
}

const DEFLATE_RATIO: usize = 1032;
/// A byte may become an `f64` in one array and be turned over into another.
const PER_BYTE: usize = 24;
/// Fixed buffers of the decompressors and of the CSV reader.
const BUFFERS: usize = 1 << 20;

fn path() -> &'static Path {
    Path::new("file")
}

/// What to do to a good file.
#[derive(Clone, Debug)]
struct Damage {
    edits: Vec<(prop::sample::Index, u8)>,
    keep: Option<prop::sample::Index>,
}

impl Damage {
    fn to(&self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for (at, value) in &self.edits {
            bytes[at.index(good.len())] = *value;
        }
        if let Some(keep) = self.keep {
            bytes.truncate(keep.index(good.len()));
        }
        bytes
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    // Digits and extremes are what headers and text trip over.
    let value = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), b'0'..=b'9'];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), value), 0..6);
    (edits, any::<Option<prop::sample::Index>>()).prop_map(|(edits, keep)| Damage { edits, keep })
}

fn zero_based() -> impl Strategy<Value = ZeroBased> {
    prop_oneof![Just(ZeroBased::Auto), Just(ZeroBased::Yes), Just(ZeroBased::No)]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx_file() -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4];
    bytes.extend(0..32);
    bytes
}

fn npy_file() -> Vec<u8> {
    let mut bytes = Vec::new();
    arr2(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).write_npy(&mut bytes).unwrap();
    bytes
}

fn npz_file() -> Vec<u8> {
    let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    npz.add_array("x", &arr2(&[[1.0f32, 2.0], [3.0, 4.0]])).unwrap();
    npz.add_array("y", &arr1(&[5i64, 6])).unwrap();
    npz.finish().unwrap().into_inner()
}

/// A sparse matrix of 2 × 3, its arrays as `spoil` leaves them.
fn sparse_npz_file(spoil: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let arrays = [
        ("data.npy", arr1(&[1i64, 2, 3])),
        ("indices.npy", arr1(&[0, 1, 0])),
        ("indptr.npy", arr1(&[0, 2, 3])),
        ("shape.npy", arr1(&[2, 3])),
    ];
    for (name, array) in arrays {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&spoil(&bytes)).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A matrix `fts` of 2 × 2 doubles.
fn mat_element() -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let mut bytes = words(&[14, 80, 6, 8, 6, 0, 5, 8, 2, 2, 1 | 3 << 16]);
    bytes.extend(b"fts\0");
    bytes.extend(words(&[9, 32]));
    bytes.extend([1.0f64, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

fn mat_file(element: &[u8], compress: bool) -> Vec<u8> {
    let mut bytes = vec![b' '; 124];
    bytes.extend(b"\x00\x01IM");
    if compress {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(element).unwrap();
        let stream = encoder.finish().unwrap();
        bytes.extend([15u32.to_le_bytes(), (stream.len() as u32).to_le_bytes()].concat());
        bytes.extend(stream);
    } else {
        bytes.extend(element);
    }
    bytes
}

fn picture(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 9, y as u8, 3]));
    pixels.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn the_undamaged_files_are_read() {
    assert!(idx::parse(&gzip(&idx_file()), path()).is_ok());
    assert!(npy::parse_samples(&npy_file(), path()).is_ok());
    assert_eq!(npy::parse_npz(&npz_file(), path()).unwrap().len(), 2);
    for compress in [false, true] {
        let matrices = mat::parse(&mat_file(&mat_element(), compress), path()).unwrap();
        assert_eq!(matrices, [("fts".to_owned(), arr2(&[[1.0, 3.0], [2.0, 4.0]]))]);
    }
}

#[test]
fn a_small_file_that_unpacks_to_much_is_held_to_its_ratio() {
    let zeros = gzip(&vec![0; 16 << 20]);
    assert!(zeros.len() < 32 << 10);
    let held = peak(|| idx::parse(&zeros, path()));
    assert!(held <= BUFFERS + 2 * DEFLATE_RATIO * zeros.len(), "{held}");
}

/// Of a file of labels alone, of which its rows take far more bytes than it has: per row.
#[test]
fn a_label_that_is_said_again_takes_a_few_bytes() {
    const ROWS: usize = 1 << 20;
    let zipped = gzip("cat\n".repeat(ROWS).as_bytes());
    let table = Table::parse(zipped, path(), TextOptions::default()).unwrap();
    let texts = peak(|| table.labels(0));
    // A vector that grows holds its old half besides.
    assert!(texts <= BUFFERS + 12 * ROWS, "{texts}");
    let labels = Labels {
        texts: table.labels(0),
        column: None,
        place: "column `label`".to_owned(),
        file: None,
    };
    let checked = peak(|| {
        labels.check_complete(path(), None).unwrap();
        labels.check_classes(path()).unwrap();
    });
    assert!(checked <= BUFFERS, "{checked}");

    let zipped = gzip("1\n".repeat(ROWS).as_bytes());
    let held = peak(|| svmlight::parse(&zipped, path(), svmlight::Options::default()).unwrap());
    assert!(held <= BUFFERS + 36 * ROWS, "{held}");

    let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    npz.add_array("y", &ndarray::Array1::from_elem(ROWS, 7u8)).unwrap();
    let bytes = npz.finish().unwrap().into_inner();
    let held = peak(|| npy::parse_npz_labels(&bytes, path(), "y").unwrap());
    assert!(held <= BUFFERS + 24 * ROWS, "{held}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0usize..6) {
        let starts: [&[u8]; 6] =
            [b"", b"\0\0", b"\x93NUMPY\x01\0", b"\x93NUMPY\x03\0", b"PK\x03\x04", b"\x1f\x8b\x08"];
        bytes.splice(..0, starts[start].iter().copied());
        let bound = BUFFERS + PER_BYTE * DEFLATE_RATIO * bytes.len();
        prop_assert!(peak(|| idx::parse(&bytes, path())) <= bound);
        prop_assert!(peak(|| npy::parse_samples(&bytes, path())) <= bound);
        prop_assert!(peak(|| npy::parse_labels(&bytes, path())) <= bound);
        prop_assert!(peak(|| npy::parse_npz(&bytes, path())) <= bound);
        prop_assert!(peak(|| mat::parse(&mat_file(&bytes, false), path())) <= bound);
        prop_assert!(peak(|| Table::parse(&bytes, path(), TextOptions::default())) <= bound);
    }

    #[test]
    fn damaged_idx(damage in damage(), zipped: bool) {
        let bytes = damage.to(&idx_file());
        let bytes = if zipped { gzip(&bytes) } else { bytes };
        let held = peak(|| idx::parse(&bytes, path()));
        prop_assert!(held <= BUFFERS + PER_BYTE * bytes.len(), "{held}");
        let _ = (idx::parse_images(&bytes, path()), idx::parse_labels(&bytes, path()));
        prop_assert!(idx::parse(&damage.to(&gzip(&idx_file())), path()).map_or(true, |a| a.dims.len() < 256));
    }

    #[test]
    fn damaged_npy(damage in damage()) {
        let bytes = damage.to(&npy_file());
        let held = peak(|| npy::parse_samples(&bytes, path()));
        prop_assert!(held <= BUFFERS + PER_BYTE * bytes.len(), "{held}");
        let _ = npy::parse_labels(&bytes, path());
    }

    #[test]
    fn damaged_npz(damage in damage()) {
        let bytes = damage.to(&npz_file());
        let held = peak(|| npy::parse_npz(&bytes, path()));
        prop_assert!(held <= BUFFERS + PER_BYTE * DEFLATE_RATIO * bytes.len(), "{held}");
    }

    #[test]
    fn damaged_sparse_npz(damage in damage(), arrays: bool) {
        // Damage to the archive is mostly found by its checksums, damage to the arrays is not.
        let bytes = match arrays {
            true => sparse_npz_file(|array| damage.to(array)),
            false => damage.to(&sparse_npz_file(<[u8]>::to_vec)),
        };
        let held = peak(|| npy::parse_npz_sparse(&bytes, path()));
        prop_assert!(held <= BUFFERS + PER_BYTE * DEFLATE_RATIO * bytes.len(), "{held}");
    }

    #[test]
    fn damaged_mat(damage in damage(), compress: bool) {
        for bytes in [
            mat_file(&damage.to(&mat_element()), compress),
            damage.to(&mat_file(&mat_element(), compress)),
        ] {
            let held = peak(|| mat::parse(&bytes, path()));
            prop_assert!(held <= BUFFERS + PER_BYTE * DEFLATE_RATIO * bytes.len(), "{held}");
            let _ = mat::find(&bytes, path(), "fts");
        }
    }

    #[test]
    fn damaged_svmlight(damage in damage(), zero_based in zero_based(), zipped: bool) {
        let bytes = damage.to(b"1 1:0.5 3:2 # note\n-1 2:1e2\n\n1 1:-1 2:3\n");
        let bytes = if zipped { gzip(&bytes) } else { bytes };
        for n_features in [None, Some(3)] {
            let options = svmlight::Options { n_features, zero_based, ignore_qid: true };
            let held = peak(|| svmlight::parse(&bytes, path(), options));
            prop_assert!(held <= BUFFERS + PER_BYTE * bytes.len(), "{held}");
        }
    }

    #[test]
    fn damaged_table(damage in damage(), zipped: bool) {
        let bytes = damage.to(b"a,b,label\n1,\"2\",cat\n3,4e-1,dog\n");
        let bytes = if zipped { gzip(&bytes) } else { bytes };
        let held = peak(|| Table::parse(&bytes, path(), TextOptions::default()));
        prop_assert!(held <= BUFFERS + 64 * bytes.len(), "{held}");
        if let Ok(table) = Table::parse(&bytes, path(), TextOptions::default()) {
            let finite = |column| table.numbers(column).is_ok_and(|x| x.iter().all(|v| v.is_finite()));
            prop_assert!((0..table.columns().len()).all(|c| table.numbers(c).is_err() || finite(c)));
        }
    }
}

proptest! {
    // A spoilt size may cost as much as the largest picture that is allowed.
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_pictures(damage in damage(), jpeg: bool) {
        let format = if jpeg { image::ImageFormat::Jpeg } else { image::ImageFormat::Png };
        let bytes = damage.to(&picture(format));
        let options = FolderOptions { size: (4, 4), ..FolderOptions::default() };
        if let Ok(x) = folder::parse(&bytes, path(), &options) {
            prop_assert_eq!(x.dim(), (3, 4, 4));
            prop_assert!(x.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
