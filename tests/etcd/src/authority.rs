//! A certificate authority for a test, and an etcd that asks clients for its certificates.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rcgen::{KeyPair, KeyUsagePurpose};

use crate::Etcd;

/// A certificate authority with files `NAME.pem` and `NAME.key` of what it signed, and its own
/// certificate in `ca.pem`.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one, with its files in a new folder `name` below `folder`.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("key");
        let folder = folder.join(name);
        fs::create_dir(&folder).expect("folder");
        let certificate = params.self_signed(&key).expect("sign");
        fs::write(folder.join("ca.pem"), certificate.pem()).expect("write");
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    /// Signs a certificate for 127.0.0.1, good for a server and for a client.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn sign(&self, name: &str) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("sign");
        fs::write(self.file(name, "pem"), certificate.pem()).expect("write");
        fs::write(self.file(name, "key"), key.serialize_pem()).expect("write");
    }

    /// The path of a file: `kind` is `pem` or `key`.
    pub fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }

    /// Starts an etcd with the certificate `server`, which wants one of its clients.
    ///
    /// # Panics
    /// When etcd does not start.
    pub fn serve(&self) -> Etcd {
        let path = |name, kind| self.file(name, kind).to_str().expect("UTF-8").to_owned();
        Etcd::start_tls(&[
            "--client-cert-auth",
            "--trusted-ca-file",
            &path("ca", "pem"),
            "--cert-file",
            &path("server", "pem"),
            "--key-file",
            &path("server", "key"),
        ])
    }
}
