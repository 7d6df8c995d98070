//! `tls`: a server has a certificate for its name that is valid, and stays so for a while.

use std::time::{Duration, SystemTime};

use crate::certificate;
use crate::net::Place;
use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;
use crate::tls::{self, Tls};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    /// The name that the certificate must be for; the host of the place where it is `None`.
    pub server_name: Option<String>,
    pub tls: Tls,
    pub validity: Validity,
}

/// How much longer a certificate must be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Fewer days are a warning. Default: 20.
    pub warn_days: u32,
    /// Fewer days are a failure. Default: 3.
    pub fail_days: u32,
}

impl Default for Validity {
    fn default() -> Self {
        Self { warn_days: 20, fail_days: 3 }
    }
}

impl Validity {
    /// Judges a certificate in DER, and adds what it found to `report`.
    pub(crate) fn judge(self, der: &[u8], now: SystemTime, report: Report) -> Result<Report, Failure> {
        let Some(until) = certificate::not_after(der) else {
            return Err(Failure::tls("the certificate does not say until when it is valid"));
        };
        let days = certificate::days_left(until, now);
        let said = format!("the certificate is valid for {days:.1} more days");
        if days < f64::from(self.fail_days) {
            return Err(Failure::tls(format!("{said}, fewer than {}", self.fail_days)));
        }
        let mut report = report.measure("health_tls_days_left", days);
        if days < f64::from(self.warn_days) {
            report.warn(format!("{said}, fewer than {}", self.warn_days));
        }
        Ok(report)
    }
}

/// Shakes hands each time: a certificate may change at any time.
#[derive(Debug)]
pub(super) struct Certificate {
    settings: Settings,
    surroundings: Surroundings,
}

impl Certificate {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let Settings { place, server_name, tls, validity } = &self.settings;
        let host = match (server_name, place) {
            (Some(name), _) => name,
            (None, Place::Tcp { host, .. }) => host,
            (None, Place::Unix(_)) => "localhost",
        };
        let stream = place.dial(&self.surroundings).await?;
        let stream = tls::connect(stream, tls, host, &[]).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| Failure::tls("the server showed no certificate"))?;
        let version = session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        validity.judge(certificate, SystemTime::now(), Report::default().fact("protocol", version))
    }
}

impl Probe for Certificate {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}
