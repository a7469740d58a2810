//! What every request must pass, whatever it is for.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::hosts::Hosts;
use super::token::Token;

/// At which of our addresses a connection arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local(pub(super) IpAddr);

/// Who is let in.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) hosts: Arc<Hosts>,
    pub(super) token: Option<Arc<Token>>,
}

/// Paths that say no more than that somebody is there.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// The page loads what is its own, asks nobody else, and is in nobody's frame.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets a request through, or says why not.
pub(super) async fn guard(
    State(guard): State<Guard>,
    Extension(Local(local)): Extension<Local>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.refusal(&request, local) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    fn refusal(&self, request: &Request, local: IpAddr) -> Option<Response> {
        let (headers, uri) = (request.headers(), request.uri());
        match authority(headers, uri) {
            None => {
                return Some(refuse(
                    StatusCode::BAD_REQUEST,
                    "one Host header is needed\n",
                ));
            }
            Some(host) if !self.hosts.answer(host, local) => {
                return Some(refuse(
                    StatusCode::MISDIRECTED_REQUEST,
                    "this host name is not answered to: give it to the agent by --allow-host\n",
                ));
            }
            Some(_) => {}
        }
        if !self.is_known(headers) && !OPEN.contains(&uri.path()) {
            let mut refusal = refuse(StatusCode::UNAUTHORIZED, "a token is needed\n");
            for scheme in ["Bearer realm=\"berth\"", "Basic realm=\"berth\""] {
                let scheme = HeaderValue::from_static(scheme);
                refusal
                    .headers_mut()
                    .append(header::WWW_AUTHENTICATE, scheme);
            }
            return Some(refusal);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let refusal = refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "there is nothing to change\n",
            );
            return Some(([(header::ALLOW, "GET, HEAD")], refusal).into_response());
        }
        None
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let shown = headers.get(header::AUTHORIZATION);
        shown.is_some_and(|shown| token.is_shown_by(shown.as_bytes()))
    }
}

/// Whom a request is for: one host, named in one place or twice the same.
fn authority<'a>(headers: &'a HeaderMap, uri: &Uri) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    let named = uri.authority().map(axum::http::uri::Authority::as_str);
    (named.is_none_or(|named| named.eq_ignore_ascii_case(host))).then_some(host)
}

fn refuse(status: StatusCode, words: &'static str) -> Response {
    (status, words).into_response()
}
