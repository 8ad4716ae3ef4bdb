//! Take this when a table must follow Twenty, and you need no events: it copies Twenty's companies into SQLite, without an inbox and without
//! webhooks. Each page is written in one transaction with the cursor of the next. A webhook handler may use the same upsert.
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
