//! What a sweep tries: ranges of options, and the candidates that a search makes of them.

use std::{fmt, str::FromStr};

use anyhow::{Result, anyhow, bail, ensure};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use transduct_adapt::registry::Range;
use transduct_core::{Stream, data::sha256, rng, suggest};

use crate::config::table::{set, value};

/// The most candidates of a method.
const MOST: usize = 10_000;
/// By what the neighbours of a default on a logarithmic range differ from it.
const FACTOR: f64 = 3.0;

/// How candidates are made. The defaults are always one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// Every combination of listed values, or of that many from each range, its ends among them.
    Grid {
        /// At least 2.
        points: usize,
    },
    /// That many, drawn; other ones in every repeat.
    Random {
        /// At least 1.
        candidates: usize,
    },
    /// The defaults with one option changed at a time: to its neighbours in the range (a third and three
    /// times, or a quarter of the range to both sides), or to each of the values that are listed.
    Neighbourhood,
}

/// The values that an option may take.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Listed(Vec<Value>),
    Log(f64, f64),
    Linear(f64, f64),
    Whole(i64, i64),
}

impl Values {
    fn of(range: Range) -> Self {
        match range {
            Range::Log(low, high) => Self::Log(low, high),
            Range::Linear(low, high) => Self::Linear(low, high),
            Range::Whole(low, high) => Self::Whole(low, high),
            Range::OneOf(names) => {
                Self::Listed(names.iter().map(|name| Value::String((*name).to_owned())).collect())
            }
        }
    }

    /// The value at `share` in [0, 1) of the way.
    fn at(&self, share: f64) -> Value {
        match self {
            Self::Listed(values) => {
                let last = values.len() - 1;
                values[((share * values.len() as f64) as usize).min(last)].clone()
            }
            Self::Log(low, high) => float(low * (high / low).powf(share)),
            Self::Linear(low, high) => float(low + (high - low) * share),
            Self::Whole(low, high) => {
                let step = (share * (high - low + 1) as f64) as i64;
                Value::Integer((low + step).min(*high))
            }
        }
    }

    /// `points` values from end to end, each once.
    fn grid(&self, points: usize) -> Vec<Value> {
        let mut values = match self {
            Self::Listed(values) => return values.clone(),
            Self::Whole(low, high) => {
                let place = |i| (high - low) as f64 * i as f64 / (points - 1) as f64;
                (0..points).map(|i| Value::Integer(low + place(i).round() as i64)).collect()
            }
            _ => (0..points).map(|i| self.at(i as f64 / (points - 1) as f64)).collect::<Vec<_>>(),
        };
        values.dedup();
        values
    }

    /// Those beside `default` that are in the range.
    fn neighbours(&self, default: Option<&Value>) -> Vec<Value> {
        let number = match default {
            Some(Value::Float(x)) => Some(*x),
            Some(Value::Integer(n)) => Some(*n as f64),
            _ => None,
        };
        let inside = |low: f64, high: f64, candidates: [f64; 2]| {
            candidates.into_iter().filter(|x| (low..=high).contains(x)).map(float).collect()
        };
        match (self, number) {
            (Self::Listed(values), _) => {
                values.iter().filter(|value| Some(*value) != default).cloned().collect()
            }
            (Self::Log(low, high), Some(x)) => inside(*low, *high, [x / FACTOR, x * FACTOR]),
            (Self::Linear(low, high), Some(x)) => {
                let step = (high - low) / 4.0;
                inside(*low, *high, [x - step, x + step])
            }
            (Self::Whole(low, high), Some(x)) => {
                let beside = [x as i64 - 1, x as i64 + 1].into_iter();
                beside.filter(|n| (low..=high).contains(&n)).map(Value::Integer).collect()
            }
            // No number to be beside: the ends.
            (_, None) => self.grid(2),
        }
    }
}

/// A number as people write it: six digits tell candidates apart.
fn float(x: f64) -> Value {
    Value::Float(format!("{x:.5e}").parse().unwrap_or(x))
}

/// `KEY=VALUES`, as `--over` has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    key: String,
    values: Values,
    /// As it was given.
    text: String,
}

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "expected KEY=VALUE,VALUE,… or KEY=log:LOW..HIGH, KEY=linear:LOW..HIGH or \
             KEY=whole:LOW..HIGH"
                .to_owned()
        };
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let ends = |ends: &str| -> Result<(f64, f64), String> {
            let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
            let number = |end: &str| end.trim().parse::<f64>().map_err(|_| wrong());
            let (low, high) = (number(low)?, number(high)?);
            match low < high && low.is_finite() && high.is_finite() {
                true => Ok((low, high)),
                false => Err(format!("`{low}..{high}`: expected a lower and a higher number")),
            }
        };
        let values = match values.split_once(':') {
            Some(("log", range)) => match ends(range)? {
                (low, high) if low > 0.0 => Values::Log(low, high),
                (low, _) => return Err(format!("log:{low}: expected a positive number")),
            },
            Some(("linear", range)) => {
                let (low, high) = ends(range)?;
                Values::Linear(low, high)
            }
            Some(("whole", range)) => match ends(range)? {
                (low, high) if low.fract() == 0.0 && high.fract() == 0.0 => {
                    Values::Whole(low as i64, high as i64)
                }
                _ => return Err(format!("whole:{range}: expected whole numbers")),
            },
            _ => Values::Listed(listed(values).ok_or_else(wrong)?),
        };
        Ok(Self { key: key.trim().to_owned(), values, text: text.to_owned() })
    }
}

