use crate::NewJob;
use crate::new_job::lane;
use crate::sqlite::{SqliteStore, Tx};

impl SqliteStore {
    pub(super) async fn insert(&self, tx: &mut Tx, job: &NewJob) -> Result<(), sqlx::Error> {
        let insert = self.dialect.query(
            "INSERT INTO {jobs} (key, tenant, scope, name, object, action, record_id, lane, order_at, dated, event_date, run_at, stored_at, body)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, {now}), $9 IS NOT NULL, $10, {now}, {now}, $11
             WHERE NOT {has_caught_up_event} ON CONFLICT (key) DO NOTHING",
        );
        let one = if let [one] = job.record_ids() { Some(one) } else { None };
        let inserted = insert
            .bind(&job.key().as_bytes()[..])
            .bind(job.tenant())
            .bind(job.scope())
            .bind(job.name())
            .bind(job.object())
            .bind(job.action())
            .bind(one)
            .bind(one.map(|id| lane(job.object(), id)))
            .bind(job.updated_at())
            .bind(job.event_date().unwrap_or(0))
            .bind(&job.body()[..])
            .execute(&mut **tx)
            .await?;
        if inserted.rows_affected() > 0 {
            for (lane, id, order_at) in job.members() {
                let insert = self.dialect.query(
                    "INSERT INTO {lanes} (lane, seq, record_id, order_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                );
                let insert = insert.bind(lane).bind(inserted.last_insert_rowid()).bind(id).bind(order_at);
                insert.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}
