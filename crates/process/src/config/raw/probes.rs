//! The table `[probes]`.

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{As, Cidr, PublicProbes, SecretSource, UrlPath};

/// The answers to whoever asks how the service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Probes {
    /// Whether the public listener answers probes too: all of them, none, or these paths. They win over the program's own.
    #[cfg_attr(test, schemars(extend("examples" = [["/health/ready"]])))]
    pub(crate) public: As<PublicProbes>,

    /// More paths, each with the verdict that it answers.
    #[cfg_attr(test, schemars(extend("examples" = [{ "/ready": "ready", "/health": "live" }])))]
    pub(crate) paths: BTreeMap<String, Verdict>,

    /// The networks from which probes are answered; empty means everybody.
    #[cfg_attr(test, schemars(extend("examples" = [["10.0.0.0/8"]])))]
    pub(crate) allow: Vec<As<Cidr>>,

    /// Who sees addresses and error texts in a probe's body.
    pub(crate) details: Details,

    /// Whoever brings this as `Authorization: Bearer` sees what is shown on this machine.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "env": "PROBE_TOKEN" }])))]
    pub(crate) token: Option<As<SecretSource>>,

    /// The shape of the body when the request asks for none.
    pub(crate) format: ProbeFormat,

    /// Bodies of your own, as templates: the path of a probe, and what it answers. The page about probes lists what a
    /// template may use; it is tried when the configuration is loaded.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = [{ "/health": "{\"ok\": {{ passes }}}" }])))]
    pub(crate) shapes: BTreeMap<String, String>,

    /// A path of the program, or of the upstream, that answers JSON. Templates may use it as `app`: it is asked in the
    /// background, and only while one of them does.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "examples" = ["/internal/stats"])))]
    pub(crate) app_path: Option<As<UrlPath>>,

    /// How often `app-path` is asked, and how often processes and memory are looked at for templates.
    #[cfg_attr(test, schemars(extend("examples" = ["10s"])))]
    pub(crate) sample_interval: Time,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            public: As(PublicProbes::Off),
            paths: BTreeMap::new(),
            allow: Vec::new(),
            details: Details::Loopback,
            token: None,
            format: ProbeFormat::Default,
            shapes: BTreeMap::new(),
            app_path: None,
            sample_interval: super::seconds(10),
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Whether the start is complete.
    Startup,
    /// Whether the process can do its work.
    Live,
    /// Whether requests should be sent here.
    Ready,
    /// How everything is, dependencies included.
    Health,
}

impl From<Verdict> for seaworthy::probes::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Startup => Self::Startup,
            Verdict::Live => Self::Live,
            Verdict::Ready => Self::Ready,
            Verdict::Health => Self::Health,
        }
    }
}

/// Who sees addresses and error texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Details {
    /// Only who asks from this machine, or brings the token.
    #[default]
    Loopback,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

/// The shape of a probe's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProbeFormat {
    /// JSON, as the guide describes it.
    #[default]
    Default,
    /// `ok`, or lines of `[+]name ok` with `?verbose`.
    Kubernetes,
    /// JSON as Spring Boot's Actuator writes it.
    Actuator,
    /// JSON as MicroProfile Health has it.
    Microprofile,
    /// JSON of draft-inadarei-api-health-check-06.
    Ietf,
}
