//! Values that clients bind to the parameters of a statement.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::portal::Portal;
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::messages::extendedquery;

use super::failure::Failure;
use super::wire::Bind;
use crate::engine::ScalarValue;

/// The parameters of a statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters {
    /// What the engine takes, as far as it could tell.
    inferred: Vec<Option<DataType>>,
    /// What the client said that it sends.
    announced: Vec<Option<Type>>,
}

impl Parameters {
    pub(super) fn new(inferred: Vec<Option<DataType>>, types: &[u32]) -> Self {
        let known = |oid: &u32| Type::from_oid(*oid).filter(|kind| *kind != Type::UNKNOWN);
        Self { inferred, announced: types.iter().map(known).collect() }
    }

    /// The types that clients are told of: their own, else those of the engine, else text.
    pub(super) fn types(&self) -> Vec<Type> {
        let count = self.inferred.len().max(self.announced.len());
        let one = |index: usize| {
            let announced = self.announced.get(index).cloned().flatten();
            let inferred = || self.inferred.get(index)?.as_ref().and_then(|kind| into_pg_type(kind).ok());
            let kind = announced.or_else(inferred).filter(|kind| *kind != Type::UNKNOWN);
            kind.unwrap_or(Type::TEXT)
        };
        (0..count).map(one).collect()
    }

    /// The values of a message, in the types that the engine takes.
    pub(super) fn values(&self, bind: &Bind) -> Result<Vec<ScalarValue>, Failure> {
        let (given, expected) = (bind.parameters.len(), self.inferred.len());
        if given != expected {
            let text = format!("{given} parameters are bound, the statement has {expected}");
            return Err(Failure::new("08P01", text));
        }
        let formats = &bind.parameter_formats;
        if formats.len() > 1 && formats.len() != given {
            return Err(Failure::new("08P01", format!("{} formats for {given} parameters", formats.len())));
        }
        let types = self.types();
        let message = extendedquery::Bind::new(None, None, formats.clone(), bind.parameters.clone(), Vec::new());
        let announced = types.iter().cloned().map(Some).collect();
        let portal = Portal::try_new(&message, Arc::new(StoredStatement::new(String::new(), (), announced)))?;
        let inferred: Vec<Option<&DataType>> = self.inferred.iter().map(Option::as_ref).collect();
        let read = deserialize_parameters_with_server_types(&portal, &inferred, &[])?;
        let mut values = Vec::with_capacity(given);
        for (index, inferred) in self.inferred.iter().enumerate() {
            let bound = read.get_placeholders_with_values(&format!("${}", index + 1));
            let wrong = |error: &dyn std::fmt::Display| {
                Failure::new("22P02", format!("the value of ${} cannot be read: {error}", index + 1))
            };
            let value = bound.map_err(|error| wrong(&error))?.value;
            values.push(match inferred {
                Some(kind) if *kind != value.data_type() => value.cast_to(kind).map_err(|error| wrong(&error))?,
                _ => value,
            });
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn bind(formats: &[i16], values: &[Option<&'static [u8]>]) -> Bind {
        Bind {
            portal: String::new(),
            statement: String::new(),
            parameter_formats: formats.to_vec(),
            parameters: values.iter().map(|value| value.map(Bytes::from_static)).collect(),
            result_formats: Vec::new(),
        }
    }

    #[test]
    fn texts_and_binaries_become_what_the_engine_takes() {
        let inferred = vec![Some(DataType::Int64), Some(DataType::Utf8), Some(DataType::Date32), None];
        let parameters = Parameters::new(inferred, &[Type::INT2.oid()]);
        assert_eq!(parameters.types(), [Type::INT2, Type::TEXT, Type::DATE, Type::TEXT]);
        let values =
            parameters.values(&bind(&[1, 0, 0, 0], &[Some(b"\0\x29"), Some(b"41"), Some(b"2026-11-20"), None]));
        let values: Vec<String> = values.unwrap().iter().map(|value| format!("{value:?}")).collect();
        assert_eq!(values, ["Int64(41)", "Utf8(\"41\")", "Date32(\"2026-11-20\")", "Utf8(NULL)"]);
    }

    #[test]
    fn wrong_numbers_of_values_and_formats_are_refused() {
        let parameters = Parameters::new(vec![Some(DataType::Int64)], &[]);
        assert_eq!(parameters.values(&bind(&[], &[])).unwrap_err().code, "08P01");
        assert_eq!(parameters.values(&bind(&[0, 1], &[Some(b"1")])).unwrap_err().code, "08P01");
        assert_eq!(parameters.values(&bind(&[], &[Some(b"one")])).unwrap_err().code, "22P02");
    }
}
