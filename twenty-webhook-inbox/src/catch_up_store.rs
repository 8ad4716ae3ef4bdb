//! Catch-up on both databases.

/// `CatchUpStore` for a store: its statements are the same on both databases, and sqlx's types are not.
macro_rules! impl_catch_up_store {
    ($store:ty, $connection:ty, $row:ty) => {
        impl $store {
            async fn run_commit(
                &self,
                tx: &mut $connection,
                commit: &$crate::CatchUpCommit,
                jobs: &[$crate::NewJob],
            ) -> Result<Option<u64>, sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let (scope, object) = (commit.scope.key(), commit.object.as_str());
                let hold = self.dialect.query(sql::HOLD).bind(scope).bind(commit.token);
                if hold.bind($crate::sql::millis(commit.lease)).execute(&mut *tx).await?.rows_affected() == 0 {
                    return Ok(None);
                }
                let ids: Vec<_> = commit.found.iter().map(|found| found.id.clone()).collect();
                if !ids.is_empty() {
                    self.run_disprove(tx, (scope, object), &ids).await?;
                    let find = self.dialect.query(sql::FIND).bind(scope).bind(object);
                    let find = find.bind(sql::states(&commit.found)).bind(commit.pass).bind(&commit.key_tag);
                    let find = find.bind(commit.are_handled);
                    find.execute(&mut *tx).await?;
                }
                if !commit.gone.is_empty() {
                    let forget = self.dialect.query(sql::FORGET).bind(scope).bind(object);
                    forget.bind(sql::lanes(object, &commit.gone)).execute(&mut *tx).await?;
                }
                let mut new = 0;
                for job in jobs {
                    let id = job.record_ids().first().map(String::as_str).unwrap_or_default();
                    let insert = self
                        .dialect
                        .query(sql::INSERT)
                        .bind(&job.key().as_bytes()[..])
                        .bind(job.tenant())
                        .bind(job.scope())
                        .bind(job.name())
                        .bind(job.object())
                        .bind(job.action())
                        .bind(id)
                        .bind($crate::new_job::lane(job.object(), id))
                        .bind(job.updated_at())
                        .bind(job.event_date().unwrap_or(0))
                        .bind(&job.body()[..]);
                    new += insert.execute(&mut *tx).await?.rows_affected();
                }
                for (name, value) in &commit.progress {
                    let save = self.dialect.query(sql::SAVE).bind(scope).bind(name).bind(value);
                    let save = save.bind(commit.scope.tenant.as_deref());
                    save.execute(&mut *tx).await?;
                }
                Ok(Some(new))
            }

            /// Corrects earlier `destroyed` events of catch-up for records that exist.
            async fn run_disprove(
                &self,
                tx: &mut $connection,
                (scope, object): (&str, &str),
                ids: &[String],
            ) -> Result<(), sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let were_destroyed = self.dialect.scalar(sql::WERE_DESTROYED).bind(scope).bind(object);
                let ids: Vec<String> = were_destroyed.bind(sql::lanes(object, ids)).fetch_all(&mut *tx).await?;
                if ids.is_empty() {
                    return Ok(());
                }
                for statement in [sql::FORGET_HANDLED, sql::FORGET_HANDLED_IN_BATCHES, sql::DISPROVE] {
                    let statement = self.dialect.query(statement).bind(scope).bind(object);
                    statement.bind(sql::lanes(object, &ids)).execute(&mut *tx).await?;
                }
                Ok(())
            }

            async fn run_lease(
                &self,
                tx: &mut $connection,
                scope: &str,
                token: i64,
                lease: std::time::Duration,
            ) -> Result<bool, sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let statement = if lease.is_zero() { sql::RELEASE } else { sql::LEASE };
                let mut statement = self.dialect.query(statement).bind(scope).bind(token);
                if !lease.is_zero() {
                    let longest = lease.max($crate::catch_up::MAX_LEASE);
                    statement = statement.bind($crate::sql::millis(lease)).bind($crate::sql::millis(longest));
                }
                Ok(statement.execute(&mut *tx).await?.rows_affected() > 0)
            }

            async fn run_adopt(&self, tx: &mut $connection, scope: &$crate::CatchUpScope) -> Result<(), sqlx::Error> {
                use $crate::catch_up_sql as sql;
                let (key, tenant) = (scope.key(), scope.tenant.as_deref());
                for from in scope.adopts_from() {
                    let jobs = self.dialect.query(sql::ADOPT_JOBS).bind(key).bind(tenant).bind(from);
                    jobs.execute(&mut *tx).await?;
                    self.dialect.query(sql::ADOPT_KNOWN).bind(key).bind(from).execute(&mut *tx).await?;
                    // Last: the others look at it.
                    let progress = self.dialect.query(sql::ADOPT_PROGRESS).bind(key).bind(tenant).bind(from);
                    progress.execute(&mut *tx).await?;
                }
                Ok(())
            }

            /// The ids in the rows after the first number, up to the second.
            async fn delivered(
                &self,
                (scope, object): (&str, &str),
                (after, last): (i64, i64),
            ) -> Result<Vec<String>, InboxError> {
                let delivered = self.dialect.scalar($crate::catch_up_sql::DELIVERED).bind(scope).bind(object);
                let delivered = delivered.bind(after).bind(last).fetch_all(&mut *self.reader().await?).await;
                delivered.map_err(InboxError::database)
            }

            async fn run_count_ids(
                &self,
                tx: &mut $connection,
                (scope, object): (&str, &str),
                pass: i64,
                key_tag: &str,
            ) -> Result<$crate::IdCounts, sqlx::Error> {
                use sqlx::Row as _;
                use $crate::catch_up_sql as sql;
                let forget = self.dialect.query(sql::REMOVE_DESTROYED).bind(scope).bind(object);
                forget.execute(&mut *tx).await?;
                let count_ids = self.dialect.query(sql::COUNT_IDS).bind(scope).bind(object);
                let row = count_ids.bind(pass).bind(key_tag).fetch_one(&mut *tx).await?;
                let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
                Ok($crate::IdCounts {
                    known: count("known")?,
                    missing: count("missing")?,
                    unproven: count("unproven")?,
                })
            }
        }

        impl $crate::CatchUpStore for $store {
            async fn scopes(&self) -> Result<Vec<$crate::CatchUpScope>, InboxError> {
                use sqlx::Row as _;
                let scopes = self.dialect.query($crate::catch_up_sql::SCOPES);
                let rows = scopes.fetch_all(&mut *self.reader().await?).await.map_err(InboxError::database)?;
                let scope = |row: &_| {
                    let row: &$row = row;
                    Ok($crate::catch_up_sql::scope(row.try_get("tenant")?, row.try_get("scope")?))
                };
                let scopes = rows.iter().map(scope).collect::<Result<Vec<_>, sqlx::Error>>();
                let mut scopes = scopes.map_err(InboxError::database)?;
                for scope in scopes.iter_mut().filter(|scope| scope.tenant.is_some()) {
                    let newest = self.dialect.scalar($crate::catch_up_sql::NEWEST_BODY).bind(scope.key());
                    let newest = newest.fetch_optional(&mut *self.reader().await?).await;
                    let body: Option<Vec<u8>> = newest.map_err(InboxError::database)?;
                    let event = body.and_then(|body| $crate::WebhookEvent::from_stored(body).ok());
                    scope.workspace_id = event.and_then(|event| event.workspace_id().map(str::to_owned));
                }
                Ok(scopes)
            }

            async fn adopt(&self, scope: &$crate::CatchUpScope) -> Result<(), InboxError> {
                let scope = scope.clone();
                self.in_transaction(move |this, tx| Box::pin(async move { this.run_adopt(tx, &scope).await })).await
            }

            async fn adoptable(&self, scope: &$crate::CatchUpScope) -> Result<Option<String>, InboxError> {
                for from in scope.adopts_from() {
                    let count = self.dialect.scalar($crate::catch_up_sql::ADOPTABLE).bind(scope.key()).bind(from);
                    let count: Result<i64, _> = count.fetch_one(&mut *self.reader().await?).await;
                    if count.map_err(InboxError::database)? > 0 {
                        return Ok(Some(from.to_owned()));
                    }
                }
                Ok(None)
            }

            async fn lease(&self, scope: &str, token: i64, lease: std::time::Duration) -> Result<bool, InboxError> {
                let scope = scope.to_owned();
                self.in_transaction(move |this, tx| {
                    Box::pin(async move { this.run_lease(tx, &scope, token, lease).await })
                })
                .await
            }

            async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
                let progress = self.dialect.scalar($crate::catch_up_sql::PROGRESS);
                progress
                    .bind(scope)
                    .bind(name)
                    .fetch_optional(&mut *self.reader().await?)
                    .await
                    .map_err(InboxError::database)
            }

            async fn known(
                &self,
                scope: &str,
                object: &str,
                ids: &[String],
            ) -> Result<Vec<$crate::KnownRecord>, InboxError> {
                use sqlx::Row as _;
                let known = self.dialect.query($crate::catch_up_sql::KNOWN);
                let known = known.bind(scope).bind(object).bind($crate::catch_up_sql::lanes(object, ids));
                let rows = known.fetch_all(&mut *self.reader().await?).await.map_err(InboxError::database)?;
                let mut found = std::collections::HashMap::new();
                let read = |row: &_| {
                    let row: &$row = row;
                    let id = row.try_get("id")?;
                    if row.try_get("was_destroyed")? {
                        return Ok((id, $crate::KnownRecord::default()));
                    }
                    let handled: Option<i64> = row.try_get("open_at")?;
                    let handled = handled.max(row.try_get("done_at")?).max(row.try_get("batch_at")?);
                    let dead: Option<i64> = row.try_get("dead")?;
                    let dead = dead.map($crate::JobId::new).zip(row.try_get("dead_at")?);
                    let is_seen = row.try_get("is_known")?;
                    let state = $crate::catch_up_sql::state(row.try_get("updated_at")?);
                    let is_handled = row.try_get::<Option<bool>, _>("handled")?.unwrap_or(false);
                    Ok((id, $crate::KnownRecord { state, is_handled, is_seen, handled, dead }))
                };
                for row in &rows {
                    let (id, known): (String, _) =
                        read(row).map_err(|error: sqlx::Error| InboxError::database(error))?;
                    found.insert(id, known);
                }
                Ok(ids.iter().map(|id| found.get(id).cloned().unwrap_or_default()).collect())
            }

            async fn commit(&self, commit: $crate::CatchUpCommit) -> Result<u64, InboxError> {
                let jobs = commit.events.iter().map(|event| $crate::NewJob::caught_up(event, &commit.scope));
                let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
                let new = self
                    .in_transaction(move |this, tx| Box::pin(async move { this.run_commit(tx, &commit, &jobs).await }))
                    .await?;
                new.ok_or(InboxError::CatchUpLeaseLost)
            }

            async fn add_delivered_ids(&self, scope: &str, object: &str) -> Result<(), InboxError> {
                use sqlx::Row as _;
                use $crate::catch_up_sql as sql;
                let range = self.dialect.query(sql::FIRST_AND_LAST);
                let range = range.fetch_one(&mut *self.reader().await?).await.map_err(InboxError::database)?;
                let bound = |name| range.try_get::<Option<i64>, _>(name).map_err(InboxError::database);
                let (Some(first), Some(last)) = (bound("first")?, bound("last")?) else { return Ok(()) };
                let mut after = first - 1;
                while after < last {
                    let up_to = last.min(after + sql::DELIVERED_AT_A_TIME);
                    let ids = self.delivered((scope, object), (after, up_to)).await?;
                    after = up_to;
                    if ids.is_empty() {
                        continue;
                    }
                    let (scope, object) = (scope.to_owned(), object.to_owned());
                    self.in_transaction(move |this, tx| {
                        Box::pin(async move {
                            let add = this.dialect.query(sql::ADD_DELIVERED).bind(scope).bind(&object);
                            add.bind(sql::lanes(&object, &ids)).execute(&mut *tx).await.map(drop)
                        })
                    })
                    .await?;
                }
                Ok(())
            }

            async fn count_ids(
                &self,
                scope: &str,
                object: &str,
                pass: i64,
                key_tag: &str,
            ) -> Result<$crate::IdCounts, InboxError> {
                let (scope, object, key_tag) = (scope.to_owned(), object.to_owned(), key_tag.to_owned());
                self.in_transaction(move |this, tx| {
                    Box::pin(async move { this.run_count_ids(tx, (&scope, &object), pass, &key_tag).await })
                })
                .await
            }

            async fn missing(
                &self,
                scope: &str,
                object: &str,
                pass: i64,
                key_tag: Option<&str>,
                after: &str,
                limit: u32,
            ) -> Result<Vec<$crate::MissingRecord>, InboxError> {
                use sqlx::Row as _;
                let missing = self
                    .dialect
                    .query($crate::catch_up_sql::MISSING)
                    .bind(scope)
                    .bind(object)
                    .bind(pass)
                    .bind(after)
                    .bind(key_tag.unwrap_or_default())
                    .bind(key_tag.is_none())
                    .bind(i64::from(limit));
                let rows = missing.fetch_all(&mut *self.reader().await?).await.map_err(InboxError::database)?;
                let read = |row: &_| {
                    let row: &$row = row;
                    let state = $crate::catch_up_sql::state(row.try_get("updated_at")?);
                    Ok($crate::MissingRecord { id: row.try_get("id")?, state })
                };
                rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(InboxError::database)
            }

            async fn losses(&self) -> Result<u64, InboxError> {
                let losses =
                    self.dialect.scalar($crate::catch_up_sql::LOSSES).fetch_one(&mut *self.reader().await?).await;
                losses.map(i64::unsigned_abs).map_err(InboxError::database)
            }

            async fn deliveries_within(&self, scope: &str, time: std::time::Duration) -> Result<u64, InboxError> {
                let count = self.dialect.scalar($crate::catch_up_sql::DELIVERIES);
                let count =
                    count.bind(scope).bind($crate::sql::millis(time)).fetch_one(&mut *self.reader().await?).await;
                count.map(i64::unsigned_abs).map_err(InboxError::database)
            }
        }
    };
}
pub(crate) use impl_catch_up_store;
