//! A certificate for tests and examples: made on the spot, and trusted by who is given it.

use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::pki_types::PrivateKeyDer;
use futures_rustls::rustls::{ServerConfig, crypto};
use homing::Result;
use std::sync::Arc;

/// A certificate of this machine's for itself.
pub struct Certificate {
    key: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Certificate {
    /// A new one, for `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// When no key can be made.
    pub fn new() -> Result<Certificate> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        Ok(Certificate { key: rcgen::generate_simple_self_signed(names)? })
    }

    /// The certificate, without its key, as clients want to have it.
    pub fn pem(&self) -> String {
        self.key.cert.pem()
    }

    /// The same, as rustls wants to have it.
    pub fn der(&self) -> futures_rustls::rustls::pki_types::CertificateDer<'static> {
        self.key.cert.der().clone()
    }

    /// What accepts TLS connections with it, for one of these protocols.
    ///
    /// # Errors
    ///
    /// When rustls does not like the certificate.
    pub fn acceptor(&self, protocols: &[&str]) -> Result<TlsAcceptor> {
        let key = PrivateKeyDer::Pkcs8(self.key.signing_key.serialize_der().into());
        let provider = Arc::new(crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], key)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}
