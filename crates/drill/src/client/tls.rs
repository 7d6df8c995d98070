//! TLS to the service: what is believed, and which protocol is offered.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Failure;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those of the authorities that browsers believe.
    #[default]
    Public,
    /// Those of the authorities in this PEM file.
    File(PathBuf),
    /// Any: `--insecure`.
    Anyone,
}

/// Why TLS cannot be spoken at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the authorities in {} cannot be read: {why}", path.display())]
    Authorities { path: PathBuf, why: String },
    #[error("{0:?} is no name that a certificate can be for")]
    Name(String),
    #[error("TLS cannot be used: {0}")]
    Unusable(String),
}

/// How the service is spoken to under TLS. Clones share the sessions that can be resumed.
#[derive(Debug, Clone)]
pub struct Tls {
    name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.http1, &other.http1)
    }
}

impl Eq for Tls {}

/// What is offered in the handshake (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

impl Tls {
    /// TLS to the service that is known as `name`.
    pub(crate) fn new(name: &str, trust: &Trust) -> Result<Self, TlsError> {
        let config = config(trust)?;
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        let offering = |protocol: Protocol| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.name().to_vec()];
            Arc::new(config)
        };
        Ok(Self { name, http1: offering(Protocol::Http1), http2: offering(Protocol::Http2) })
    }

    /// Shakes hands. A service that does not choose HTTP/2 where it is all that is offered does not speak it.
    pub(super) async fn connect(&self, stream: TcpStream, protocol: Protocol) -> Result<TlsStream<TcpStream>, Failure> {
        let config = match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        let shaken = TlsConnector::from(config.clone()).connect(self.name.clone(), stream).await;
        let stream = shaken.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(why)) => Failure::Untrusted(why.to_string()),
            Some(other) => Failure::Handshake(other.to_string()),
            None => super::connection::failure(&error, 0),
        })?;
        let chosen = stream.get_ref().1.alpn_protocol();
        if protocol == Protocol::Http2 && chosen != Some(protocol.name()) {
            return Err(Failure::Handshake("HTTP/2 was offered and not chosen".to_owned()));
        }
        Ok(stream)
    }
}

fn config(trust: &Trust) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(match trust {
        Trust::Public => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::File(path) => builder.with_root_certificates(authorities(path)?).with_no_client_auth(),
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
            .with_no_client_auth(),
    })
}

fn authorities(path: &PathBuf) -> Result<RootCertStore, TlsError> {
    let failed = |why: String| TlsError::Authorities { path: path.clone(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(roots)
}

/// Believes whoever answers: the drill judges the service, and its certificate may be one of a developer's machine.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
