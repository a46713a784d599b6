//! Confidentiality, enforced: where a published column comes from, which cells are too small to show, and a last look
//! at the values themselves.

pub mod cells;
pub mod lineage;
pub mod scan;
