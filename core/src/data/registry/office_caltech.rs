//! Office-Caltech10: ten classes of objects in four domains, as bags of SURF words.

use super::{Entry, File, Files, Origin, Parts, from_one};
use crate::InputShape;
use crate::data::fetch::Convert;
use crate::data::{DataError, Samples, mat};

const CLASSES: &[&str] = &[
    "backpack",
    "bike",
    "calculator",
    "headphones",
    "keyboard",
    "laptop",
    "monitor",
    "mouse",
    "mug",
    "projector",
];

const URLS: &[&str] = &["http://www-scf.usc.edu/~boqinggo/domain_adaptation/GFK_v1.zip"];

const fn entry(
    name: &'static str,
    about: &'static str,
    rows: usize,
    origins: &'static [Origin],
    load: super::Load,
) -> Entry {
    Entry {
        name,
        title: "Office-Caltech10, SURF",
        about,
        licence: "research use",
        citation: "B. Gong, Y. Shi, F. Sha, K. Grauman: Geodesic Flow Kernel for Unsupervised \
                   Domain Adaptation. CVPR 2012; K. Saenko, B. Kulis, M. Fritz, T. Darrell: \
                   Adapting Visual Category Models to New Domains. ECCV 2010",
        home: "http://www-scf.usc.edu/~boqinggo/domainadaptation.html",
        protocol: "Counts of 800 visual words. Usual: each row divided by its sum, then a z-score \
                   of each domain; every source row trains, the target's rows adapt and score \
                   (transductive), as in JDA. GFK and SA draw 20 (8 for dslr and webcam) source \
                   rows a class, 20 times.",
        parts: Parts::Whole(rows),
        row: InputShape::Features { d: 800 },
        classes: CLASSES,
        origins,
        by_hand: "take Caltech10_SURF_L10.mat, amazon_SURF_L10.mat, dslr_SURF_L10.mat and \
                  webcam_SURF_L10.mat from the folder data of GFK_v1.zip, or from any collection \
                  of domain adaptation data that has them, and put them in the folder \
                  office_caltech10_surf of the data directory",
        load,
    }
}

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "office-caltech10/amazon",
        "pictures from an online shop",
        958,
        &[Origin {
            urls: URLS,
            files: &[File {
                path: "office_caltech10_surf/amazon_SURF_L10.mat",
                bytes: 104_970,
                sha256: "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f",
                convert: Convert::Unzip("amazon_SURF_L10.mat"),
            }],
        }],
        |files, _| load(files, "office_caltech10_surf/amazon_SURF_L10.mat"),
    ),
    entry(
        "office-caltech10/caltech",
        "pictures from web searches (Caltech-256)",
        1123,
        &[Origin {
            urls: URLS,
            files: &[File {
                path: "office_caltech10_surf/Caltech10_SURF_L10.mat",
                bytes: 150_751,
                sha256: "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5",
                convert: Convert::Unzip("Caltech10_SURF_L10.mat"),
            }],
        }],
        |files, _| load(files, "office_caltech10_surf/Caltech10_SURF_L10.mat"),
    ),
    entry(
        "office-caltech10/dslr",
        "photographs of an office by a reflex camera",
        157,
        &[Origin {
            urls: URLS,
            files: &[File {
                path: "office_caltech10_surf/dslr_SURF_L10.mat",
                bytes: 18_348,
                sha256: "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216",
                convert: Convert::Unzip("dslr_SURF_L10.mat"),
            }],
        }],
        |files, _| load(files, "office_caltech10_surf/dslr_SURF_L10.mat"),
    ),
    entry(
        "office-caltech10/webcam",
        "photographs of an office by a web camera",
        295,
        &[Origin {
            urls: URLS,
            files: &[File {
                path: "office_caltech10_surf/webcam_SURF_L10.mat",
                bytes: 32_406,
                sha256: "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700",
                convert: Convert::Unzip("webcam_SURF_L10.mat"),
            }],
        }],
        |files, _| load(files, "office_caltech10_surf/webcam_SURF_L10.mat"),
    ),
];

fn load(files: &Files<'_>, path: &str) -> Result<(Samples, Vec<usize>), DataError> {
    let path = files.path(path)?;
    let counts = mat::get(&path, "fts")?;
    let labels = from_one(files.entry.name, mat::get(&path, "labels")?)?;
    Ok((Samples::Features(counts), labels))
}
