//! Invoices: issued by a request, and paid by a [payment](crate::payments).

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::input::Input;
use crate::labels::Currency;
use crate::problem::Problem;
use crate::routes::{App, json};
use crate::store::Store;

/// `POST /invoices {"amount_cents": 4900, "currency": "EUR"}`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct NewInvoice {
    amount_cents: u32,
    currency: Currency,
}

impl Default for NewInvoice {
    fn default() -> Self {
        Self { amount_cents: 4900, currency: Currency::default() }
    }
}

#[derive(Serialize)]
struct Invoice {
    id: String,
    amount_cents: u32,
    currency: Currency,
    status: &'static str,
}

/// `POST /invoices`.
pub(crate) async fn issue(State(app): State<App>, Input(new): Input<NewInvoice>) -> Result<Response, Problem> {
    let NewInvoice { amount_cents, currency } = new;
    let invoice = Invoice { id: clock::new_id("invoice"), amount_cents, currency, status: "issued" };
    app.store.insert_invoice(&invoice).await?;
    app.business.invoice(invoice.status);
    Ok(json(StatusCode::CREATED, &invoice))
}

impl Store {
    async fn insert_invoice(&self, invoice: &Invoice) -> Result<(), sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(
            "INSERT INTO invoices (id, amount_cents, currency, status, issued_at) VALUES ($1, $2, $3, $4, $5)",
        );
        let query = query.bind(&invoice.id).bind(i64::from(invoice.amount_cents)).bind(invoice.currency.as_ref());
        let query = query.bind(invoice.status).bind(clock::now());
        self.queries().timed("insert_invoice", query.execute(&mut *connection)).await.map(drop)
    }

    /// Whether there was such an invoice, not paid yet.
    pub(crate) async fn settle_invoice(&self, id: &str) -> Result<bool, sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query("UPDATE invoices SET status = 'paid' WHERE id = $1 AND status = 'issued'");
        let query = query.bind(id).execute(&mut *connection);
        Ok(self.queries().timed("settle_invoice", query).await?.rows_affected() == 1)
    }
}
