use std::time::Duration;

use serde_json::json;
use twenty_webhook_catchup::CatchUp;
use twenty_webhook_testing::{FakeTwenty, TestClock};

use crate::companies::Companies;

#[tokio::test]
async fn the_table_is_in_step() {
    let (clock, dir) = (TestClock::default(), tempfile::tempdir().unwrap());
    let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().start();
    let companies = Companies::open(dir.path().join("companies.db")).await.unwrap();
    let day = Duration::from_hours(24);
    let catch_up = || {
        let catch_up = CatchUp::new(twenty.url(), twenty.api_key()).unwrap().objects(["company"]);
        catch_up.requests_per_minute(100_000)
    };

    twenty.create_many("company", (0..250).map(|n| json!({ "id": format!("{n:03}"), "name": "Before" })));
    clock.advance(day);
    let report = catch_up().backfill().run_once(&companies).await.unwrap();
    assert_eq!((report.is_ok(), report.events()), (true, 250), "{report:?}");

    twenty.update("company", &["001"], json!({ "name": "After" }));
    twenty.delete("company", &["002"]);
    twenty.destroy("company", &["003", "240"]);
    clock.advance(day);
    let report = catch_up().run_once(&companies).await.unwrap();
    assert_eq!((report.is_ok(), report.events()), (true, 4), "{report:?}");
    let query = "SELECT id, name, is_deleted FROM companies WHERE name <> 'Before' OR is_deleted OR id IN ('003', '240') ORDER BY id";
    let rows: Vec<(String, String, bool)> = sqlx::query_as(query).fetch_all(&companies.0).await.unwrap();
    assert_eq!(rows, [("001".into(), "After".into(), false), ("002".into(), "Before".into(), true)]);

    clock.advance(day);
    assert_eq!(catch_up().run_once(&companies).await.unwrap().events(), 0);
}
