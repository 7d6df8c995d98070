//! TLS to what is checked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net::Stream;
use crate::probe::{Failure, chain};

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that browsers believe.
    #[default]
    Public,
    /// Those of the authorities in this PEM file. It is read for each connection, so that a new one needs no restart.
    File(PathBuf),
    /// Any. Only where a URL of a database demands it: `sslmode=require` encrypts and believes.
    Anyone,
}

impl From<Option<PathBuf>> for Trust {
    fn from(file: Option<PathBuf>) -> Self {
        file.map_or(Self::Public, Self::File)
    }
}

/// Begins TLS as a client that wants `host`, and one of `protocols` where there are any.
pub(crate) async fn connect(
    stream: Stream,
    trust: &Trust,
    host: &str,
    protocols: &[&str],
) -> Result<TlsStream<Stream>, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::tls(format!("{host:?} is no name that a certificate can be for")))?;
    let mut config = config(trust)?;
    if !protocols.is_empty() {
        let config = Arc::make_mut(&mut config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    }
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        let message = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the server closed the connection during the handshake".to_owned(),
            _ => chain(&error),
        };
        Failure::tls(message)
    })
}

fn config(trust: &Trust) -> Result<Arc<ClientConfig>, Failure> {
    static PUBLIC: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    match trust {
        Trust::Public => {
            if let Some(config) = PUBLIC.get() {
                return Ok(config.clone());
            }
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let config = Arc::new(believing(roots)?);
            Ok(PUBLIC.get_or_init(|| config).clone())
        }
        Trust::File(path) => Ok(Arc::new(believing(roots_in(path)?)?)),
        Trust::Anyone => {
            let provider = provider();
            let builder = ClientConfig::builder_with_provider(provider.clone());
            let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
            let verifier = Arc::new(Anyone(provider));
            Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn believing(roots: RootCertStore) -> Result<ClientConfig, Failure> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn unusable(error: &rustls::Error) -> Failure {
    Failure::tls(format!("TLS cannot be used: {error}"))
}

fn roots_in(path: &Path) -> Result<RootCertStore, Failure> {
    let failed = |error: String| Failure::tls(format!("ca-file {}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("holds no certificate in PEM".to_owned()));
    }
    Ok(roots)
}

/// Believes whoever answers, as `sslmode=require` asks for.
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
