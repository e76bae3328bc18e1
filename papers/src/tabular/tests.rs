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
fn columns_are_matched_by_name() {
    let tables = Place::new()
        .read("a,y,b\n1,cat,2\n3,dog,4\n", "b,a\n5,6\n", |r| r.label = Some("y".into()))
        .unwrap();
    assert_eq!(tables.x_source, array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(tables.x_target, array![[6.0, 5.0]]);
    assert!(tables.reordered());
    let labels = tables.labels.unwrap();
    assert_eq!((labels.of, labels.classes), (vec![0, 1], vec!["cat".into(), "dog".into()]));
}

#[test]
fn tables_without_names_are_matched_by_position_with_or_without_the_label() {
    let place = Place::new();
    for target in ["5,6\n", "9,5,6\n"] {
        let tables = place.read("0,1,2\n1,3,4\n", target, |r| r.label = Some("1".into())).unwrap();
        assert_eq!(tables.x_target, array![[5.0, 6.0]]);
    }
    let wrong = place.refusal("0,1,2\n", "5\n", |r| r.label = Some("1".into()));
    assert_eq!(wrong, "t.csv: 1 columns: expected 2, as the source has features");
}

#[test]
fn text_becomes_indicators_of_the_levels_of_both_tables() {
    let tables = Place::new()
        .read("a,city\n1,Rome\n2,Oslo\n", "a,city\n3,Bern\n", |r| r.one_hot = true)
        .unwrap();
    assert_eq!(tables.encoding.names(), ["a", "city=Bern", "city=Oslo", "city=Rome"]);
    assert_eq!(tables.x_source, array![[1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 1.0, 0.0]]);
    assert_eq!(tables.x_target, array![[3.0, 1.0, 0.0, 0.0]]);
    let place = Place::new();
    let unseen = Sheet::read(&place.write("n.csv", "a,city\n0,Rome\n0,Nice\n")).unwrap();
    let message = tables.encoding.apply(&unseen, &[]).unwrap_err().to_string();
    assert!(message.contains("line 3, column `city`: unknown level `Nice`"), "{message}");
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let place = Place::new();
    let line = |source: &str, target: &str| place.refusal(source, target, |_| {});
    let text = line("a,city\n1,Rome\n", "a,city\n1,Rome\n");
    assert!(
        text.starts_with("s.csv: line 2, column `city` is text, `Rome`: give --encode"),
        "{text}"
    );
    let missing = line("a,b\n1,2\n3,\n4,NA\n", "a,b\n1,2\n");
    assert!(missing.starts_with("s.csv: line 3, column `b`: the value is missing (the first of 2"));
    let odd = line("a\n1\n2\n3x\n", "a\n1\n");
    assert_eq!(odd, "s.csv: line 4, column `a`: `3x` is not a number");
    let infinite = line("a\n1\n", "a\n1\ninf\n");
    assert_eq!(infinite, "t.csv: line 3, column `a`: `inf` is not a finite number");
    assert_eq!(line("a,b\n1,2\n", "a,c\n1,2\n"), "t.csv: no column `b`, which the source has");
    let more = line("a\n1\n", "a,id\n1,2\n");
    assert!(more.starts_with("t.csv: the source has no column `id`; leave out"), "{more}");
    let empty = line("a,b\n", "a,b\n1,2\n");
    assert_eq!(empty, "s.csv: 0 rows of 2 columns: expected at least one of each");
    let label = place.refusal("a,b\n1,2\n", "a,b\n1,2\n", |r| r.label = Some("y".into()));
    assert_eq!(label, "s.csv: no column `y`, and no file of that name; the columns are: a, b");
}

#[test]
fn numbers_keep_all_their_bits() {
    let place = Place::new();
    let values = [1.0 / 3.0, 1e300, -2.5e-310, 123_456_789_012_345.6, 7.0, 0.1 + 0.2];
    let path = place.0.path().join("x.csv");
    let x = Array2::from_shape_vec((6, 1), values.to_vec()).unwrap();
    OutFile::new(&path, &[]).unwrap().matrix(x.view(), Some(&["a".into()]), &[]).unwrap();
    let sheet = Sheet::read(&path).unwrap();
    let encoding = Encoding::fit(&sheet, &sheet, &[], false).unwrap();
    assert_eq!(encoding.apply(&sheet, &[]).unwrap(), x);
}
