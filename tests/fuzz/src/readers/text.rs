//! Rows as text: tables and svmlight.

use std::path::Path;

use anyhow::Result;
use transduct_core::data::{
    read::{Format, LabelSearch, ReadOptions},
    svmlight,
    table::{Decimal, Header, Separator},
};

use super::{at_the_door, choice, numbers::gzip, with_text};
use crate::Reader;

pub(super) const CSV: Reader =
    Reader { name: "csv", file: "input.csv", seeds: csv_seeds, read: read_csv };
pub(super) const SVMLIGHT: Reader =
    Reader { name: "svmlight", file: "input.svmlight", seeds: svmlight_seeds, read: read_svmlight };

fn wide(text: &str, big: bool) -> Vec<u8> {
    let units = format!("\u{feff}{text}");
    units.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
}

fn csv_seeds() -> Vec<Vec<u8>> {
    let named = "a,b,label\n1.5,2,x\n-3,4e2,y\n0.25,6,x\n";
    let texts = [
        named,
        "1,2,3\n4,5,6\n7,8,9\n",
        "sep=;\nä;b;class\n1,5;2,5;0\n3,25;4;1\n",
        "x\ty\ttarget\n1\t2\tcat\n3\t4\tNA\n5\t6\tcat\n",
        "# note\n# more\n\"a \"\"b\"\"\",\"c,d\"\n\"1\",2\n\"3\n\",4\n",
        "colour|size|y\nred|1|a\nblue|2|b\nred|3|a\n",
        "1 2 3\n4 5 6\n",
        ",f,g,label\nr1,1,2,0\nr2,3,4,1\n",
        "\"f\" \"g\"\n\"1\" 1 2\n\"2\" 3 4\n",
        "0,1,2\n0.5,1.5,2.5\n3.5,4.5,5.5\n",
        "a,b,\r\n1,2,\r\n3,4,\r\n",
        "\u{feff}a;b\n1000,5;-2\n12;+1e3\n",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.extend([gzip(named.as_bytes()), wide(named, true), wide(named, false)]);
    seeds
}

fn read_csv(path: &Path) -> Result<()> {
    let default = at_the_door(path, &with_text(), LabelSearch::Default);
    let options = match choice(path, 8)? {
        0 => ReadOptions { header: Header::Present, ..with_text() },
        1 => ReadOptions { header: Header::Absent, ..with_text() },
        2 => ReadOptions { separator: Separator::Space, ..with_text() },
        3 => {
            ReadOptions { separator: Separator::Semicolon, decimal: Decimal::Comma, ..with_text() }
        }
        4 => ReadOptions { decimal: Decimal::Comma, ..with_text() },
        5 => ReadOptions { labels: Some("1".into()), header: Header::Absent, ..with_text() },
        _ => return default,
    };
    at_the_door(path, &options, LabelSearch::Default).or(default)
}

fn svmlight_seeds() -> Vec<Vec<u8>> {
    let plain = "+1 1:0.5 3:2 # a note\n-1 2:1e-3\n+1 1:1 2:2 3:3\n";
    let texts = [
        plain,
        "0 0:1 5:2.5\n1 3:4\n2\n",
        "? 2:1 1:3\n1:4\nnan 7:8\n",
        "1 qid:3 1:2\n2 qid:3 4:5\n",
        "\u{feff}3 33554430:1\r\n4 1:0\r\n",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push(gzip(plain.as_bytes()));
    seeds
}

fn read_svmlight(path: &Path) -> Result<()> {
    let of =
        |svmlight| ReadOptions { svmlight, format: Format::Svmlight, ..ReadOptions::default() };
    let options = svmlight::Options { ignore_qid: true, ..svmlight::Options::default() };
    let default = at_the_door(path, &of(options), LabelSearch::Default);
    let options = match choice(path, 8)? {
        0 => svmlight::Options { zero_based: svmlight::ZeroBased::Yes, ..options },
        1 => svmlight::Options { zero_based: svmlight::ZeroBased::No, ..options },
        2 => svmlight::Options { n_features: Some(4), ..options },
        _ => return default,
    };
    at_the_door(path, &of(options), LabelSearch::Default).or(default)
}
