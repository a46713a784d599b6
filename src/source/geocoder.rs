//! The `geocoder`: where addresses are, by the service of the Géoplateforme (Base Adresse Nationale) or one of its shape.
//!
//! Unlike other sources it is asked about something: the run puts the questions when it knows the rows, and keeps the
//! answers as a snapshot of this source, which a release cites like every other.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use crate::config::pipeline::GeocoderSource;
use crate::source::Connector;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::client::Ask;
use crate::source::client::Expected;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::SourceError;
use crate::source::scan::Parse;
use crate::source::scan::ReadingSink;

/// The part that holds the answers.
pub const ANSWERS: &str = "answers";

/// Between the parts of the body; no address has it.
const BOUNDARY: &str = "essaim-4f0d7c1b9a2e";
const METHOD: &str = "search/csv";

/// What is asked about an address. Nothing else of a row leaves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressQuestion {
    /// The address, without postal code and commune.
    pub address: String,
    /// INSEE code of the commune that it is in.
    pub code_insee: Option<String>,
    /// Postal code, where no INSEE code tells the commune.
    pub code_postal: Option<String>,
}

/// What the service answers about an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddressAnswer {
    /// `housenumber`, `street`, `locality` or `municipality`; empty when nothing was found.
    pub kind: String,
    /// How well the match fits, from 0 to 1.
    pub score: f64,
    /// WGS 84, degrees.
    pub longitude: Option<f64>,
    /// WGS 84, degrees.
    pub latitude: Option<f64>,
    /// INSEE code of the commune, or arrondissement, of the match.
    pub code_insee: String,
}

/// Asks a geocoder.
#[derive(Debug)]
pub struct Geocoder {
    source: GeocoderSource,
    client: HttpClient,
}

impl Geocoder {
    /// The geocoder of a source.
    pub fn new(source: GeocoderSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }

    /// Questions that one request takes.
    pub fn batch(&self) -> usize {
        self.source.batch
    }

    /// The answers to some questions, in their order.
    pub async fn ask(&self, questions: &[AddressQuestion]) -> Result<Vec<AddressAnswer>, SourceError> {
        let url = below(&self.source.url, &["search", "csv"], None);
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let ask = Ask::Post { media_type, body: body(questions) };
        let mut reading = ReadingSink::new(None, || {
            let parse: Parse<Result<Vec<Row>, String>> = Box::new(|chunks| Ok(rows(chunks)));
            parse
        });
        self.client.ask("the answers to addresses", &url, &ask, Expected::Data, &mut reading).await?;
        let unread = |what: String| SourceError::UnreadAnswer {
            method: METHOD,
            url: url.to_string(),
            what,
            advice: "is the address that of a geocoder?",
        };
        let rows = reading.outcome().await.map_err(|error| unread(error.to_string()))?.map_err(unread)?;
        let mut answers = vec![None; questions.len()];
        for row in rows {
            if let Some(place) = answers.get_mut(row.number) {
                *place = Some(row.answer);
            }
        }
        let got = answers.iter().flatten().count();
        answers
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| unread(format!("{got} answers to {} questions", questions.len())))
    }
}

/// The body of a request: a CSV, and which of its columns are what.
fn body(questions: &[AddressQuestion]) -> Bytes {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let none = String::new();
    // Writing to memory does not fail.
    drop(csv.write_record(["n", "adresse", "code_insee", "code_postal"]));
    for (n, question) in questions.iter().enumerate() {
        let AddressQuestion { address, code_insee, code_postal } = question;
        let (insee, postal) = (code_insee.as_ref().unwrap_or(&none), code_postal.as_ref().unwrap_or(&none));
        drop(csv.write_record([&n.to_string(), address, insee, postal]));
    }
    let mut body = Vec::new();
    let field = |name: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"");
    for (name, value) in [("columns", "adresse"), ("citycode", "code_insee"), ("postcode", "code_postal")] {
        body.extend_from_slice(format!("{}\r\n\r\n{value}\r\n", field(name)).as_bytes());
    }
    let file = format!("{}; filename=\"adresses.csv\"\r\nContent-Type: text/csv; charset=utf-8\r\n\r\n", field("data"));
    body.extend_from_slice(file.as_bytes());
    body.extend(csv.into_inner().unwrap_or_default());
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body.into()
}

/// A row of the answer: which question, and what of it.
struct Row {
    number: usize,
    answer: AddressAnswer,
}

