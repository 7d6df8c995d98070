//! Which security headers the answers of a service get, by what the service is.
//!
//! ```
//! use seaworthy::headers::Preset;
//! use seaworthy::{Production, Security};
//!
//! Production::builder("shop", "1.0.0").security(Security::web());
//! assert_eq!(Security::from(Preset::Web), Security::web());
//! ```

use crate::headers::Preset;

/// The security of a service's answers; see [`headers`](crate::headers) for what each preset sends. What the service set itself stands, and our
/// own refusals are strict unless all is off.
///
/// ```
/// use seaworthy::{Production, Security};
///
/// Production::builder("orders", "1.0.0").security(Security::api());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Security {
    preset: Preset,
}

impl Security {
    /// A JSON API: no framing, no content of any kind, same-origin.
    #[must_use]
    pub fn api() -> Self {
        Preset::Api.into()
    }

    /// Pages: a policy that allows one's own origin.
    #[must_use]
    pub fn web() -> Self {
        Preset::Web.into()
    }

    /// What Helmet 8 sends, header by header.
    #[must_use]
    pub fn helmet() -> Self {
        Preset::Helmet.into()
    }

    /// Everything, for services that embed nothing.
    #[must_use]
    pub fn strict() -> Self {
        Preset::Strict.into()
    }

    /// Nothing is added or taken off.
    #[must_use]
    pub fn off() -> Self {
        Preset::Off.into()
    }

    pub(crate) fn preset(self) -> Preset {
        self.preset
    }
}

impl From<Preset> for Security {
    fn from(preset: Preset) -> Self {
        Self { preset }
    }
}
