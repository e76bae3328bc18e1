//! All tests between the crates, in one program: what they share is linked once.

mod compile_fail;
mod contract;
mod documentation;
mod gradients;
mod learn_properties;
mod learn_reference;
mod properties;
mod readme;
mod reference;
mod reweight_properties;
mod reweight_reference;
mod shallow_properties;
mod shallow_reference;
mod sparse_properties;
mod transport_properties;
mod transport_reference;
mod unsafe_code;

/// A file without its line above would be compiled by nobody, in silence.
#[test]
fn every_file_here_has_its_line() {
    let (folder, lines) = (concat!(env!("CARGO_MANIFEST_DIR"), "/tests"), include_str!("main.rs"));
    for file in std::fs::read_dir(folder).expect("this folder").flatten() {
        let name = file.file_name().into_string().expect("a name in UTF-8");
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(lines.contains(&format!("\nmod {module};\n")), "tests/tests/{name}");
        }
    }
}
