//! Tables with a natural shift: wines by colour, adults by sex and by age, the price of electricity
//! and rented bicycles in time.
//!
//! Text becomes indicators over the levels that the complete rows of the whole table have, so that
//! the domains of a table have the same columns. The column that makes the domains is left out.

use ndarray::{Axis, concatenate};

use super::{Entry, File, Files, Origin, Set};
use crate::data::fetch::Convert;
use crate::data::table::{Encode, Encoding, Table, TextOptions};
use crate::data::{DataError, Samples, raw};

const WINE: Set = Set {
    title: "Wine quality",
    licence: "public, available for research",
    citation: "P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis: Modeling Wine Preferences by \
               Data Mining from Physicochemical Properties. Decision Support Systems 47(4), 2009",
    home: "https://github.com/zygmuntz/wine-quality",
    protocol: "Eleven measurements in their units. The class is whether the quality is 6 or more. \
               The domains are the colours.",
    d: 11,
    classes: &["below 6", "6 or more"],
    origins: RED_FILES,
    by_hand: "get winequality-red.csv and winequality-white.csv of UCI's Wine Quality and put them \
              in the folder tabular of the data directory, as they are or gzipped",
};
const WHITE_WINE: Set = Set { origins: WHITE_FILES, ..WINE };
const RED: &str = "tabular/winequality-red.csv.gz";
const RED_FILES: &[Origin] = &[Origin {
    urls: &["https://raw.githubusercontent.com/zygmuntz/wine-quality/\
         5896f43e4ef7f64ac83a8e85a93fcc03293c0347/winequality/winequality-red.csv"],
    files: &[File {
        path: RED,
        bytes: 84_199,
        sha256: "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
        convert: Convert::AsIs,
    }],
}];
const WHITE: &str = "tabular/winequality-white.csv.gz";
const WHITE_FILES: &[Origin] = &[Origin {
    urls: &["https://raw.githubusercontent.com/zygmuntz/wine-quality/\
         5896f43e4ef7f64ac83a8e85a93fcc03293c0347/winequality/winequality-white.csv"],
    files: &[File {
        path: WHITE,
        bytes: 264_426,
        sha256: "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
        convert: Convert::AsIs,
    }],
}];

const ADULT: Set = Set {
    title: "Adult (census income)",
    licence: "none stated",
    citation: "R. Kohavi: Scaling Up the Accuracy of Naive-Bayes Classifiers: a Decision-Tree \
               Hybrid. KDD 1996",
    home: "https://github.com/vukk/lfr",
    protocol: "Training and test file together, rows with an unknown value left out: 45,222 remain. \
               Text as indicators. The class is whether the income is above 50,000 dollars. The \
               domains are the sexes, or ages below 40 and from 40; that column is left out.",
    d: 102,
    classes: &["<=50K", ">50K"],
    origins: ADULT_FILES,
    by_hand: "get data/adult.data and data/adult.test-dots of github.com/vukk/lfr and put them in the \
              folder tabular of the data directory as adult.data and adult.test, as they are or \
              gzipped",
};
/// Without the age, but with both sexes.
const ADULT_BY_AGE: Set = Set { d: 103, ..ADULT };
const ADULT_DATA: &str = "tabular/adult.data.gz";
const ADULT_TEST: &str = "tabular/adult.test.gz";
const ADULT_FILES: &[Origin] = &[
    Origin {
        urls: &["https://raw.githubusercontent.com/vukk/lfr/\
             ed62ba97952b233be794314ce2ed748877edfeeb/data/adult.data"],
        files: &[File {
            path: ADULT_DATA,
            bytes: 3_974_482,
            sha256: "bfa781e36598918535d49f2c199ced8e4fa0f78abda99337b00a37df479c166a",
            convert: Convert::AsIs,
        }],
    },
    Origin {
        urls: &["https://raw.githubusercontent.com/vukk/lfr/\
             ed62ba97952b233be794314ce2ed748877edfeeb/data/adult.test-dots"],
        files: &[File {
            path: ADULT_TEST,
            bytes: 2_003_309,
            sha256: "8754967c2633bc04b69903cdbb1dc80357166545e8d9ff9cb9ebeb084a0e96a7",
            convert: Convert::AsIs,
        }],
    },
];

