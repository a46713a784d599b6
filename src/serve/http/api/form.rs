//! The forms that rows are given in, and which of them a client takes.

use axum::http::{HeaderMap, header};

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

    /// The form that a client likes best (RFC 9110, section 12.5.1).
    pub(super) fn negotiated(headers: &HeaderMap, geographic: bool) -> Result<Self, ServeError> {
        let forms = Self::all(geographic);
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        if accepted.iter().all(|range| range.is_empty()) {
            return Ok(Self::Json);
        }
        let weight = |form: &Self| {
            let name = form.media_type().split(';').next().unwrap_or_default();
            // The most precise range counts.
            let found =
                accepted.iter().filter_map(|range| matches(range, name)).max_by_key(|(precision, _)| *precision);
            found.map_or(0, |(_, weight)| weight)
        };
        let best = forms.iter().rev().max_by_key(|form| weight(form)).filter(|form| weight(form) > 0);
        let refused = || ServeError::NotAcceptable { allowed: forms.iter().map(|form| form.media_type()).collect() };
        best.copied().ok_or_else(refused)
    }
}

/// How precisely a range of media types names one, and its weight in thousandths.
fn matches(range: &str, name: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let range = parts.next()?;
    let weight =
        parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
    let kind = name.split('/').next().unwrap_or(name);
    let precision = match range.split_once('/')? {
        ("*", "*") => 0,
        (of, "*") if of.eq_ignore_ascii_case(kind) => 1,
        _ if range.eq_ignore_ascii_case(name) => 2,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
    Some((precision, thousandths))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_said(None, Some(Form::Json))]
    #[case::anything(Some("*/*"), Some(Form::Json))]
    #[case::csv(Some("text/csv"), Some(Form::Csv))]
    #[case::texts(Some("text/*"), Some(Form::Csv))]
    #[case::geojson(Some("application/geo+json"), Some(Form::GeoJson))]
    #[case::weighted(Some("application/json;q=0.2, text/csv;q=0.9"), Some(Form::Csv))]
    #[case::all_but_one(Some("*/*, application/json;q=0"), Some(Form::Csv))]
    #[case::browser(Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Some(Form::Json))]
    #[case::none_of_them(Some("application/xml"), None)]
    #[case::refused(Some("application/json;q=0"), None)]
    fn the_form_that_a_client_likes_best(#[case] accept: Option<&'static str>, #[case] expected: Option<Form>) {
        let headers = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
        assert_eq!(Form::negotiated(&HeaderMap::from_iter(headers), true).ok(), expected);
    }

    #[test]
    fn rows_without_a_place_are_no_geojson() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/geo+json"))]);
        let refused = Form::negotiated(&headers, false);
        assert!(matches!(refused, Err(ServeError::NotAcceptable { allowed }) if allowed.len() == 2));
    }
}
