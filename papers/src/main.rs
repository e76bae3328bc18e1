//! The `transduct` command.

fn main() -> std::process::ExitCode {
    transduct_papers::cli::main(std::env::args_os())
}
