use ndarray::array;
use proptest::prelude::*;

use super::*;
use crate::data::testing::gzip;

fn parse_with(text: &str, options: TextOptions) -> Result<Table, DataError> {
    Table::parse(text.as_bytes(), Path::new("x.csv"), options)
}

fn parse(text: &str) -> Table {
    parse_with(text, TextOptions::default()).unwrap()
}

/// All columns as features.
fn values(table: &Table) -> Array2<f64> {
    Encoding::fit(table, table, &[], None).unwrap().apply(table, &[]).unwrap()
}

fn refusal(text: &str) -> String {
    let table = parse_with(text, TextOptions::default());
    let encoded = table.and_then(|t| Encoding::fit(&t, &t, &[], None)?.apply(&t, &[]));
    encoded.unwrap_err().to_string()
}

#[test]
fn selected_rows_are_a_table_of_their_own() {
    let table = parse("a,b\n1,x\n2,?\n,y\n4,z\n");
    assert_eq!(table.complete_rows(), [0, 3]);
    let some = table.select(&[3, 0]).unwrap();
    assert_eq!((some.len(), some.texts(1).unwrap()), (2, vec!["z".to_owned(), "x".to_owned()]));
    assert_eq!(some.numbers(0).unwrap(), array![4.0, 1.0]);
    assert_eq!((some.place(0, 1), some.columns()), ("line 5, column `b`".into(), table.columns()));
    assert_eq!(some.written_row(1), ["1", "x"]);
    // A column is one of numbers where those that are left are.
    assert_eq!(values(&parse("a\n1\nno\n3\n").select(&[0, 2]).unwrap()), array![[1.0], [3.0]]);
    // The first row lacks the name of the column of the rows' names.
    let named = parse("a b\nr 1 2\ns 3 4\n".replace(' ', ",").as_str());
    assert_eq!(values(&named.select(&[1]).unwrap()), array![[3.0, 4.0]]);
    let message = table.select(&[]).unwrap_err().to_string();
    assert_eq!(message, "x.csv: no row is left: expected at least one");
}

#[test]
fn the_first_row_names_the_columns_by_a_rule() {
    // The text, the names, the number of rows, whether a note says that the decision was in doubt.
    let cases: [(&str, &[&str], usize, bool); 14] = [
        ("a,b\n1,2\n3,4\n", &["a", "b"], 2, false),
        ("1,2\n3.5,4\n", &["1", "2"], 1, true),
        ("1.5,2\n3.5,4\n", &["1", "2"], 2, false),
        // pandas' names, over measurements and over whole numbers.
        ("0,1,2\n0.5,1.5,2.5\n", &["0", "1", "2"], 1, true),
        ("0,1,2\n5,7,9\n4,4,4\n", &["0", "1", "2"], 2, true),
        // Indicators, whose first row counts up by chance.
        ("0,1\n1,0\n0,1\n", &["1", "2"], 3, false),
        ("2019,2020\n0.5,1\n1.5,2.5\n", &["2019", "2020"], 2, true),
        ("2020,2019\n0.5,1.5\n1.5,2.5\n", &["2020", "2019"], 2, true),
        // Text labels: of UCI without names, of pandas with names.
        ("5.1,3.5,oak\n4.9,3.1,elm\n4.2,3.0,oak\n", &["1", "2", "3"], 3, true),
        ("5.1,3.5,oak\n4.9,3.1,elm\n", &["1", "2", "3"], 2, true),
        ("0,1,label\n5.1,3.5,oak\n4.9,3.1,oak\n", &["0", "1", "label"], 2, true),
        ("city,land\nRome,Italy\nOslo,Norway\n", &["city", "land"], 2, false),
        ("cat\ndog\ncat\n", &["1"], 3, true),
        ("species\ndog\ncat\n", &["species"], 2, false),
    ];
    for (text, names, rows, doubt) in cases {
        let table = parse(text);
        assert_eq!((table.columns(), table.len()), (&names.map_names()[..], rows), "{text}");
        let told = table.notes().iter().any(|note| note.contains("--header "));
        assert_eq!(told, doubt, "{text}: {:?}", table.notes());
    }
    let named = |text, header| {
        let table = parse_with(text, TextOptions { header, ..TextOptions::default() }).unwrap();
        (table.len(), table.is_named())
    };
    assert_eq!(named("a,b\n1,2\n", Header::Absent), (2, false));
    assert_eq!(named("1.5,2.5\n1,2\n", Header::Present), (1, true));
    // Names that count the columns are positions.
    assert!(!parse("0,1\n0.5,1.5\n").is_named() && parse("2019,2020\n0.5,1.5\n").is_named());
}

