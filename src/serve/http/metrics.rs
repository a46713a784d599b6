//! What is measured of a server, in the text format of `OpenMetrics`, which Prometheus reads.

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::told::Class;

/// Upper bounds of the durations that are counted apart, in seconds.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    class: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfClass {
    class: &'static str,
}

/// What is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<OfRequest, Counter>,
    bytes: Family<OfClass, Counter>,
    duration: Family<OfClass, Histogram, fn() -> Histogram>,
    in_flight: Gauge<i64, AtomicI64>,
    connections: Gauge<i64, AtomicI64>,
    statements: Gauge<i64, AtomicI64>,
    kept: Gauge<i64, AtomicI64>,
    lines_lost: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let duration: Family<OfClass, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BOUNDS));
        let metrics = Self {
            registry: Mutex::default(),
            requests: Family::default(),
            bytes: Family::default(),
            duration,
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            statements: Gauge::default(),
            kept: Gauge::default(),
            lines_lost: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&self) {
        let Ok(mut registry) = self.registry.lock() else { return };
        registry.register("essaim_http_requests", "Requests by kind of route and status", self.requests.clone());
        registry.register("essaim_http_response_bytes", "Bytes of bodies that were sent", self.bytes.clone());
        registry.register(
            "essaim_http_request_duration_seconds",
            "Time until the last byte of the answer was handed over",
            self.duration.clone(),
        );
        registry.register("essaim_http_requests_in_flight", "Requests that are under way", self.in_flight.clone());
        registry.register("essaim_http_connections", "Connections that are open", self.connections.clone());
        registry.register("essaim_http_memory_bytes", "Files and answers that are kept in memory", self.kept.clone());
        registry.register("essaim_sql_statements", "Statements that run", self.statements.clone());
        registry.register(
            "essaim_http_access_log_lines_lost",
            "Lines of the access log that nobody took in time",
            self.lines_lost.clone(),
        );
    }

    /// A request begins.
    pub(super) fn begun(&self) {
        self.in_flight.inc();
    }

    /// A request came to its end.
    pub(super) fn ended(&self, class: Class, status: u16, bytes: u64, took: Duration) {
        self.in_flight.dec();
        let class = class.as_str();
        self.requests.get_or_create(&OfRequest { class, status }).inc();
        self.bytes.get_or_create(&OfClass { class }).inc_by(bytes);
        self.duration.get_or_create(&OfClass { class }).observe(took.as_secs_f64());
    }

    /// A connection was opened.
    pub(super) fn connected(&self) {
        self.connections.inc();
    }

    /// A connection was closed.
    pub(super) fn disconnected(&self) {
        self.connections.dec();
    }

    /// A line of the access log was lost.
    pub(super) fn lost_line(&self) {
        self.lines_lost.inc();
    }

    /// Statements that run now, and bytes of files and answers that are kept.
    pub(super) fn seen(&self, statements: usize, kept: usize) {
        self.statements.set(i64::try_from(statements).unwrap_or(i64::MAX));
        self.kept.set(i64::try_from(kept).unwrap_or(i64::MAX));
    }

    /// All of it as text, with its end.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Ok(registry) = self.registry.lock() {
            text::encode(&mut out, &registry).expect("writing to a String cannot fail");
        }
        out
    }
}

/// Several texts of measurements as one: it ends once.
pub(super) fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        all.push_str(text.strip_suffix("# EOF\n").unwrap_or(text));
    }
    all + "# EOF\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_status_and_two_texts_end_once() {
        let metrics = Metrics::default();
        metrics.begun();
        metrics.ended(Class::File, 206, 10, Duration::from_millis(2));
        let text = joined([metrics.text().as_str(), "# HELP other Other.\nother 1\n# EOF\n"]);
        assert!(text.contains("essaim_http_requests_total{class=\"file\",status=\"206\"} 1\n"), "{text}");
        assert!(text.contains("essaim_http_response_bytes_total{class=\"file\"} 10\n"), "{text}");
        assert!(text.contains("essaim_http_requests_in_flight 0\n"), "{text}");
        assert!(text.ends_with("other 1\n# EOF\n"), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
    }
}
