//! Sets up `tracing`: to stderr, as text or JSON.

use std::io;

use tracing_subscriber::EnvFilter;

use super::LogFormat;

/// Starts logging. Without `-v`, warnings and errors only; JSON also tells of steps.
pub(super) fn start(format: LogFormat, verbose: u8, color: bool) {
    let level = match (verbose, format) {
        (0, LogFormat::Text) => "warn",
        (0, LogFormat::Json) | (1, _) => "warn,essaim=info",
        (2, _) => "info,essaim=debug",
        _ => "debug,essaim=trace",
    };
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(EnvFilter::new(level));
    match format {
        LogFormat::Text => builder.with_ansi(color).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