trait MapNames {
    fn map_names(&self) -> Vec<String>;
}

impl MapNames for &[&str] {
    fn map_names(&self) -> Vec<String> {
        self.iter().map(|name| (*name).to_owned()).collect()
    }
}

#[test]
fn an_index_column_is_the_names_of_the_rows() {
    for text in [
        ",a,b\n0,1,2\n1,3,4\n",
        "Unnamed: 0,a,b\n0,1,2\n1,3,4\n",
        "\"a\",\"b\"\n\"1\",1,2\n\"2\",3,4\n",
    ] {
        let table = parse(text);
        assert_eq!(table.columns(), ["a", "b"], "{text}");
        assert_eq!(values(&table), array![[1.0, 2.0], [3.0, 4.0]]);
        assert!(table.notes().iter().any(|note| note.contains("names of the rows")), "{text}");
        // A copy of the file keeps it.
        assert_eq!(table.written_row(1).len(), 3);
        assert_eq!(table.written_names().unwrap().len(), 3);
    }
    assert_eq!(refusal("a,,b\n1,2,3\n"), "x.csv: column 2 of the header has no name");
}

#[test]
fn separators_and_decimal_marks_are_found() {
    let expected = array![[1.5, -0.25], [1000.0, 3.0]];
    for text in [
        "a,b\n1.5,-.25\n1e3,3\n",
        "a;b\n1,5;-0,25\n1e3;3\n",
        "a;b\n1.5;-0.25\n1000;3\n",
        "a\tb\n1.5\t-0.25\n1000\t3\n",
        "a|b\n1.5|-0.25\n1000|3\n",
        "sep=;\na;b\n1.5;-0.25\n1000;3\n",
        "# of a logger\n# in cm\na,b\n1.5,-0.25\n1000,3\n",
        "\u{feff}a,b\r\n1.5,-0.25\r\n1000,3\r\n",
        "a,b\r1.5,-0.25\r1000,3\r",
        "a,b,\n1.5,-0.25,\n1000,3,\n",
        "\"a, in cm\";b\n1,5;-0,25\n1000;3\n",
        "\n\"a\",\"b\"\n\n\"1.5\", -0.25 \n\n1000,3",
    ] {
        assert_eq!(values(&parse(text)), expected, "{text}");
    }
    let utf16: Vec<u8> =
        "\u{feff}a;b\n1,5;-0,25\n1000;3\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let table = Table::parse(&utf16, Path::new("x"), TextOptions::default()).unwrap();
    assert_eq!(values(&table), expected);
    let comma = TextOptions { decimal: Decimal::Comma, ..TextOptions::default() };
    let table = parse_with("a,b\n\"1,5\",\"-0,25\"\n\"1000\",\"3\"\n", comma).unwrap();
    assert_eq!(values(&table), expected);
    let space = TextOptions { separator: Separator::Space, ..TextOptions::default() };
    assert_eq!(values(&parse_with("a b\n1.5 -0.25\n1000 3\n", space).unwrap()), expected);
    // A point beside a comma in one file is no decimal comma.
    let mixed = refusal("a;b\n1,5;2.5\n1;2\n3;4\n");
    assert!(mixed.starts_with("x.csv: line 2, column `a`: `1,5` is not a number"), "{mixed}");
}

