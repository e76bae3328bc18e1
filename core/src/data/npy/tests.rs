use ndarray::{Array3, Array4, arr1, arr2, array};
use ndarray_npy::{WritableElement, WriteNpyExt};
use proptest::prelude::*;

use super::*;

/// `array` as an independent writer puts it into a file.
fn npy<A: WritableElement, D: Dimension>(array: &ndarray::Array<A, D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    bytes
}

/// A file with this header of version 1.0.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = header::MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn features(bytes: &[u8]) -> Result<Array2<f64>, DataError> {
    parse_matrix(bytes, Path::new("x.npy"))
}

fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn every_type_of_an_independent_writer_is_read() {
    let expected = arr2(&[[0.0f64, 1.0], [2.0, 100.0]]);
    macro_rules! check {
        ($($ty:ty)*) => {$(
            let stored = expected.mapv(|v| v as $ty);
            assert_eq!(features(&npy(&stored)).unwrap(), expected, stringify!($ty));
        )*};
    }
    check!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);
    let bools = arr2(&[[true, false]]);
    assert_eq!(features(&npy(&bools)).unwrap(), arr2(&[[1.0, 0.0]]));
}

#[test]
fn byte_order_and_memory_order_do_not_matter() {
    let data: Vec<u8> = [1i16, 2, 3, 4, 5, 6].iter().flat_map(|v| v.to_be_bytes()).collect();
    let bytes = with_header("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", &data);
    assert_eq!(features(&bytes).unwrap(), array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
    let transposed = array![[1.5f64, 2.0], [3.0, 4.0], [5.0, 6.0]].reversed_axes();
    let read = features(&npy(&transposed)).unwrap();
    assert_eq!(read, transposed);
    assert!(read.is_standard_layout());
}

#[test]
fn headers_of_other_writers_are_read() {
    for header in [
        "{\"shape\": (1L, 2L), \"fortran_order\": False, \"descr\": \"|u1\"}",
        "{'descr':'u1','fortran_order':False,'shape':(1,2)}     \n",
    ] {
        assert_eq!(features(&with_header(header, &[3, 4])).unwrap(), arr2(&[[3.0, 4.0]]));
    }
}

#[test]
fn rank_four_is_images() {
    let path = Path::new("x.npy");
    let bytes = Array4::from_elem((2, 3, 1, 2), 51u8);
    let expected = Array4::from_elem((2, 3, 1, 2), 0.2f32);
    assert_eq!(parse_samples(&npy(&bytes), path).unwrap(), Samples::Images(expected));
    let floats = Array4::from_elem((2, 1, 1, 2), 0.51f32);
    assert_eq!(parse_samples(&npy(&floats), path).unwrap(), Samples::Images(floats));
    let last = message(parse_samples(&npy(&Array4::<u8>::zeros((2, 8, 8, 3))), path));
    assert!(last.contains("the channels come second, not last"), "{last}");
}

#[test]
fn the_same_pictures_are_the_same_whatever_their_type() {
    let path = Path::new("x.npy");
    let bytes =
        Array4::from_shape_fn((2, 1, 4, 4), |(n, _, i, j)| (n * 128 + i * 32 + j * 8 + 7) as u8);
    let wanted = Samples::Images(bytes.mapv(|v| f32::from(v) / 255.0));
    let known = |known, bytes: &[u8]| parse_pictures(bytes, path, known).unwrap();
    let read = |bytes: &[u8]| known(Known::default(), bytes);
    let (x, told) = read(&npy(&bytes));
    assert_eq!((x, told.unwrap().note), (wanted.clone(), None));
    assert_eq!(read(&npy(&bytes.mapv(|v| u16::from(v) * 257))).0, wanted);
    for judged in [
        npy(&bytes.mapv(i64::from)),
        npy(&bytes.mapv(i16::from)),
        npy(&bytes.mapv(f32::from)),
        npy(&bytes.mapv(f64::from)),
    ] {
        let (x, told) = read(&judged);
        let told = told.unwrap();
        assert_eq!((x, told.judged), (wanted.clone(), true));
        assert!(told.note.unwrap().contains("255 is taken for white"));
    }
    let (x, told) = read(&npy(&bytes.mapv(|v| f32::from(v) / 255.0)));
    assert_eq!((x, told.unwrap().note), (wanted.clone(), None));
    let deep = npy(&bytes.mapv(|v| i16::from(v) * 16 - 5));
    let refused = message(parse_samples(&deep, path));
    assert!(refused.contains("give it by --value-range LOW..HIGH"), "{refused}");
    let given = Known { given: Some("-5..4075".parse().unwrap()), judged: None };
    assert_eq!(known(given, &deep).0, wanted);
}

#[test]
fn messages_say_what_is_wrong() {
    let path = Path::new("x.npy");
    assert_eq!(
        message(features(&npy(&Array3::<f32>::zeros((5, 2, 3))))),
        "x.npy: the array has rank 3, shape [5, 2, 3]: expected one row per sample, (n, d)"
    );
    let samples = message(parse_samples(&npy(&Array3::<f32>::zeros((5, 2, 3))), path));
    assert!(samples.ends_with("images of one channel are (n, 1, h, w)"), "{samples}");
    let full = npy(&arr2(&[[1.0f32, 2.0]]));
    let cut = message(features(&full[..full.len() - 1]));
    assert!(cut.contains("promises an array [1, 2] of 4 bytes an element, and 7 bytes"), "{cut}");
    assert!(message(features(&full[..40])).contains("header is cut short"));
    assert!(message(features(b"PK\x03\x04")).contains("not an .npy file"));
    assert!(message(features(b"\x93NUMPY\x09\x00__")).contains("unknown .npy version 9.0"));
    let half =
        with_header("{'descr': '<f16', 'fortran_order': False, 'shape': (1, 1), }", &[0; 16]);
    assert!(message(features(&half)).contains("type `<f16`: expected float16"));
    let fields = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
    assert!(message(features(&with_header(fields, &[0; 4]))).contains("type `[…]`"));
    let nested = format!("{{'descr': '<f4', 'shape': {}", "(".repeat(60_000));
    assert!(message(features(&with_header(&nested, &[]))).contains("no length"));
    let huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }";
    assert!(message(features(&with_header(huge, &[0; 8]))).contains("promises"));
}

