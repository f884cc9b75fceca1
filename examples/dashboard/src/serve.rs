//! Takes connections: so many at once, whose requests come in time and are not too large.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::Result;
use crate::api::Refusal;

/// A request's head, and its body, is there after so long, or never.
const PATIENCE: Duration = Duration::from_secs(15);
/// And is no larger: bodies are a few settings, or an SDP offer.
const HEAD: usize = 32 << 10;
const BODY: usize = 64 << 10;
/// Who takes nothing of an answer for so long, or says nothing for so long, is gone. The longest answer takes less, and live viewers are
/// asked more often.
const STALLED: Duration = Duration::from_secs(10);
const SILENT: Duration = Duration::from_secs(150);
/// What is on its way to a viewer, in bytes: whoever is slow gets few pictures then, but new ones.
const SENDING: u32 = 128 << 10;
/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 39\r\n\
                      connection: close\r\n\r\n{\"error\": \"there are too many viewers\"}";

/// Within the runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listen = |socket: TcpSocket| {
        socket.set_reuseaddr(true)?;
        // Connections have it from here.
        socket.set_send_buffer_size(SENDING)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    socket.and_then(listen).map_err(|error| format!("cannot listen at {address}: {error}; choose another with --bind"))
}

/// Serves until it cannot any more.
pub async fn run(listener: TcpListener, router: Router, most: u32) -> Result<()> {
    let places = Arc::new(Semaphore::new(most as usize));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, say: those that are open go on.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (places, router) = (places.clone(), router.clone());
        match places.try_acquire_owned() {
            Ok(place) => drop(tokio::spawn(async move {
                connection(stream, router).await;
                drop(place);
            })),
            Err(_) => drop(tokio::spawn(turn_away(stream))),
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(SILENT));
    stream.set_write_timeout(Some(STALLED));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router))
        .with_upgrades();
    // Whoever breaks off or sends nonsense has been answered as far as possible.
    let _ = served.await;
}

async fn turn_away(mut stream: TcpStream) {
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
}

/// Goes on with a request once its body is there.
pub async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let too_large =
        || Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {BODY} bytes")).into_response();
    if body.size_hint().lower() > BODY as u64 {
        return too_large();
    }
    match tokio::time::timeout(PATIENCE, to_bytes(body, BODY)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, Body::from(body))).await,
        Ok(Err(_)) => too_large(),
        Err(_) => Refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time".into()).into_response(),
    }
}

/// Ends when the user wants it.
pub async fn stopped() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut end = signal(SignalKind::terminate()).map_err(|error| format!("signals cannot be heard: {error}"))?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = end.recv() => {}
    }
    Ok(())
}
