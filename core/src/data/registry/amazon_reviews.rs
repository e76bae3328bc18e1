//! Amazon reviews: sentiment of four kinds of product, as counts of words and pairs of words.

use super::{Entry, File, Files, Origin, Parts, from_signs};
use crate::InputShape;
use crate::data::fetch::Convert;
use crate::data::svmlight::{self, Options, ZeroBased};
use crate::data::{DataError, Samples, Split};

const N_FEATURES: usize = 5000;

const fn entry(
    name: &'static str,
    about: &'static str,
    test: usize,
    origins: &'static [Origin],
    load: super::Load,
) -> Entry {
    Entry {
        name,
        title: "Amazon reviews, sentiment",
        about,
        licence: "BSD-style, as the code of the DANN authors that it comes with",
        citation: "J. Blitzer, M. Dredze, F. Pereira: Biographies, Bollywood, Boom-boxes and \
                   Blenders. ACL 2007; as prepared for Y. Ganin et al.: Domain-Adversarial \
                   Training of Neural Networks. JMLR 17, 2016 (after M. Chen et al., ICML 2012)",
        home: "https://github.com/GRAAL-Research/domain_adversarial_neural_network",
        protocol: "Counts of the 5,000 most frequent words and pairs, as they are. DANN: 2,000 \
                   labelled source rows, 2,000 unlabelled target rows, the target's test rows \
                   score (the standard split here).",
        parts: Parts::TrainTest { train: 2000, test },
        row: InputShape::Features { d: N_FEATURES },
        classes: &["negative", "positive"],
        origins,
        by_hand: "get the eight .svmlight files in the folder data of \
                  github.com/GRAAL-Research/domain_adversarial_neural_network and put them in the \
                  folder amazon-reviews of the data directory, as they are or gzipped",
        load,
    }
}

/// The two downloads of one domain.
macro_rules! origins {
    ($domain:literal, train: $train_bytes:literal $train:literal, test: $test_bytes:literal $test:literal) => {
        &[
            origins!(@one $domain, "train", $train_bytes, $train),
            origins!(@one $domain, "test", $test_bytes, $test),
        ]
    };
    (@one $domain:literal, $part:literal, $bytes:literal, $sha256:literal) => {
        Origin {
            urls: &[concat!(
                "https://raw.githubusercontent.com/GRAAL-Research/\
                 domain_adversarial_neural_network/master/data/",
                $domain, "_", $part, ".svmlight"
            )],
            files: &[File {
                path: concat!("amazon-reviews/", $domain, "_", $part, ".svmlight.gz"),
                bytes: $bytes,
                sha256: $sha256,
                convert: Convert::AsIs,
            }],
        }
    };
}

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "amazon-reviews/books",
        "reviews of books",
        4465,
        origins!("books",
            train: 1_134_070 "317f9a2ec34b81de770b63a84d8c5cc2dc16bd0be6e079d2ff5b5bad5213ea19",
            test: 2_426_071 "fe4605c7dcf0e0a9410fd2a32f247caaf9abb352cc6e4c3e0f400853163ad9c4"),
        |files, split| load(files, "books", split),
    ),
    entry(
        "amazon-reviews/dvd",
        "reviews of films",
        3586,
        origins!("dvd",
            train: 1_133_356 "95f602aa08bf6b55758f7b0b18df3882fe30acb11987ee60b6b4bb3c44cba733",
            test: 2_039_832 "4fe1b1a15010f78d8d0c49fe362d35fd4677463a45f1ac02a9f410ae1e638060"),
        |files, split| load(files, "dvd", split),
    ),
    entry(
        "amazon-reviews/electronics",
        "reviews of electronics",
        5681,
        origins!("electronics",
            train: 872_265 "7d0061f03ff3827e4f8036b051b5e5828fddc0cd115aa5b212cd28d624dc14e4",
            test: 2_461_224 "641783bc941839c3a111d3488a1b7e3bd820a61ec14a129e7429b47703aa961d"),
        |files, split| load(files, "electronics", split),
    ),
    entry(
        "amazon-reviews/kitchen",
        "reviews of kitchen appliances",
        5945,
        origins!("kitchen",
            train: 771_076 "a70b5ebfe1413e0e16280360905f5c3b64389c435cd20c0165dc9d7f293b31b5",
            test: 2_280_620 "e1502b97a824eb12314be4447394fa736fecb781c0724e6529cd6733ac7ff6d8"),
        |files, split| load(files, "kitchen", split),
    ),
];

fn load(files: &Files<'_>, domain: &str, split: Split) -> Result<(Samples, Vec<usize>), DataError> {
    let path = files.path(&format!("amazon-reviews/{domain}_{split}.svmlight.gz"))?;
    let options =
        Options { n_features: Some(N_FEATURES), zero_based: ZeroBased::Yes, ..Options::default() };
    let parsed = svmlight::read(&path, options)?;
    let number = |label: Option<&str>| label.and_then(|l| l.parse().ok()).unwrap_or(f64::NAN);
    let labels = from_signs(&path, parsed.labels.iter().map(number))?;
    let counts = Samples::from_sparse(parsed.rows);
    Ok((counts.map_err(|e| DataError::malformed(&path, e.to_string()))?, labels))
}
