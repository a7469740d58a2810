//! One endpoint of the cluster and the connection to it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use etcd_client::{Channel, Client, ConnectOptions, KvClient, WatchClient};
use tokio::sync::Mutex;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::failure::{Failure, chain, classify};
use crate::EtcdConfig;

/// Largest answer taken. Far above a page of a list, and what a transaction's `otherwise` reads
/// may bring; it bounds the harm of a server that is not etcd.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Largest batch of changes taken: etcd sends up to 1,000 revisions at once.
const MAX_CHANGES: usize = 1024 * 1024 * 1024;

/// Time between two HTTP/2 pings while a call is open. etcd closes connections that ping more
/// often than every five seconds.
const PING: Duration = Duration::from_secs(6);

/// What every connection of a store has in common.
pub(super) struct Settings {
    /// The store's name in errors.
    pub(super) store: String,
    /// How long one request may take on one endpoint, connecting included.
    pub(super) timeout: Duration,
    tls: ClientTlsConfig,
}

impl Settings {
    /// Reads the files that `config` names.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub(super) fn new(config: &EtcdConfig) -> Result<Self, String> {
        let mut tls = ClientTlsConfig::new();
        tls = match &config.ca {
            Some(path) => tls.ca_certificate(Certificate::from_pem(read_pem("ca", path)?)),
            None => tls.with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&config.cert, &config.key) {
            let identity = Identity::from_pem(read_pem("cert", cert)?, read_pem("key", key)?);
            tls = tls.identity(identity);
        }
        let store = format!("etcd:{}", config.endpoints.join(","));
        Ok(Self {
            store,
            timeout: config.timeout(),
            tls,
        })
    }
}

fn read_pem(field: &str, path: &Path) -> Result<Vec<u8>, String> {
    let content = fs::read(path).map_err(|error| format!("{field} {}: {error}", path.display()))?;
    if !content.windows(11).any(|window| window == b"-----BEGIN ") {
        return Err(format!("{field} {}: it holds no PEM block", path.display()));
    }
    Ok(content)
}

/// The clients over one connection; clones share it.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) kv: KvClient,
    pub(super) watch: WatchClient,
}

/// One endpoint.
pub(super) struct Member {
    /// As the configuration has it.
    pub(super) url: String,
    endpoint: OnceLock<Endpoint>,
    clients: Mutex<Option<Clients>>,
}

impl Member {
    /// An endpoint not connected to yet.
    pub(super) const fn new(url: String) -> Self {
        Self {
            url,
            endpoint: OnceLock::new(),
            clients: Mutex::const_new(None),
        }
    }

    /// The connection to be made, without making it. The first call parses the certificates.
    ///
    /// # Errors
    /// What is wrong with the URL or the certificates.
    pub(super) fn endpoint(&self, settings: &Settings) -> Result<&Endpoint, String> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let wrong = |error| format!("{}: {}", self.url, chain(&error));
        let mut endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(wrong)?
            .http2_keep_alive_interval(PING)
            .keep_alive_timeout(settings.timeout);
        if self.url.starts_with("https://") {
            endpoint = endpoint.tls_config(settings.tls.clone()).map_err(wrong)?;
        }
        Ok(self.endpoint.get_or_init(|| endpoint))
    }

    /// The connection, made unless there is one.
    ///
    /// # Errors
    /// Never [`Failure::NoAnswer`]: nothing of a request has been sent.
    pub(super) async fn clients(&self, settings: &Settings) -> Result<Clients, Failure> {
        let mut slot = self.clients.lock().await;
        if let Some(clients) = &*slot {
            return Ok(clients.clone());
        }
        let endpoint = self.endpoint(settings).map_err(Failure::NotSent)?;
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Failure::NotSent(chain(&error)))?;
        // A member cut off from the others then says so at once instead of letting us wait.
        let options = ConnectOptions::new().with_require_leader(true);
        let client = Client::from_channel(Channel::Tonic(channel), Some(options))
            .await
            .map_err(|error| classify(&settings.store, error))?;
        let clients = Clients {
            kv: client
                .kv_client()
                .max_decoding_message_size(MAX_ANSWER)
                .max_encoding_message_size(MAX_ANSWER),
            watch: client.watch_client().max_decoding_message_size(MAX_CHANGES),
        };
        Ok(slot.insert(clients).clone())
    }

    /// Makes the next call connect anew.
    pub(super) async fn forget(&self) {
        *self.clients.lock().await = None;
    }
}
