use std::fs;

use ndarray::{Array4, arr1, arr2, array};
use ndarray_npy::{NpzWriter, write_npy};

use super::*;

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

fn read(path: &Path) -> Dataset {
    read_path(path, &ReadOptions::default()).unwrap()
}

fn fails(path: &Path, options: &ReadOptions, part: &str) {
    let message = read_path(path, options).unwrap_err().to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn tables_find_their_labels() {
    let folder = Folder::new();
    let path = folder.write("pets.csv", "y,x,label\n1,2,dog\n3,4,cat\n5,6,dog\n");
    let data = read(&path);
    assert_eq!(data.name, "pets");
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.labels, [1, 0, 1]);
    assert_eq!(data.samples, Samples::Features(array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    let by_y = ReadOptions { labels: Some("y".into()), ..ReadOptions::default() };
    fails(&path, &by_y, "line 2, column `label`: `dog` is not a number");
    let none = folder.write("none.csv", "a,b\n1,2\n");
    let message = "no column of labels, `label`, `class`, `target`, `y`: name one; the columns \
                   are: a, b";
    fails(&none, &ReadOptions::default(), message);
    let (samples, names) = read_unlabelled_path(&path, &ReadOptions::default()).unwrap();
    assert_eq!((samples, names), (data.samples, vec!["0".into(), "1".into(), "2".into()]));
    let absent = ReadOptions { labels: Some("species".into()), ..ReadOptions::default() };
    let (samples, _) = read_unlabelled_path(&none, &absent).unwrap();
    assert_eq!(samples, Samples::Features(array![[1.0, 2.0]]));
}

#[test]
fn arrays_find_their_labels() {
    let folder = Folder::new();
    let path = folder.path("night.npy");
    write_npy(&path, &arr2(&[[1.0f64, 2.0], [3.0, 4.0]])).unwrap();
    let default = ReadOptions::default();
    fails(&path, &default, "no labels: expected `night_labels.npy` or `labels.npy` beside it");
    write_npy(folder.path("labels.npy"), &arr1(&[10i32, 9])).unwrap();
    assert_eq!(read(&path).classes, ["9", "10"]);
    write_npy(folder.path("night_labels.npy"), &arr1(&[1u8, 0])).unwrap();
    let data = read(&path);
    assert_eq!((data.labels, data.classes), (vec![1, 0], vec!["0".into(), "1".into()]));
    write_npy(folder.path("other.npy"), &arr1(&[1i64, 2, 3])).unwrap();
    let other = ReadOptions { labels_file: Some(folder.path("other.npy")), ..default.clone() };
    fails(&path, &other, "3 labels for 2 samples");
    write_npy(folder.path("night_labels.npy"), &arr1(&[7u8, 7])).unwrap();
    fails(&path, &default, "all labels are `7`: expected two classes or more");
}

#[test]
fn archives_and_images() {
    let folder = Folder::new();
    let path = folder.path("set.npz");
    let mut npz = NpzWriter::new(fs::File::create(&path).unwrap());
    npz.add_array("x", &Array4::from_elem((2, 1, 2, 2), 255u8)).unwrap();
    npz.add_array("y", &arr2(&[[1.0f64], [0.0]])).unwrap();
    npz.add_array("z", &arr2(&[[0.0f32, f32::NAN], [1.0, f32::INFINITY]])).unwrap();
    npz.finish().unwrap();
    let data = read(&path);
    assert_eq!(data.samples, Samples::Images(Array4::from_elem((2, 1, 2, 2), 1.0)));
    assert_eq!((data.labels, data.classes), (vec![1, 0], vec!["0".into(), "1".into()]));
    let named = |samples: &str| ReadOptions { samples: Some(samples.into()), ..Default::default() };
    fails(&path, &named("z"), "row 0, column 1 (both from 0) is NaN: expected finite numbers");
    fails(&path, &named("q"), "no array `q`; the file has: x, y, z");
    let (samples, names) = read_unlabelled_path(&path, &ReadOptions::default()).unwrap();
    assert_eq!((samples.len(), names.len()), (2, 2));
    assert!(read_unlabelled_path(&path, &named("z")).is_err());
}

#[test]
fn sparse_rows_and_class_names_agree_across_formats() {
    let folder = Folder::new();
    let path = folder.write("reviews.libsvm", "-1 1:1\n1 2:1\n");
    let data = read(&path);
    assert_eq!(data.classes, ["-1", "1"]);
    let table = folder.write("reviews.csv", "label,a,b\n1.0,0,1\n-1.0,1,0\n");
    assert_eq!(read(&table).classes, data.classes);
}

#[test]
fn pictures_are_named_by_their_paths() {
    let folder = Folder::new();
    for class in ["cat", "dog"] {
        fs::create_dir(folder.path(class)).unwrap();
        image::GrayImage::new(3, 3).save(folder.path(class).join("1.png")).unwrap();
    }
    let root = folder.0.path();
    assert_eq!(read(root).classes, ["cat", "dog"]);
    let (samples, names) = read_unlabelled_path(root, &ReadOptions::default()).unwrap();
    assert_eq!(samples.row_shape(), [3, 32, 32]);
    let separator = std::path::MAIN_SEPARATOR;
    assert_eq!(names, [format!("cat{separator}1.png"), format!("dog{separator}1.png")]);
    let one = root.join("cat/1.png");
    let (_, names) = read_unlabelled_path(&one, &ReadOptions::default()).unwrap();
    assert_eq!(names, [one.display().to_string()]);
    fails(&one, &ReadOptions::default(), "a single picture has no label");
}

#[test]
fn labels_are_looked_for_where_they_would_be_read() {
    let folder = Folder::new();
    let has = |path: &Path| has_labels(path, &ReadOptions::default()).unwrap();
    assert!(has(&folder.write("with.csv", "a,label\n1,x\n")));
    let without = folder.write("without.csv", "a,b\n1,2\n");
    assert!(!has(&without));
    let named = ReadOptions { labels: Some("b".into()), ..Default::default() };
    assert!(has_labels(&without, &named).unwrap());
    assert!(has(&folder.write("rows.libsvm", "1 1:1\n")));
    fs::create_dir(folder.path("pictures")).unwrap();
    image::GrayImage::new(3, 3).save(folder.path("pictures/1.png")).unwrap();
    assert!(!has(&folder.path("pictures")));
    fs::create_dir(folder.path("pictures/cat")).unwrap();
    assert!(has(&folder.path("pictures")));
    write_npy(folder.path("x.npy"), &array![[1.0f32]]).unwrap();
    assert!(!has(&folder.path("x.npy")));
    write_npy(folder.path("x_labels.npy"), &array![1i64]).unwrap();
    assert!(has(&folder.path("x.npy")));
    assert!(has_labels(&folder.path("none.csv"), &ReadOptions::default()).is_err());
}

#[test]
fn what_is_not_there_or_not_known() {
    let folder = Folder::new();
    fails(&folder.path("none.csv"), &ReadOptions::default(), "none.csv: ");
    let path = folder.write("data.parquet", "");
    fails(&path, &ReadOptions::default(), "data.parquet: unknown format: expected a folder of pic");
}

#[test]
fn real_files_read_by_path() {
    let Some(root) = crate::data::testing::data_root("data sets") else {
        return;
    };
    let webcam = read(&root.join("office_caltech10_surf/webcam_SURF_L10.mat"));
    assert_eq!((webcam.samples.len(), webcam.classes.len()), (295, 10));
    let zero_based = svmlight::Options {
        n_features: Some(5000),
        zero_based: svmlight::ZeroBased::Yes,
        ignore_qid: false,
    };
    let options = ReadOptions { svmlight: zero_based, ..ReadOptions::default() };
    let books = read_path(&root.join("amazon-reviews/books_train.svmlight.gz"), &options).unwrap();
    assert_eq!(books.classes, ["-1", "1"]);
}
