//! The `essaim` executable.

use std::process::ExitCode;

/// Tables come and go in large pieces on several threads, which the allocator of the system gives back to it and asks for
/// again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    essaim::cli::main()
}
