//! What is served: metrics, JSON, a stream of changes, and the page that shows them. Read only.
//!
//! Bound to a loopback address unless there are TLS and a token; answers to hosts it knows;
//! connections, heads and streams are bounded. The counters are read by one thread of their own.

mod collect;
mod guard;
mod hosts;
mod negotiate;
mod rates;
mod routes;
mod running;
mod server;
mod settings;
mod stream;
mod tls;
mod token;

pub use hosts::InvalidHost;
pub use running::Running;
pub use server::{ServeError, Server};
pub use settings::{Cadvisor, Settings, SettingsError};
pub use tls::TlsError;

/// What parses the headers of strangers, for those who try to break it.
pub mod headers {
    pub use super::negotiate::{Packing, format, packing};

    /// The host of `host` or `host:port`, without the brackets of an IPv6 address.
    pub fn host(authority: &str) -> Option<&str> {
        super::hosts::host_of(authority)
    }

    /// Whether a header `Authorization` shows `token`; `None` when that is none.
    pub fn shows_token(token: &str, authorization: &[u8]) -> Option<bool> {
        let token = super::token::Token::parse(token).ok()?;
        Some(token.is_shown_by(authorization))
    }
}
