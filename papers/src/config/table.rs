//! TOML tables: setting a key by its path, filling in defaults, telling two tables apart.

use anyhow::{Result, bail};
use serde_json::Value as Json;
use toml::{Table, Value};
use transduct_core::suggest;

/// Sets the key at a dotted path, making the tables on the way. The text is a TOML value where it
/// reads as one, else a string: `0.5`, `[100, 50]` and `true` are what they look like.
///
/// # Errors
/// A part of the path is empty, or is there and is no table.
pub(crate) fn set(table: &mut Table, path: &str, text: &str) -> Result<()> {
    let value = value(text).unwrap_or_else(|| Value::String(text.to_owned()));
    let (parents, key) = path.rsplit_once('.').unwrap_or(("", path));
    if path.split('.').any(str::is_empty) {
        bail!("`{path}` is no key: expected names joined by dots, as in `method.dann.weight`");
    }
    let mut place = table;
    for parent in parents.split('.').filter(|p| !p.is_empty()) {
        let entry = place.entry(parent).or_insert_with(|| Value::Table(Table::new()));
        match entry {
            Value::Table(inner) => place = inner,
            _ => bail!("`{path}`: `{parent}` is a value, not a table"),
        }
    }
    place.insert(key.to_owned(), value);
    Ok(())
}

/// The TOML value that the text reads as, if it does.
pub(crate) fn value(text: &str) -> Option<Value> {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed.filter(|parsed| parsed.len() == 1)?.remove("value")
}

/// `given`, with every key that it lacks taken from `defaults`; `owner` is their place in messages.
///
/// # Errors
/// A key that `defaults` does not have. An empty default table takes any key.
pub(crate) fn fill(owner: &str, given: &Table, defaults: &Table) -> Result<Table> {
    if let Some(key) = given.keys().find(|key| !defaults.contains_key(*key)) {
        let names: Vec<_> = defaults.keys().map(String::as_str).collect();
        match suggest::nearest(key, names.iter().copied()) {
            Some(name) => bail!("unknown key `{owner}.{key}`; did you mean `{owner}.{name}`?"),
            None if names.is_empty() => bail!("unknown key `{owner}.{key}`: there are no options"),
            None => bail!("unknown key `{owner}.{key}`: expected `{}`", names.join("`, `")),
        }
    }
    let mut filled = defaults.clone();
    for (key, value) in given {
        let value = match (value, defaults.get(key)) {
            (Value::Table(given), Some(Value::Table(defaults))) => {
                Value::Table(fill(&format!("{owner}.{key}"), given, defaults)?)
            }
            _ => value.clone(),
        };
        filled.insert(key.clone(), value);
    }
    Ok(filled)
}

/// What [`differences`] gives as the value of a key that is not there.
pub(crate) const NOT_SET: &str = "not set";

/// The keys, as dotted paths, that two tables do not share with one value, each with both values
/// as text.
pub(crate) fn differences(a: &Table, b: &Table) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    collect_differences("", a, b, &mut found);
    found
}

fn collect_differences(
    prefix: &str,
    a: &Table,
    b: &Table,
    found: &mut Vec<(String, String, String)>,
) {
    let text = |value: Option<&Value>| value.map_or(NOT_SET.to_owned(), Value::to_string);
    let only_in_b = b.keys().filter(|key| !a.contains_key(*key));
    for key in a.keys().chain(only_in_b) {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (a.get(key), b.get(key)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => {
                collect_differences(&path, a, b, found);
            }
            (a, b) if a == b => {}
            (a, b) => found.push((path, text(a), text(b))),
        }
    }
}

/// Options as a table. Nulls are left out, since TOML has none; single-precision numbers get
/// their shortest form, 0.1 and not 0.10000000149011612.
pub(crate) fn from_json(options: &Json) -> Table {
    match to_value(options) {
        Some(Value::Table(table)) => table,
        _ => Table::new(),
    }
}

fn to_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(shortest(number.as_f64()?)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(values) => Value::Array(values.iter().filter_map(to_value).collect()),
        Json::Object(fields) => {
            let entry = |(key, value)| Some((String::clone(key), to_value(value)?));
            Value::Table(fields.iter().filter_map(entry).collect())
        }
    })
}

fn shortest(value: f64) -> f64 {
    let single = value as f32;
    if f64::from(single) == value { single.to_string().parse().unwrap_or(value) } else { value }
}

/// The table as the JSON value that registries take.
pub(crate) fn to_json(table: &Table) -> Json {
    serde_json::to_value(table).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_set_by_path() {
        let mut t = table("seeds = [1]");
        set(&mut t, "method.dann.weight", "0.5").unwrap();
        set(&mut t, "method.dann.critic.hidden", "[100, 50]").unwrap();
        set(&mut t, "backbone.name", "digit-net").unwrap();
        set(&mut t, "source", "2\nx = 3").unwrap();
        let wanted = "
            seeds = [1]
            source = \"2\\nx = 3\"
            backbone.name = \"digit-net\"
            method.dann = { weight = 0.5, critic.hidden = [100, 50] }";
        assert_eq!(t, table(wanted));
        assert!(set(&mut t, "seeds.x", "1").unwrap_err().to_string().contains("not a table"));
        assert!(set(&mut t, "a..b", "1").unwrap_err().to_string().contains("no key"));
    }

    #[test]
    fn defaults_fill_and_unknown_keys_are_errors() {
        let defaults = table("weight = 1.0\ncritic = { hidden = [100], dropout = 0.0 }");
        let given = table("critic = { dropout = 0.5 }");
        let filled = fill("method.dann", &given, &defaults).unwrap();
        assert_eq!(filled, table("weight = 1.0\ncritic = { hidden = [100], dropout = 0.5 }"));
        let error = |text| fill("method.dann", &table(text), &defaults).unwrap_err().to_string();
        assert_eq!(
            error("wieght = 2"),
            "unknown key `method.dann.wieght`; did you mean `method.dann.weight`?"
        );
        assert_eq!(
            error("critic.zzz = 2"),
            "unknown key `method.dann.critic.zzz`: expected `hidden`, `dropout`"
        );
    }

    #[test]
    fn differences_are_paths_with_both_values() {
        let a = table("seeds = [0]\ntraining = { steps = 4, rate = 0.1 }");
        let b = table("seeds = [0]\ntraining = { steps = 5 }\nbackbone.name = \"mlp\"");
        let owned = |(path, a, b): (&str, &str, &str)| (path.into(), a.into(), b.into());
        let wanted: Vec<(String, String, String)> = [
            ("training.steps", "4", "5"),
            ("training.rate", "0.1", "not set"),
            ("backbone", "not set", "{ name = \"mlp\" }"),
        ]
        .map(owned)
        .to_vec();
        assert_eq!(differences(&a, &b), wanted);
        assert!(differences(&a, &a).is_empty());
    }

    #[test]
    fn json_options_round_trip_in_their_shortest_form() {
        let options = json!({"weight": 0.1f32, "layers": [100, 50], "none": null, "name": "x"});
        let t = from_json(&options);
        assert_eq!(t, table("weight = 0.1\nlayers = [100, 50]\nname = \"x\""));
        assert_eq!(to_json(&t)["weight"], json!(0.1));
    }
}
