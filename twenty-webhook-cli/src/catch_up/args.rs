use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use twenty_webhook_catchup::CatchUp;

use crate::api::ApiArgs;
use crate::time::{self, Wait};

/// Find what webhooks missed, and put it into the inbox
///
/// It reads through Twenty's API what changed since the last run, and stores what the inbox has not seen. The worker on the inbox handles it as
/// it handles deliveries. It runs once: call it from cron, or use the crate twenty-webhook-catchup in the receiver.
#[derive(Debug, Args)]
#[command(after_help = "\
The first run only remembers which records exist. --backfill handles them all, and --since those that changed in that time.

Once a day all ids are listed, to find what was destroyed. If more than 5 % of an object's records are missing, or more than 100, nothing is \
reported as destroyed, and the exit status is 3. Check in Twenty. If they are gone, run it once with --accept-destroys.

--dry-run prints each event that a run would store, and stores nothing. The inbox must exist. On Postgres, the right to read its tables is \
enough; SQLite needs the right to write in the file's directory.

Behind PgBouncer in transaction mode, the URL of --db has pgbouncer=true in its query.

Ctrl-C ends a run early. What was read is saved, and the next run continues there.

Exit status:
  0  done
  1  one of the objects could not be read; the others are done
  2  wrong arguments, or the inbox cannot be used
  3  too many records are missing
  4  Twenty refuses the API key or the request
  5  Twenty cannot be reached, or does not answer
  6  another run on this inbox is under way
  7  stopped by Ctrl-C or a signal

Examples:
  export TWENTY_URL=https://crm.example.com TWENTY_API_KEY=…
  twenty-webhook catch-up --objects person,company
  twenty-webhook catch-up --all-objects --since 2h --dry-run
  twenty-webhook catch-up --all-objects --destroyed now --json

  */15 * * * *  twenty-webhook catch-up --all-objects --db /srv/inbox.db")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct CatchUpArgs {
    /// The objects, by their singular names: person,company. May be repeated
    #[arg(long, value_name = "OBJECT,…", value_delimiter = ',', required_unless_present = "all_objects")]
    objects: Vec<String>,
    /// All objects, except deactivated ones and Twenty's system objects
    #[arg(long, conflicts_with = "objects")]
    all_objects: bool,
    /// The inbox: an SQLite file, or a Postgres URL
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "INBOX_DB",
        default_value = "inbox.db",
        hide_env_values = true,
        value_hint = clap::ValueHint::FilePath
    )]
    pub(super) db: String,
    /// Look back at least this far, on a first run too: 2h, 30d
    #[arg(long, value_name = "DURATION", value_parser = time::parse_span)]
    since: Option<Duration>,
    /// Handle every record that the inbox has not handled, of any age
    #[arg(long, conflicts_with = "since")]
    backfill: bool,
    /// List all ids to find what was destroyed: once a day, now, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Destroyed::Daily)]
    destroyed: Destroyed,
    /// Report missing records as destroyed, even if there are too many
    #[arg(long)]
    accept_destroys: bool,
    /// Print what webhooks missed, and store nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print one line of JSON for each object, and with --dry-run for each event
    #[arg(long)]
    pub(super) json: bool,
    /// The most requests in a minute, for all objects together
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::new(40).unwrap_or(NonZeroU32::MIN), help_heading = "Requests")]
    requests_per_minute: NonZeroU32,
    /// How long to wait before a request that failed is repeated. The wait doubles each time, up to a minute, with 6 attempts in all
    #[arg(long, value_name = "DURATION", default_value = "1s", help_heading = "Requests")]
    retry_wait: Wait,
    /// The tenant that the API key belongs to, if the receiver has tenants
    #[arg(long, value_name = "NAME", help_heading = "Twenty")]
    tenant: Option<String>,
    /// The workspace that the API key belongs to, if the key does not name it and the inbox has several
    #[arg(long, value_name = "ID", help_heading = "Twenty")]
    workspace: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

/// When all ids are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Destroyed {
    Daily,
    Now,
    Never,
}

impl CatchUpArgs {
    /// The run that is asked for.
    pub(super) fn catch_up(&self) -> anyhow::Result<CatchUp> {
        let (url, key) = self.api.url_and_key()?;
        let mut catch_up = CatchUp::new(url.as_str(), key)?
            .requests_per_minute(self.requests_per_minute.get())
            .retry_wait(self.retry_wait.0);
        catch_up = if self.all_objects { catch_up.all_objects() } else { catch_up.objects(self.objects()?) };
        catch_up = match self.destroyed {
            Destroyed::Daily => catch_up,
            Destroyed::Now => catch_up.destroyed_every(Duration::ZERO),
            Destroyed::Never => catch_up.without_destroyed(),
        };
        if let Some(age) = self.since {
            catch_up = catch_up.since(age);
        }
        if let Some(tenant) = &self.tenant {
            catch_up = catch_up.tenant(tenant);
        }
        if let Some(id) = &self.workspace {
            catch_up = catch_up.workspace_id(id);
        }
        if self.backfill {
            catch_up = catch_up.backfill();
        }
        if self.accept_destroys {
            catch_up = catch_up.accept_destroys();
        }
        Ok(if self.dry_run { catch_up.dry_run() } else { catch_up })
    }

    fn objects(&self) -> anyhow::Result<impl Iterator<Item = &str>> {
        let objects = || self.objects.iter().map(|object| object.trim());
        if objects().any(str::is_empty) {
            bail!("--objects has an empty name");
        }
        Ok(objects())
    }
}
