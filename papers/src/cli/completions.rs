//! `transduct completions`.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Status};

const EXAMPLES: &str = "\
Examples:
  transduct completions bash > ~/.local/share/bash-completion/completions/transduct
  transduct completions zsh > ~/.zfunc/_transduct
  transduct completions fish > ~/.config/fish/completions/transduct.fish";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell to write for.
    shell: Shell,
}

pub(super) fn execute(args: CompletionsArgs) -> Result<Status> {
    // Through memory: the generator panics when its writer fails, as a closed pipe does.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "transduct", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Status::Done)
}
