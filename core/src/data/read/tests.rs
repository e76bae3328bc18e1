use std::fs;

use ndarray::{Array4, arr1, arr2, array};
use ndarray_npy::{NpzWriter, write_npy};

use super::*;
use crate::data::Texts;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn read_with(path: &Path, options: &ReadOptions) -> Result<Content, DataError> {
    read(path, options, LabelSearch::Default)
}

fn content(path: &Path) -> Content {
    read_with(path, &ReadOptions::default()).unwrap()
}

/// The labels of a file, whether they are a column or not.
fn labels(content: &Content) -> Texts {
    let column = || content.column_labels(None, LabelSearch::Default).unwrap();
    content.labels.clone().or_else(column).unwrap().texts
}

fn texts(labels: &[&str]) -> Texts {
    labels.iter().map(|label| Some(*label)).collect()
}

fn fails(path: &Path, options: &ReadOptions, part: &str) {
    let message = read_with(path, options).unwrap_err().to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn tables_find_their_labels() {
    let folder = Folder::new();
    let path = folder.write("pets.csv", "y,x,label\n1,2,dog\n3,4,\n5,6,dog\n");
    let data = content(&path);
    assert_eq!((data.name.as_str(), data.rows.len()), ("pets", 3));
    assert!(labels(&data).iter().eq([Some("dog"), None, Some("dog")]));
    let by_y = data.column_labels(Some("y"), LabelSearch::Named).unwrap().unwrap();
    assert_eq!((by_y.texts, by_y.column), (texts(&["1", "3", "5"]), Some(0)));
    assert!(data.column_labels(None, LabelSearch::Unread).unwrap().is_none());
    let message = data.column_labels(Some("z"), LabelSearch::Named).unwrap_err().to_string();
    assert!(message.ends_with("no column `z`; the columns are: `y`, `x`, `label`"), "{message}");
    let none = content(&folder.write("none.csv", "a,b\n1,2\n"));
    assert!(none.column_labels(None, LabelSearch::Default).unwrap().is_none());
    let message = none.no_labels().to_string();
    assert!(
        message.ends_with(
            "no column of labels, `label`, `class`, `target`, `y`: name one with --label-column; \
             the columns are: a, b"
        ),
        "{message}"
    );
}

#[test]
fn arrays_find_their_labels() {
    let folder = Folder::new();
    let path = folder.path("night.npy");
    write_npy(&path, &arr2(&[[1.0f64, 2.0], [3.0, 4.0]])).unwrap();
    let default = ReadOptions::default();
    assert!(content(&path).labels.is_none());
    let hint = "no labels: expected `night_labels.npy` or `labels.npy` beside it";
    assert!(content(&path).no_labels().to_string().contains(hint));
    write_npy(folder.path("labels.npy"), &arr1(&[10i32, 9])).unwrap();
    assert_eq!(labels(&content(&path)), texts(&["10", "9"]));
    write_npy(folder.path("night_labels.npy"), &arr1(&[1.0f64, f64::NAN])).unwrap();
    assert!(labels(&content(&path)).iter().eq([Some("1"), None]));
    assert_eq!(content(&path).files.len(), 2);
    let unread = read(&path, &default, LabelSearch::Unread).unwrap();
    assert!(unread.labels.is_none() && unread.files.len() == 1);
    write_npy(folder.path("other.npy"), &arr1(&[1i64, 2, 3])).unwrap();
    let other = ReadOptions { labels_file: Some(folder.path("other.npy")), ..default.clone() };
    fails(&path, &other, "other.npy: 3 labels for 2 rows of ");
    let text = folder.write("text.csv", "species\ncat\n?\n");
    let text = ReadOptions { labels_file: Some(text), ..default };
    assert!(labels(&read_with(&path, &text).unwrap()).iter().eq([Some("cat"), None]));
}

#[test]
fn archives_and_images() {
    let folder = Folder::new();
    let path = folder.path("set.npz");
    let mut npz = NpzWriter::new(fs::File::create(&path).unwrap());
    npz.add_array("x", &Array4::from_elem((2, 1, 2, 2), 255u8)).unwrap();
    npz.add_array("y", &arr2(&[[1.0f64], [0.0]])).unwrap();
    npz.add_array("one_hot", &arr2(&[[1.0f64, 0.0], [0.0, 1.0]])).unwrap();
    npz.finish().unwrap();
    let data = content(&path);
    let Rows::Images(x) = &data.rows else { panic!("images") };
    assert_eq!(x, Array4::from_elem((2, 1, 2, 2), 1.0));
    assert_eq!(labels(&data), texts(&["1", "0"]));
    let named = |samples: &str| ReadOptions { samples: Some(samples.into()), ..Default::default() };
    fails(&path, &named("q"), "no array `q`; the file has: x, y, one_hot");
    let one_hot = ReadOptions { labels: Some("one_hot".into()), ..Default::default() };
    fails(&path, &one_hot, "array `one_hot`: labels of shape [2, 2]: expected one a row");
    let numbers = read(&path, &named("one_hot"), LabelSearch::Unread).unwrap();
    assert_eq!(numbers.rows.table().unwrap().columns(), ["1", "2"]);
}

#[test]
fn features_keep_all_their_bits() {
    let folder = Folder::new();
    let seconds = [1_700_000_000.25, 1_700_000_000.5];
    let csv = folder.write("t.csv", "t,u\n1700000000.25,1\n1700000000.5,2\n");
    let npy = folder.path("t.npy");
    write_npy(&npy, &arr2(&[[seconds[0], 1.0], [seconds[1], 2.0]])).unwrap();
    for path in [csv, npy] {
        let data = content(&path);
        assert_eq!(data.rows.table().unwrap().numbers(0).unwrap(), array![seconds[0], seconds[1]]);
    }
}

#[test]
fn text_labels_of_arrays_are_read() {
    // NumPy: np.save(f, np.array(["cat", "dog", ""]))
    let header = "{'descr': '<U3', 'fortran_order': False, 'shape': (3,), }";
    let mut npy = b"\x93NUMPY\x01\0".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.bytes());
    for text in ["cat", "dog", "\0\0\0"] {
        npy.extend(text.chars().flat_map(|c| (c as u32).to_le_bytes()));
    }
    let parse = |npy: &[u8]| crate::data::npy::parse_label_texts(npy, Path::new("y.npy"));
    assert!(parse(&npy).unwrap().iter().eq([Some("cat"), Some("dog"), None]));
    assert!(parse(&npy[..npy.len() - 1]).is_err());
}

