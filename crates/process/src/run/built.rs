//! The third stage of the configuration: what the gateway is made of.

use std::time::Duration;

use seaworthy::core::address::Trusted;
use seaworthy::cors::CorsLayer;
use seaworthy::headers::Preset;
use seaworthy::request_id::{Format, RequestIdLayer, Trust};
use seaworthy::stack::Settings as StackSettings;
use seaworthy::trace::TraceContextLayer;

use crate::config::{self, Config, DrainPolicy, HeaderPreset, IdFormat, Trust as ConfigTrust};
use crate::gateway::{AcceptSettings, ConnectionSettings, Protocol, ProxySettings, Public, WorkerSettings};

/// Longer than any process lives; a timer cannot hold the longest of all durations.
const EVER: Duration = Duration::from_hours(10 * 365 * 24);

/// How long a request waits for the end of a pause: as long as the program could take to answer it.
const PAUSE: Duration = Duration::from_secs(30);

/// The header by which a program tells its route.
const ROUTE: http::HeaderName = http::HeaderName::from_static("x-route");

/// What the workers are set to; `public` answers what the program is not asked.
pub(crate) fn worker_settings(config: &Config, public: Public) -> WorkerSettings {
    let limits = &config.limits;
    // A head or a list of headers that fits no `usize` fits no memory either.
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    WorkerSettings {
        stack: stack_settings(config),
        connection: ConnectionSettings {
            head_timeout: limits.head_timeout,
            idle_timeout: limits.idle_timeout,
            body_min_rate: limits.body_min_rate,
            body_grace: limits.body_grace,
            send_timeout: limits.send_timeout,
            head_size: size(limits.head_size),
            header_count: limits.header_count.get(),
        },
        proxy: ProxySettings {
            longest_target: limits.uri_length,
            connect_timeout: limits.connect_timeout,
            // What somebody else started, somebody else has to start again.
            hold: if config.upstream.is_some() { Duration::ZERO } else { config.start.hold_after_crash },
        },
        accept: AcceptSettings {
            total: size(u64::from(config.connection_limit.total.get())),
            per_address: config.connection_limit.per_address.map(std::num::NonZero::get),
        },
        public,
    }
}

fn stack_settings(config: &Config) -> StackSettings {
    let trust = match config.request_id.trust {
        ConfigTrust::Anyone => Trust::Anyone,
        ConfigTrust::Proxies => Trust::Proxies,
    };
    let mut settings = StackSettings::default();
    settings.trusted = Trusted::new(config.trusted_proxies.iter().map(|cidr| cidr.net()));
    settings.request_id = request_id(config).trust(trust);
    settings.trace = match &config.trace.export {
        Some(_) => TraceContextLayer::default().spans_of_proxy(config.trace.sampler),
        None => TraceContextLayer::default().begin(config.trace.begin),
    };
    settings.route_header = Some(ROUTE);
    settings.headers = preset(config.headers.preset);
    settings.cors = config.cors.as_ref().map(CorsLayer::new).unwrap_or_default();
    settings.hold.start = config.start.hold;
    settings.hold.crash = config.start.hold_after_crash;
    settings.hold.pause = PAUSE;
    settings.reject = config.drain.policy == DrainPolicy::Reject;
    settings.body = config.limits.body_size.unwrap_or(u64::MAX);
    settings.time = config.limits.request_timeout.unwrap_or(EVER);
    settings
}

/// How requests get their ids; what the program sends is believed.
pub(crate) fn request_id(config: &Config) -> RequestIdLayer {
    let format = match config.request_id.format {
        IdFormat::V7 => Format::V7,
        IdFormat::V4 => Format::V4,
    };
    RequestIdLayer::default().format(format).header(config.request_id.header.clone())
}

fn preset(preset: HeaderPreset) -> Preset {
    match preset {
        HeaderPreset::Default => Preset::Basic,
        HeaderPreset::Api => Preset::Api,
        HeaderPreset::Web => Preset::Web,
        HeaderPreset::Helmet => Preset::Helmet,
        HeaderPreset::Strict => Preset::Strict,
        HeaderPreset::Off => Preset::Off,
    }
}

/// How many workers there are when nobody says: the CPU quota, at most 4.
pub(crate) fn workers(config: &Config) -> usize {
    const MOST: usize = 4;
    config.workers.map_or_else(
        || std::thread::available_parallelism().map_or(1, |quota| quota.get().min(MOST)),
        std::num::NonZero::get,
    )
}

/// What the program speaks.
pub(crate) fn protocol(protocol: config::Protocol) -> Protocol {
    match protocol {
        config::Protocol::Auto => Protocol::Auto,
        config::Protocol::Http1 => Protocol::Http1,
        config::Protocol::H2c => Protocol::H2c,
    }
}
