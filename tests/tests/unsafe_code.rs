//! Unsafe code is where ARCHITECTURE.md says, and nowhere else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The word, which this file must not have.
const WORD: &str = concat!("un", "safe");

/// Files of Rust below `folder`, but for what is built or hidden.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// Whether the keyword stands in a line, comments aside.
fn is_used(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == WORD)
}

#[test]
fn unsafe_code_is_where_the_rule_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the map");
    let rule = map.split("**Unsafe code**").nth(1).expect("the rule");
    let rule = rule.split("\n8. ").next().unwrap_or_default();
    let places: BTreeSet<&str> = rule.split('`').skip(1).step_by(2).collect();

    let mut files = Vec::new();
    sources(root, &mut files);
    let mut used = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a source");
        if text.lines().any(is_used) {
            let path = file.strip_prefix(root).expect("below the root");
            let allowed = places.iter().find(|place| path.starts_with(place));
            used.insert(*allowed.unwrap_or_else(|| panic!("{}: not in the rule", path.display())));
        }
    }
    assert_eq!(used, places, "the rule names places without such code");
}

#[test]
fn comments_and_longer_words_are_no_unsafe_code() {
    assert!(is_used(&format!("    let a = {WORD} {{ f() }};")));
    assert!(!is_used(&format!("// SAFETY: {WORD} code")));
    assert!(!is_used(&format!("#![deny({WORD}_op_in_{WORD}_fn)]")));
}
