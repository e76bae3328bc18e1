//! Handwritten digits: MNIST, USPS and UCI's optical digits.

use super::{Entry, File, Files, Origin, Parts};
use crate::InputShape;
use crate::data::fetch::Convert;
use crate::data::{DataError, Samples, Split, idx};

pub(super) const CLASSES: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "mnist",
        title: "MNIST handwritten digits",
        about: "28×28 greys, digits scaled to 20×20 and centred by mass",
        licence: "CC BY-SA 3.0",
        citation: "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-Based Learning Applied to \
                   Document Recognition. Proceedings of the IEEE 86(11), 1998",
        home: "http://yann.lecun.com/exdb/mnist/",
        protocol: "Bytes as [0, 1]. MNIST → USPS and back: training rows adapt, test rows score; \
                   ADDA draws 2,000 and 1,800 training rows, most later work takes all.",
        parts: Parts::TrainTest { train: 60_000, test: 10_000 },
        row: InputShape::Images { c: 1, h: 28, w: 28 },
        classes: CLASSES,
        origins: MNIST,
        by_hand: "get train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, \
                  t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz from any copy of MNIST \
                  and put them in the folder mnist of the data directory",
        load: |files, split| {
            let prefix = if split == Split::Train { "train" } else { "t10k" };
            let images = format!("mnist/{prefix}-images-idx3-ubyte.gz");
            let labels = format!("mnist/{prefix}-labels-idx1-ubyte.gz");
            images_and_labels(files, &images, &labels, |byte| byte / 255.0)
        },
    },
    Entry {
        name: "usps",
        title: "USPS zip code digits",
        about: "16×16 greys of digits from envelopes that fill their frame, slant removed",
        licence: "research use; the source states no licence",
        citation: "Y. LeCun et al.: Handwritten Digit Recognition with a Back-Propagation Network. \
                   NIPS 1989; as distributed with Hastie, Tibshirani, Friedman: The Elements of \
                   Statistical Learning",
        home: "https://hastie.su.domains/ElemStatLearn/data.html",
        protocol: "Greys −1 to 1 in thousandths, as [0, 1]. The split is the distributed one; its \
                   test rows are known to be harder than its training rows.",
        parts: Parts::TrainTest { train: 7291, test: 2007 },
        row: InputShape::Images { c: 1, h: 16, w: 16 },
        classes: CLASSES,
        origins: USPS,
        by_hand: "the files are zip.train.gz and zip.test.gz of the book's site (a digit and 256 \
                  greys a line), kept in the folder usps as IDX: the greys times 1000 as 16-bit \
                  integers (n, 16, 16), the digits as bytes",
        load: |files, split| {
            let images = format!("usps/{split}-images-i16-idx3.gz");
            let labels = format!("usps/{split}-labels-idx1-ubyte.gz");
            images_and_labels(files, &images, &labels, |grey| (grey + 1000.0) / 2000.0)
        },
    },
    Entry {
        name: "optdigits",
        title: "UCI Optical Recognition of Handwritten Digits",
        about: "8×8 counts of ink in 4×4 blocks of 32×32 bitmaps; test writers are new",
        licence: "CC BY 4.0",
        citation: "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Machine \
                   Learning Repository, 1998",
        home: "https://doi.org/10.24432/C50P49",
        protocol: "Greys 0–16 as [0, 1]. 30 writers in the training rows, 13 others in the test \
                   rows.",
        parts: Parts::TrainTest { train: 3823, test: 1797 },
        row: InputShape::Images { c: 1, h: 8, w: 8 },
        classes: CLASSES,
        origins: OPTDIGITS,
        by_hand: "the files are optdigits.tra and optdigits.tes of the repository (64 greys and \
                  the digit a line), kept in the folder optdigits as IDX of bytes: images \
                  (n, 8, 8) and labels (n)",
        load: |files, split| {
            let images = format!("optdigits/{split}-images-idx3-ubyte.gz");
            let labels = format!("optdigits/{split}-labels-idx1-ubyte.gz");
            images_and_labels(files, &images, &labels, |grey| grey / 16.0)
        },
    },
];

