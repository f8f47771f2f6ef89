//! A local page: templates, an editor, and numbers that follow the edit.
//!
//! Correct means: nobody has anything run who does not know the token of this process, and no page of another site; one
//! text is measured at a time, in a worker; and whatever is asked, in whatever form, the server goes on answering.

mod bench;
mod door;
mod pages;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use bench::{
    Answer, Begun, Bench, Busy, LATE, Measure, Pair, Scan, Shown, Text, WAITING, Wanted,
};
pub use door::{Door, Refusal};

/// Bytes of a request's body: a template has a few thousand.
pub const MOST_BYTES: usize = 1 << 20;
/// How long somebody may take to send a request.
pub const SLOW: Duration = Duration::from_secs(5);
/// Connections at a time; a browser opens six.
const CONNECTIONS: usize = 64;

/// Serves until `is_over`.
///
/// # Errors
/// When the system gives no more.
pub async fn serve(
    listener: std::net::TcpListener,
    door: Door,
    bench: Bench,
    is_over: impl Fn() -> bool,
) -> std::io::Result<()> {
    const LOOK: Duration = Duration::from_millis(200);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let site = Arc::new(Site { door, bench });
    let app = Router::new().fallback(answer).with_state(site);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while !is_over() {
        let Ok(accepted) = tokio::time::timeout(LOOK, listener.accept()).await else {
            continue;
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, most likely: others have to end first.
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(SLOW)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // Whoever is gone or speaks no HTTP is told nothing.
            let _ = served;
            drop(place);
        });
    }
    Ok(())
}

/// A port of this machine that nobody else reaches: this one, or for 0 one that is free.
///
/// # Errors
/// Where it is taken.
pub fn listen(port: u16) -> std::io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

struct Site {
    door: Door,
    bench: Bench,
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Result<Response, Infallible> {
    let answered = match site.door.admit(&request) {
        Ok(path) => respond(&site, &path, request).await,
        Err(refusal) => Err(refusal),
    };
    Ok(dressed(answered.unwrap_or_else(|refusal| {
        let body = json!({ "error": refusal.to_string() });
        (refusal.status(), axum::Json(body)).into_response()
    })))
}

async fn respond(site: &Site, path: &str, request: Request) -> Result<Response, Refusal> {
    match (request.method(), path) {
        (&Method::GET, "") => Ok(pages::page()),
        (&Method::GET, "app.js") => Ok(pages::script()),
        (&Method::GET, "style.css") => Ok(pages::style()),
        (&Method::GET, "api/templates") => ask(site, Wanted::Templates).await,
        (&Method::POST, "api/run") => asked(site, request, Wanted::Run).await,
        (&Method::POST, "api/compare") => asked(site, request, Wanted::Compare).await,
        (&Method::POST, "api/sweep") => asked(site, request, Wanted::Sweep).await,
        (&Method::POST, "api/sweep/next") => asked(site, request, Wanted::Next).await,
        (&Method::POST, "api/page") => asked(site, request, Wanted::Page).await,
        (
            _,
            "" | "app.js" | "style.css" | "api/templates" | "api/run" | "api/compare" | "api/sweep"
            | "api/sweep/next" | "api/page",
        ) => Err(Refusal::Method),
        _ => Err(Refusal::Nothing),
    }
}

/// What the body of a request wants.
async fn asked<T: DeserializeOwned>(
    site: &Site,
    request: Request,
    wanted: impl Fn(T) -> Wanted,
) -> Result<Response, Refusal> {
    let body = body_of(request.into_body()).await?;
    let read = serde_json::from_slice(&body).map_err(|error| Refusal::Malformed(error.to_string()));
    ask(site, wanted(read?)).await
}

/// The whole body, where it comes in time and is no larger than it may be.
async fn body_of(body: Body) -> Result<Vec<u8>, Refusal> {
    match tokio::time::timeout(SLOW, to_bytes(body, MOST_BYTES)).await {
        Err(_) => Err(Refusal::Slow),
        Ok(Err(_)) => Err(Refusal::Large),
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
    }
}

async fn ask(site: &Site, wanted: Wanted) -> Result<Response, Refusal> {
    let answer = site.bench.ask(wanted).await.map_err(Refusal::Busy)?;
    let status = match answer.is_refused {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::OK,
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((status, kind, answer.document).into_response())
}

/// What every answer says to a browser: to load nothing from elsewhere, to keep nothing, to tell nobody the address, and
/// to let no other page look in.
fn dressed(mut response: Response) -> Response {
    const SAID: [(header::HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in SAID {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    // The page itself has one with a word that its editor knows.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert_with(|| pages::policy(""));
    response
}
