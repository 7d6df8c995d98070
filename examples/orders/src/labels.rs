//! Values that become labels of metrics. Each is one of a few, so that no client makes a family grow.

use seaworthy::metrics::label;
use serde::{Deserialize, Serialize, Serializer};

label! {
    /// What a user signs up for.
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum Plan {
        #[default]
        Free = "free",
        Basic = "basic",
        Pro = "pro",
        Enterprise = "enterprise",
    }
}

label! {
    /// What is paid in.
    #[derive(Default, Deserialize)]
    pub(crate) enum Currency {
        #[default]
        #[serde(rename = "EUR", alias = "eur")]
        Eur = "EUR",
        #[serde(rename = "USD", alias = "usd")]
        Usd = "USD",
        #[serde(rename = "GBP", alias = "gbp")]
        Gbp = "GBP",
    }
}

label! {
    /// What is paid for.
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum Product {
        #[default]
        Goods = "goods",
        Hosting = "hosting",
        Support = "support",
    }
}

macro_rules! serialized_as_labelled {
    ($($label:ty),+) => {$(
        impl Serialize for $label {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_ref())
            }
        }
    )+};
}
serialized_as_labelled!(Plan, Currency, Product);
