//! Essaim turns survey answers and network registries into versioned open data.
//!
//! Modules stand in the order of their layers; each uses only those above it:
//!
//! - [`id`], [`diagnostic`]: names, digests; mistakes in project files, with their place
//! - [`contract`], [`store`]: the promised shape of a table; where bytes are kept
//! - [`config`], [`engine`]: project files and what they mean; SQL (the only user of DataFusion)
//! - [`source`]: fetching, and snapshots of what was fetched
//! - [`normalise`]: from bytes to rows of a contract, nothing lost
//! - [`territory`], [`survey`]: where a row is; how often each answer is given
//! - [`model`], [`draft`]: SQL models, their order and their promises; a project drafted from a file
//! - [`quality`], [`disclosure`]: checks; confidentiality
//! - [`release`]: manifest and log, without I/O
//! - [`publish`]: files, metadata, figures, and the commit
//! - [`run`]: one execution of a pipeline
//! - [`schedule`], [`serve`]: runs by the clock, and who is told; HTTP
//! - [`cli`]: the command line
//!
//! One item's way: [`cli`] compiles the project ([`config`]), plans its SQL ([`model`]) and checks confidentiality
//! ([`disclosure`]); [`run`] fetches snapshots ([`source`]), reads them ([`normalise`], [`territory`]), counts
//! ([`survey`]), runs SQL ([`engine`]), checks ([`quality`]), writes and commits ([`publish`]).

pub mod id;
pub mod secret;

pub mod diagnostic;

pub mod contract;
pub mod store;

pub mod config;
pub mod engine;

pub mod source;

pub mod normalise;

pub mod survey;
pub mod territory;

pub mod draft;
pub mod model;

pub mod disclosure;
pub mod quality;

pub mod release;

pub mod publish;

pub mod run;

pub mod schedule;
pub mod serve;

pub mod cli;
