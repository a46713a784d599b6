//! One file per subject.

mod browser;
mod checks;
mod command_line;
mod confidentiality;
mod connectors;
mod crosstab;
mod drift;
mod gate;
mod independence;
mod init;
mod matching;
mod mistakes;
mod owner;
mod query;
mod questionnaire;
mod reading;
mod real;
mod release;
mod schedule;
mod serve;
mod site;
mod sources;
mod sql;
mod territory;
mod testing;
mod wire;
