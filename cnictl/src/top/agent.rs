//! One question to a traffic agent: a connection, a request, an answer of bounded size and time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_types::traffic::Traffic;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cli::TopArgs;
use crate::error::Failure;

/// How long the agent may take over an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// More is no answer of an agent.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// Where the answer is.
const PATH: &str = "/api/v1/traffic";

/// No answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// No connection, or none that is to be trusted.
    #[error("the traffic agent at {node} cannot be reached")]
    Unreachable {
        /// Where.
        node: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// An answer that is none.
    #[error("the traffic agent at {node} answers {status}: {words}")]
    Refused {
        /// Where.
        node: String,
        /// What it says.
        status: StatusCode,
        /// And why.
        words: String,
    },
    /// Not what an agent of this release says.
    #[error("the traffic agent at {node} says something unheard of")]
    Unheard {
        /// Where.
        node: String,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
}

impl AgentError {
    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check --node, and that traffic-agent runs there; name its authority by --ca"
            }
            Self::Refused { status, .. } => match *status {
                StatusCode::UNAUTHORIZED => "give the agent's token by --token-file",
                StatusCode::MISDIRECTED_REQUEST => "give this name to the agent by --allow-host",
                _ => "look at the agent's log",
            },
            Self::Unheard { .. } => "use a cnictl of the agent's release",
        }
    }
}

/// The agent of a node.
#[derive(Debug)]
pub(crate) struct Agent {
    node: String,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    token: Option<HeaderValue>,
}

impl Agent {
    /// As the command line names it.
    pub(crate) fn new(args: &TopArgs) -> Result<Self, Failure> {
        let wrong = || Failure::Usage {
            problem: format!("--node {:?} is no URL of an agent", args.node),
            hint: "write it as http://127.0.0.1:9455 or https://node-1:9455".into(),
        };
        let url: Uri = args.node.parse().map_err(|_invalid| wrong())?;
        let tls = match url.scheme_str() {
            Some("http") => None,
            Some("https") => Some(Arc::new(tls(args.ca.as_deref())?)),
            _ => return Err(wrong()),
        };
        let host = url
            .host()
            .filter(|_| matches!(url.path(), "" | "/"))
            .ok_or_else(wrong)?;
        let token = args.token_file.as_deref().map(token).transpose()?;
        // Whoever reads along would have it.
        if token.is_some() && tls.is_none() && !is_local(host) {
            return Err(Failure::Usage {
                problem: format!("--token-file would send the token to {host} for all to read"),
                hint: "use https".into(),
            });
        }
        Ok(Self {
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(9455),
            node: args.node.clone(),
            tls,
            token,
        })
    }

    /// What it counts now.
    pub(crate) async fn traffic(&self) -> Result<Traffic, AgentError> {
        let unreachable = |cause| AgentError::Unreachable {
            node: self.node.clone(),
            cause,
        };
        let answered = tokio::time::timeout(PATIENCE, self.ask()).await;
        let answered = answered.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
        let (status, body) = answered.map_err(unreachable)?;
        if status != StatusCode::OK {
            let words = String::from_utf8_lossy(&body);
            let words = super::row::harmless(words.trim())
                .chars()
                .take(200)
                .collect();
            return Err(AgentError::Refused {
                node: self.node.clone(),
                status,
                words,
            });
        }
        let parsed = serde_json::from_slice(&body);
        parsed.map_err(|cause| AgentError::Unheard {
            node: self.node.clone(),
            cause,
        })
    }

    async fn ask(&self) -> io::Result<(StatusCode, Bytes)> {
        // An IPv6 address has brackets in a URL, and nowhere else.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await?;
        match &self.tls {
            None => self.ask_over(stream).await,
            Some(config) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(config));
                self.ask_over(connector.connect(name, stream).await?).await
            }
        }
    }

    async fn ask_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> io::Result<(StatusCode, Bytes)> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // Ends with the answer, whose error says what went wrong with it.
        let driven = tokio::spawn(connection);
        let mut request = Request::get(PATH).header(HOST, format!("{}:{}", self.host, self.port));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER)
            .collect()
            .await;
        driven.abort();
        Ok((status, body.map_err(io::Error::other)?.to_bytes()))
    }
}

fn is_local(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let address = plain.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Trusts the authorities of the file, or without one those of this machine.
fn tls(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| Failure::Usage {
                problem: format!("--ca {}: {error}", path.display()),
                hint: "name a PEM file of certificates".into(),
            };
            let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::Usage {
        problem: format!("TLS: {error}"),
        hint: "report this".into(),
    })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn token(path: &Path) -> Result<HeaderValue, Failure> {
    let wrong = |problem: String| Failure::Usage {
        problem: format!("--token-file {}: {problem}", PathBuf::from(path).display()),
        hint: "name the file that the agent reads its token from, or a copy".into(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let header = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
    let mut header = header.map_err(|_invalid| wrong("it holds no token".into()))?;
    header.set_sensitive(true);
    Ok(header)
}