#[test]
fn messages_name_line_and_column() {
    for (text, part) in [
        ("a,b\n1,2\n3,\n", "x.csv: line 3, column `b`: the value is missing: fill it in"),
        ("a,b\n\n1,2\n3,x\n5,6\n", "line 4, column `b`: `x` is not a number"),
        ("a,b\nNaN,2\n", "line 2, column `a`: the value is missing, `NaN`"),
        ("a,b\n1,2\n3,1e400\n", "line 3, column `b`: `1e400` is not a finite number"),
        ("1.5,2\n3\n", "line 2 has 1 cells: expected 2, as in the first row"),
        ("a,b,a\n0,1,2\n", "columns 1 and 3 of the header are both named `a`"),
        ("a,b\n", "0 rows of 2 columns: expected at least one of each"),
        ("", "0 rows of 0 columns"),
        ("a,b\n1,2\n1,Rome\n1,Oslo\n", "line 3, column `b` is text, `Rome`: give --encode"),
        ("a\n12.5%\n3%\n", "line 2, column `a`: `12.5%` is not a number: expected no percent sign"),
        ("a,b\n1,\"1,234.5\"\n1,\"2,0\"\n", "expected no separators of thousands"),
        ("a,b\n1,\"0,5\"\n1,\"2,0\"\n", "for a decimal comma give --decimal comma"),
    ] {
        let message = refusal(text);
        assert!(message.contains(part), "{message}");
    }
    let bytes = Table::parse(b"a\n\xff\n", Path::new("x.csv"), TextOptions::default());
    assert!(bytes.unwrap_err().to_string().contains("line 2 is not UTF-8 text"));
    let zip = Table::parse(b"PK\x03\x04", Path::new("x.csv"), TextOptions::default());
    assert!(zip.unwrap_err().to_string().contains("a spreadsheet or an archive"));
}

