//! The page that shows the traffic as it is. All of it is in the program: it loads nothing from
//! anywhere else, and puts what it is told into text nodes only.

use axum::http::header;
use axum::response::IntoResponse;

const INDEX: &str = include_str!("index.html");
/// One script, in this order.
const SCRIPT: &str = concat!(
    include_str!("script/common.js"),
    include_str!("script/all_pods.js"),
    include_str!("script/one_pod.js"),
    include_str!("script/start.js"),
);
const STYLE: &str = include_str!("page.css");

/// The page, of the node or of a pod: its script looks at the address.
pub(crate) async fn index() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], INDEX)
}

/// Its script.
pub(crate) async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        SCRIPT,
    )
}

/// Its style.
pub(crate) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}
