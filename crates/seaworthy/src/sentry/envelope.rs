//! The envelope that reports travel in.
//!
//! Source: <https://develop.sentry.dev/sdk/data-model/envelopes/>.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};

use super::limits::Category;
use super::request::hex;

/// A report on its way.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) category: Category,
    pub(super) id: String,
    pub(super) payload: Vec<u8>,
}

/// What all reports say alike.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    pub(super) environment: String,
    pub(super) release: Option<String>,
    pub(super) server: Option<String>,
    pub(super) service: String,
}

/// A longer one is refused by Sentry, and would hold up what comes behind it.
const LONGEST: usize = 200 * 1024;

impl Item {
    /// An item of these fields; `None` for one that nobody would take.
    pub(super) fn new(
        category: Category,
        mut fields: Map<String, Json>,
        common: &Common,
        now: SystemTime,
    ) -> Option<Self> {
        let id = hex(&fastrand::u128(..).to_be_bytes());
        fields.insert("event_id".to_owned(), id.clone().into());
        fields.insert("platform".to_owned(), "other".into());
        fields.entry("timestamp").or_insert_with(|| seconds(now).into());
        fields.insert("environment".to_owned(), common.environment.clone().into());
        if let Some(release) = &common.release {
            fields.insert("release".to_owned(), release.clone().into());
        }
        if let Some(server) = &common.server {
            fields.insert("server_name".to_owned(), server.clone().into());
        }
        if let Some(tags) = fields.entry("tags").or_insert_with(|| json!({})).as_object_mut() {
            tags.insert("service".to_owned(), common.service.clone().into());
        }
        fields.insert("sdk".to_owned(), json!({ "name": "seaworthy", "version": env!("CARGO_PKG_VERSION") }));
        let payload = Json::Object(fields).to_string().into_bytes();
        (payload.len() <= LONGEST).then_some(Self { category, id, payload })
    }

    /// The envelope with this item, and with what was discarded meanwhile.
    pub(super) fn envelope(&self, discarded: &[Discarded], now: SystemTime) -> Vec<u8> {
        let sent = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let kind = match self.category {
            Category::Error => "event",
            Category::Transaction => "transaction",
        };
        let mut out = Vec::with_capacity(self.payload.len() + 256);
        line(&mut out, &json!({ "event_id": self.id, "sent_at": sent.to_string() }));
        item(&mut out, kind, &self.payload);
        if !discarded.is_empty() {
            let report = json!({ "timestamp": seconds(now), "discarded_events": discarded.iter().map(Discarded::json).collect::<Vec<_>>() });
            item(&mut out, "client_report", report.to_string().as_bytes());
        }
        out
    }
}

/// Reports that never arrived, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Discarded {
    pub(super) category: Category,
    pub(super) reason: &'static str,
    pub(super) quantity: u64,
}

impl Discarded {
    fn json(&self) -> Json {
        json!({ "reason": self.reason, "category": self.category.name(), "quantity": self.quantity })
    }
}

fn item(out: &mut Vec<u8>, kind: &str, payload: &[u8]) {
    line(out, &json!({ "type": kind, "length": payload.len(), "content_type": "application/json" }));
    out.extend_from_slice(payload);
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, header: &Json) {
    out.extend_from_slice(header.to_string().as_bytes());
    out.push(b'\n');
}

/// Since 1970, as timestamps are written.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
