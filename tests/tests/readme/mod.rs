//! README.md's program, which `build.rs` has taken out of it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

/// The program as it stands there, its `println!` caught.
mod program {
    thread_local! {
        static SAID: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    macro_rules! println {
        ($($text:tt)*) => { SAID.with_borrow_mut(|said| said.push(format!($($text)*))) };
    }

    include!(concat!(env!("OUT_DIR"), "/readme.rs"));

    /// What it prints.
    pub(super) fn said() -> Vec<String> {
        main().unwrap();
        SAID.take()
    }
}

#[test]
fn the_program_prints_the_number_that_stands_beside_it() {
    let text = include_str!("../../../README.md");
    let (_, stated) = text.split_once("println!(\"target accuracy {accuracy:.3}\"); // ").unwrap();
    let stated: f64 = stated.split_whitespace().next().unwrap().parse().unwrap();
    let said = program::said();
    let [line] = &said[..] else { panic!("{said:?}") };
    let accuracy: f64 = line.strip_prefix("target accuracy ").unwrap().parse().unwrap();
    // Processors whose vectors differ in width round differently, and training carries it on.
    assert!((accuracy - stated).abs() < 0.03, "README.md says {stated}, the program {accuracy}");
}