fn images_and_labels(
    files: &Files<'_>,
    images: &str,
    labels: &str,
    unit: impl Fn(f32) -> f32,
) -> Result<(Samples, Vec<usize>), DataError> {
    let images = idx::read_images(&files.path(images)?)?.mapv_into(unit);
    Ok((Samples::Images(images), idx::read_labels(&files.path(labels)?)?))
}

const MNIST: &[Origin] = &[
    Origin {
        urls: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
            "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
        ],
        files: &[File {
            path: "mnist/train-images-idx3-ubyte.gz",
            bytes: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            convert: Convert::AsIs,
        }],
    },
    Origin {
        urls: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
            "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
        ],
        files: &[File {
            path: "mnist/train-labels-idx1-ubyte.gz",
            bytes: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            convert: Convert::AsIs,
        }],
    },
    Origin {
        urls: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
            "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
        ],
        files: &[File {
            path: "mnist/t10k-images-idx3-ubyte.gz",
            bytes: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            convert: Convert::AsIs,
        }],
    },
    Origin {
        urls: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
            "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        ],
        files: &[File {
            path: "mnist/t10k-labels-idx1-ubyte.gz",
            bytes: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            convert: Convert::AsIs,
        }],
    },
];

const USPS: &[Origin] = &[
    Origin {
        urls: &["https://hastie.su.domains/ElemStatLearn/datasets/zip.train.gz"],
        files: &[
            File {
                path: "usps/train-images-i16-idx3.gz",
                bytes: 3_733_008,
                sha256: "b3b1d1af94bc2aceff2b5c97ead290f7d1dfef140f3f0db96a7653fe7ca3f42e",
                convert: Convert::ZipCodeImages,
            },
            File {
                path: "usps/train-labels-idx1-ubyte.gz",
                bytes: 7299,
                sha256: "ca21dd4e5a91233d38069e4f468988d3b56f6ce37e1a579a5ad1bd02395488c6",
                convert: Convert::ZipCodeLabels,
            },
        ],
    },
    Origin {
        urls: &["https://hastie.su.domains/ElemStatLearn/datasets/zip.test.gz"],
        files: &[
            File {
                path: "usps/test-images-i16-idx3.gz",
                bytes: 1_027_600,
                sha256: "097b306a5ecc1376b12b97d0752d3984fdccf49f49440f9557b966a6820776e7",
                convert: Convert::ZipCodeImages,
            },
            File {
                path: "usps/test-labels-idx1-ubyte.gz",
                bytes: 2015,
                sha256: "9d60836db74a1ffe67829f9a2546bd594d5d321f778dbca1578c041da94483a2",
                convert: Convert::ZipCodeLabels,
            },
        ],
    },
];

const OPTDIGITS: &[Origin] = &[
    Origin {
        urls: &[
            "https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/optdigits.tra",
        ],
        files: &[
            File {
                path: "optdigits/train-images-idx3-ubyte.gz",
                bytes: 244_688,
                sha256: "4c1b3e001c617c49df662e212afe65f228fbfbe6197a817adc776ec71de11707",
                convert: Convert::OptdigitsImages,
            },
            File {
                path: "optdigits/train-labels-idx1-ubyte.gz",
                bytes: 3831,
                sha256: "8efd46ba523e1ce034de771c7712183a9dab51767844532c1e8d194f48bd300c",
                convert: Convert::OptdigitsLabels,
            },
        ],
    },
    Origin {
        urls: &[
            "https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/optdigits.tes",
        ],
        files: &[
            File {
                path: "optdigits/test-images-idx3-ubyte.gz",
                bytes: 115_024,
                sha256: "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
                convert: Convert::OptdigitsImages,
            },
            File {
                path: "optdigits/test-labels-idx1-ubyte.gz",
                bytes: 1805,
                sha256: "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
                convert: Convert::OptdigitsLabels,
            },
        ],
    },
];
