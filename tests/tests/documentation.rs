//! The map is of what there is: every path that ARCHITECTURE.md and CONTRIBUTING.md name exists.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use glob::Pattern;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Files and folders below `folder`, as paths from `root`, but what is built or hidden.
fn collect(root: &Path, folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let built = ["target", "node_modules", "dist"].contains(&name.as_str());
        if built || (name.starts_with('.') && name != ".ci") {
            continue;
        }
        paths.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, paths);
        }
    }
}

/// What stands in backticks or as a word of a fenced block.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            words.extend(line.split_whitespace().map(str::to_owned));
        } else {
            let code = line.split('`').skip(1).step_by(2);
            words.extend(code.flat_map(str::split_whitespace).map(str::to_owned));
            // [text](path)
            let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            words.extend(links.map(|link| link.split('#').next().unwrap_or_default().to_owned()));
        }
    }
    words
}

/// The pattern of a word that is a path; `<name>` and `NAME` stand for any name.
fn path(word: &str) -> Option<Pattern> {
    let word = word.trim_start_matches("./").trim_end_matches(['.', ',', ';', ':', '/']);
    let source = [".rs", ".py", ".mjs", ".js", ".sh", ".md"].iter().any(|end| word.ends_with(end));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./*<>".contains(c);
    // What begins at a folder of the repository, and names of source files by themselves.
    let folders = ["core", "adapt", "papers", "tests", "benches", "wasm-demo", ".ci", "ops"];
    let begins = word.split_once('/').is_some_and(|(first, _)| folders.contains(&first));
    let pattern = word.replace("<name>", "*").replace("<room>", "*").replace("NAME", "*");
    (word.chars().all(plain) && (source || begins)).then(|| Pattern::new(&pattern).unwrap())
}

#[test]
fn every_path_that_the_documentation_names_exists() {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, &root, &mut paths);
    // As long as the words name a path to its end, its beginning may be left out.
    let exists = |pattern: &Pattern| {
        paths.iter().any(|path| {
            let starts = path.match_indices('/').map(|(i, _)| i + 1);
            [0].into_iter().chain(starts).any(|start| pattern.matches(&path[start..]))
        })
    };
    for (file, least) in [("ARCHITECTURE.md", 50), ("CONTRIBUTING.md", 50)] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let named: Vec<Pattern> = words(&text).iter().filter_map(|word| path(word)).collect();
        assert!(named.len() >= least, "{file}: only {} paths are found", named.len());
        let missing: Vec<&str> =
            named.iter().filter(|pattern| !exists(pattern)).map(Pattern::as_str).collect();
        assert!(missing.is_empty(), "{file} names what is not there: {missing:?}");
    }
}

#[test]
fn paths_are_told_from_other_words() {
    let pattern = |word: &str| path(word).map(|pattern| pattern.as_str().to_owned());
    assert_eq!(pattern("core/src/ops/,").unwrap(), "core/src/ops");
    assert_eq!(pattern("adapt/src/align/<name>.rs").unwrap(), "adapt/src/align/*.rs");
    assert_eq!(pattern("record.rs").unwrap(), "record.rs");
    for word in ["c_in/groups", "Method::step", "run.json", "mutated-findings/npy-panic-0"] {
        assert_eq!(pattern(word), None, "{word}");
    }
}
