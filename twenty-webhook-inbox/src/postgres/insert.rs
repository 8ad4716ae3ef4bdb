use sqlx::Connection as _;

use crate::NewJob;
use crate::new_job::lane;
use crate::postgres::{PostgresStore, connect};

/// `{insert}` in other statements.
pub(super) const ROWS: &str =
    "INSERT INTO {jobs} (key, tenant, scope, name, object, action, record_id, lane, order_at, dated, event_date, run_at, stored_at, body)
    SELECT key, tenant, scope, name, object, action, record_id, lane, coalesce(order_at, {now}), order_at IS NOT NULL, event_date,
        {now}, {now}, body
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
        $10::bigint[], $11::bytea[])
        AS job (key, tenant, scope, name, object, action, record_id, lane, order_at, event_date, body)
    WHERE NOT {has_caught_up_event} ON CONFLICT (key) DO NOTHING";

const INSERT: &str = "{insert}";

/// Also inserts the lanes of batches, which are rare.
const INSERT_BATCHES: &str = "WITH new AS ({insert} RETURNING key, seq)
    INSERT INTO {lanes} (lane, seq, record_id, order_at) SELECT member.lane, new.seq, member.record_id, member.order_at
    FROM unnest($12::bytea[], $13::bigint[], $14::text[], $15::bigint[]) AS member (key, lane, record_id, order_at)
    JOIN new ON new.key = member.key ON CONFLICT DO NOTHING";

impl PostgresStore {
    pub(super) async fn run_push(&self, mut jobs: Vec<NewJob>) -> Result<(), sqlx::Error> {
        // Sorted, or two receivers that insert the same two keys could wait for each other.
        jobs.sort_unstable_by_key(NewJob::key);
        let keys: Vec<_> = jobs.iter().map(NewJob::key).collect();
        let text = |of: fn(&NewJob) -> &str| jobs.iter().map(of).collect::<Vec<_>>();
        let one = |job: &NewJob| if let [one] = job.record_ids() { Some(one.clone()) } else { None };
        let members = jobs.iter().zip(&keys).flat_map(|(job, key)| job.members().map(move |member| (key, member)));
        let members: Vec<_> = members.collect();
        let insert = self.dialect.query(if members.is_empty() { INSERT } else { INSERT_BATCHES });
        let insert = insert
            .bind(keys.iter().map(|key| &key.as_bytes()[..]).collect::<Vec<_>>())
            .bind(jobs.iter().map(NewJob::tenant).collect::<Vec<_>>())
            .bind(text(NewJob::scope))
            .bind(text(NewJob::name))
            .bind(text(NewJob::object))
            .bind(text(NewJob::action))
            .bind(jobs.iter().map(one).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| one(job).map(|id| lane(job.object(), &id))).collect::<Vec<_>>())
            .bind(jobs.iter().map(NewJob::updated_at).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| job.event_date().unwrap_or(0)).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| &job.body()[..]).collect::<Vec<_>>());
        let insert = if members.is_empty() {
            insert
        } else {
            insert
                .bind(members.iter().map(|(key, _)| &key.as_bytes()[..]).collect::<Vec<_>>())
                .bind(members.iter().map(|(_, (lane, ..))| *lane).collect::<Vec<_>>())
                .bind(members.iter().map(|(_, (_, id, _))| *id).collect::<Vec<_>>())
                .bind(members.iter().map(|(_, (.., order_at))| *order_at).collect::<Vec<_>>())
        };
        let mut intake = self.intake.lock().await;
        // It is closed if the insert fails or is cancelled.
        let mut connection = match intake.take() {
            Some(connection) => connection,
            None => self.intake_connection().await?,
        };
        if self.transaction_pooling {
            let mut tx = connection.begin_with(connect::BEGIN).await?;
            insert.execute(&mut *tx).await?;
            tx.commit().await?;
        } else {
            insert.execute(&mut connection).await?;
        }
        *intake = Some(connection);
        Ok(())
    }
}
