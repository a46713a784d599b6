//! Project files: read as typed, compiled into what they mean, every mistake reported in one go.
//!
//! [`load`] reads the files and nothing else; [`compile`] is pure: it touches neither disk, network nor environment.

mod alarm;
pub mod check;
pub mod compile;
mod connector;
mod coverage;
mod crosstab;
pub mod crs;
pub mod env;
mod figure;
mod gate;
mod keys;
pub mod licence;
pub mod load;
mod long;
mod network;
pub mod pipeline;
mod questionnaire;
pub mod reading;
mod schedule;
mod source;
pub mod sql;
mod table;
pub mod testing;
pub mod web;

/// Tables that every pipeline can read in SQL: the official geography, the code lists, the indicators.
pub const REFERENCE_TABLES: [&str; 7] =
    ["communes", "departements", "regions", "epci", "codes", "indicateurs", "indicateurs_groupes"];
