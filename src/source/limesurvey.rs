//! The `limesurvey` connector: a survey, its questions and its responses, by the remote control (`RemoteControl` 2, JSON-RPC).
//!
//! Every answer has the status 200. What is an error is told by its `result`: an object with nothing but a `status`.

mod rows;
mod unwrap;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use self::unwrap::UnwrappingSink;
use crate::config::pipeline::LimeSurveySource;
use crate::secret::Secret;
use crate::source::Connector;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Validators;
use crate::source::client::Ask;
use crate::source::client::Expected;
use crate::source::client::HttpClient;
use crate::source::error::SourceError;
use crate::source::error::json_fault;
use crate::source::scan::Parse;
use crate::source::scan::ReadingSink;

/// What the service says of a survey that nobody has answered.
const NO_RESPONSES: &str = "No Data, could not get max id.";
/// A session ends by itself after two hours.
const SESSION_ENDED: &str = "Invalid session key";
/// What is put down of a survey without responses: the document that the service gives for no rows.
const NO_ROWS: &[u8] = br#"{"responses":[]}"#;

const NO_INTERFACE: &str =
    "is the JSON-RPC interface turned on (Global settings, Interfaces), and the address that of its remote control?";

/// Downloads a [`LimeSurveySource`].
#[derive(Debug)]
pub(super) struct LimeSurveyConnector {
    source: LimeSurveySource,
    client: HttpClient,
}

/// An answer of the service.
#[derive(Deserialize)]
struct Answer {
    result: Value,
}

/// What is read of the rows that came: their ids. For no rows, the service writes one without id.
#[derive(Deserialize)]
struct Rows {
    responses: Vec<rows::RowId>,
}

impl Rows {
    fn ids(&self) -> Vec<u64> {
        self.responses.iter().filter_map(|row| row.0).collect()
    }
}

impl LimeSurveyConnector {
    pub(super) fn new(source: LimeSurveySource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        let client = client.hiding([source.user.clone(), source.password.clone()]);
        Ok(Self { source, client })
    }