#[test]
fn columns_are_matched_by_name() {
    let source = parse("a,y,b\n1,cat,2\n3,dog,4\n");
    let target = parse("b,a\n5,6\n");
    let encoding = Encoding::fit(&source, &target, &["y".into()], None).unwrap();
    assert_eq!(encoding.apply(&source, &[]).unwrap(), array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(encoding.apply(&target, &[]).unwrap(), array![[6.0, 5.0]]);
    assert!(encoding.reorders(&target) && !encoding.reorders(&source));
    let fails = |target: &str| {
        let target = parse(target);
        Encoding::fit(&source, &target, &["y".into()], None).unwrap_err().to_string()
    };
    assert_eq!(fails("a,c\n1,2\n"), "x.csv: no column `b`, which the source has");
    let more = fails("a,b,id,time\n1,2,3,4\n");
    assert!(more.starts_with("x.csv: the source has no columns `id`, `time`; leave out"), "{more}");
    let more = parse("id,a,b\n7,5,6\n");
    assert_eq!(encoding.apply(&more, &["id".into()]).unwrap(), array![[5.0, 6.0]]);
}

#[test]
fn tables_without_names_are_matched_by_position_with_or_without_the_label() {
    let source = parse("0.5,1,2\n1.5,3,4\n");
    let encoding = Encoding::fit(&source, &source, &["2".into()], None).unwrap();
    for target in ["5.5,6\n", "5.5,9,6\n"] {
        assert_eq!(encoding.apply(&parse(target), &[]).unwrap(), array![[5.5, 6.0]]);
    }
    let wrong = encoding.apply(&parse("5.5\n"), &[]).unwrap_err().to_string();
    assert_eq!(wrong, "x.csv: 1 columns: expected 2, as the source has features");
}

#[test]
fn text_becomes_indicators_of_the_levels_of_both_tables() {
    let (source, target) = (parse("a,city\n1,Rome\n2,Oslo\n"), parse("a,city\n3,Bern\n"));
    let encoding = Encoding::fit(&source, &target, &[], Some(Encode::OneHot)).unwrap();
    assert_eq!(encoding.names(), ["a", "city=Bern", "city=Oslo", "city=Rome"]);
    let x = array![[1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 1.0, 0.0]];
    assert_eq!(encoding.apply(&source, &[]).unwrap(), x);
    let unseen = parse("a,city\n0,Rome\n0,Nice\n");
    let message = encoding.apply(&unseen, &[]).unwrap_err().to_string();
    assert!(message.contains("line 3, column `city`: unknown level `Nice`"), "{message}");
    let mut names = "a,file\n".to_owned();
    (0..60).for_each(|i| names += &format!("{i}.5,img_{i}.jpg\n"));
    let (one, two) = (parse(&names), parse(&names.replace("img", "pic")));
    let message = Encoding::fit(&one, &two, &[], Some(Encode::OneHot)).unwrap_err().to_string();
    assert!(message.contains("as names of rows have: leave it out with --drop file"), "{message}");
}

proptest! {
    #[test]
    fn numbers_round_trip(
        values in prop::collection::vec(-1e300f64..1e300, 1..40),
        d in 1usize..6,
        named: bool,
        zipped: bool,
    ) {
        let n = values.len().div_ceil(d);
        let x = Array2::from_shape_fn((n, d), |(i, j)| values[(i * d + j) % values.len()]);
        let mut text = String::new();
        if named {
            text += &(0..d).map(|j| format!("f{j}")).collect::<Vec<_>>().join(",");
            text += "\n";
        }
        for row in x.rows() {
            text += &row.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(",");
            text += "\n";
        }
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
        let header = if named { Header::Auto } else { Header::Absent };
        let options = TextOptions { header, ..TextOptions::default() };
        let table = Table::parse(&bytes, Path::new("x"), options).unwrap();
        prop_assert_eq!(super::tests::values(&table), x);
    }
}

#[test]
fn a_table_has_an_end_to_the_right() {
    let x = ndarray::Array2::zeros((1, (1 << 21) + 1));
    let message = Table::of_numbers(std::path::Path::new("x.npy"), x).unwrap_err().to_string();
    assert!(message.starts_with("x.npy: 2097153 columns: expected at most 2097152"), "{message}");
    let bytes = "1,".repeat((1 << 21) + 1) + "1";
    let path = std::path::Path::new("x.csv");
    let message = Table::parse(bytes.as_bytes(), path, TextOptions::default()).unwrap_err();
    assert!(message.to_string().contains("expected at most 2097152"), "{message}");
}

#[test]
fn an_encoding_from_a_file_is_checked() {
    let stored = |positions: &str| {
        format!(
            r#"{{"named":false,"columns":[{{"name":"1","levels":null}}],"positions":{positions},
            "width":2,"excluded":[]}}"#
        )
    };
    let read = |text: &str| serde_json::from_str::<Encoding>(text).map_err(|e| e.to_string());
    assert_eq!(read(&stored("[1]")).unwrap().len(), 1);
    assert!(read(&stored("[2]")).unwrap_err().starts_with("column 2 of 2"));
    assert!(read(&stored("[0,1]")).unwrap_err().starts_with("2 positions of 1 columns"));
}

#[test]
fn levels_that_would_fill_the_memory_are_refused() {
    let rows: String = (0..40_000).map(|i| format!("a{}\n", i % 19_999)).collect();
    let table = parse(&format!("name\n{rows}"));
    let encoding = Encoding::fit(&table, &table, &[], Some(Encode::OneHot)).unwrap();
    let message = encoding.apply(&table, &[]).unwrap_err().to_string();
    assert!(message.starts_with("x.csv: one-hot: 40000 rows of 19999 columns are"), "{message}");
}
