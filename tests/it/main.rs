//! Stories: the real binary on real files, in projects of their own.

mod architecture;
mod contracts;
mod harness;
mod stories;
