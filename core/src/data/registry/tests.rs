use std::collections::{HashMap, HashSet};

use super::*;
use crate::data::fetch::{State, verify};
use crate::data::normalise::Normalisation;
use crate::data::{NormalisedBy, TargetTest, testing};

/// The data directory, or `None` with a note that the test was skipped.
fn data() -> Option<DataDir> {
    testing::data_root("registered data sets").map(DataDir::at)
}

#[test]
fn entries_are_complete_and_their_names_unique() {
    let mut names = HashSet::new();
    let mut paths = HashMap::new();
    for entry in data_sets() {
        assert!(names.insert(entry.name), "{} occurs twice", entry.name);
        for text in
            [entry.title, entry.about, entry.licence, entry.citation, entry.home, entry.protocol]
        {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", entry.name);
        }
        assert!(entry.home.starts_with("http"));
        assert_eq!(entry.origins.is_empty(), entry.by_hand.is_empty(), "{}", entry.name);
        assert!(entry.rows(Split::All) > Some(0));
        for origin in entry.origins {
            assert!(!origin.files.is_empty());
            for url in origin.urls {
                assert!(url.starts_with("http") && !url.contains(' '), "{url}");
            }
        }
        for file in entry.files() {
            // Domains of one set may share a file; data sets do not.
            let set = entry.name.split('/').next();
            assert_eq!(*paths.entry(file.path).or_insert(set), set, "{}", file.path);
            let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(file.sha256.len() == 64 && file.sha256.chars().all(hexadecimal));
            assert!(file.bytes > 0);
        }
    }
}

#[test]
fn unknown_names_are_errors_with_the_nearest() {
    let message = data_set("minst").unwrap_err().to_string();
    assert_eq!(message, "unknown data set `minst`; did you mean `mnist`?");
    let message = data_set("office-caltech/amazon").unwrap_err().to_string();
    assert!(message.ends_with("did you mean `office-caltech10/amazon`?"), "{message}");
}

#[test]
fn a_missing_file_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let message = load("usps", &DataDir::at(dir.path()), Split::Test).unwrap_err().to_string();
    let path = dir.path().join("usps/test-images-i16-idx3.gz");
    let start = format!("usps: {} is missing; `transduct data fetch usps`", path.display());
    assert!(message.starts_with(&start), "{message}");
}

#[test]
fn an_undivided_set_has_no_test_rows() {
    let dir = DataDir::at("nowhere");
    let message = load("jda/mnist", &dir, Split::Test).unwrap_err().to_string();
    assert!(message.starts_with("jda/mnist: it is undivided, there is no test part"), "{message}");
}

/// IDX bytes of `n` images of h×w zeros and as many labels.
fn zeros(n: usize, h: usize, w: usize) -> [Vec<u8>; 2] {
    let word = |v: usize| (v as u32).to_be_bytes();
    let images = [&[0, 0, 8, 3][..], &word(n), &word(h), &word(w), &vec![0; n * h * w]].concat();
    [images, [&[0, 0, 8, 1][..], &word(n), &vec![0; n]].concat()]
}

#[test]
fn cut_and_foreign_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("optdigits")).unwrap();
    // Unpacked files do as well as packed ones.
    let images = dir.path().join("optdigits/test-images-idx3-ubyte");
    let labels = dir.path().join("optdigits/test-labels-idx1-ubyte");
    let message = |content: [Vec<u8>; 2]| {
        std::fs::write(&images, &content[0]).unwrap();
        std::fs::write(&labels, &content[1]).unwrap();
        load("optdigits", &DataDir::at(dir.path()), Split::Test).unwrap_err().to_string()
    };
    let [whole, digits] = zeros(1797, 8, 8);
    let cut = message([whole[..1000].to_vec(), digits]);
    assert!(cut.starts_with(&images.display().to_string()), "{cut}");
    let foreign = message(zeros(5, 9, 8));
    assert_eq!(
        foreign,
        "optdigits: expected 1797 rows (test) of images (1, 8, 8), the files have 5 of images \
         (1, 9, 8); `transduct data verify optdigits` tells which file is another"
    );
}