#[test]
fn labels_are_integers_of_rank_one() {
    let labels = |bytes: &[u8]| parse_labels(bytes, Path::new("y.npy"));
    assert_eq!(labels(&npy(&arr1(&[3u8, 1]))).unwrap(), [3, 1]);
    assert_eq!(labels(&npy(&arr1(&[-1.0f64, 2.0]))).unwrap(), [-1, 2]);
    assert!(message(labels(&npy(&arr1(&[1.0f32, 0.5])))).contains("element 2 is 0.5, not an int"));
    assert!(message(labels(&npy(&arr1(&[f32::NAN])))).contains("element 1 is NaN"));
    assert!(message(labels(&npy(&arr1(&[u64::MAX])))).contains("not an integer"));
    assert!(message(labels(&npy(&arr2(&[[1i64]])))).contains("expected one label per sample"));
}

proptest! {
    #[test]
    fn arrays_round_trip(values in prop::collection::vec(any::<f64>(), 0..40), d in 1usize..5) {
        let n = values.len() / d;
        let array = Array2::from_shape_vec((n, d), values[..n * d].to_vec()).unwrap();
        let read: ArrayD<f64> = parse(&npy(&array), Path::new("x.npy")).unwrap();
        let bits = |v: &f64| v.to_bits();
        prop_assert!(read.iter().map(bits).eq(array.iter().map(bits)));
        prop_assert_eq!(read.shape(), array.shape());
    }
}

#[cfg(feature = "files")]
mod npz {
    use std::io::{Cursor, Write};

    use ndarray_npy::NpzWriter;

    use super::*;

