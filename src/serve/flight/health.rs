//! Whether the server serves, in the words of gRPC (`grpc.health.v1`), for those who watch services.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Services that are asked about: all of the server, and its own.
const SERVICES: [&str; 2] = ["", "arrow.flight.protocol.FlightService"];

/// `SERVING`.
const SERVING: i32 = 1;

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

/// Answers as long as the server does.
#[derive(Debug, Clone)]
pub(super) struct Health;

impl NamedService for Health {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl Service<Request<Body>> for Health {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != CHECK {
                return Ok(Status::new(Code::Unimplemented, "only Check is answered").into_http());
            }
            let check = service_fn(|asked: tonic::Request<Asked>| {
                let known = SERVICES.contains(&asked.get_ref().service.as_str());
                let told = known.then(|| tonic::Response::new(Told { status: SERVING }));
                ready(told.ok_or_else(|| Status::not_found("there is no such service here")))
            });
            Ok(Grpc::new(ProstCodec::<Told, Asked>::default()).unary(check, request).await)
        })
    }
}