#[test]
fn embedded_sets_need_no_directory() {
    let dir = DataDir::at("nowhere");
    for name in ["uci-digits", "mnist-small"] {
        for split in [Split::Train, Split::Test, Split::All] {
            assert_eq!(load(name, &dir, split).unwrap().name, name);
        }
    }
    let protocol = Protocol { framing: crate::data::Framing::square(16), ..Protocol::default() };
    let pair = load_pair("uci-digits", "mnist-small", &dir, &protocol).unwrap();
    assert_eq!((pair.target.len(), pair.target_test.len()), (2000, 1000));
    let standard = load_pair("uci-digits", "jda/mnist", &dir, &protocol).unwrap_err();
    assert!(standard.to_string().contains("undivided"), "{standard}");
}

/// Every registered file in the data directory has its registered SHA-256 and size.
#[test]
fn real_files_are_those_registered() {
    let Some(dir) = data() else { return };
    for entry in data_sets() {
        for (path, state) in verify(entry, &dir) {
            assert!(matches!(state, State::Good | State::Missing), "{path}: {state:?}");
        }
    }
}

/// The numbers of rows, and label counts that the sources or the papers print.
#[test]
fn real_sets_load_whole() {
    let Some(dir) = data() else { return };
    for entry in data_sets().filter(|entry| entry.files().all(|f| locate(&dir, f.path).is_some())) {
        let splits = match entry.parts {
            Parts::TrainTest { .. } => vec![Split::Train, Split::Test],
            Parts::Whole(_) => vec![Split::All],
        };
        for split in splits {
            let set = entry.load(&dir, split).unwrap();
            let counts: Vec<usize> = (0..set.classes.len())
                .map(|class| set.labels.iter().filter(|&&l| l == class).count())
                .collect();
            assert!(counts.iter().all(|&n| n > 0), "{}: {counts:?}", entry.name);
            match (entry.name, split) {
                ("mnist", Split::Test) => {
                    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
                }
                ("usps", Split::Train) => {
                    assert_eq!(counts, [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]);
                }
                ("optdigits", Split::Train) => {
                    assert_eq!(counts, [376, 389, 380, 389, 387, 376, 377, 387, 380, 382]);
                }
                ("amazon-reviews/books", Split::Train) => {
                    assert_eq!(counts.iter().sum::<usize>(), 2000)
                }
                ("office-caltech10/amazon", _) => {
                    assert_eq!(counts, [92, 82, 94, 99, 100, 100, 99, 100, 94, 98]);
                }
                ("jda/coil1", _) => assert_eq!(counts, [36; 20]),
                ("reuters/orgs-people-source", _) => assert_eq!(counts, [649, 588]),
                ("reuters/orgs-people-target", _) => assert_eq!(counts, [621, 587]),
                ("reuters/orgs-places-source", _) => assert_eq!(counts, [588, 428]),
                ("reuters/orgs-places-target", _) => assert_eq!(counts, [587, 456]),
                ("reuters/people-places-source", _) => assert_eq!(counts, [649, 428]),
                ("reuters/people-places-target", _) => assert_eq!(counts, [621, 456]),
                // Of five drawings, 80 and 720 each.
                ("skada-bench/target-source", _) => assert_eq!(counts, [2000, 2000]),
                ("skada-bench/target-target", _) => {
                    assert_eq!(counts.iter().min(), Some(&400));
                }
                _ => {}
            }
            if let Samples::Images(x) = &set.samples {
                let (min, max) =
                    x.iter().fold((1.0, 0.0), |(a, b): (f32, f32), &v| (a.min(v), b.max(v)));
                assert_eq!((min, max), (0.0, 1.0), "{} {split}", entry.name);
            }
        }
    }
}

/// The domains of a table are its rows, in the proportions of the whole: its source prints 24.78 %
/// of the second class for the complete rows of Adult; the others are counted in the files.
#[test]
fn the_domains_of_a_table_are_its_rows() {
    let Some(dir) = data() else { return };
    let there = |name: &str| {
        let entry = data_set(name).unwrap();
        entry.files().all(|f| locate(&dir, f.path).is_some())
    };
    for (domains, rows, second) in [
        (["adult/men", "adult/women"], 45_222, 11_208),
        (["adult/young", "adult/old"], 45_222, 11_208),
        (["elec2/early", "elec2/late"], 45_312, 19_237),
        (["bike/2011", "bike/2012"], 17_379, 8671),
        (["wine/red", "wine/white"], 1599 + 4898, 855 + 3258),
    ] {
        if !domains.iter().all(|name| there(name)) {
            continue;
        }
        let sets = domains.map(|name| load(name, &dir, Split::All).unwrap());
        assert_eq!(sets[0].len() + sets[1].len(), rows, "{domains:?}");
        let of_second = sets.iter().flat_map(|set| &set.labels).sum::<usize>();
        assert_eq!(of_second, second, "{domains:?}");
    }
}