    fn write(path: &Path) {
        let mut npz = NpzWriter::new_compressed(std::fs::File::create(path).unwrap());
        npz.add_array("x", &arr2(&[[1.0f32, 2.0], [3.0, 4.0]])).unwrap();
        npz.add_array("y", &arr1(&[5i64, 6])).unwrap();
        npz.finish().unwrap();
    }

    #[test]
    fn arrays_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        write(&path);
        let all = read_npz(&path).unwrap();
        assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(all[1].1, arr1(&[5.0, 6.0]).into_dyn());
        assert_eq!(get_npz(&path, "y").unwrap(), all[1].1);
        let x = get_npz_samples(&path, "x").unwrap();
        assert_eq!(x, Samples::Features(arr2(&[[1.0, 2.0], [3.0, 4.0]])));
        let missing = message(get_npz(&path, "labels"));
        assert!(missing.ends_with("no array `labels`; the file has: x, y"), "{missing}");
        let rank = message(get_npz_samples(&path, "y"));
        assert!(rank.contains("array `y`: the array has rank 1"), "{rank}");
    }

    #[test]
    fn text_is_reported_only_when_asked_for() {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let text = "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }";
        for (name, npy) in
            [("names.npy", with_header(text, &[65, 0, 0, 0])), ("y.npy", npy(&arr1(&[1.0f64])))]
        {
            zip.start_file(name, options).unwrap();
            zip.write_all(&npy).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
        assert_eq!(read_npz(&path).unwrap(), [("y".to_owned(), arr1(&[1.0]).into_dyn())]);
        assert!(message(get_npz(&path, "names")).contains("array `names`: elements of type `<U1`"));
    }

    #[test]
    fn truncated_archives_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        write(&path);
        let bytes = std::fs::read(&path).unwrap();
        for len in 0..bytes.len() {
            assert!(parse_npz(&bytes[..len], &path).is_err(), "{len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn the_digit_subsets_have_their_shapes() {
        let Some(root) = crate::data::testing::data_root("NPZ files") else {
            return;
        };
        let path = root.join("jda/mnist2000_usps1800.npz");
        let x = get_npz_samples(&path, "x_usps").unwrap();
        assert_eq!((x.len(), x.row_shape()), (1800, vec![256]));
        let y = get_npz(&path, "y_usps").unwrap();
        assert!(y.iter().all(|&v| v.fract() == 0.0 && (1.0..=10.0).contains(&v)));
        assert_eq!(read_npz(&path).unwrap().len(), 4);
    }
}

#[test]
fn images_without_a_pixel_are_refused() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 1, 0, 4), }\n";
    let message = message(parse_samples(&with_header(header, &[]), Path::new("x.npy")));
    assert!(message.contains("each at least 1"), "{message}");
}

#[cfg(feature = "files")]
#[test]
fn an_archive_is_not_believed_how_many_files_it_has() {
    let mut bytes = ndarray_npy::NpzWriter::new(std::io::Cursor::new(Vec::new()));
    bytes.add_array("x", &arr2(&[[1.0f64]])).unwrap();
    let bytes = bytes.finish().unwrap().into_inner();
    // Its end again, behind the record and the locator of ZIP64.
    let (files, end) = bytes.split_at(bytes.len() - 22);
    let directory = u64::from(u32::from_le_bytes(*end[16..].first_chunk().unwrap()));
    let size = u64::from(u32::from_le_bytes(*end[12..].first_chunk().unwrap()));
    let of = |n: u64| {
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44u64.to_le_bytes());
        record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        [n, n, size, directory].iter().for_each(|v| record.extend(v.to_le_bytes()));
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend((files.len() as u64).to_le_bytes());
        record.extend([1, 0, 0, 0]);
        let mut end = end.to_vec();
        end[8..20].fill(0xff);
        [files, &record, &end].concat()
    };
    assert_eq!(parse_npz(&of(1), Path::new("x.npz")).unwrap().len(), 1);
    let message = message(parse_npz(&of(1 << 40), Path::new("x.npz")));
    assert!(message.contains("promises 1099511627776 files"), "{message}");
}
