//! Payments: made by somebody else, who may be slow, fail or hang.
//!
//! The call goes through the library's client: at most 4 s in all, two more tries for what may be repeated, a bound on the calls under
//! way, and the breaker preset `stripe` (3 failures in a minute open it for 30 s). While it is open a payment is refused at once by 503
//! with `Retry-After`, and nobody waits.

pub(crate) mod flaky;
mod provider;

use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, StatusCode};
use seaworthy::audit::Entry;
use seaworthy::context::RequestContext;
use seaworthy::propagation::Propagation;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::clock;
use crate::input::Input;
use crate::labels::{Currency, Product};
use crate::problem::Problem;
use crate::routes::{App, json};
use crate::store::Store;

pub(crate) use provider::Payments;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Keys longer than this are none of ours.
const LONGEST_KEY: usize = 128;

/// `POST /payments {"amount_cents": 1990, "currency": "EUR", "product_type": "hosting", "invoice": "invoice_…"}`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct NewPayment {
    #[serde(alias = "amount")]
    amount_cents: u32,
    currency: Currency,
    product_type: Product,
    invoice: Option<String>,
}

impl Default for NewPayment {
    fn default() -> Self {
        Self { amount_cents: 1990, currency: Currency::default(), product_type: Product::default(), invoice: None }
    }
}

/// A payment that was made.
#[derive(Serialize)]
struct Payment {
    id: String,
    amount_cents: u32,
    currency: Currency,
    product_type: Product,
    /// What the provider calls it.
    reference: String,
}

/// `POST /payments`. With an `Idempotency-Key` it may be sent again, and is paid once.
pub(crate) async fn pay(
    State(app): State<App>,
    request: Parts,
    Input(new): Input<NewPayment>,
) -> Result<Response, Problem> {
    if new.amount_cents == 0 {
        return Err(Problem::invalid("a payment needs an amount_cents from 1 on"));
    }
    let id = match request.headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str()) {
        None => clock::new_id("payment"),
        Some(Ok(key)) if (1..=LONGEST_KEY).contains(&key.len()) => key.to_owned(),
        Some(_) => return Err(Problem::invalid("an Idempotency-Key has 1 to 128 visible characters")),
    };
    // A task of its own, which a shutdown waits for: a client that leaves must not leave a charge behind that nobody wrote down.
    let work = app.life.background_work("payment");
    let task = async move {
        let _work = work;
        charge(&app, id, new, &request).await
    };
    match tokio::spawn(task.in_current_span()).await {
        Ok(answer) => answer,
        // As if it had happened here: the library answers and counts it.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn charge(app: &App, id: String, new: NewPayment, request: &Parts) -> Result<Response, Problem> {
    let NewPayment { amount_cents, currency, product_type, invoice } = new;
    let caller = Propagation::of_headers(&request.headers);
    let reference = app.payments.charge(&id, amount_cents, currency, &caller).await?;
    let payment = Payment { id, amount_cents, currency, product_type, reference };
    if app.store.insert_payment(&payment).await? {
        app.business.earned(amount_cents, currency, product_type);
        record(app, &payment, request);
    }
    if let Some(invoice) = invoice
        && app.store.settle_invoice(&invoice).await?
    {
        app.business.invoice("paid");
    }
    tracing::info!(payment = payment.id, reference = payment.reference, "payment made");
    Ok(json(StatusCode::CREATED, &payment))
}

/// Money has moved: that stands in the trail, which nobody can edit unseen, and not only in a log.
fn record(app: &App, payment: &Payment, request: &Parts) {
    let Some(trail) = &app.trail else { return };
    let client = RequestContext::of(&request.extensions).and_then(|context| context.client);
    let client = client.map_or_else(|| "somebody".to_owned(), |address| address.to_string());
    let entry = Entry::new("payment_made", format!("payment {} was made", payment.id)).by(client);
    let entry = entry.detail("amount_cents", payment.amount_cents).detail("currency", payment.currency.as_ref());
    trail.record(entry.detail("reference", payment.reference.as_str()));
}

impl Store {
    /// Whether it is new: a payment that was sent again earns nothing.
    async fn insert_payment(&self, payment: &Payment) -> Result<bool, sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(
            "INSERT INTO payments (id, amount_cents, currency, product_type, reference, paid_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
        );
        let query = query.bind(&payment.id).bind(i64::from(payment.amount_cents)).bind(payment.currency.as_ref());
        let query = query.bind(payment.product_type.as_ref()).bind(&payment.reference).bind(clock::now());
        let query = query.execute(&mut *connection);
        Ok(self.queries().timed("insert_payment", query).await?.rows_affected() == 1)
    }
}
