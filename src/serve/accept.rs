//! Which form of an answer a client likes best (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// The best of some forms, the usual one first, by their media types: the one that has the most weight, of those the one that
/// is named most precisely. Who says nothing takes the usual one.
pub(super) fn best<T: Copy>(headers: &HeaderMap, forms: &[T], media_type: impl Fn(T) -> &'static str) -> Option<T> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<&str> =
        values.flat_map(|value| value.split(',')).map(str::trim).filter(|range| !range.is_empty()).collect();
    if accepted.is_empty() {
        return forms.first().copied();
    }
    let weighed = forms.iter().filter_map(|form| {
        let name = media_type(*form).split(';').next().unwrap_or_default();
        // The most precise range counts, so that one form can be left out of many.
        let (precision, weight) = accepted.iter().filter_map(|range| fits(range, name)).max_by_key(|found| found.0)?;
        (weight > 0).then_some(((weight, precision), *form))
    });
    // Of several the last is found: the usual one should be.
    let weighed: Vec<((u16, u8), T)> = weighed.collect();
    weighed.into_iter().rev().max_by_key(|(weight, _)| *weight).map(|(_, form)| form)
}

/// How precisely a range of media types names one, and its weight in thousandths.
fn fits(range: &str, name: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let range = parts.next()?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
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

    const FORMS: [&str; 3] = ["application/json", "text/csv; charset=utf-8", "application/geo+json"];

    #[rstest]
    #[case::nothing_said(&[], Some(0))]
    #[case::nothing_in_it(&[""], Some(0))]
    #[case::anything(&["*/*"], Some(0))]
    #[case::csv(&["text/csv"], Some(1))]
    #[case::texts(&["text/*"], Some(1))]
    #[case::capitals(&["Text/CSV"], Some(1))]
    #[case::weighted(&["application/json;q=0.2, text/csv;q=0.9"], Some(1))]
    #[case::rather_than_anything(&["text/csv, */*"], Some(1))]
    #[case::alike(&["text/csv, application/json"], Some(0))]
    #[case::all_but_one(&["*/*, application/json;q=0"], Some(1))]
    #[case::in_two_headers(&["application/geo+json", "*/*;q=0.1"], Some(2))]
    #[case::browser(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Some(0))]
    #[case::none_of_them(&["application/xml"], None)]
    #[case::refused(&["application/json;q=0"], None)]
    fn the_form_that_a_client_likes_best(#[case] accept: &[&'static str], #[case] expected: Option<usize>) {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        assert_eq!(best(&headers, &FORMS, |form| form), expected.map(|at| FORMS[at]));
    }
}