/// The values of a list: TOML where it reads as such, else names.
fn listed(text: &str) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = value(&format!("[{text}]")) {
        return (!values.is_empty()).then_some(values);
    }
    let name = |name: &str| {
        let name = name.trim();
        (!name.is_empty()).then(|| value(name).unwrap_or_else(|| Value::String(name.to_owned())))
    };
    text.split(',').map(name).collect()
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What differs from the defaults: keys of a configuration, by their paths, with their values.
pub(super) type Changes = Vec<(String, Value)>;

/// The values of the options of one method, by their paths in a configuration.
pub(super) struct Space(Vec<(String, Values)>);

impl Space {
    /// Of `method`, with these options: what is asked for with `over`, else the ranges of the registry.
    /// Marks in `used` what of `over` concerns it.
    pub(super) fn of(
        method: &str,
        options: &Table,
        ranges: &[(&str, Range)],
        over: &[Over],
        used: &mut [bool],
    ) -> Self {
        let mut space = Vec::new();
        for (over, used) in over.iter().zip(used) {
            let of_method = over.key.strip_prefix(method).and_then(|key| key.strip_prefix('.'));
            let path = match of_method {
                Some(option) => format!("method.{method}.{option}"),
                None if shared(&over.key) => over.key.clone(),
                None if has(options, &over.key) => format!("method.{method}.{}", over.key),
                None => continue,
            };
            *used = true;
            space.push((path, over.values.clone()));
        }
        if space.is_empty() && over.is_empty() {
            let path = |option: &str| format!("method.{method}.{option}");
            let ranges = ranges.iter().map(|&(option, range)| (path(option), Values::of(range)));
            space.extend(ranges);
        }
        Self(space)
    }

    /// The candidates of one repeat, by what each changes; the first changes nothing. `defaults` is the
    /// configuration that they change.
    ///
    /// # Errors
    /// There are more than [`MOST`].
    pub(super) fn candidates(
        &self,
        search: Search,
        method: &str,
        repeat: usize,
        defaults: &Table,
    ) -> Result<Vec<Changes>> {
        let mut all: Vec<Changes> = vec![Vec::new()];
        match search {
            _ if self.0.is_empty() => {}
            Search::Grid { points } => {
                let mut grid: Vec<Changes> = vec![Vec::new()];
                for (path, values) in &self.0 {
                    let values = values.grid(points);
                    ensure!(
                        grid.len().saturating_mul(values.len()) <= MOST,
                        "{method}: a grid of more than {MOST} candidates; give fewer options with \
                         --over, or --search random"
                    );
                    let with = |changes: &Changes, value: &Value| {
                        let mut changes = changes.clone();
                        changes.push((path.clone(), value.clone()));
                        changes
                    };
                    let grown = grid.iter().flat_map(|c| values.iter().map(move |v| with(c, v)));
                    grid = grown.collect();
                }
                all.extend(grid);
            }
            Search::Random { candidates } => {
                ensure!(candidates <= MOST, "--candidates {candidates}: expected {MOST} or fewer");
                let draw = |k: usize| {
                    let one = |(path, values): &(String, Values)| {
                        (path.clone(), values.at(share(method, path, repeat, k)))
                    };
                    self.0.iter().map(one).collect()
                };
                all.extend((0..candidates).map(draw));
            }
            Search::Neighbourhood => {
                for (path, values) in &self.0 {
                    let values = values.neighbours(get(defaults, path));
                    all.extend(values.into_iter().map(|value| vec![(path.clone(), value)]));
                }
            }
        }
        Ok(all)
    }
}

/// A number in [0, 1) that depends on what it is for alone, so that one option more or less leaves the
/// draws of the others as they are.
fn share(method: &str, path: &str, repeat: usize, k: usize) -> f64 {
    let digest = sha256(format!("{method} {path} {repeat} {k}").as_bytes());
    let seed = u64::from_str_radix(&digest[..16], 16).unwrap_or_default();
    rng(seed, Stream::Split).r#gen()
}

/// Whether the key is one of a configuration that all methods have.
fn shared(key: &str) -> bool {
    ["training.", "backbone.", "head."].iter().any(|prefix| key.starts_with(prefix))
}

fn get<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((parent, rest)) => get(table.get(parent)?.as_table()?, rest),
        None => table.get(path),
    }
}

fn has(options: &Table, key: &str) -> bool {
    get(options, key).is_some()
}

