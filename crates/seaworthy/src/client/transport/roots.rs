//! Whose certificates are believed.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::BoxError;

/// Why a certificate cannot be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum RootsError {
    /// It is no PEM.
    #[error("not PEM: {0}")]
    Pem(String),
    /// It is PEM, and there is no certificate in it.
    #[error("holds no certificate in PEM")]
    Empty,
    /// One of its certificates, counted from 1, cannot be an authority's.
    #[error("certificate {number} is no authority's: {source}")]
    Certificate { number: usize, source: BoxError },
}

/// Whose certificates are believed. Clones share them.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Those of the authorities that browsers believe, as they were when this was built: nothing has to be installed.
    pub fn public() -> Self {
        Self(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    }

    /// Nobody's, to begin with.
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// Those of the authorities in `pem`, too: the content of a CA file.
    ///
    /// # Errors
    ///
    /// [`RootsError`] if it is not PEM, holds no certificate, or one that cannot be an authority's.
    pub fn and_pem(mut self, pem: &[u8]) -> Result<Self, RootsError> {
        let roots = Arc::make_mut(&mut self.0);
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| RootsError::Pem(error.to_string()))?;
            count += 1;
            roots.add(certificate).map_err(|error| RootsError::Certificate { number: count, source: error.into() })?;
        }
        if count == 0 { Err(RootsError::Empty) } else { Ok(self) }
    }

    pub(super) fn client_config(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(self.0.clone()).with_no_client_auth())
    }
}
