//! The forms that rows are given in, and which of them a client takes.

use axum::http::HeaderMap;

use crate::serve::accept::best;
use crate::serve::error::ServeError;

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An object with the rows and where others are.
    Json,
    /// RFC 4180, as the CSV of a release.
    Csv,
    /// RFC 7946.
    GeoJson,
}

/// Forms of rows that have a place, the usual one first.
const WITH_PLACE: [Form; 3] = [Form::Json, Form::Csv, Form::GeoJson];
/// Forms of all others.
const WITHOUT_PLACE: [Form; 2] = [Form::Json, Form::Csv];

impl Form {
    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::GeoJson => "application/geo+json",
        }
    }

    /// The ending of its address.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::GeoJson => "geojson",
        }
    }

    /// The forms that rows are to be had in.
    pub(super) fn all(geographic: bool) -> &'static [Self] {
        if geographic { &WITH_PLACE } else { &WITHOUT_PLACE }
    }

    /// The form that a client likes best.
    pub(super) fn negotiated(headers: &HeaderMap, geographic: bool) -> Result<Self, ServeError> {
        let forms = Self::all(geographic);
        let refused = || ServeError::NotAcceptable { allowed: forms.iter().map(|form| form.media_type()).collect() };
        best(headers, forms, Self::media_type).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn rows_without_a_place_are_no_geojson() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/geo+json"))]);
        let refused = Form::negotiated(&headers, false);
        assert!(matches!(refused, Err(ServeError::NotAcceptable { allowed }) if allowed.len() == 2));
    }
}