/// Refuses what of `over` no method has.
pub(super) fn check_used(over: &[Over], used: &[bool], spaces: &[(&str, &Table)]) -> Result<()> {
    let Some((over, _)) = over.iter().zip(used).find(|(_, used)| !**used) else { return Ok(()) };
    let names = spaces.iter().flat_map(|(_, options)| options.keys().map(String::as_str));
    let advice = match suggest::nearest(&over.key, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "expected an option of a method, or training.…, backbone.…, head.…".to_owned(),
    };
    bail!("--over {over}: no method of the sweep has an option `{}`; {advice}", over.key)
}

/// `config` with these changes.
///
/// # Errors
/// A path that leads through a value.
pub(super) fn changed(mut config: Table, changes: &[(String, String)]) -> Result<Table> {
    for (path, value) in changes {
        set(&mut config, path, value).map_err(|e| anyhow!("--over {path}: {e}"))?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(over: &[&str]) -> Space {
        let over: Vec<Over> = over.iter().map(|text| text.parse().unwrap()).collect();
        let options: Table = "weight = 1.0\ngamma = 10.0".parse().unwrap();
        let ranges = [("weight", Range::Log(0.1, 10.0)), ("gamma", Range::Linear(0.0, 20.0))];
        Space::of("dann", &options, &ranges, &over, &mut vec![false; over.len()])
    }

    fn defaults() -> Table {
        "training = { rate = 0.1 }\nmethod.dann = { weight = 1.0, gamma = 10.0 }".parse().unwrap()
    }

    fn shown(space: &Space, search: Search) -> Vec<String> {
        let candidates = space.candidates(search, "dann", 0, &defaults()).unwrap();
        let one = |(path, value): &(String, Value)| format!("{path}={value}");
        candidates.iter().map(|c| c.iter().map(one).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_grid_has_the_ends_of_ranges_and_every_combination() {
        let grid = shown(
            &space(&["weight=log:0.01..1", "training.rate=0.1,0.2"]),
            Search::Grid { points: 3 },
        );
        assert_eq!(grid.len(), 7);
        assert_eq!(grid[0], "");
        assert_eq!(grid[1], "method.dann.weight=0.01 training.rate=0.1");
        assert_eq!(grid[4], "method.dann.weight=0.1 training.rate=0.2");
        assert!(
            space(&["weight=log:0.01..1", "gamma=linear:0..1"])
                .candidates(Search::Grid { points: 200 }, "dann", 0, &defaults())
                .is_err()
        );
    }

    #[test]
    fn neighbours_change_one_option_at_a_time() {
        let near = shown(&space(&[]), Search::Neighbourhood);
        let expected = [
            "",
            "method.dann.weight=0.333333",
            "method.dann.weight=3.0",
            "method.dann.gamma=5.0",
            "method.dann.gamma=15.0",
        ];
        assert_eq!(near, expected);
    }

    /// One option more leaves the others' draws as they are; every repeat draws anew.
    #[test]
    fn draws_depend_on_nothing_but_their_option_and_repeat() {
        let search = Search::Random { candidates: 4 };
        let one = space(&["weight=log:0.1..10"]);
        let two = space(&["gamma=linear:0..20", "weight=log:0.1..10"]);
        let draws = |space: &Space, repeat| -> Vec<Value> {
            let candidates = space.candidates(search, "dann", repeat, &defaults()).unwrap();
            let weight = |c: &Changes| c.iter().find(|(p, _)| p.ends_with("weight")).cloned();
            candidates.iter().filter_map(weight).map(|(_, value)| value).collect()
        };
        assert_eq!(draws(&one, 0), draws(&two, 0));
        assert_eq!(draws(&one, 0).len(), 4);
        assert_ne!(draws(&one, 0), draws(&one, 1));
        let inside = |value: &Value| (0.1..=10.0).contains(&value.as_float().unwrap());
        assert!(draws(&one, 3).iter().all(inside));
    }

    #[test]
    fn values_are_read() {
        let values = |text: &str| text.parse::<Over>().map(|over| over.values);
        assert_eq!(values("a=1,2").unwrap(), Values::Listed(vec![1.into(), 2.into()]));
        let names = ["median", "mean"].map(|name| Value::String(name.to_owned()));
        assert_eq!(values("bandwidth=median,mean").unwrap(), Values::Listed(names.to_vec()));
        assert_eq!(values("a=whole:1..3").unwrap(), Values::Whole(1, 3));
        for wrong in
            ["a", "a=", "a=log:0..1", "a=linear:2..1", "a=whole:0.5..1", "a=log:1", "a=1,,2"]
        {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_option_that_nobody_has_is_refused() {
        let over: Vec<Over> = vec!["wight=1,2".parse().unwrap()];
        let options: Table = "weight = 1.0".parse().unwrap();
        let message = check_used(&over, &[false], &[("dann", &options)]).unwrap_err().to_string();
        assert!(message.ends_with("did you mean `weight`?"), "{message}");
    }
}
