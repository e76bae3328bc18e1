//! The `transduct` command.
fn main() {}
