//! Names of services to addresses that may be called.

use std::net::IpAddr;

use seaworthy::client::Resolver;
use seaworthy_core::destination::Destinations;
use tokio::sync::OnceCell;

use crate::config::{Cidr, Destination};
use crate::names::{NameError, Names};

/// Resolves the name in `url`, and leaves out what is neither public nor in one of the `private` networks.
///
/// The resolver of names is made with the first one: it wants the runtime that it is asked on.
pub(super) fn of(url: &Destination, private: &[Cidr]) -> Resolver {
    let names = std::sync::Arc::new(OnceCell::<Names>::new());
    let lookup = move |name: String| {
        let names = names.clone();
        async move {
            let names = names.get_or_try_init(|| std::future::ready(Names::of_machine())).await?;
            let found: Result<Vec<IpAddr>, NameError> = names.lookup(&name).await.map(|found| found.addresses);
            found
        }
    };
    let destinations = Destinations::new(private.iter().map(|network| network.net()));
    let url = url.clone();
    Resolver::new(lookup).permit(move |address| destinations.permits(address) || url.names(address))
}
