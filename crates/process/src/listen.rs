//! From an address of the configuration to what listens on it.

use crate::config::Address;
use crate::gateway::{BindError, Listener};

/// Listens on what the configuration names.
pub(crate) fn on(address: &Address) -> Result<Listener, BindError> {
    match address {
        Address::Tcp(address) => Listener::tcp(*address),
        Address::Unix(path) => Listener::unix(path),
    }
}
