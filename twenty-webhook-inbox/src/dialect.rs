use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::database::HasStatementCache;
use sqlx::query::{Query, QueryScalar};
use sqlx::{AssertSqlSafe, Database, FromRow, SqlSafeStr, SqlStr};

use crate::sql::{BLOCKER, HAS_CAUGHT_UP_EVENT, INFO, IS_LISTED, STALE, WOKEN};

/// One database's way to write the statements: the names and expressions in which the two differ.
pub(crate) struct Dialect {
    /// From `{name}` to its text.
    words: Vec<(&'static str, String)>,
    texts: Mutex<HashMap<&'static str, Arc<str>>>,
    /// Whether a connection keeps the statements that it has prepared.
    keeps_prepared: bool,
}

impl Dialect {
    pub(crate) fn new(prefix: &str, words: &[(&'static str, &str)]) -> Self {
        let tables = ["jobs", "lanes", "settings", "known", "catch_up"].map(|table| format!("{prefix}{table}"));
        let mut all = vec![
            ("{blocker}", BLOCKER.to_owned()),
            ("{stale}", STALE.to_owned()),
            ("{woken}", WOKEN.to_owned()),
            ("{info}", INFO.to_owned()),
            ("{is_listed}", IS_LISTED.to_owned()),
        ];
        all.extend(words.iter().map(|(word, text)| (*word, (*text).to_owned())));
        let has_caught_up_event =
            words.iter().fold(HAS_CAUGHT_UP_EVENT.to_owned(), |text, (word, column)| text.replace(word, column));
        all.push(("{has_caught_up_event}", has_caught_up_event));
        // Last: they are in the others.
        all.extend(["{jobs}", "{lanes}", "{settings}", "{known}", "{catch_up}"].into_iter().zip(tables));
        Self { words: all, texts: Mutex::default(), keeps_prepared: true }
    }

    /// For connections on which a prepared statement may be gone after the transaction.
    #[cfg(feature = "postgres")]
    pub(crate) fn without_prepared(self) -> Self {
        Self { keeps_prepared: false, ..self }
    }

    pub(crate) fn query<DB: Database + HasStatementCache>(
        &self,
        template: &'static str,
    ) -> Query<'static, DB, DB::Arguments> {
        sqlx::query(self.sql(template)).persistent(self.keeps_prepared)
    }

    /// For the one column of its rows.
    pub(crate) fn scalar<DB: Database + HasStatementCache, T>(
        &self,
        template: &'static str,
    ) -> QueryScalar<'static, DB, T, DB::Arguments>
    where
        (T,): for<'r> FromRow<'r, DB::Row>,
    {
        sqlx::query_scalar(self.sql(template)).persistent(self.keeps_prepared)
    }

    /// For the columns of its rows, in their order.
    #[cfg(feature = "postgres")]
    pub(crate) fn query_as<DB: Database + HasStatementCache, T: for<'r> FromRow<'r, DB::Row>>(
        &self,
        template: &'static str,
    ) -> sqlx::query::QueryAs<'static, DB, T, DB::Arguments> {
        sqlx::query_as(self.sql(template)).persistent(self.keeps_prepared)
    }

    /// The statement in this dialect. Made once and kept.
    fn sql(&self, template: &'static str) -> SqlStr {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.entry(template).or_insert_with(|| self.text(template).into());
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }

    pub(crate) fn text(&self, template: &str) -> String {
        self.words.iter().fold(template.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
    }
}

/// Without the statements, which fill pages.
impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect").field("keeps_prepared", &self.keeps_prepared).finish_non_exhaustive()
    }
}
