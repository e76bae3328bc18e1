//! Reuters-21578: top categories of news, two against each other, which subcategories cut in domains.

use super::{Entry, File, Files, Origin, Set, from_signs};
use crate::data::fetch::Convert;
use crate::data::{DataError, Samples, npy, raw};

const ORGS_PEOPLE_FILE: &str = "text_da/reuters_org_vs_people.npz";
const ORGS_PLACES_FILE: &str = "text_da/reuters_org_vs_place.npz";
const PEOPLE_PLACES_FILE: &str = "text_da/reuters_people_vs_place.npz";

// The files have -1 and 1. The counts tell which is which: each category has its own in two files.
const ORGS_PEOPLE: Set = Set {
    title: "Reuters-21578, top categories",
    licence: "none stated",
    citation: "W. Dai, G.-R. Xue, Q. Yang, Y. Yu: Co-clustering Based Classification for \
               Out-of-domain Documents. KDD 2007; features as in M. Long, J. Wang, G. Ding, J. \
               Sun, P. S. Yu: Transfer Joint Matching for Unsupervised Domain Adaptation. CVPR \
               2014",
    home: "https://github.com/ChristophRaab/pctkvm",
    protocol: "Weights of words. The domains have other subcategories of the same two top \
               categories. Usual: every source row trains, the target's rows adapt and score \
               (transductive), both ways round.",
    d: 4771,
    classes: &["people", "orgs"],
    origins: &[Origin {
        urls: &[],
        files: &[File {
            path: ORGS_PEOPLE_FILE,
            bytes: 2_683_912,
            sha256: "4efc2a1b0c1b2ce22fa303dcda85a437b8644525cb18e0eb4b8698f389ec9987",
            convert: Convert::AsIs,
        }],
    }],
    by_hand: "get org_vs_people_1.mat, org_vs_place_1.mat and people_vs_place_1.mat from the \
              folder data/Reuters of github.com/ChristophRaab/pctkvm (commit 7bc08fa) and save \
              each as text_da/reuters_NAME.npz in the data directory, NAME without _1: the CSR \
              matrices of Xs.T and Xt.T as s_data (float32), s_indices, s_indptr, t_data, \
              t_indices and t_indptr, s_label = Ys.ravel(), t_label = Yt.ravel() and n_features \
              = [number of words], with numpy.savez_compressed",
};
const ORGS_PLACES: Set = Set {
    classes: &["orgs", "places"],
    d: 4415,
    origins: &[Origin {
        urls: &[],
        files: &[File {
            path: ORGS_PLACES_FILE,
            bytes: 2_541_640,
            sha256: "04d5578c286548d0ec2b650aeb4fd7723d6e8625184f2f697b367b9925f895ee",
            convert: Convert::AsIs,
        }],
    }],
    ..ORGS_PEOPLE
};
const PEOPLE_PLACES: Set = Set {
    classes: &["people", "places"],
    d: 4562,
    origins: &[Origin {
        urls: &[],
        files: &[File {
            path: PEOPLE_PLACES_FILE,
            bytes: 2_444_024,
            sha256: "d81e8058af305a7a0b9499bdc553f9a627bb207f30cb27dd3e02f3d804f04994",
            convert: Convert::AsIs,
        }],
    }],
    ..ORGS_PEOPLE
};

pub(super) const ENTRIES: &[Entry] = &[
    ORGS_PEOPLE.domain(
        "reuters/orgs-people-source",
        "organisations and people, subcategories of the source",
        1237,
        |files, _| load(files, ORGS_PEOPLE_FILE, "s"),
    ),
    ORGS_PEOPLE.domain(
        "reuters/orgs-people-target",
        "organisations and people, subcategories of the target",
        1208,
        |files, _| load(files, ORGS_PEOPLE_FILE, "t"),
    ),
    ORGS_PLACES.domain(
        "reuters/orgs-places-source",
        "organisations and places, subcategories of the source",
        1016,
        |files, _| load(files, ORGS_PLACES_FILE, "s"),
    ),
    ORGS_PLACES.domain(
        "reuters/orgs-places-target",
        "organisations and places, subcategories of the target",
        1043,
        |files, _| load(files, ORGS_PLACES_FILE, "t"),
    ),
    PEOPLE_PLACES.domain(
        "reuters/people-places-source",
        "people and places, subcategories of the source",
        1077,
        |files, _| load(files, PEOPLE_PLACES_FILE, "s"),
    ),
    PEOPLE_PLACES.domain(
        "reuters/people-places-target",
        "people and places, subcategories of the target",
        1077,
        |files, _| load(files, PEOPLE_PLACES_FILE, "t"),
    ),
];

fn load(files: &Files<'_>, path: &str, domain: &str) -> Result<(Samples, Vec<usize>), DataError> {
    let path = files.path(path)?;
    let rows = npy::find_npz_sparse(&raw::read(&path)?, &path, Some(domain))?;
    let rows = rows.ok_or_else(|| {
        DataError::malformed(&path, format!("no sparse matrix `{domain}` (`{domain}_data`, …)"))
    })?;
    let labels = from_signs(&path, npy::get_npz(&path, &format!("{domain}_label"))?)?;
    let rows = Samples::from_sparse(rows);
    Ok((rows.map_err(|e| DataError::malformed(&path, e.to_string()))?, labels))
}
