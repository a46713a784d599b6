//! The certificate of a server.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key, as they stand in files.
#[derive(Clone)]
pub struct Certificate {
    pub(super) chain: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// Why nothing can be encrypted. Nothing is served in clear instead.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("{} holds no private key in PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// They do not belong together, or are of a kind that is not known.
    #[error("the certificate and its key cannot be used")]
    Unusable {
        /// Why.
        source: rustls::Error,
    },
}

impl Certificate {
    /// Reads both and sees whether they can be used.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| CertificateError::File { path: path.to_owned(), source })
        };
        let certificate = Self { chain: read(chain)?, key: read(key)? };
        if certificate.certificates().is_empty() {
            return Err(CertificateError::NoCertificate { path: chain.to_owned() });
        }
        if PrivateKeyDer::from_pem_slice(&certificate.key).is_err() {
            return Err(CertificateError::NoKey { path: key.to_owned() });
        }
        certificate.config(&[])?;
        Ok(certificate)
    }

    /// What a server encrypts with, for protocols of these names.
    pub fn config(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| CertificateError::Unusable { source: rustls::Error::General(error.to_string()) })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.and_then(|config| config.with_no_client_auth().with_single_cert(self.certificates(), key));
        let mut config = config.map_err(|source| CertificateError::Unusable { source })?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(&self.chain).filter_map(Result::ok).collect()
    }
}
