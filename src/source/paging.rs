//! Rows that come page by page: each page is a part, `page-0001` and so on, as it was received.

use std::collections::BTreeSet;

use url::Url;
use url::form_urlencoded;

use crate::config::pipeline::Paging;
use crate::config::pipeline::PagingStep;
use crate::secret::SafeUrl;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::error::HttpFault;
use crate::source::error::SourceError;
use crate::source::redirect::Way;
use crate::source::scan;
use crate::source::scan::Found;
use crate::source::scan::ReadingSink;

/// What a page tells about the others.
struct Page {
    /// Link or cursor of the next one.
    onward: Option<String>,
    /// Its rows, where their place is declared.
    rows: Option<u64>,
    /// Rows of all pages together, where it says so.
    total: Option<u64>,
}

/// Fetches all pages, from `first` on, as parts `page-0001` and so on.
pub(super) async fn fetch(
    client: &HttpClient,
    first: &SafeUrl,
    paging: &Paging,
    sink: &mut dyn PartSink,
) -> Result<(), SourceError> {
    fetch_as("page", client, first, paging, sink).await
}

/// The same, with another name than `page`.
pub(super) async fn fetch_as(
    name: &str,
    client: &HttpClient,
    first: &SafeUrl,
    paging: &Paging,
    sink: &mut dyn PartSink,
) -> Result<(), SourceError> {
    let mut url = match &paging.step {
        PagingStep::Offset { parameter } => with_parameter(first, parameter, "0"),
        PagingStep::Page { parameter, first: number } => with_parameter(first, parameter, &number.to_string()),
        PagingStep::Next { .. } | PagingStep::Cursor { .. } => first.clone(),
    };
    let mut asked = BTreeSet::new();
    let (mut collected, mut number) = (0, 0);
    loop {
        number += 1;
        let part = format!("{name}-{number:04}");
        asked.insert(url.expose().as_str().to_owned());
        let page = page(client, &part, &url, paging, sink).await?;
        let stuck = |reason| SourceError::NextPage { part: part.clone(), url: url.to_string(), reason };
        collected += page.rows.unwrap_or(0);
        let Some(next) = next(first, &url, paging, &page, (collected, number)).map_err(stuck)? else {
            return complete(&part, &url, page.total, page.rows.is_some().then_some(collected));
        };
        if asked.contains(next.expose().as_str()) {
            return Err(stuck("it leads back to a page that was read already".to_owned()));
        }
        if number == paging.max_pages {
            return Err(stuck(format!("{number} pages were read; raise `max_pages` if there are more")));
        }
        url = next;
    }
}

/// Moves one page into the snapshot and looks at it meanwhile.
async fn page(
    client: &HttpClient,
    part: &str,
    url: &SafeUrl,
    paging: &Paging,
    sink: &mut dyn PartSink,
) -> Result<Page, SourceError> {
    let onward = match &paging.step {
        PagingStep::Next { path } | PagingStep::Cursor { path, .. } => Some(path),
        PagingStep::Offset { .. } | PagingStep::Page { .. } => None,
    };
    let places = [onward, paging.rows.as_ref(), paging.total.as_ref()];
    let paths: Vec<Vec<String>> = places.iter().copied().flatten().cloned().collect();
    let mut reading = ReadingSink::new(Some(sink), || {
        let paths = paths.clone();
        Box::new(move |chunks| scan::find(chunks, &paths))
    });
    client.download_json(part, url, &mut reading).await?;
    let unread = |source| SourceError::UnreadPage { part: part.to_owned(), url: url.to_string(), source };
    let mut found = reading.outcome().await.map_err(unread)?.into_iter();
    let [onward, rows, total] = places.map(|place| place.and_then(|_| found.next()).unwrap_or_default());
    let rows = match (rows, &paging.rows) {
        (Found::Members(rows), _) => Some(rows),
        (_, None) => None,
        (_, Some(path)) => {
            let reason = format!("the page has no list at `{}`", path.join("."));
            return Err(SourceError::NextPage { part: part.to_owned(), url: url.to_string(), reason });
        }
    };
    let text = |found| match found {
        Found::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    };
    Ok(Page { onward: text(onward), rows, total: text(total).and_then(|total| total.parse().ok()) })
}

/// Where the next page is, `None` after the last one. An error says why it cannot be fetched.
fn next(
    first: &SafeUrl,
    current: &SafeUrl,
    paging: &Paging,
    page: &Page,
    (collected, number): (u64, u64),
) -> Result<Option<SafeUrl>, String> {
    // A server may give fewer rows than asked for: only a page without rows, or the announced number, is the end.
    let more = page.rows != Some(0) && page.total.is_none_or(|total| collected < total);
    Ok(match (&paging.step, &page.onward) {
        (PagingStep::Next { .. }, Some(link)) => Some(along(current, link)?),
        (PagingStep::Cursor { parameter, .. }, Some(cursor)) => Some(with_parameter(first, parameter, cursor)),
        (PagingStep::Next { .. } | PagingStep::Cursor { .. }, None) => None,
        (PagingStep::Offset { parameter }, _) => more.then(|| with_parameter(first, parameter, &collected.to_string())),
        (PagingStep::Page { parameter, first: start }, _) => {
            more.then(|| with_parameter(first, parameter, &(start + number).to_string()))
        }
    })
}

/// A link in a page leads where the source's credentials may go, or nowhere.
fn along(current: &SafeUrl, link: &str) -> Result<SafeUrl, String> {
    let mut way = Way::new(current);
    match way.follow(link) {
        Ok(()) if way.with_credentials() => Ok(current.at(way.url().clone())),
        Ok(()) => Err("its link leads to another host, which is not followed".to_owned()),
        Err(HttpFault::Redirect { to, reason }) => Err(format!("its link leads to {to}, which is refused: {reason}")),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Holds the rows that came against those that were announced.
fn complete(part: &str, url: &SafeUrl, announced: Option<u64>, collected: Option<u64>) -> Result<(), SourceError> {
    match (announced, collected) {
        (Some(announced), Some(collected)) if announced != collected => {
            Err(SourceError::Incomplete { part: part.to_owned(), url: url.to_string(), announced, collected })
        }
        _ => Ok(()),
    }
}

/// The address with a query parameter set; the rest of its query stays letter by letter.
fn with_parameter(from: &SafeUrl, name: &str, value: &str) -> SafeUrl {
    let mut url: Url = from.expose().clone();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let is_it = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(key, _)| key == name);
    let mut pairs: Vec<String> = url
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| !pair.is_empty() && !is_it(pair))
        .map(str::to_owned)
        .collect();
    pairs.push(format!("{}={}", encoded(name), encoded(value)));
    url.set_query(Some(&pairs.join("&")));
    from.at(url)
}

#[cfg(test)]
mod tests;
