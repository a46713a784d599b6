//! What an answer tells those who operate the server: of which kind it is, and which published file it is about.

use axum::extract::MatchedPath;
use axum::http::Request;

use super::resource::Shared;

/// A kind of route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Pages of the site.
    Page,
    /// Files of releases, and others of the site.
    File,
    /// Files of the current release.
    Latest,
    /// Entries of logs.
    Log,
    /// The JSON API.
    Api,
    /// SQL.
    Sql,
    /// Health and metrics.
    Operations,
    /// What leads nowhere.
    Other,
}

impl Class {
    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::File => "file",
            Self::Latest => "latest",
            Self::Log => "log",
            Self::Api => "api",
            Self::Sql => "sql",
            Self::Operations => "operations",
            Self::Other => "other",
        }
    }

    /// The kind of a route, by its pattern.
    pub(super) fn of_route(pattern: &str) -> Self {
        match pattern {
            "/healthz" | "/readyz" | "/metrics" => Self::Operations,
            _ if pattern.starts_with("/api") => Self::Api,
            _ if pattern.starts_with("/sql") => Self::Sql,
            _ => Self::Other,
        }
    }
}

/// What an answer about files tells.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Of which kind it is.
    pub(super) class: Class,
    /// The file that it is about.
    pub(super) path: Option<Shared>,
}

impl Told {
    /// The path as the access log has it: that of a published file, the pattern of a route, or nothing that a client made up.
    pub(super) fn place(told: Option<&Self>, pattern: Option<&str>) -> String {
        match (told.and_then(|told| told.path.as_ref()), pattern) {
            (Some(file), _) => format!("/{}", file.facts.shown_as.path()),
            (None, Some(pattern)) => pattern.to_owned(),
            (None, None) => "-".to_owned(),
        }
    }
}

/// The pattern of the route that a request matched.
pub(super) fn pattern<B>(request: &Request<B>) -> Option<MatchedPath> {
    request.extensions().get::<MatchedPath>().cloned()
}