/// The accuracy of the nearest source row's label on the target, in per cent.
fn nearest_neighbour(source: &str, target: &str, dir: &DataDir, protocol: &Protocol) -> f64 {
    let pair = load_pair(source, target, dir, protocol).unwrap();
    let (Samples::Features(xs), Samples::Features(xt)) =
        (pair.source.samples(), pair.target.samples())
    else {
        panic!("these sets are features")
    };
    // ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖², and ‖b‖² is the same for every a.
    let norms: Vec<f64> = xs.rows().into_iter().map(|row| row.dot(&row)).collect();
    let label = |products: ndarray::ArrayView1<'_, f64>| {
        let distance = |i: usize| norms[i] - 2.0 * products[i];
        let nearest = (0..norms.len()).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        pair.source.labels()[nearest.unwrap()]
    };
    let predictions: Vec<usize> = xt.dot(&xs.t()).rows().into_iter().map(label).collect();
    100.0 * pair.target_test.accuracy(&predictions).unwrap()
}

/// The column "NN" of Long et al., ICCV 2013, Tables 2 and 3: data, labels and normalisation are
/// those of the paper.
#[test]
fn nearest_neighbours_agree_with_the_jda_paper() {
    let Some(dir) = data() else { return };
    let transductive = |normalisation| Protocol {
        target_test: TargetTest::Transductive,
        source_validation: 0.0,
        normalisation,
        normalised_by: NormalisedBy::EachDomain,
        ..Protocol::default()
    };
    let unit = transductive(Normalisation::L2Rows);
    for (source, target, published) in [
        ("jda/usps", "jda/mnist", 44.70),
        ("jda/mnist", "jda/usps", 65.94),
        ("jda/coil1", "jda/coil2", 83.61),
        ("jda/coil2", "jda/coil1", 82.78),
    ] {
        let accuracy = nearest_neighbour(source, target, &dir, &unit);
        assert!((accuracy - published).abs() < 0.006, "{source} → {target}: {accuracy}");
    }
    let steps = vec![Normalisation::L1Rows, Normalisation::ZScore { ddof: 0 }];
    let z_score = transductive(Normalisation::Sequence(steps));
    let mut wrong = Vec::new();
    for (source, target, published) in [
        ("caltech", "amazon", 23.70),
        ("caltech", "webcam", 25.76),
        ("caltech", "dslr", 25.48),
        ("amazon", "caltech", 26.00),
        ("amazon", "webcam", 29.83),
        ("amazon", "dslr", 25.48),
        ("webcam", "caltech", 19.86),
        ("webcam", "amazon", 22.96),
        ("webcam", "dslr", 59.24),
        ("dslr", "caltech", 26.27),
        ("dslr", "amazon", 28.50),
        ("dslr", "webcam", 63.39),
    ] {
        let [s, t] = [source, target].map(|domain| format!("office-caltech10/{domain}"));
        let accuracy = nearest_neighbour(&s, &t, &dir, &z_score);
        if (accuracy - published).abs() >= 0.006 {
            wrong.push(format!("{source} → {target}: {accuracy:.2}, published {published}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The embedded part of MNIST is a part of MNIST, training rows of training rows and test of test;
/// the embedded UCI digits are the collection's test rows.
#[test]
fn the_embedded_digits_are_those_of_the_originals() {
    let Some(dir) = data() else { return };
    let rows = |name: &str, split| -> Vec<(Vec<u32>, usize)> {
        let set = load(name, &dir, split).unwrap();
        let Samples::Images(x) = set.samples else { panic!("digits are images") };
        let bits = |row: ndarray::ArrayView3<'_, f32>| row.iter().map(|v| v.to_bits()).collect();
        x.outer_iter().map(bits).zip(set.labels).collect()
    };
    for split in [Split::Train, Split::Test] {
        let all: HashSet<_> = rows("mnist", split).into_iter().collect();
        assert!(rows("mnist-small", split).iter().all(|row| all.contains(row)));
    }
    let [mut embedded, mut original] =
        [rows("uci-digits", Split::All), rows("optdigits", Split::Test)];
    embedded.sort_unstable();
    original.sort_unstable();
    assert!(embedded == original);
}
