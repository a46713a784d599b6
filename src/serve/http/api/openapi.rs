//! The description of the API for programs: `OpenAPI` 3.1, made from the handlers and what they answer.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::OpenApi;

use super::{Keep, answer};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Essaim",
        description = "What is published: datasets, their releases, tables and rows. Read-only, without keys. Errors are \
                       `application/problem+json` (RFC 9457) and say which parameter is wrong and what is allowed."
    ),
    servers((url = "/", description = "This server")),
    paths(
        super::catalog::root,
        super::catalog::datasets,
        super::catalog::dataset,
        super::catalog::releases,
        super::catalog::release,
        super::tables::tables,
        super::tables::table,
        super::rows::negotiated,
    ),
    tags(
        (name = "catalogue", description = "Datasets and releases"),
        (name = "tables", description = "Tables and what their columns mean"),
        (name = "rows", description = "Rows, filtered, sorted and paged")
    )
)]
struct Description;

static DOCUMENT: LazyLock<serde_json::Value> =
    LazyLock::new(|| serde_json::to_value(Description::openapi()).unwrap_or_default());

/// The document.
pub(super) async fn document(headers: HeaderMap) -> Response {
    answer(&*DOCUMENT, None, Keep::Short, &headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_of_version_3_1_and_every_answer_in_it_has_a_shape() {
        let document = &*DOCUMENT;
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 8);
        for (path, operations) in paths {
            let found = &operations["get"]["responses"]["200"]["content"];
            assert!(found.as_object().is_some_and(|content| !content.is_empty()), "{path}: {operations}");
        }
    }
}
