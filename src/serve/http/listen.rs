//! Connections: how many there may be, how long each may take over what it sends and receives, and how they end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep};
use tower::ServiceExt as _;

use super::Site;
use super::client::mark;

/// What connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait to be taken.
    pub connections: usize,
    /// Time to send the head of a request, and to be silent between two.
    pub head: Duration,
    /// Time without taking a byte of an answer.
    pub stall: Duration,
    /// Time that requests have to end after the server was told to.
    pub grace: Duration,
    /// Whether a web server of one's own stands before this one and says for whom it asks.
    pub behind_proxy: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 1024, head: seconds(15), stall: seconds(30), grace: seconds(20), behind_proxy: false }
    }
}

/// Bytes that the head of a request may have.
const LONGEST_HEAD: usize = 32 << 10;
/// Headers that a request may have.
const MOST_HEADERS: usize = 64;

/// Takes connections until it is told to stop, then waits for those that are under way. Gives whether all of them ended.
pub(super) async fn listen(
    listener: TcpListener,
    router: Router,
    site: Arc<Site>,
    mut stop: watch::Receiver<bool>,
) -> bool {
    let limits = site.limits;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(LONGEST_HEAD).max_headers(MOST_HEADERS);
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let taken = tokio::select! {
            taken = take(&listener, &places) => taken,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer, place) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                // Often too many open files: those that are there end some time.
                tracing::warn!(%error, "A connection could not be taken: {error}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = router.clone().map_request(move |request| mark(request, peer, limits.behind_proxy));
        let service = TowerToHyperService::new(service);
        let connection = http.serve_connection(TokioIo::new(Patient::new(stream, limits.stall)), service);
        let connection = graceful.watch(connection);
        let site = Arc::clone(&site);
        site.metrics.connected();
        tokio::spawn(async move {
            // What goes wrong with one connection is the client's, and says nothing to anybody.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection ended: {error}");
            }
            site.metrics.disconnected();
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_ok()
}

type Taken = (TcpStream, SocketAddr, OwnedSemaphorePermit);

async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Taken> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

/// A connection that is closed when the other side takes nothing of what is sent for some time.
struct Patient {
    stream: TcpStream,
    stall: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, stall: Duration) -> Self {
        Self { stream, stall, waiting: None }
    }

    /// Lets a write through, and ends one that waits for too long.
    fn watched<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, buf);
        self.watched(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bufs);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_long_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, served) = tokio::join!(TcpStream::connect(address), listener.accept());
        let _kept_open = client.unwrap();
        let mut served = Patient::new(served.unwrap().0, Duration::from_secs(30));
        let ended = served.write_all(&vec![0; 64 << 20]).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
