//! Metrics of the service's own. The families are the library's, so that dashboards know them; what they count stands here.

use std::time::Duration;

use seaworthy::metrics::families::{
    InvoiceStatus, QueueJobsProcessed, QueueSize, Revenue, ServiceProvisioning, UserSignups,
};
use seaworthy::metrics::{FamilyError, Gauge, Histogram, Metrics};

use crate::labels::{Currency, Plan, Product};

const QUEUE: &str = "orders";

/// Counts what the business asks about. Clones count in the same families.
#[derive(Clone)]
pub(crate) struct Business {
    signups: UserSignups,
    revenue: Revenue,
    invoices: InvoiceStatus,
    processed: QueueJobsProcessed,
    // Looked up once, because they have no label that varies.
    waiting: Gauge,
    provisioning: Histogram,
}

impl Business {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, FamilyError> {
        Ok(Self {
            signups: UserSignups::register(metrics)?,
            revenue: Revenue::register(metrics)?,
            invoices: InvoiceStatus::register(metrics)?,
            processed: QueueJobsProcessed::register(metrics)?,
            waiting: QueueSize::register(metrics)?.with(QUEUE, "waiting"),
            provisioning: ServiceProvisioning::register(metrics)?.with(),
        })
    }

    pub(crate) fn signed_up(&self, plan: Plan) {
        self.signups.with(plan.as_ref()).inc();
    }

    pub(crate) fn earned(&self, cents: u32, currency: Currency, product: Product) {
        self.revenue.with(currency.as_ref(), product.as_ref()).add_amount(f64::from(cents) / 100.0);
    }

    /// `issued` or `paid`.
    pub(crate) fn invoice(&self, status: &'static str) {
        self.invoices.with(status).inc();
    }

    /// `completed`, or `skipped` where there was nothing left to do.
    pub(crate) fn processed(&self, status: &'static str) {
        self.processed.with(QUEUE, status).inc();
    }

    /// An order is fulfilled, so long after it was placed.
    pub(crate) fn provisioned(&self, after: Duration) {
        self.provisioning.observe_duration(after);
    }

    pub(crate) fn waiting(&self, jobs: u64) {
        self.waiting.set(jobs as f64);
    }
}
