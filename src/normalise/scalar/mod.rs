//! Single values from text: numbers, dates, booleans, establishment numbers, addresses.
//!
//! Each reader takes trimmed text and gives a value or the code of a reason; none guesses.

pub(super) mod boolean;
pub(super) mod date;
pub(super) mod html;
pub(super) mod number;
pub(super) mod siret;
pub(super) mod text;
pub(super) mod uri;

/// Why a text is no such value: a stable code.
pub(super) type Unreadable = &'static str;
