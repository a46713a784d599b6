//! Stories: the real binary on real files, in projects of their own.

#![expect(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "these are tests: a failure is a panic")]
#![expect(clippy::disallowed_methods, reason = "tests read the environment that they pass on")]
#![expect(clippy::print_stdout, reason = "tests say what they skipped and how many points they tried")]
#![expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "published numbers are compared to the bit")]
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "published files have lower-case names")]

mod architecture;
mod contracts;
mod harness;
mod stories;