const ELEC2: Set = Set {
    title: "Elec2 (price of electricity)",
    licence: "none stated",
    citation: "M. Harries: SPLICE-2 Comparative Evaluation: Electricity Pricing. University of New \
               South Wales, 1999",
    home: "https://github.com/scikit-multiflow/streaming-datasets",
    protocol: "Half-hours from 1996 to 1998: the time of the day, prices, demands and the transfer, \
               in [0, 1]. The file has neither date nor day. The class is whether the price is \
               above its mean of the last 24 hours. The domains are the first and the second half in time.",
    d: 6,
    classes: &["down", "up"],
    origins: ELEC2_FILES,
    by_hand: "get elec.csv of github.com/scikit-multiflow/streaming-datasets and put it in the folder \
              tabular of the data directory as elec2.csv, or gzipped",
};
const ELEC2_FILE: &str = "tabular/elec2.csv.gz";
const ELEC2_FILES: &[Origin] = &[Origin {
    urls: &["https://raw.githubusercontent.com/scikit-multiflow/streaming-datasets/\
         f1eb9f068c3450233721c3beac6fb0e880e9e7d7/elec.csv"],
    files: &[File {
        path: ELEC2_FILE,
        bytes: 3_200_586,
        sha256: "cdf901433885f29eca6911f70c0eeafb50d90596c879c30c5b99f5a2e8e734ff",
        convert: Convert::AsIs,
    }],
}];

const BIKE: Set = Set {
    title: "Bike sharing, by the hour",
    licence: "free to use, with the citation",
    citation: "H. Fanaee-T, J. Gama: Event Labeling Combining Ensemble Detectors and Background \
               Knowledge. Progress in Artificial Intelligence, 2013",
    home: "https://github.com/hcancelik/dlnd-first-neural-network",
    protocol: "Season, month, hour, day and weather, in their units; the number of the row, the \
               date, the year and the parts of the rentals are left out. The class is whether there \
               are more rentals than the median of both years, 142. The domains are the years.",
    d: 11,
    classes: &["few", "many"],
    origins: BIKE_FILES,
    by_hand: "get hour.csv of UCI's Bike Sharing and put it in the folder tabular of the data \
              directory as bike_hour.csv, or gzipped",
};
const BIKE_FILE: &str = "tabular/bike_hour.csv.gz";
const BIKE_FILES: &[Origin] = &[Origin {
    urls: &["https://raw.githubusercontent.com/hcancelik/dlnd-first-neural-network/\
         0da2134fdf8e85c6deb1dbacc379b7a0d5639cae/Bike-Sharing-Dataset/hour.csv"],
    files: &[File {
        path: BIKE_FILE,
        bytes: 1_086_424,
        sha256: "7bcde8bc1b096f37606286f2c14c796ff96b05a0ca512d54d7c095a4f8d959d9",
        convert: Convert::AsIs,
    }],
}];

pub(super) const ENTRIES: &[Entry] = &[
    WINE.domain("wine/red", "red wines", 1599, |files, _| wine(files, RED)),
    WHITE_WINE.domain("wine/white", "white wines", 4898, |files, _| wine(files, WHITE)),
    ADULT.domain("adult/men", "men", 30_527, |files, _| adult(files, "sex", |sex| sex == "Male")),
    ADULT.domain("adult/women", "women", 14_695, |files, _| {
        adult(files, "sex", |sex| sex == "Female")
    }),
    ADULT_BY_AGE.domain("adult/young", "ages below 40", 25_407, |files, _| {
        adult(files, "age", |age| age.parse().is_ok_and(|age: f64| age < 40.0))
    }),
    ADULT_BY_AGE.domain("adult/old", "ages from 40", 19_815, |files, _| {
        adult(files, "age", |age| age.parse().is_ok_and(|age: f64| age >= 40.0))
    }),
    ELEC2.domain("elec2/early", "the first half in time", 22_656, |files, _| {
        elec2(files, |row, rows| row < rows / 2)
    }),
    ELEC2.domain("elec2/late", "the second half in time", 22_656, |files, _| {
        elec2(files, |row, rows| row >= rows / 2)
    }),
    BIKE.domain("bike/2011", "hours of 2011", 8645, |files, _| bike(files, 0.0)),
    BIKE.domain("bike/2012", "hours of 2012", 8734, |files, _| bike(files, 1.0)),
];

