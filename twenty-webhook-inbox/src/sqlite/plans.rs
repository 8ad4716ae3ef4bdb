//! SQLite's query plans.

use sqlx::Row as _;

use crate::sqlite::complete::COMPLETE;
use crate::sqlite::{RENEW, claim};
use crate::{Inbox, JobFilter, State, catch_up_sql, sql};

/// SQLite plans without statistics, so its plans do not depend on the number of rows.
#[tokio::test]
async fn no_statement_scans_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
    let record = JobFilter::all().record("person", "1");
    let in_state = State::ALL.map(|state| sql::page(&JobFilter::in_state(state)));
    let statements = [
        claim::CANDIDATES,
        claim::CLAIM,
        claim::FOLLOW,
        claim::PARK,
        COMPLETE,
        RENEW,
        sql::BURST,
        sql::WAKE,
        sql::WAKE_ALL,
        sql::RECOVER,
        sql::COUNTS,
        sql::DELETE_DONE,
        sql::DELETE_DEAD,
        sql::REPAIR_DUE[0],
        sql::REPAIR_DUE[1],
        sql::REPAIR_LEASES,
        sql::REPAIR_DONE,
        sql::RETRY,
        sql::RERUN,
        sql::DELETE,
        sql::ERASE,
        catch_up_sql::KNOWN,
        catch_up_sql::WERE_DESTROYED,
        catch_up_sql::DISPROVE,
        catch_up_sql::FORGET_HANDLED,
        catch_up_sql::FORGET_HANDLED_IN_BATCHES,
        catch_up_sql::INSERT,
        catch_up_sql::DELIVERED,
        catch_up_sql::REMOVE_DESTROYED,
        sql::page(&record),
    ];
    for template in statements.into_iter().chain(in_state) {
        let explain = format!("EXPLAIN QUERY PLAN {}", inbox.store.dialect.text(template));
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&inbox.store.read).await.unwrap();
        for row in plan {
            let step: String = row.get("detail");
            // The table of jobs and its aliases. Small tables may be scanned.
            let scans = ["twenty_webhook_jobs", "j", "o", "w", "d", "x", "b", "g"].map(|table| format!("SCAN {table}"));
            assert!(!scans.contains(&step), "{step}: {template}");
        }
    }
    let all = inbox.store.dialect.text(sql::page(&JobFilter::all()));
    assert!(all.contains("ORDER BY seq DESC LIMIT"), "by the primary key");
}
