//! The page itself: its script is what `ui/build.mjs` makes of `ui/source/`, committed, so that nobody who builds this
//! program needs anything else.
//!
//! Correct means: it loads nothing from elsewhere, and a style that is not its own file's has to know a word that no one
//! else can know.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::door;

const PAGE: &str = include_str!("ui/index.html");
const SCRIPT: &str = include_str!("ui/built/app.js");
const STYLE: &str = include_str!("ui/style.css");

/// The page, with a word for the styles of its editor that holds for this answer alone.
pub(super) fn page() -> Response {
    // Where the system has no random bytes the editor has no style, and nothing else is lost.
    let nonce = door::unknown().unwrap_or_default();
    let text = PAGE.replace("{nonce}", &nonce);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy(&nonce)),
    ];
    (headers, text).into_response()
}

pub(super) fn script() -> Response {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        SCRIPT,
    )
        .into_response()
}

pub(super) fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// What the page may load and do; with a word, also the styles of who knows it.
pub(super) fn policy(nonce: &str) -> HeaderValue {
    let known = match nonce {
        "" => String::new(),
        nonce => format!(" 'nonce-{nonce}'"),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{known}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    match HeaderValue::from_str(&policy) {
        Ok(policy) => policy,
        Err(error) => unreachable!("hexadecimal digits are no control characters: {error}"),
    }
}
