//! Where the server listens and whom it answers: checked before it starts.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::hosts::{Hosts, InvalidHost};
use super::tls::{self, TlsError};
use super::token::Token;

/// What the operator asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--listen`.
    pub listen: SocketAddr,
    /// `--allow-host`, besides this machine's own names and the address that is listened on.
    pub allow_hosts: Vec<String>,
    /// `--tls-cert`: a PEM file with the certificate and those that lead to its authority.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`: a PEM file with its key.
    pub tls_key: Option<PathBuf>,
    /// `--token-file`: what a client must know.
    pub token_file: Option<PathBuf>,
    /// `--cadvisor`: whether `/metrics/cadvisor` is served.
    pub cadvisor: Cadvisor,
    /// How many connections are served at once.
    pub connections: usize,
    /// How many of them may be watching.
    pub streams: usize,
    /// How long a client may take nothing of what is sent to it, before it is cut off.
    pub patience: Duration,
}

/// Whether cAdvisor's metrics are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cadvisor {
    /// No: dashboards that do not ask who answers would count twice.
    #[default]
    Off,
    /// Yes.
    On,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9455)),
            allow_hosts: Vec::new(),
            tls_cert: None,
            tls_key: None,
            token_file: None,
            cadvisor: Cadvisor::Off,
            connections: 512,
            streams: 256,
            patience: Duration::from_secs(30),
        }
    }
}

/// What makes no sense, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Everybody on the network could read it, or read along.
    #[error("--listen {listen} is not a loopback address, and {missing} is not given")]
    Exposed {
        /// The address.
        listen: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// A certificate without a key or the other way around.
    #[error("{given} is given without {missing}")]
    Half {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("{option} {path}", path = path.display())]
    Unreadable {
        /// Which option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A secret that is none.
    #[error("--token-file {path}: {problem}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Not a host.
    #[error("--allow-host")]
    Host(#[from] InvalidHost),
    /// Certificate and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl SettingsError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Exposed { .. } => {
                "give --tls-cert, --tls-key and --token-file, or listen on 127.0.0.1 or [::1]"
            }
            Self::Half { .. } => "give both or neither",
            Self::Unreadable { .. } => "check the path, and who may read the file",
            Self::Token { .. } => {
                "write at least 16 printable characters to it, for instance by \
                 `openssl rand -hex 32`, and take it from everybody else by `chmod 600`"
            }
            Self::Host(_) => "name a host as a client writes it, without a port",
            Self::Tls(error) => error.hint(),
        }
    }
}

/// Settings that make sense, with what the files held.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) listen: SocketAddr,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) token: Option<Arc<Token>>,
    pub(crate) cadvisor: Cadvisor,
    pub(crate) connections: usize,
    pub(crate) streams: usize,
    pub(crate) patience: Duration,
}

impl Settings {
    /// Reads what the files hold.
    ///
    /// # Errors
    /// Every combination that would serve more than was meant, and every file that is not what it
    /// should be.
    pub(crate) fn check(&self) -> Result<Checked, SettingsError> {
        let Self {
            listen,
            allow_hosts,
            tls_cert,
            tls_key,
            token_file,
            cadvisor,
            connections,
            streams,
            patience,
        } = self;
        let pair = match (tls_cert, tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half("--tls-cert", "--tls-key")),
            (None, Some(_)) => return Err(half("--tls-key", "--tls-cert")),
        };
        if !listen.ip().is_loopback() {
            let missing = match (pair, token_file) {
                (None, None) => Some("neither --tls-cert and --tls-key nor --token-file"),
                (None, Some(_)) => Some("--tls-cert and --tls-key"),
                (Some(_), None) => Some("--token-file"),
                (Some(_), Some(_)) => None,
            };
            if let Some(missing) = missing {
                let listen = *listen;
                return Err(SettingsError::Exposed { listen, missing });
            }
        }
        Ok(Checked {
            listen: *listen,
            hosts: Arc::new(Hosts::new(allow_hosts)?),
            tls: pair.map(|(cert, key)| tls::config(cert, key)).transpose()?,
            token: token_file
                .as_deref()
                .map(read_token)
                .transpose()?
                .map(Arc::new),
            cadvisor: *cadvisor,
            connections: *connections,
            streams: *streams,
            patience: *patience,
        })
    }
}

const fn half(given: &'static str, missing: &'static str) -> SettingsError {
    SettingsError::Half { given, missing }
}

/// The secret in a file that nobody else may read.
fn read_token(path: &Path) -> Result<Token, SettingsError> {
    let unreadable = |error| SettingsError::Unreadable {
        option: "--token-file",
        path: path.to_owned(),
        error,
    };
    let wrong = |problem: String| SettingsError::Token {
        path: path.to_owned(),
        problem,
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(wrong(format!(
            "everybody may read or change it (mode {:o})",
            mode & 0o777
        )));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    Token::parse(&text).map_err(|problem| wrong(problem.to_owned()))
}