    /// Calls a method, and moves the answer on when it is a part: once it was read, for a refusal is none.
    async fn call(
        &self,
        client: &HttpClient,
        (method, part): (&'static str, &str),
        params: Value,
        onward: Option<&mut dyn PartSink>,
    ) -> Result<Value, SourceError> {
        let ask = Ask::json(&json!({"method": method, "params": params, "id": 1}));
        let mut gathered = GatheringSink::default();
        client.ask(part, &self.source.url, &ask, Expected::Json, &mut gathered).await?;
        let GatheringSink { info, bytes } = gathered;
        let answer = serde_json::from_slice(&bytes).map_err(|error| {
            let (url, what) = (self.source.url.to_string(), json_fault(&error));
            SourceError::UnreadAnswer { method, url, what, advice: NO_INTERFACE }
        });
        let Answer { result } = answer?;
        if let Some(status) = refusal(&result) {
            return Err(self.refused(client, method, status));
        }
        if let Some(onward) = onward {
            onward.begin(info).await?;
            onward.write(bytes.into()).await?;
            onward.finish().await?;
        }
        Ok(result)
    }

    fn refused(&self, client: &HttpClient, method: &'static str, status: &str) -> SourceError {
        let (url, answer) = (self.source.url.to_string(), client.quote(status));
        let advice = match status {
            SESSION_ENDED => "the session has ended: try again, with a smaller `page` if it stays",
            "No permission" => "give the account the right to read the survey and to export its responses",
            _ => "check the number of the survey, its language and that it is active",
        };
        SourceError::Service { method, url, answer, advice }
    }

    /// A wrong password is never tried twice: the service locks out who does.
    async fn log_in(&self) -> Result<String, SourceError> {
        let LimeSurveySource { user, password, url, .. } = &self.source;
        let params = json!([user.expose(), password.expose()]);
        match self.call(&self.client, ("get_session_key", "the session"), params, None).await {
            Ok(Value::String(key)) => Ok(key),
            Ok(_) => {
                let what = "it is no session key".to_owned();
                Err(SourceError::UnreadAnswer {
                    method: "get_session_key",
                    url: url.to_string(),
                    what,
                    advice: NO_INTERFACE,
                })
            }
            Err(SourceError::Service { url, answer, .. }) => Err(SourceError::LoginRefused { url, answer }),
            Err(error) => Err(error),
        }
    }

    async fn fetch_all(&self, client: &HttpClient, key: &str, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let LimeSurveySource { survey, language, .. } = &self.source;
        let wanted = ["language", "additional_languages", "active", "anonymized", "datestamp"];
        self.call(client, ("get_survey_properties", "survey"), json!([key, survey, wanted]), Some(&mut *parts)).await?;
        let params = json!([key, survey, null, language]);
        let questions = self.call(client, ("list_questions", "questions"), params, Some(&mut *parts)).await?;
        for id in questions_of(&questions) {
            let wanted =
                ["title", "question", "type", "subquestions", "answeroptions", "other", "mandatory", "question_order"];
            let part = format!("question-{id}");
            let params = json!([key, id, wanted, language]);
            self.call(client, ("get_question_properties", &part), params, Some(&mut *parts)).await?;
        }
        let ids = self.ids(client, key).await?;
        self.responses(client, key, &ids, parts).await
    }

    /// Ids of all responses: by them they are asked for, and held against what came.
    async fn ids(&self, client: &HttpClient, key: &str) -> Result<Vec<u64>, SourceError> {
        match self.export(client, "the ids of the responses", self.params(key, None, &json!(["id"])), None).await {
            Ok(rows) => {
                let mut ids = rows.ids();
                ids.sort_unstable();
                Ok(ids)
            }
            Err(SourceError::Service { answer, .. }) if answer == NO_RESPONSES => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn responses(
        &self,
        client: &HttpClient,
        key: &str,
        ids: &[u64],
        parts: &mut dyn PartSink,
    ) -> Result<(), SourceError> {
        let mut collected = 0;
        let mut part = "responses-0001".to_owned();
        for (at, window) in ids.chunks(self.source.page).enumerate() {
            part = format!("responses-{:04}", at + 1);
            let range = window.first().copied().zip(window.last().copied());
            let params = self.params(key, range, &Value::Null);
            collected += self.export(client, &part, params, Some(&mut *parts)).await?.ids().len() as u64;
        }
        if ids.is_empty() {
            let url = self.source.url.to_string();
            parts.begin(PartInfo { name: part.clone(), url, ..PartInfo::default() }).await?;
            parts.write(Bytes::from_static(NO_ROWS)).await?;
            parts.finish().await?;
        }
        let announced = ids.len() as u64;
        if announced == collected {
            return Ok(());
        }
        Err(SourceError::Incomplete { part, url: self.source.url.to_string(), announced, collected })
    }

    /// Parameters of an export: codes, never labels, by the codes of the questions.
    fn params(&self, key: &str, range: Option<(u64, u64)>, fields: &Value) -> Value {
        let LimeSurveySource { survey, language, completion, .. } = &self.source;
        let (from, to) = range.unzip();
        json!([key, survey, "json", language, completion, "code", "short", from, to, fields])
    }

    /// Moves the file that an export wraps in its answer on.
    async fn export(
        &self,
        client: &HttpClient,
        part: &str,
        params: Value,
        onward: Option<&mut dyn PartSink>,
    ) -> Result<Rows, SourceError> {
        const METHOD: &str = "export_responses";
        let ask = Ask::json(&json!({"method": METHOD, "params": params, "id": 1}));
        let mut reading = ReadingSink::new(onward, || {
            let parse: Parse<Rows> = Box::new(|chunks| serde_json::from_reader(std::io::BufReader::new(chunks)));
            parse
        });
        let mut unwrapping = UnwrappingSink::new(&mut reading);
        client.ask(part, &self.source.url, &ask, Expected::Json, &mut unwrapping).await?;
        let refused = unwrapping.into_other();
        let url = self.source.url.to_string();
        let unread = |what| SourceError::UnreadAnswer { method: METHOD, url: url.clone(), what, advice: NO_INTERFACE };
        if let Some(text) = refused {
            let answer: Answer = serde_json::from_slice(&text).map_err(|error| unread(json_fault(&error)))?;
            return match refusal(&answer.result) {
                Some(status) => Err(self.refused(client, METHOD, status)),
                None => Err(unread("it holds no file".to_owned())),
            };
        }
        reading.outcome().await.map_err(|error| unread(json_fault(&error)))
    }
}

/// The status of an answer that is nothing else.
fn refusal(result: &Value) -> Option<&str> {
    let members = result.as_object()?;
    let status = members.get("status")?.as_str()?;
    (members.len() == 1).then_some(status)
}

/// Ids of the questions that are none of another's lines, in the order in which the service lists them.
fn questions_of(list: &Value) -> Vec<u64> {
    let number = |question: &Value, name: &str| {
        let member = question.get(name)?;
        member.as_u64().or_else(|| member.as_str()?.trim().parse().ok())
    };
    let questions = list.as_array().into_iter().flatten();
    let own = questions.filter(|question| number(question, "parent_qid").unwrap_or(0) == 0);
    own.filter_map(|question| number(question, "qid").or_else(|| number(question, "id"))).collect()
}

/// Holds a small document until it was looked at.
#[derive(Debug, Default)]
struct GatheringSink {
    info: PartInfo,
    bytes: Vec<u8>,
}

#[async_trait]
impl PartSink for GatheringSink {
    fn known(&self, _name: &str, _url: &str) -> Option<Validators> {
        None
    }

    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError> {
        *self = Self { info: part, bytes: Vec::new() };
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn unchanged(&mut self, _name: &str) -> Result<(), SourceError> {
        Ok(())
    }
}

#[async_trait]
impl Connector for LimeSurveyConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let key = self.log_in().await?;
        let client = self.client.clone().hiding([Secret::new(key.clone())]);
        let outcome = self.fetch_all(&client, &key, parts).await;
        // What was fetched is good whatever becomes of the session, which ends by itself too.
        let released = self.call(&client, ("release_session_key", "the end of the session"), json!([key]), None).await;
        if released.is_err() {
            tracing::debug!("the session was not ended");
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
