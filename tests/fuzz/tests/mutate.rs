//! A few mutated files for every reader, in every run of the tests.

use assert_cmd::Command;

#[test]
fn no_reader_breaks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mutate"));
    command.args(["--runs", "200", "--jobs", "2", "--findings"]).arg(folder.path());
    let output = command.assert().success().get_output().stdout.clone();
    let lines = String::from_utf8(output).expect("text");
    let names = transduct_fuzz::READERS.iter().map(|reader| reader.name);
    for name in names {
        let start = format!("{name}: 200 mutated inputs");
        assert!(lines.lines().any(|line| line.starts_with(&start)), "{start}\n{lines}");
    }
}
