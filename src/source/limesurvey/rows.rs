//! The id of a row, and nothing else of it.

use std::fmt;

use serde::de::Deserialize;
use serde::de::Deserializer;
use serde::de::Error;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value;

/// The id of a row; older versions wrap each row in an object under its id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RowId(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for RowId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RowId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RowId, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            let id = if name == "id" {
                let id = members.next_value::<Value>()?;
                id.as_u64().or_else(|| id.as_str()?.trim().parse().ok())
            } else {
                members.next_value::<RowId>()?.0
            };
            found = found.or(id);
        }
        Ok(RowId(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RowId, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RowId(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<RowId, E> {
        Ok(RowId(None))
    }

    fn visit_unit<E: Error>(self) -> Result<RowId, E> {
        Ok(RowId(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<RowId, E> {
        Ok(RowId(None))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<RowId, E> {
        Ok(RowId(None))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<RowId, E> {
        Ok(RowId(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<RowId, E> {
        Ok(RowId(None))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::flat(r#"{"id": "12", "submitdate": null, "Q1": "A2"}"#, Some(12))]
    #[case::number(r#"{"Q1": "A2", "id": 12}"#, Some(12))]
    #[case::wrapped(r#"{"12": {"id": "12", "Q1": "A2"}}"#, Some(12))]
    #[case::no_row(r#"{"id": "", "Q1": ""}"#, None)]
    #[case::other(r#"["id"]"#, None)]
    fn the_id_of_a_row_is_found(#[case] json: &str, #[case] expected: Option<u64>) {
        assert_eq!(serde_json::from_str::<RowId>(json).unwrap(), RowId(expected));
    }
}
