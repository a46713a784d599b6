//! Arrow Flight SQL, with ADBC.

use std::path::Path;

use arrow_flight::Ticket;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandPreparedStatementQuery, CommandStatementSubstraitPlan, ProstMessageExt as _, TicketStatementQuery,
};
use axum::http::uri::PathAndQuery;
use prost::Message as _;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::{PATIENT, Served, published};
use crate::harness::python;

#[test]
fn adbc_reads_tables_releases_and_metadata_and_binds_values() {
    let project = published(PATIENT);
    let served = Served::start(&project, &[]);
    let first = project.releases("lieux").remove(0);
    let uri = format!("grpc://{}", served.flight);
    let told = python("flight_client.py", &[Path::new(&uri), Path::new(&first)]);
    let lines: Vec<&str> = told.lines().collect();
    let expected = [
        "rows 1201 id:string nom:string places:int64 surface:double ouvert:bool depuis:date32[day]",
        "release NOT_FOUND",
        "prepared $1: int64",
        "values INVALID_ARGUMENT INVALID_ARGUMENT",
        "objects 1 ['TABLE'] Essaim",
        "cancel CANCELLED",
        "ingest NOT_IMPLEMENTED",
        "errors INVALID_ARGUMENT INVALID_ARGUMENT NOT_FOUND UNAUTHORIZED UNAUTHORIZED",
        "handshake 1",
    ];
    assert_eq!(lines, expected);
    let said = served.end();
    assert!(said.ends_with("ended\n"), "{said}");
}

async fn channel(address: &str) -> Channel {
    let address = format!("http://{address}");
    Endpoint::new(address).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn what_writes_or_is_forged_is_refused() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let channel = channel(&served.flight).await;
    let mut sql = FlightSqlServiceClient::new(channel.clone());
    let refused = sql.execute_update("DELETE FROM lieux.lieux".to_owned(), None).await.unwrap_err().to_string();
    assert!(refused.contains("not implemented"), "{refused}");
    assert!(sql.begin_transaction().await.is_err());
    let mut flight = FlightServiceClient::new(channel);
    let mut asked = Vec::new();
    for ticket in [
        TicketStatementQuery { statement_handle: "SELECT 1".into() }.as_any(),
        TicketStatementQuery { statement_handle: "DROP TABLE lieux.lieux".into() }.as_any(),
        TicketStatementQuery { statement_handle: vec![0xff, 0xfe].into() }.as_any(),
        CommandPreparedStatementQuery { prepared_statement_handle: vec![7; 16].into() }.as_any(),
        CommandPreparedStatementQuery { prepared_statement_handle: vec![7; 3].into() }.as_any(),
        CommandStatementSubstraitPlan::default().as_any(),
        TicketStatementQuery { statement_handle: vec![b' '; 2 << 20].into() }.as_any(),
    ] {
        let answered = flight.do_get(Ticket::new(ticket.encode_to_vec())).await;
        asked.push(answered.map_or_else(|status| status.code(), |_| Code::Ok));
    }
    let expected = [
        Code::Ok,
        Code::PermissionDenied,
        Code::InvalidArgument,
        Code::NotFound,
        Code::NotFound,
        Code::Unimplemented,
        Code::OutOfRange,
    ];
    assert_eq!(asked, expected);
}

#[derive(Clone, PartialEq, prost::Message)]
struct Asked {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Told {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[tokio::test]
async fn those_who_watch_services_are_told_that_it_serves() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut grpc = tonic::client::Grpc::new(channel(&served.flight).await);
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    for (service, expected) in [("", Ok(1)), ("nobody", Err(Code::NotFound))] {
        grpc.ready().await.unwrap();
        let asked = tonic::Request::new(Asked { service: service.to_owned() });
        let told = grpc.unary(asked, path.clone(), ProstCodec::<Asked, Told>::default()).await;
        assert_eq!(told.map(|told| told.into_inner().status).map_err(|status| status.code()), expected);
    }
}
