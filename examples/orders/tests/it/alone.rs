//! With nothing installed: SQLite, a table as the queue, the bundled payment server.

use crate::bed::Orders;

#[test]
fn it_works_with_nothing_installed_and_says_what_to_try() {
    let orders = Orders::ready(&[]);
    let index = orders.get("/");
    for route in ["GET /orders", "POST /orders", "POST /signups", "POST /invoices", "POST /payments"] {
        let routes = index.json()["routes"].as_array().expect("a list").clone();
        assert!(routes.iter().any(|known| known == route), "{routes:?}");
        let path = route.split(' ').nth(1).expect("a path");
        let line = format!("curl 127.0.0.1:{}{path}", orders.public.port());
        orders.guide.until("what to try", |lines| lines.iter().any(|known| known.contains(&line)).then_some(()));
    }
    // The preset for APIs, and the allowance.
    assert_eq!(index.header("x-frame-options"), Some("DENY"));
    assert_eq!(index.header("x-ratelimit-limit"), Some("100"));
    assert!(index.header("x-request-id").is_some());

    let id = orders.place();
    orders.fulfilled(&id);
    let missing = orders.get("/none");
    assert_eq!((missing.status, missing.header("content-type")), (404, Some("application/problem+json")));
}

#[test]
fn what_the_business_asks_about_is_counted() {
    let orders = Orders::ready(&[]);
    for plan in ["pro", "pro", "free"] {
        assert_eq!(orders.post("/signups", &format!("{{\"plan_type\":\"{plan}\"}}")).status, 201);
    }
    orders.counts("user_signups_total{plan_type=\"pro\"}", 2.0);
    orders.counts("user_signups_total{plan_type=\"free\"}", 1.0);

    let invoice = orders.post("/invoices", "{\"amount_cents\":4900,\"currency\":\"USD\"}").json();
    let body = format!(
        "{{\"amount_cents\":4900,\"currency\":\"USD\",\"product_type\":\"hosting\",\"invoice\":{}}}",
        invoice["id"]
    );
    assert_eq!(orders.post("/payments", &body).status, 201);
    orders.counts("invoice_status_total{status=\"issued\"}", 1.0);
    orders.counts("invoice_status_total{status=\"paid\"}", 1.0);
    orders.counts("revenue_total{currency=\"USD\",product_type=\"hosting\"}", 49.0);

    orders.place();
    orders.counts("queue_jobs_processed_total{queue_name=\"orders\",status=\"completed\"}", 1.0);
    orders.counts("service_provisioning_duration_seconds_count", 1.0);
    orders.counts("queue_size{queue_name=\"orders\",status=\"waiting\"}", 0.0);
    orders.counts("database_query_duration_seconds_count{operation=\"insert_order\"}", 1.0);
    assert!(orders.metric("db_pool_wait_seconds_count{pool=\"main\"}") > 0.0);
    orders.counts("db_pool_size_max{pool=\"main\"}", 10.0);
}

#[test]
fn what_makes_no_sense_is_refused_and_leaves_no_series() {
    let orders = Orders::ready(&[]);
    for (path, headers, body, status) in [
        ("/signups", "", "{\"plan_type\":\"platinum\"}", 422),
        ("/signups", "", "{\"plan_type\":", 422),
        ("/orders", "", "{\"quantity\":0}", 422),
        ("/orders", "", "{\"quantity\":-1}", 422),
        ("/payments", "", "{\"amount_cents\":0}", 422),
        ("/payments", "", "{\"currency\":\"XAU\"}", 422),
        ("/payments", "Idempotency-Key: \r\n", "{}", 422),
        ("/orders", "", &format!("{{\"item\":\"{}\"}}", "x".repeat(65 * 1024)), 413),
    ] {
        let answer = orders.post_with(path, headers, body);
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    }
    let page = crate::bed::get(orders.admin, "/metrics").text();
    assert!(!page.contains("platinum") && !page.contains("user_signups_total{"), "{page}");
    orders.counts("circuit_breaker_calls_total{service=\"stripe\",outcome=\"success\"}", 0.0);
}

#[test]
fn a_client_beyond_its_allowance_is_refused_and_probes_are_not() {
    let orders = Orders::ready(&[("RATE_LIMIT", "3/min")]);
    let statuses: Vec<_> = (0..4).map(|_| orders.get("/orders").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert!(orders.get("/orders").header("retry-after").is_some());
    orders.probes("/readyz", 200);
}

#[test]
fn settings_are_refused_all_at_once_and_without_their_passwords() {
    let refused = Orders::refused(&[
        ("PORT", "eighty"),
        ("DATABASE_URL", "mysql://ann:hunter2@db/orders"),
        ("RATE_LIMIT", "often"),
        ("DATABASE_CONNECTIONS", "0"),
        ("ALERT_WEBHOOK", "hooks.example/T0PSECRET"),
    ]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    for part in ["PORT is \"eighty\"", "DATABASE_URL is \"mysql://", "RATE_LIMIT is \"often\"", "DATABASE_CONNECTIONS"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_was_accepted_is_fulfilled_although_the_process_was_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = [("DATA_DIR", directory.path().to_str().expect("it is UTF-8"))];
    let orders = Orders::ready(&data);
    let placed: Vec<_> = (0..20).map(|_| orders.place()).collect();
    orders.kill();
    let orders = Orders::ready(&data);
    for id in &placed {
        orders.fulfilled(id);
    }
}
