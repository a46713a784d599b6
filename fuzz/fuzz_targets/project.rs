#![no_main]
//! Any text as a pipeline file: it compiles, or its mistakes are told.

mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    shared::project(text);
});
