use std::fs;

use ndarray::array;
use tempfile::TempDir;

use super::*;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, source: &str, target: &str, change: impl Fn(&mut Request)) -> Result<Tables> {
        let mut request = Request {
            source: self.write("s.csv", source),
            target: self.write("t.csv", target),
            ..Request::default()
        };
        change(&mut request);
        Tables::read(&request)
    }

    /// The message without the folder.
    fn refusal(&self, source: &str, target: &str, change: impl Fn(&mut Request)) -> String {
        let message = self.read(source, target, change).unwrap_err().to_string();
        message.replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn both_tables_become_one_feature_space() {
    let tables = Place::new()
        .read("a,y,b\n1,cat,2\n3,dog,4\n", "b,a\n5,6\n", |r| {
            r.source_files.labels = Some("y".into());
        })
        .unwrap();
    assert_eq!(tables.x_source, array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(tables.x_target, array![[6.0, 5.0]]);
    assert!(tables.notes[0].ends_with("its columns are in another order, matched by name"));
    let (of, classes) = tables.labels.as_ref().and_then(Labels::classes).unwrap();
    assert_eq!((of, classes), (&[0, 1][..], &["cat".to_owned(), "dog".into()][..]));
}

#[test]
fn a_label_is_taken_by_its_name_only_where_the_target_has_none() {
    let place = Place::new();
    let tables = place.read("a,y\n1,0\n2,1\n", "a\n5\n", |_| {}).unwrap();
    assert!(tables.notes[0].contains("column `y` was taken for the labels"), "{:?}", tables.notes);
    assert_eq!(tables.x_source.ncols(), 1);
    // A plane of x and y has no labels.
    let tables = place.read("x,y\n1,0\n2,1\n", "x,y\n5,6\n", |_| {}).unwrap();
    assert!(tables.labels.is_none() && tables.notes.is_empty());
    let unread = |r: &mut Request| r.ignore_source_labels = true;
    let message = place.refusal("a,y\n1,0\n2,1\n", "a\n5\n", unread);
    assert_eq!(message, "t.csv: no column `y`, which the source has");
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let place = Place::new();
    let line = |source: &str, target: &str| place.refusal(source, target, |_| {});
    assert_eq!(line("a,b\n1,2\n", "a,c\n1,2\n"), "t.csv: no column `b`, which the source has");
    let empty = line("a,b\n", "a,b\n1,2\n");
    assert_eq!(empty, "s.csv: 0 rows of 2 columns: expected at least one of each");
    let label = place.refusal("a,b\n1,2\n", "a,b\n1,2\n", |r| {
        r.source_files.labels = Some("y".into());
    });
    assert_eq!(label, "s.csv: no column `y`; the columns are: `a`, `b`");
}

#[test]
fn numbers_keep_all_their_bits() {
    let place = Place::new();
    let values = [1.0 / 3.0, 1e300, -2.5e-310, 123_456_789_012_345.6, 7.0, 0.1 + 0.2];
    let path = place.0.path().join("x.csv");
    let x = Array2::from_shape_vec((6, 1), values.to_vec()).unwrap();
    OutFile::new(&path, &[]).unwrap().matrix(x.view(), Some(&["a".into()]), &[]).unwrap();
    let content = read(&path, &ReadOptions::default(), LabelSearch::Unread).unwrap();
    let table = Flat::of(content).unwrap().table;
    let encoding = Encoding::fit(&table, &table, &[], None).unwrap();
    assert_eq!(encoding.apply(&table, &[]).unwrap(), x);
}
