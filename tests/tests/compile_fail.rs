//! What must not compile: code that reaches the labels of a target.

#[test]
fn target_labels_are_out_of_reach() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
