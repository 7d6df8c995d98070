//! What calls carry that the program does not hold.

use std::collections::BTreeMap;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, header};
use seaworthy_core::destination::is_public;

use super::Entry;
use crate::config::raw;
use crate::config::tree;
use crate::config::units::{As, Host, Secret, SecretSource};

/// What belongs to one hop, frames the body, or says where the call goes: all of that is made by the client.
const MADE: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The variables that credentials are taken from. To hand them on would give the program what it is not to hold.
pub(in crate::config::validate) fn withheld(raw: &raw::Root) -> Vec<String> {
    let sources = raw.egress.values().flat_map(|egress| egress.bearer.iter().chain(egress.headers.values()));
    let variable = |As(source): &As<SecretSource>| match source {
        SecretSource::Env(name) => Some(name.clone()),
        SecretSource::File(_) | SecretSource::Literal(_) => None,
    };
    sources.filter_map(variable).collect()
}

impl Entry<'_, '_, '_> {
    /// Each header once. A value is never shown, not even where it is wrong.
    pub(super) fn credentials(&mut self, raw: &raw::Egress) -> Vec<(HeaderName, Secret)> {
        let mut credentials = self.set_headers(&raw.headers);
        if let Some(As(source)) = &raw.bearer
            && let Some(token) = self.value("bearer", "token", source)
        {
            if credentials.iter().any(|(name, _)| *name == header::AUTHORIZATION) {
                let message = "stands beside headers.authorization, and a call has one of them";
                self.refuse(&["bearer", "headers.authorization"], message, "leave one of them out");
            }
            credentials.push((header::AUTHORIZATION, Secret::new(format!("Bearer {}", token.expose()))));
        }
        if !credentials.is_empty() && leaves_in_the_clear(raw) {
            let path = self.key("url");
            let message = "sends credentials over the public network in plain text";
            self.review.warn(&path, message, "write https://");
        }
        credentials
    }

    fn set_headers(&mut self, raw: &BTreeMap<String, As<SecretSource>>) -> Vec<(HeaderName, Secret)> {
        let mut set: Vec<(HeaderName, Secret)> = Vec::new();
        for (text, As(source)) in raw {
            let key = tree::join("headers", text);
            let Ok(name) = text.parse::<HeaderName>() else {
                self.refuse(&[&key], "is not the name of a header", "write letters, digits and -");
                continue;
            };
            if MADE.contains(&name) || matches!(name.as_str(), "keep-alive" | "proxy-connection") {
                self.refuse(
                    &[&key],
                    "is made anew for each hop",
                    "take it out: it would break calls, or change nothing",
                );
                continue;
            }
            if set.iter().any(|(known, _)| *known == name) {
                self.refuse(&[&key], "stands there twice: capitals make no difference", "leave one of them out");
                continue;
            }
            if let Some(value) = self.value(&key, text, source) {
                set.push((name, value));
            }
        }
        set
    }

    fn value(&mut self, key: &str, name: &str, source: &SecretSource) -> Option<Secret> {
        let value = self.review.found(&self.key(key), name, source)?;
        if value.expose().is_empty() || HeaderValue::from_str(value.expose()).is_err() {
            self.refuse(&[key], "cannot be sent in a header", "write one line of visible ASCII");
            return None;
        }
        Some(value)
    }
}

/// Whether the URL can only lead to public addresses, without TLS.
fn leaves_in_the_clear(raw: &raw::Egress) -> bool {
    let url = &raw.url.0;
    let leaves = match &url.host {
        Host::Address(address) => is_public(*address),
        Host::Name(name) => name != "localhost" && raw.private.is_empty(),
    };
    leaves && url.scheme == Scheme::HTTP
}
