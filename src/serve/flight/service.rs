//! What clients of Flight SQL ask for, and the answers.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, SchemaAsIpc,
    Ticket,
};
use futures::{Stream, stream};
use prost::Message as _;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::Limits;
use super::bound::bound;
use super::columns::plain_schema;
use super::metadata::{foreign_keys, primary_keys, server, types};
use super::prepared::Statements;
use super::rows::{Sent, send, send_batch, status};
use crate::engine::{CATALOG, ScalarValue};
use crate::serve::sql::{Client, ListedTable, Prepared, Refusal, SqlService};
use crate::serve::words;

/// The only kind of table there is.
const TABLE: &str = "TABLE";

/// What is published, for clients of Flight SQL.
pub(super) struct Service {
    sql: SqlService,
    statements: Statements,
    limits: Limits,
    server: SqlInfoData,
    types: XdbcTypeInfoData,
}

type Answer<T> = Result<Response<T>, Status>;
type Told = Answer<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>;

impl Service {
    pub(super) fn new(sql: SqlService, limits: Limits) -> Result<Self, FlightError> {
        let statements = Statements::new(limits.statements, limits.statements_per_address, limits.forgotten);
        Ok(Self { sql, statements, limits, server: server()?, types: types()? })
    }

    async fn prepare(&self, client: &Client, sql: &str) -> Result<Prepared, Status> {
        let sql = words::number_questions(sql);
        self.sql.prepare(client, &sql).await.map_err(|refusal| status(&refusal))
    }

    async fn execute(&self, client: &Client, prepared: &Prepared, values: Vec<ScalarValue>) -> Answer<Sent> {
        let expected = prepared.parameters().len();
        if values.len() != expected {
            let text = format!("{} values are bound, the statement has {expected} parameters", values.len());
            return Err(Status::invalid_argument(text));
        }
        let schema = plain_schema(prepared.schema());
        let rows = self.sql.execute(client, prepared, values).await.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(send(rows, &schema)))
    }

    async fn tables(&self) -> Result<Vec<ListedTable>, Status> {
        self.sql.tables().await.map_err(|refusal: Refusal| status(&refusal))
    }
}

/// Who asks.
fn client<T>(request: &Request<T>) -> Client {
    let address = request.remote_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    Client::new(address.to_canonical())
}

/// What a ticket that holds a command will give.
fn info(command: &impl ProstMessageExt, schema: &Schema, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    let info = FlightInfo::new().try_with_schema(schema).map_err(internal)?;
    let endpoint = FlightEndpoint::new().with_ticket(ticket);
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(request.into_inner())))
}

fn internal(error: impl std::fmt::Display) -> Status {
    tracing::error!(%error, "An answer of Arrow Flight SQL could not be made: {error}");
    Status::internal("the answer could not be made")
}

