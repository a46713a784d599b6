//! Conditions of a request: does the client have it already, is it still what the client began to read (RFC 9110,
//! section 13).

use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, Utc};

/// What a file is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'a> {
    /// Its entity tag, quoted, never a weak one.
    pub(super) tag: &'a str,
    /// When it last changed, where that is known.
    pub(super) modified: Option<DateTime<Utc>>,
}

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is to be sent.
    Send,
    /// The client has it.
    NotModified,
    /// It is not what the client asks about any more.
    Failed,
}

/// Judges the conditions of a GET or HEAD, in the order that the standard gives.
pub(super) fn judge(headers: &HeaderMap, mark: Mark<'_>) -> Verdict {
    if headers.contains_key(header::IF_MATCH) {
        if !lists(headers, &header::IF_MATCH, mark.tag, false, true) {
            return Verdict::Failed;
        }
    } else if dates(headers, &header::IF_UNMODIFIED_SINCE, mark).is_some_and(|(since, modified)| since < modified) {
        return Verdict::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if lists(headers, &header::IF_NONE_MATCH, mark.tag, true, true) {
            return Verdict::NotModified;
        }
    } else if dates(headers, &header::IF_MODIFIED_SINCE, mark).is_some_and(|(since, modified)| modified <= since) {
        return Verdict::NotModified;
    }
    Verdict::Send
}

/// Whether `Range` counts: without `If-Range` it does, with it when the client's part is of the same bytes. A date tells that
/// only to the second, so that nothing but a tag is taken for what may change.
pub(super) fn range_counts(headers: &HeaderMap, mark: Mark<'_>, unchanging: bool) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let value = value.trim();
    let date = || mark.modified.is_some_and(|modified| parse(value) == Some(seconds(modified)));
    value == mark.tag || (unchanging && date())
}

/// Whether a condition names a tag itself, which decides which form of a file it is about.
pub(super) fn names(headers: &HeaderMap, tag: &str) -> bool {
    lists(headers, &header::IF_MATCH, tag, false, false) || lists(headers, &header::IF_NONE_MATCH, tag, true, false)
}

/// Whether a list of tags names one, or everything.
fn lists(headers: &HeaderMap, name: &HeaderName, tag: &str, weak: bool, any: bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|listed| (any && listed == "*") || listed == tag || (weak && listed.strip_prefix("W/") == Some(tag)))
}

/// The date of a condition and the one that it is about; a condition on what has no date does not count.
fn dates(headers: &HeaderMap, name: &HeaderName, mark: Mark<'_>) -> Option<(i64, i64)> {
    Some((parse(headers.get(name)?.to_str().ok()?)?, seconds(mark.modified?)))
}

fn parse(value: &str) -> Option<i64> {
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    Some(DateTime::<Utc>::from(at).timestamp())
}

/// Dates of HTTP have no parts of seconds.
fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    const TAG: &str = "\"abc\"";
    const DAY: &str = "Sun, 22 Nov 2026 08:00:00 GMT";
    const BEFORE: &str = "Sat, 21 Nov 2026 08:00:00 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 08:00:00 GMT";

    fn mark() -> Mark<'static> {
        Mark { tag: TAG, modified: "2026-11-22T08:00:00.7Z".parse().ok() }
    }

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[rstest]
    #[case::none(&[], Verdict::Send)]
    #[case::same_tag(&[(header::IF_NONE_MATCH, TAG)], Verdict::NotModified)]
    #[case::weak_tag(&[(header::IF_NONE_MATCH, "W/\"abc\"")], Verdict::NotModified)]
    #[case::in_a_list(&[(header::IF_NONE_MATCH, "\"x\", \"abc\"")], Verdict::NotModified)]
    #[case::any(&[(header::IF_NONE_MATCH, "*")], Verdict::NotModified)]
    #[case::other_tag(&[(header::IF_NONE_MATCH, "\"x\"")], Verdict::Send)]
    #[case::tag_before_date(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, AFTER)], Verdict::Send)]
    #[case::same_second(&[(header::IF_MODIFIED_SINCE, DAY)], Verdict::NotModified)]
    #[case::older_copy(&[(header::IF_MODIFIED_SINCE, BEFORE)], Verdict::Send)]
    #[case::no_date(&[(header::IF_MODIFIED_SINCE, "yesterday")], Verdict::Send)]
    #[case::wanted_tag(&[(header::IF_MATCH, TAG)], Verdict::Send)]
    #[case::wanted_other_tag(&[(header::IF_MATCH, "\"x\"")], Verdict::Failed)]
    #[case::wanted_weak_tag(&[(header::IF_MATCH, "W/\"abc\"")], Verdict::Failed)]
    #[case::changed_since(&[(header::IF_UNMODIFIED_SINCE, BEFORE)], Verdict::Failed)]
    #[case::unchanged_since(&[(header::IF_UNMODIFIED_SINCE, DAY)], Verdict::Send)]
    fn conditions(#[case] lines: &[(HeaderName, &'static str)], #[case] expected: Verdict) {
        assert_eq!(judge(&headers(lines), mark()), expected);
    }

    #[test]
    fn what_has_no_date_is_sent_whatever_date_is_asked_about() {
        let mark = Mark { tag: TAG, modified: None };
        for name in [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
            assert_eq!(judge(&headers(&[(name, DAY)]), mark), Verdict::Send);
        }
        assert!(!range_counts(&headers(&[(header::IF_RANGE, "Thu, 01 Jan 1970 00:00:00 GMT")]), mark, true));
    }

    #[test]
    fn a_condition_names_a_tag_but_not_by_naming_all() {
        assert!(names(&headers(&[(header::IF_MATCH, TAG)]), TAG));
        assert!(names(&headers(&[(header::IF_NONE_MATCH, "\"x\", W/\"abc\"")]), TAG));
        assert!(!names(&headers(&[(header::IF_NONE_MATCH, "*"), (header::IF_MATCH, "\"abc-gzip\"")]), TAG));
    }

    #[rstest]
    #[case::none(&[], false, true)]
    #[case::same_tag(&[(header::IF_RANGE, TAG)], false, true)]
    #[case::other_tag(&[(header::IF_RANGE, "\"x\"")], true, false)]
    #[case::weak_tag(&[(header::IF_RANGE, "W/\"abc\"")], true, false)]
    #[case::date_of_what_never_changes(&[(header::IF_RANGE, DAY)], true, true)]
    #[case::date_of_what_may_change(&[(header::IF_RANGE, DAY)], false, false)]
    #[case::other_date(&[(header::IF_RANGE, BEFORE)], true, false)]
    fn a_download_goes_on_only_with_the_same_bytes(
        #[case] lines: &[(HeaderName, &'static str)],
        #[case] unchanging: bool,
        #[case] counts: bool,
    ) {
        assert_eq!(range_counts(&headers(lines), mark(), unchanging), counts);
    }
}