fn rows(input: impl std::io::Read) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let header = reader.headers().map_err(|_unread| "it is no CSV".to_owned())?.clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let wanted = ["n", "result_score", "result_type", "result_citycode", "longitude", "latitude"];
    let missing: Vec<&str> = wanted.into_iter().filter(|name| place(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(format!("it has no column {}", missing.join(", ")));
    }
    let status = place("result_status");
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_unread| "it is no CSV".to_owned())?;
        let text = |name: &str| place(name).and_then(|at| record.get(at)).unwrap_or_default().trim();
        let number = |name: &str| text(name).parse::<f64>().ok().filter(|number| number.is_finite());
        let state = status.and_then(|at| record.get(at)).unwrap_or("ok");
        if state == "error" {
            return Err("the service failed at one of the addresses".to_owned());
        }
        let answer = AddressAnswer {
            kind: text("result_type").to_owned(),
            score: number("result_score").unwrap_or(0.0),
            longitude: number("longitude"),
            latitude: number("latitude"),
            code_insee: text("result_citycode").to_owned(),
        };
        let number = text("n").parse().map_err(|_unread| "its rows bear no numbers".to_owned())?;
        rows.push(Row { number, answer });
    }
    Ok(rows)
}

/// Gives answers that are there already as a snapshot's only part.
#[derive(Debug, Default)]
pub struct Answers {
    /// Where they came from, without secrets.
    pub url: String,
    /// Their bytes.
    pub bytes: Bytes,
}

#[async_trait]
impl Connector for Answers {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let info = PartInfo { name: ANSWERS.to_owned(), url: self.url.clone(), ..PartInfo::default() };
        parts.begin(info).await?;
        parts.write(self.bytes.clone()).await?;
        parts.finish().await
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use url::Url;

    use super::*;
    use crate::source::error::HttpFault;
    use crate::source::upstream::{Reply, Upstream, settings};

    fn question(address: &str) -> AddressQuestion {
        AddressQuestion { address: address.to_owned(), code_insee: Some("35238".to_owned()), code_postal: None }
    }

    async fn ask(replies: Vec<Reply>) -> (Result<Vec<AddressAnswer>, SourceError>, Upstream) {
        let upstream = Upstream::start().await;
        upstream.on("/geocodage/search/csv", replies);
        let url = Url::parse(&upstream.url("/geocodage/")).unwrap().into();
        let source = GeocoderSource { url, batch: 10, settings: settings() };
        let geocoder = Geocoder::new(source, &BTreeMap::new()).unwrap();
        (geocoder.ask(&[question("8 bd du Port, « A »"), question("Le Bourg")]).await, upstream)
    }

    const HEADER: &str = "n,adresse,code_insee,code_postal,longitude,latitude,result_label,result_score,result_type,result_citycode,result_status";

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_questions() {
        let csv = format!(
            "{HEADER}\n1,Le Bourg,35238,,,,,,,,not-found\n0,\"8 bd du Port, « A »\",35238,,-1.68,48.11,x,0.91,housenumber,35238,ok\n"
        );
        let (answers, upstream) = ask(vec![Reply::status(429).header("retry-after", "0"), Reply::ok(csv)]).await;
        let found = AddressAnswer {
            kind: "housenumber".to_owned(),
            score: 0.91,
            longitude: Some(-1.68),
            latitude: Some(48.11),
            code_insee: "35238".to_owned(),
        };
        assert_eq!(answers.unwrap(), [found, AddressAnswer::default()]);
        let seen = &upstream.seen()[1];
        assert_eq!(seen.method, "POST");
        assert!(
            seen.body
                .contains("n,adresse,code_insee,code_postal\n0,\"8 bd du Port, « A »\",35238,\n1,Le Bourg,35238,\n")
        );
        assert!(seen.body.contains("name=\"citycode\"\r\n\r\ncode_insee\r\n"), "{}", seen.body);
    }

    #[rstest]
    #[case::too_few(Reply::ok(format!("{HEADER}\n0,a,35238,,1,2,x,0.9,street,35238,ok\n")), "1 answers to 2 questions")]
    #[case::another_service(Reply::ok("erreur;message\n1;2\n"), "it has no column n, result_score")]
    #[case::failed(Reply::ok(format!("{HEADER}\n0,a,35238,,,,,,,,error\n")), "failed at one of the addresses")]
    #[tokio::test]
    async fn an_answer_that_is_none_is_said_so(#[case] reply: Reply, #[case] why: &str) {
        let error = ask(vec![reply]).await.0.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[tokio::test]
    async fn a_service_that_is_down_is_said_so() {
        let error = ask(vec![Reply::status(404)]).await.0.unwrap_err();
        assert!(
            matches!(
                error,
                SourceError::Download { method: "POST", source: HttpFault::Status { status: 404, .. }, .. }
            ),
            "{error:?}"
        );
    }
}
