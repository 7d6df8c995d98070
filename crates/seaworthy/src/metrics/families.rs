//! Families that services have in common, ready to be registered: queues, messages, business, security.
//!
//! ```
//! use seaworthy::metrics::Metrics;
//! use seaworthy::metrics::families::{Revenue, UserSignups};
//!
//! let metrics = Metrics::new("shop");
//! let signups = UserSignups::register(&metrics)?;
//! signups.with("pro").inc();
//! Revenue::register(&metrics)?.with("EUR", "hosting").add_amount(19.90);
//! # Ok::<(), seaworthy::metrics::FamilyError>(())
//! ```

use super::{counter, gauge, histogram};

counter! {
    /// Users who signed up, by plan.
    pub struct UserSignups("user_signups_total") { plan_type: &str }
}

counter! {
    /// Money earned, by currency and product.
    pub struct Revenue("revenue_total") { currency: &str, product_type: &str }
}

counter! {
    /// Invoices that came into a status.
    pub struct InvoiceStatus("invoice_status_total") { status: &str }
}

histogram! {
    /// How long it took until a service was provisioned, in seconds.
    pub struct ServiceProvisioning("service_provisioning_duration_seconds") [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0] {}
}

counter! {
    /// Mails that were sent, by template and status.
    pub struct EmailsSent("emails_sent_total") { template: &str, status: &str }
}

counter! {
    /// Text messages that were sent, by purpose and status.
    pub struct SmsSent("sms_sent_total") { purpose: &str, status: &str }
}

counter! {
    /// Webhooks that were delivered, by event and status.
    pub struct WebhookDeliveries("webhook_deliveries_total") { event: &str, status: &str }
}

counter! {
    /// Attempts to authenticate that failed, by reason.
    pub struct AuthFailures("auth_failures_total") { reason: &str }
}

counter! {
    /// Requests beyond a rate limit, by endpoint.
    pub struct RateLimitHits("rate_limit_hits_total") { endpoint: &str }
}

gauge! {
    /// Jobs in a queue, by status.
    pub struct QueueSize("queue_size") { queue_name: &str, status: &str }
}

counter! {
    /// Jobs that were processed, by queue and how they ended.
    pub struct QueueJobsProcessed("queue_jobs_processed_total") { queue_name: &str, status: &str }
}

histogram! {
    /// How long a text took to be embedded, in seconds.
    pub struct EmbeddingDuration("embedding_duration_seconds") {}
}
