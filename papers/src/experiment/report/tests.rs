use std::fs;

use super::*;
use crate::experiment::{
    Cell, Curves, Task,
    runner::tests::{compute, squares},
};

fn written() -> (Written, String, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = ExperimentDir::new(folder.path().join("a"));
    let mut experiment = squares();
    experiment.description.curves = vec![Curves {
        title: "Along x".into(),
        x: "x".into(),
        points: vec![("one".into(), 1.0), ("two".into(), 2.0)],
    }];
    compute(&experiment, &dir, false).unwrap();
    let written = write(dir.root()).unwrap();
    let page = fs::read_to_string(&written.report).unwrap();
    let markdown = fs::read_to_string(&written.markdown).unwrap();
    (written, page, markdown, folder)
}

#[test]
fn every_form_has_the_numbers_and_verdicts() {
    let (written, page, markdown, _folder) = written();
    let row =
        "| One | Twice | 2.05 ± 0.07 | 5.00 | −2.95 | known deviation, difference 1 | size 1.0 |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(
        markdown.starts_with("# Squares\n\nA. Author: “On &lt;squares>”, Journal 1900. Table 1.\n")
    );
    assert!(markdown.contains("```sh\ntransduct reproduce squares\n```"), "{markdown}");
    assert!(markdown.contains(r"1. Twice is not \| thrice."), "{markdown}");
    for text in [
        "known deviation, difference 1",
        "known deviation: the published number is not met",
        "1 of 3 published numbers are met",
        "not published",
        "2.05 ± 0.07",
        "better",
    ] {
        assert!(page.contains(text), "no {text} on the page");
        assert!(terminal(&written.summary).contains(text), "no {text} on the terminal");
    }
    let table = fs::read_to_string(&written.table).unwrap();
    assert!(table.contains("two,twice,2,4.05,"), "{table}");
    let page_of_two = document(&[written.summary.clone(), written.summary], "transduct report a a");
    assert_eq!(page_of_two.matches("\n## Squares\n").count(), 2);
}

#[test]
fn the_page_is_self_contained_and_nothing_in_it_is_markup() {
    let (_, page, _, _folder) = written();
    assert!(page.contains("On &#60;squares&#62;") && !page.contains("<squares>"));
    assert!(!page.contains("http") && !page.contains("<link") && !page.contains("url("));
    // Two tasks and one figure along x.
    assert_eq!(page.matches("<svg ").count(), 3);
    for figure in page.split("<svg ").skip(1) {
        let (figure, _) = figure.split_once("</svg>").unwrap();
        assert!(figure.contains("role=\"img\" aria-label=\""));
        assert!(!figure.contains("\"#"), "a colour that dark mode cannot change");
    }
}

/// Of more than forty cells that nothing is compared with there is a table of tasks by methods, and what
/// looks back at all of them stands under it.
#[test]
fn what_is_not_compared_is_a_table_of_tasks_by_methods() {
    let folder = tempfile::tempdir().unwrap();
    let dir = ExperimentDir::new(folder.path().join("a"));
    let mut experiment = squares();
    let description = &mut experiment.description;
    let ids: Vec<String> = (1..=21).map(|x| format!("of-{x}")).collect();
    description.tasks = ids.iter().map(|id| Task::new(id, format!("Of {id}"), &[])).collect();
    description.tasks.push(Task::new("all", "All | of them", &[]).overall());
    let cell = |(i, (task, method)): (usize, (&str, &str))| {
        Cell::new(task, method, serde_json::json!({ "x": i / 2, "method": method }))
    };
    let of_methods = |id| ["square", "twice"].map(|method| (id, method));
    let pairs = ids.iter().map(String::as_str).flat_map(of_methods).chain([("all", "twice")]);
    description.cells = pairs.enumerate().map(cell).collect();
    compute(&experiment, &dir, false).unwrap();
    let markdown = fs::read_to_string(write(dir.root()).unwrap().markdown).unwrap();
    let expected = "\n\nThere are no published numbers to compare with.\n\n\
                    | task: value | Square | Twice |\n|---|--:|--:|\n\
                    | Of of-1 | 0.05 ± 0.07 | 0.05 ± 0.07 |\n\
                    | Of of-2 | 1.05 ± 0.07 | 2.05 ± 0.07 |\n";
    assert!(markdown.contains(expected), "{markdown}");
    let (shown, folded) = markdown.split_once("<details><summary>All cells</summary>").unwrap();
    let overall = "\n\n| task | method | ours, value | also |\n|---|---|--:|---|\n\
                   | All \\| of them | Twice | 42.05 ± 0.07 | size 21.0 |\n";
    assert!(shown.contains(overall), "{shown}");
    assert!(!folded.contains("All \\| of them") && folded.contains("| Of of-9 | Twice |"));
}

#[test]
fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let dir = ExperimentDir::new(folder.path().join("a"));
    let experiment = squares();
    compute(&experiment, &dir, false).unwrap();
    let cell = &experiment.description.cells[0];
    fs::remove_file(dir.trial(cell, 0)).unwrap();
    fs::write(dir.trial(cell, 1), "{").unwrap();
    let written = write(dir.root()).unwrap();
    let text = terminal(&written.summary);
    assert!(text.contains("one/square: 2 of 2 seeds have not been computed"), "{text}");
    assert!(text.contains("seed-1.json: "), "{text}");
    assert!(text.contains("not computed"), "{text}");
}
