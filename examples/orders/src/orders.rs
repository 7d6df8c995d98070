//! Orders: placed by a request, fulfilled by the worker.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::clock;
use crate::input::Input;
use crate::problem::Problem;
use crate::routes::{App, json};
use crate::store::Store;

/// How many are listed at most.
const LISTED: i64 = 100;

/// What is ordered. `POST /orders {"item": "anchor", "quantity": 2}`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct NewOrder {
    item: String,
    quantity: u32,
}

impl Default for NewOrder {
    fn default() -> Self {
        Self { item: "anchor".to_owned(), quantity: 1 }
    }
}

/// As it is stored and answered. Its status is `placed` or `fulfilled`.
#[derive(Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    item: String,
    quantity: i64,
    status: String,
    pub(crate) placed_at: i64,
}

impl Order {
    fn of(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            item: row.try_get("item")?,
            quantity: row.try_get("quantity")?,
            status: row.try_get("status")?,
            placed_at: row.try_get("placed_at")?,
        })
    }
}

/// `GET /orders`: the newest first.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Orders {
        orders: Vec<Order>,
    }
    let orders = app.store.newest_orders().await?;
    Ok(json(StatusCode::OK, &Orders { orders }))
}

/// `POST /orders`: stored, and handed to the worker.
pub(crate) async fn place(State(app): State<App>, Input(new): Input<NewOrder>) -> Result<Response, Problem> {
    if new.item.trim().is_empty() || new.quantity == 0 {
        return Err(Problem::invalid("an order needs an item, and a quantity from 1 on"));
    }
    let order = app.store.place_order(new).await?;
    if let Err(error) = app.queue.push(&order.id).await {
        // The order stands all the same, and the worker looks for those that nobody queued.
        tracing::warn!(%error, order = order.id, "the queue did not take an order");
    }
    tracing::info!(order = order.id, "order placed");
    Ok(json(StatusCode::CREATED, &order))
}

impl Store {
    async fn newest_orders(&self) -> Result<Vec<Order>, sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(
            "SELECT id, item, quantity, status, placed_at FROM orders ORDER BY placed_at DESC, id DESC LIMIT $1",
        );
        let rows = query.bind(LISTED).fetch_all(&mut *connection);
        self.queries().timed("list_orders", rows).await?.iter().map(Order::of).collect()
    }

    async fn place_order(&self, new: NewOrder) -> Result<Order, sqlx::Error> {
        let NewOrder { item, quantity } = new;
        let (id, status) = (clock::new_id("order"), "placed".to_owned());
        let order = Order { id, item, quantity: quantity.into(), status, placed_at: clock::now() };
        let mut connection = self.connection().await?;
        let query =
            sqlx::query("INSERT INTO orders (id, item, quantity, status, placed_at) VALUES ($1, $2, $3, $4, $5)");
        let query = query.bind(&order.id).bind(&order.item).bind(order.quantity).bind(&order.status);
        self.queries().timed("insert_order", query.bind(order.placed_at).execute(&mut *connection)).await?;
        Ok(order)
    }

    /// Fulfils an order, and gives when it was placed; `None` where it was fulfilled before, because a queue may hand a job out twice.
    pub(crate) async fn fulfil_order(&self, id: &str) -> Result<Option<i64>, sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(
            "UPDATE orders SET status = 'fulfilled' WHERE id = $1 AND status = 'placed' RETURNING placed_at",
        );
        let row = query.bind(id).fetch_optional(&mut *connection);
        self.queries().timed("fulfil_order", row).await?.map(|row| row.try_get("placed_at")).transpose()
    }

    /// Orders that were placed before `then`, and that nobody has fulfilled.
    pub(crate) async fn forgotten_orders(&self, then: i64) -> Result<Vec<String>, sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query("SELECT id FROM orders WHERE status = 'placed' AND placed_at < $1 LIMIT $2");
        let rows = query.bind(then).bind(LISTED).fetch_all(&mut *connection);
        self.queries().timed("forgotten_orders", rows).await?.iter().map(|row| row.try_get("id")).collect()
    }
}
