//! Services that the program calls through us.

use std::path::PathBuf;

use http::HeaderName;
use seaworthy::breaker::{Fallback, Mode, Policy};
use seaworthy::bulkhead;
use seaworthy::client::Timeouts;
use seaworthy::hedge;
use seaworthy::retry::{self, BudgetPolicy};

use crate::config::units::{Address, Cidr, Destination, Secret};

/// A service that the program calls through us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Egress {
    /// Unique; `[a-z0-9-]`.
    pub(crate) name: String,
    pub(crate) url: Destination,
    /// `None` for the shared listener.
    pub(crate) listen: Option<Address>,
    pub(crate) private: Vec<Cidr>,
    /// `None` for the public authorities.
    pub(crate) ca_file: Option<PathBuf>,
    /// Headers that calls carry in place of the program's own.
    pub(crate) credentials: Vec<(HeaderName, Secret)>,
    pub(crate) mode: Mode,
    pub(crate) breaker: Policy,
    /// Statuses that count neither way.
    pub(crate) ignored: Vec<u16>,
    pub(crate) retry: retry::Policy,
    pub(crate) budget: BudgetPolicy,
    /// The largest body that is kept to be sent again, in bytes.
    pub(crate) retry_body: u64,
    /// `None` where no call is made twice at a time.
    pub(crate) hedge: Option<hedge::Policy>,
    pub(crate) timeouts: Timeouts,
    pub(crate) bulkhead: bulkhead::Policy,
    pub(crate) fallback: Option<Fallback>,
}
