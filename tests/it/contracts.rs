//! Contracts of the shipped project.