/// A schema as it stands in messages.
fn written(schema: &Schema) -> Result<bytes::Bytes, Status> {
    let written: Result<IpcMessage, ArrowError> = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into();
    written.map(|IpcMessage(bytes)| bytes).map_err(internal)
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    /// Whoever asks is let in: what is published is everybody's.
    async fn do_handshake(&self, _request: Request<Streaming<HandshakeRequest>>) -> Told {
        let welcome = HandshakeResponse { protocol_version: 0, payload: bytes::Bytes::new() };
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> =
            Response::new(Box::pin(stream::iter([Ok(welcome)])));
        response.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer everybody"));
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        if query.transaction_id.is_some() {
            return Err(Status::unimplemented("there are no transactions: nothing is written here"));
        }
        let prepared = self.prepare(&client(&request), &query.query).await?;
        let ticket = TicketStatementQuery { statement_handle: query.query.into_bytes().into() };
        info(&ticket, &plain_schema(prepared.schema()), request)
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, request: Request<Ticket>) -> Answer<Sent> {
        let sql = std::str::from_utf8(&ticket.statement_handle);
        let sql = sql.ok().ok_or_else(|| Status::invalid_argument("this is no ticket of a statement"))?;
        let client = client(&request);
        let prepared = self.prepare(&client, sql).await?;
        self.execute(&client, &prepared, Vec::new()).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        if query.transaction_id.is_some() {
            return Err(Status::unimplemented("there are no transactions: nothing is written here"));
        }
        let client = client(&request);
        let prepared = self.prepare(&client, &query.query).await?;
        let fields =
            prepared.parameters().iter().enumerate().map(|(index, kind)| {
                Field::new(format!("${}", index + 1), kind.clone().unwrap_or(DataType::Utf8), true)
            });
        let parameters = Schema::new(fields.collect::<Vec<_>>());
        let dataset_schema = written(&plain_schema(prepared.schema()))?;
        let handle = self.statements.keep(client.address, prepared)?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.to_vec().into(),
            dataset_schema,
            parameter_schema: written(&plain_schema(&parameters))?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let handle = query.prepared_statement_handle;
        let kept = self.statements.find(&handle)?;
        let values = tokio::time::timeout(
            self.limits.patience,
            bound(request.into_inner(), kept.prepared.parameters(), self.limits.values),
        );
        let values =
            values.await.ok().ok_or_else(|| Status::deadline_exceeded("the values did not come in time"))??;
        self.statements.bind(&handle, values)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let kept = self.statements.find(&query.prepared_statement_handle)?;
        info(&query, &plain_schema(kept.prepared.schema()), request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Answer<Sent> {
        let kept = self.statements.find(&query.prepared_statement_handle)?;
        self.execute(&client(&request), &kept.prepared, kept.values).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<(), Status> {
        self.statements.forget(&query.prepared_statement_handle);
        Ok(())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &query.into_builder().schema(), request)
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, _request: Request<Ticket>) -> Answer<Sent> {
        let mut builder = query.into_builder();
        builder.append(CATALOG);
        Ok(Response::new(send_batch(&builder.schema(), builder.build())))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &query.clone().into_builder().schema(), request)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, _request: Request<Ticket>) -> Answer<Sent> {
        let mut builder = query.into_builder();
        let mut schemas: Vec<String> = self.tables().await?.into_iter().map(|table| table.schema).collect();
        schemas.sort_unstable();
        schemas.dedup();
        for schema in schemas {
            builder.append(CATALOG, schema);
        }
        Ok(Response::new(send_batch(&builder.schema(), builder.build())))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &query.clone().into_builder().schema(), request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, _request: Request<Ticket>) -> Answer<Sent> {
        let mut builder = query.into_builder();
        for table in self.tables().await? {
            let schema = plain_schema(&table.columns);
            builder.append(CATALOG, &table.schema, &table.table, TABLE, &schema).map_err(internal)?;
        }
        Ok(Response::new(send_batch(&builder.schema(), builder.build())))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &query.into_builder().schema(), request)
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, _request: Request<Ticket>) -> Answer<Sent> {
        let mut builder = query.into_builder();
        builder.append(TABLE);
        Ok(Response::new(send_batch(&builder.schema(), builder.build())))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &self.server.schema(), request)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, _request: Request<Ticket>) -> Answer<Sent> {
        Ok(Response::new(send_batch(&self.server.schema(), query.into_builder(&self.server).build())))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &self.types.schema(), request)
    }

    async fn do_get_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, _request: Request<Ticket>) -> Answer<Sent> {
        Ok(Response::new(send_batch(&self.types.schema(), query.into_builder(&self.types).build())))
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &primary_keys().0, request)
    }

    async fn do_get_primary_keys(&self, _query: CommandGetPrimaryKeys, _request: Request<Ticket>) -> Answer<Sent> {
        let (schema, none) = primary_keys();
        Ok(Response::new(send_batch(&schema, Ok(none))))
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &foreign_keys().0, request)
    }

    async fn do_get_exported_keys(&self, _query: CommandGetExportedKeys, _request: Request<Ticket>) -> Answer<Sent> {
        let (schema, none) = foreign_keys();
        Ok(Response::new(send_batch(&schema, Ok(none))))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &foreign_keys().0, request)
    }

    async fn do_get_imported_keys(&self, _query: CommandGetImportedKeys, _request: Request<Ticket>) -> Answer<Sent> {
        let (schema, none) = foreign_keys();
        Ok(Response::new(send_batch(&schema, Ok(none))))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query, &foreign_keys().0, request)
    }

    async fn do_get_cross_reference(
        &self,
        _query: CommandGetCrossReference,
        _request: Request<Ticket>,
    ) -> Answer<Sent> {
        let (schema, none) = foreign_keys();
        Ok(Response::new(send_batch(&schema, Ok(none))))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
