use std::fmt;
use std::str::FromStr;

/// A job's number in its inbox, in the order in which deliveries were stored; on Postgres roughly, because several receivers may store at
/// the same time. No number is used twice.
///
/// ```
/// use twenty_webhook_inbox::JobId;
///
/// let id: JobId = "42".parse()?;
/// assert_eq!((id, id.number()), (JobId::new(42), 42));
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(i64);

impl JobId {
    /// The job with this number. For a [`Store`](crate::Store), and for ids that were kept elsewhere.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