#[test]
fn sparse_rows_and_labels_agree_across_formats() {
    let folder = Folder::new();
    let path = folder.write("reviews.libsvm", "-1 1:1\n1 2:1\n");
    assert_eq!(labels(&content(&path)), texts(&["-1", "1"]));
    let renamed = folder.write("reviews.txt", "-1 1:1\n1 2:1\n");
    fails(
        &renamed,
        &ReadOptions::default(),
        "look like `label index:value`: give --format svmlight",
    );
    let options = ReadOptions { format: Format::Svmlight, ..ReadOptions::default() };
    assert_eq!(read_with(&renamed, &options).unwrap().rows.len(), 2);
}

#[test]
fn pictures_are_named_by_their_paths() {
    let folder = Folder::new();
    for class in ["cat", "dog"] {
        fs::create_dir(folder.path(class)).unwrap();
        image::GrayImage::new(3, 3).save(folder.path(class).join("1.png")).unwrap();
    }
    let root = folder.0.path();
    assert_eq!(labels(&content(root)), texts(&["cat", "dog"]));
    let unlabelled = read(root, &ReadOptions::default(), LabelSearch::Unread).unwrap();
    let separator = std::path::MAIN_SEPARATOR;
    let names = unlabelled.rows.names(root);
    assert_eq!(names.unwrap(), [format!("cat{separator}1.png"), format!("dog{separator}1.png")]);
    let one = root.join("cat/1.png");
    assert_eq!(content(&one).rows.names(&one).unwrap(), [one.display().to_string()]);
}

#[test]
fn what_is_not_there_or_not_known() {
    let folder = Folder::new();
    fails(&folder.path("none.csv"), &ReadOptions::default(), "none.csv: ");
    let path = folder.write("data.parquet", "");
    fails(&path, &ReadOptions::default(), "data.parquet: unknown format `.parquet`: expected a f");
    let path = folder.write("data", "a,b\n1,2\n");
    fails(&path, &ReadOptions::default(), "data: a name without an ending: expected a folder");
    let options = ReadOptions { format: Format::Csv, ..ReadOptions::default() };
    assert_eq!(read_with(&path, &options).unwrap().rows.len(), 1);
}

#[test]
fn real_files_read_by_path() {
    let Some(root) = crate::data::testing::data_root("data sets") else {
        return;
    };
    let webcam = content(&root.join("office_caltech10_surf/webcam_SURF_L10.mat"));
    assert_eq!((webcam.rows.len(), webcam.labels.unwrap().texts.present()), (295, 295));
    let zero_based = svmlight::Options {
        n_features: Some(5000),
        zero_based: svmlight::ZeroBased::Yes,
        ..Default::default()
    };
    let options = ReadOptions { svmlight: zero_based, ..ReadOptions::default() };
    let books = root.join("amazon-reviews/books_train.svmlight.gz");
    assert_eq!(read_with(&books, &options).unwrap().rows.len(), 2000);
}