type Rows = Result<(Samples, Vec<usize>), DataError>;

fn wine(files: &Files<'_>, path: &str) -> Rows {
    let table = read(files, path)?;
    let classes = numbers(&table, "quality")?.into_iter().map(|q| usize::from(q >= 6.0)).collect();
    part(&[&table], &["quality"], classes, |_| true)
}

/// The rows of which `member` holds for the text of `column`.
fn adult(files: &Files<'_>, column: &str, member: fn(&str) -> bool) -> Rows {
    let complete = |path| -> Result<Table, DataError> {
        let table = read(files, path)?;
        table.select(&table.complete_rows())
    };
    let tables = [complete(ADULT_DATA)?, complete(ADULT_TEST)?];
    let (mut members, mut classes) = (Vec::new(), Vec::new());
    for table in &tables {
        members.extend(texts(table, column)?.iter().map(|text| member(text)));
        // The labels of the test file end in a dot.
        for text in texts(table, "classification")? {
            classes.push(match text.trim_end_matches('.') {
                "<=50K" => 0,
                ">50K" => 1,
                _ => {
                    let reason = format!("`{text}` in `classification`: expected <=50K or >50K");
                    return Err(DataError::malformed(table.path(), reason));
                }
            });
        }
    }
    part(&tables.each_ref(), &[column, "classification"], classes, |row| members[row])
}

/// The rows of which `member` holds for their place and the number of all.
fn elec2(files: &Files<'_>, member: fn(usize, usize) -> bool) -> Rows {
    let table = read(files, ELEC2_FILE)?;
    let rows = table.len();
    let classes = numbers(&table, "class")?.into_iter().map(|up| usize::from(up > 0.5)).collect();
    part(&[&table], &["class"], classes, |row| member(row, rows))
}

/// The hours of a year, 0 or 1.
fn bike(files: &Files<'_>, year: f64) -> Rows {
    let table = read(files, BIKE_FILE)?;
    let (rentals, years) = (numbers(&table, "cnt")?, numbers(&table, "yr")?);
    let mut sorted = rentals.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let classes = rentals.into_iter().map(|n| usize::from(n > median)).collect();
    let out = ["instant", "dteday", "yr", "casual", "registered", "cnt"];
    part(&[&table], &out, classes, |row| years[row] == year)
}

fn read(files: &Files<'_>, path: &str) -> Result<Table, DataError> {
    let path = files.path(path)?;
    Table::parse(raw::read(&path)?, &path, TextOptions::default())
}

fn position(table: &Table, name: &str) -> Result<usize, DataError> {
    table.position(name).ok_or_else(|| table.no_column(name))
}

fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, DataError> {
    Ok(table.numbers(position(table, name)?)?.to_vec())
}

fn texts(table: &Table, name: &str) -> Result<Vec<String>, DataError> {
    table.texts(position(table, name)?)
}

/// The rows that are of a domain, of tables of the same columns one below the other, with their
/// classes and without the columns `out`.
fn part(tables: &[&Table], out: &[&str], classes: Vec<usize>, is: impl Fn(usize) -> bool) -> Rows {
    let (first, last) = (tables[0], tables[tables.len() - 1]);
    let out: Vec<String> = out.iter().map(|&name| name.to_owned()).collect();
    let encoding = Encoding::fit(first, last, &out, Some(Encode::OneHot))?;
    let parts: Vec<_> =
        tables.iter().map(|table| encoding.apply(table, &[])).collect::<Result<_, _>>()?;
    let views: Vec<_> = parts.iter().map(|x| x.view()).collect();
    let x = concatenate(Axis(0), &views)
        .map_err(|e| DataError::malformed(first.path(), e.to_string()))?;
    let rows: Vec<usize> = (0..x.nrows()).filter(|&row| is(row)).collect();
    let labels = rows.iter().map(|&row| classes[row]).collect();
    Ok((Samples::Features(x.select(Axis(0), &rows)), labels))
}
