//! The `essaim` executable.

use std::process::ExitCode;

fn main() -> ExitCode {
    essaim::cli::main()
}
