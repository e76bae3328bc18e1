//! The `transduct` command with one more method, which lives in this crate.

mod cmd;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = transduct_adapt::registry::add::<cmd::Cmd>() {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    transduct_papers::cli::main(std::env::args_os())
}
