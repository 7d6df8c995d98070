//! Names to addresses.
//!
//! A static glibc has no NSS, so `getaddrinfo` cannot be asked: `/etc/hosts` and the servers of `/etc/resolv.conf` are.

use std::net::IpAddr;
use std::time::Instant;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Resolves names. Clones share the cache.
#[derive(Clone)]
pub(crate) struct Names(TokioResolver);

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Never empty.
    pub(crate) addresses: Vec<IpAddr>,
    /// When to ask again.
    pub(crate) valid_until: Instant,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("the resolver's configuration cannot be used: {0}")]
    Resolver(String),
    #[error("{name:?} cannot be resolved: {reason}")]
    Lookup { name: String, reason: String },
}

impl Names {
    /// With the configuration of this machine; without one, only `/etc/hosts` is left to look in.
    pub(crate) fn of_machine() -> Result<Self, NameError> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
            let nobody = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default())
        });
        builder.build().map(Self).map_err(|error| NameError::Resolver(error.to_string()))
    }

    /// The addresses of `name`.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Addresses, NameError> {
        let failed = |reason: String| NameError::Lookup { name: name.to_owned(), reason };
        let found = self.0.lookup_ip(name).await.map_err(|error| failed(error.to_string()))?;
        let valid_until = found.valid_until();
        let addresses: Vec<_> = found.iter().collect();
        if addresses.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        Ok(Addresses { addresses, valid_until })
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_name_of_this_machine_comes_from_its_hosts_file() {
        let found = Names::of_machine().unwrap().lookup("localhost").await.unwrap();
        assert!(found.addresses.iter().all(IpAddr::is_loopback), "{found:?}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_quoted() {
        let refused = Names::of_machine().unwrap().lookup("no-such-host.invalid").await.unwrap_err().to_string();
        assert!(refused.starts_with(r#""no-such-host.invalid" cannot be resolved: "#), "{refused}");
    }
}
