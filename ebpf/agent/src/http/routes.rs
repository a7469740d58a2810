//! What is served, path by path.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::collect::{Collector, Sheet, TooSlow, gzip};
use super::guard::{Guard, guard};
use super::negotiate::{Packing, format, packing};
use super::settings::Cadvisor;
use super::stream::Streams;
use crate::export::json;
use crate::model::Pod;
use crate::page;

/// What the routes need.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) collector: Collector,
    pub(super) streams: Arc<Streams>,
}

/// Which pod; without both, all.
#[derive(Debug, Default, Deserialize)]
struct Which {
    namespace: Option<String>,
    pod: Option<String>,
}

/// Everything that is served, behind the guard.
pub(super) fn routes(shared: Shared, guarding: Guard, cadvisor: Cadvisor) -> Router {
    let mut router = Router::new()
        .route("/", get(page::index))
        .route("/pods/{namespace}/{pod}", get(page::index))
        .route("/assets/page.js", get(page::script))
        .route("/assets/page.css", get(page::style))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/traffic", get(traffic))
        .route("/api/v1/stream", get(stream));
    if cadvisor == Cadvisor::On {
        router = router.route("/metrics/cadvisor", get(cadvisor_metrics));
    }
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n") })
        .layer(from_fn_with_state(guarding, guard))
        .with_state(shared)
}

impl IntoResponse for TooSlow {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{self}\n")).into_response()
    }
}

async fn ready(State(shared): State<Shared>) -> Result<&'static str, TooSlow> {
    shared.collector.snapshot().await.map(|_snapshot| "ok\n")
}

async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, TooSlow> {
    exposition(&shared, &headers, Sheet::Metrics).await
}

async fn cadvisor_metrics(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, TooSlow> {
    exposition(&shared, &headers, Sheet::Cadvisor).await
}

async fn exposition(
    shared: &Shared,
    headers: &HeaderMap,
    sheet: Sheet,
) -> Result<Response, TooSlow> {
    let format = format(&all_of(headers, &header::ACCEPT));
    let packing = packing(&all_of(headers, &header::ACCEPT_ENCODING));
    let body = shared.collector.text((sheet, format, packing)).await?;
    Ok(packed(body, packing, format.media_type()))
}

async fn traffic(
    State(shared): State<Shared>,
    headers: HeaderMap,
    which: Query<Which>,
) -> Result<Response, TooSlow> {
    let snapshot = shared.collector.snapshot().await?;
    let packing = packing(&all_of(&headers, &header::ACCEPT_ENCODING));
    let Query(Which { namespace, pod }) = which;
    let wanted = move |of: &Pod| {
        namespace.as_ref().is_none_or(|name| *name == of.namespace)
            && pod.as_ref().is_none_or(|name| *name == of.name)
    };
    // Of a full node it takes long enough to keep others waiting.
    let written = tokio::task::spawn_blocking(move || {
        let traffic = json::traffic_of(&snapshot, wanted);
        // Plain data with keys of text: writing it to memory cannot fail.
        let text = serde_json::to_vec(&traffic).unwrap_or_default();
        match packing {
            Packing::Plain => Bytes::from(text),
            Packing::Gzip => gzip(&text),
        }
    });
    let body = written.await.map_err(|_cancelled| TooSlow)?;
    Ok(packed(body, packing, "application/json"))
}

async fn stream(State(shared): State<Shared>, which: Query<Which>) -> Response {
    let Query(Which { namespace, pod }) = which;
    let pod = pod.map(|name| Pod {
        namespace: namespace.unwrap_or_default(),
        name,
        uid: String::new(),
    });
    match shared.streams.open(pod) {
        Some(body) => ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many are watching already\n",
        )
            .into_response(),
    }
}

fn packed(body: Bytes, packing: Packing, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static(media_type),
    );
    let vary = axum::http::HeaderValue::from_static("accept, accept-encoding");
    headers.insert(header::VARY, vary);
    if packing == Packing::Gzip {
        let gzip = axum::http::HeaderValue::from_static("gzip");
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

/// A header that may be given in several lines.
fn all_of(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines.collect::<Vec<_>>().join(",")
}
