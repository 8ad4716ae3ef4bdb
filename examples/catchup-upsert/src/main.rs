//! Keeps a table of companies in step with Twenty, without an inbox and without webhooks: every page is written in one transaction with the
//! place to go on from. Webhooks may write to the same table, with the same upsert.
//!
//! ```sh
//! TWENTY_URL=https://crm.example.com TWENTY_API_KEY=… cargo run -p catchup-upsert
//! ```

mod companies;
#[cfg(test)]
mod tests;

use anyhow::Context;
use twenty_webhook_catchup::CatchUp;

use crate::companies::Companies;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let var = |name| std::env::var(name).context(name);
    let companies = Companies::open("companies.db").await?;
    // All of them, and not only what changes from now on.
    let catch_up = CatchUp::new(var("TWENTY_URL")?, var("TWENTY_API_KEY")?)?.objects(["company"]).backfill();
    catch_up.run_until(&companies, tokio::signal::ctrl_c()).await;
    Ok(())
}
