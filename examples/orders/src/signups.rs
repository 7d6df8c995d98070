//! Signups: stored and counted, by plan.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::input::Input;
use crate::labels::Plan;
use crate::problem::Problem;
use crate::routes::{App, json};
use crate::store::Store;

/// `POST /signups {"plan_type": "pro"}`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewSignup {
    plan_type: Plan,
}

#[derive(Serialize)]
struct Signup {
    id: String,
    plan_type: Plan,
}

/// `POST /signups`.
pub(crate) async fn sign_up(State(app): State<App>, Input(new): Input<NewSignup>) -> Result<Response, Problem> {
    let signup = Signup { id: clock::new_id("signup"), plan_type: new.plan_type };
    app.store.insert_signup(&signup).await?;
    // Behind the database: what is not stored has not happened.
    app.business.signed_up(signup.plan_type);
    Ok(json(StatusCode::CREATED, &signup))
}

impl Store {
    async fn insert_signup(&self, signup: &Signup) -> Result<(), sqlx::Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query("INSERT INTO signups (id, plan_type, signed_up_at) VALUES ($1, $2, $3)");
        let query = query.bind(&signup.id).bind(signup.plan_type.as_ref()).bind(clock::now());
        self.queries().timed("insert_signup", query.execute(&mut *connection)).await.map(drop)
    }
}
