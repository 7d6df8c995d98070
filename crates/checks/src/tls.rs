//! TLS to what is checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
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

/// Who we are, to servers that ask for a certificate. Read for each connection, as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those up to an authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// How TLS is spoken: whom we believe, and who we are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub trust: Trust,
    pub identity: Option<Identity>,
}

impl From<Trust> for Tls {
    fn from(trust: Trust) -> Self {
        Self { trust, identity: None }
    }
}

impl Tls {
    /// The same, but without authorities of its own it believes anybody, as clients of databases do unless they are
    /// told to verify.
    pub(crate) fn lenient(mut self) -> Self {
        if self.trust == Trust::Public {
            self.trust = Trust::Anyone;
        }
        self
    }
}

/// How a URL of a database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encryption {
    Never,
    /// Where the server can.
    Preferred(Tls),
    Required(Tls),
}

/// Begins TLS as a client that wants `host`, and one of `protocols` where there are any.
pub(crate) async fn connect(
    stream: Stream,
    tls: &Tls,
    host: &str,
    protocols: &[&str],
) -> Result<TlsStream<Stream>, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::tls(format!("{host:?} is no name that a certificate can be for")))?;
    let mut config = config(tls)?;
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

fn config(tls: &Tls) -> Result<Arc<ClientConfig>, Failure> {
    static PUBLIC: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    // Built once, with its roots; the others have files, which may be new by now.
    if *tls != Tls::default() {
        return Ok(Arc::new(built(tls)?));
    }
    if let Some(config) = PUBLIC.get() {
        return Ok(config.clone());
    }
    let config = Arc::new(built(tls)?);
    Ok(PUBLIC.get_or_init(|| config).clone())
}

fn built(tls: &Tls) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
    let builder = match &tls.trust {
        Trust::Public => {
            builder.with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        }
        Trust::File(path) => builder.with_root_certificates(roots_in(path)?),
        Trust::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
    };
    let Some(Identity { certificate, key }) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates_in("cert-file", certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("key-file", key, &error))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| unusable(&error))
}

fn unusable(error: &rustls::Error) -> Failure {
    Failure::tls(format!("TLS cannot be used: {error}"))
}

fn roots_in(path: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in("ca-file", path)? {
        roots.add(certificate).map_err(|error| unreadable("ca-file", path, &error))?;
    }
    Ok(roots)
}

fn certificates_in(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(option, path, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(option, path, &"holds no certificate in PEM"));
    }
    Ok(certificates)
}

/// Names the key of the configuration, since it is a file of ours that is at fault.
fn unreadable(option: &str, path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::tls(format!("{option} {}: {error}", path.display()))
}

/// Believes whoever answers, as `sslmode=require` asks for.
///
/// That the peer has the key of the certificate that it shows is not looked at either: anybody can make one of his own, and
/// the certificates that databases make for themselves are often of a version that cannot be looked at (X.509 1).
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
