//! TLS, by the key that the operator gave.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Certificate and key are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or has nothing of its kind in it.
    #[error("{option} {path}", path = path.display())]
    File {
        /// Which option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// They do not go together, or are of a kind that is not served.
    #[error("--tls-cert and --tls-key")]
    Pair(#[from] rustls::Error),
}

impl TlsError {
    /// What to do next.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "name a PEM file, and let the agent's user read it",
            Self::Pair(_) => "use the key that belongs to the certificate",
        }
    }
}

/// To take connections with the certificate and key of two PEM files.
pub(crate) fn config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(cert, "--tls-cert")?;
    let wrong = |error| file_error("--tls-key", key, error);
    let key = PrivateKeyDer::from_pem_file(key).map_err(wrong)?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn certificates(
    path: &Path,
    option: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| file_error(option, path, error);
    let read = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let chain = read.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if chain.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn file_error(option: &'static str, path: &Path, error: pem::Error) -> TlsError {
    let error = match error {
        pem::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    };
    let path = path.to_owned();
    TlsError::File {
        option,
        path,
        error,
    }
}
