//! TLS to the service: what is believed, and which protocol is offered.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Failure;

mod verify;

use verify::{Anyone, Named};

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
            Some(rustls::Error::InvalidCertificate(why)) => Failure::Untrusted(doubt(why)),
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
        Trust::File(path) => {
            let verifier = Arc::new(Named::new(path, &provider)?);
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone::new(provider))).with_no_client_auth()
        }
    })
}

/// Why a certificate is doubted, for people.
fn doubt(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "its authority is not known".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name, see --server-name".to_owned()
        }
        other => other.to_string(),
    }
}
