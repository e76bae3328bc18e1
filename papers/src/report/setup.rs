//! How the run was set up, in the words of its configuration.

use toml::{Table, Value};

/// The parts of the configuration that a reader wants without opening all of it.
const SHOWN: [&str; 3] = ["protocol", "backbone", "training"];

/// A part of the configuration on one line.
pub(crate) struct Fact {
    pub(crate) part: &'static str,
    /// `key value` pairs between commas; nested keys are joined by dots.
    pub(crate) text: String,
}

/// The shown parts of `config.toml`; none of a text that is not TOML.
pub(crate) fn facts(config: &str) -> Vec<Fact> {
    let config: Table = config.parse().unwrap_or_default();
    let fact = |part: &'static str| {
        let mut pairs = Vec::new();
        flatten("", config.get(part)?.as_table()?, &mut pairs);
        Some(Fact { part, text: pairs.join(", ") })
    };
    SHOWN.into_iter().filter_map(fact).collect()
}

fn flatten(prefix: &str, table: &Table, pairs: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => flatten(&format!("{prefix}{key}."), inner, pairs),
            Value::String(text) => pairs.push(format!("{prefix}{key} {text}")),
            _ => pairs.push(format!("{prefix}{key} {value}")),
        }
    }
}

/// The command line, quoted so that it can be typed again.
pub(crate) fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,=:@+%".contains(c);
    let quote = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_one_line_each() {
        let config = "seeds = [0]\n[protocol]\nframing = {size = [28, 28]}\n\
                      target_test = \"all\"\n[training]\nrate = 0.01\n";
        let facts = facts(config);
        let lines: Vec<_> = facts.iter().map(|f| (f.part, f.text.as_str())).collect();
        let protocol = "framing.size [28, 28], target_test all";
        assert_eq!(lines, [("protocol", protocol), ("training", "rate 0.01")]);
        assert!(super::facts("no toml at all").is_empty());
    }

    #[test]
    fn commands_can_be_typed_again() {
        let words = ["transduct", "--source", "my photos", "it's", ""].map(str::to_owned);
        assert_eq!(shell(&words), r"transduct --source 'my photos' 'it'\''s' ''");
    }
}
