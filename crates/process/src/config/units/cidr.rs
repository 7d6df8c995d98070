//! Networks: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use super::{Complaint, Kind, text};

/// A network. Host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cidr {
    pub(crate) network: IpAddr,
    pub(crate) prefix: u8,
}

impl Cidr {
    /// Whether `address` is in here. An IPv4 address that came over an IPv6 socket is taken as IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        masked(address, self.prefix) == self.network && address.is_ipv4() == self.network.is_ipv4()
    }

    /// The same network, as the policies of the core know it.
    pub(crate) fn net(self) -> ipnet::IpNet {
        ipnet::IpNet::new(self.network, self.prefix).expect("the prefix was held against the address when it was read")
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl Kind for Cidr {
    fn name() -> Cow<'static, str> {
        "network".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let malformed = || Complaint::new("is not a network", "write \"10.0.0.0/8\", \"2001:db8::/32\" or one address");
        let text = text(value, "a network", "10.0.0.0/8")?.trim();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| malformed()))?;
        if prefix > longest {
            return Err(Complaint::new(format!("has a prefix above {longest}"), format!("write at most /{longest}")));
        }
        let network = masked(address, prefix);
        if network != address {
            let meant = Self { network, prefix };
            return Err(Complaint::new(
                "is an address in a network, not a network",
                format!("write \"{meant}\", or \"{address}\" for the one address"),
            ));
        }
        Ok(Self { network, prefix })
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

/// `address` with everything after `prefix` bits zeroed.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        // A shift by the full width is none at all, hence `checked_shl`.
        IpAddr::V4(v4) => {
            IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0)).into())
        }
    }
}
