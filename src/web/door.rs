//! Who may ask.
//!
//! Correct means: only who knows the token is let in, under a name of this machine, and never a page of another site.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::{Busy, MOST_BYTES, SLOW};

/// What is compared before anything is done.
#[derive(Debug, Clone)]
pub struct Door {
    token: String,
    port: u16,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It calls this machine by another name.
    Host,
    /// A page of another site sent it.
    Origin,
    /// It does not know the token.
    Token,
    /// There is nothing of that name.
    Nothing,
    /// What is there is not asked in this way.
    Method,
    /// It is no JSON by its own word.
    Kind,
    /// It is no JSON, or says something else than it may.
    Malformed(String),
    /// It is too large.
    Large,
    /// It did not come in time.
    Slow,
    /// Others were first.
    Busy(Busy),
}

impl Refusal {
    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Host => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Origin | Refusal::Token => StatusCode::FORBIDDEN,
            Refusal::Nothing => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Kind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Slow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Host => f.write_str("this server is called 127.0.0.1 or localhost, with its port"),
            Refusal::Origin => f.write_str("another page has no business here"),
            Refusal::Token => {
                f.write_str("the address lacks the token of this process; take the one that `dispatchlab serve` printed")
            }
            Refusal::Nothing => f.write_str("there is nothing of that name"),
            Refusal::Method => f.write_str("that is not asked in this way"),
            Refusal::Kind => f.write_str("send JSON, and say so: Content-Type: application/json"),
            Refusal::Malformed(why) => write!(f, "this is not what can be asked: {why}"),
            Refusal::Large => write!(f, "a request has at most {} KiB", MOST_BYTES >> 10),
            Refusal::Slow => write!(f, "a request has to be there within {} s", SLOW.as_secs()),
            Refusal::Busy(busy) => busy.fmt(f),
        }
    }
}

impl Door {
    /// With a token that nobody knows yet.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn new(port: u16) -> io::Result<Door> {
        let token = unknown()?;
        Ok(Door { token, port })
    }

    /// Where the page is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// What a request asks for, behind the token.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&self, request: &Request) -> Result<String, Refusal> {
        let headers = request.headers();
        let host = one(headers, header::HOST.as_str());
        if !host.is_some_and(|host| self.names().any(|name| host == name)) {
            return Err(Refusal::Host);
        }
        let is_own = |origin: &str| self.names().any(|name| origin == format!("http://{name}"));
        // A browser sends it with everything that changes something; who is no browser may leave it out.
        if headers.contains_key(header::ORIGIN) && !one(headers, "origin").is_some_and(is_own) {
            return Err(Refusal::Origin);
        }
        let site = one(headers, "sec-fetch-site");
        if site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(Refusal::Origin);
        }
        let path = request.uri().path().trim_start_matches('/');
        let (token, rest) = path.split_once('/').unwrap_or((path, ""));
        if !is_same(token, &self.token) {
            return Err(Refusal::Token);
        }
        if request.method() == Method::POST {
            let kind = one(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/json") {
                return Err(Refusal::Kind);
            }
        }
        Ok(rest.to_string())
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let port = self.port;
        ["127.0.0.1", "localhost"]
            .into_iter()
            .map(move |name| format!("{name}:{port}"))
    }
}

/// A word of 128 bits that nobody knows yet.
///
/// # Errors
/// Where the system has no random bytes.
pub(super) fn unknown() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The value of a header that stands there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then(|| first.to_str().ok()).flatten()
}

/// Whether two words are the same, in a time that does not tell where they differ.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differences == 0
}
