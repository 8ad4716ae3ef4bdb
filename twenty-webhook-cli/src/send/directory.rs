use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::request::RequestSource;
use super::{Client, SendArgs, single};

/// Sends the saved deliveries of a directory one after another, by their names, which begin with the time of their arrival.
pub(super) async fn run(args: &SendArgs, client: &Client, dir: &Path) -> anyhow::Result<ExitCode> {
    let files = saved(dir).with_context(|| format!("cannot read the directory {}", dir.display()))?;
    if files.is_empty() {
        bail!(
            "there is no saved delivery (*.http) in {}; `twenty-webhook listen --save DIR` saves them",
            dir.display()
        );
    }
    // An unreadable file stops the command before anything is sent.
    let requests = files.iter().map(|file| RequestSource::saved(args, file)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut sent, mut delivered) = (0, 0);
    for request in &requests {
        let outcome = single::send(args, client, &request.make()?, 0).await?;
        sent += usize::from(outcome.is_sent);
        delivered += usize::from(outcome.is_delivered);
        if let Some(rate) = args.rate {
            tokio::time::sleep(Duration::from_secs_f64(1.0 / rate)).await;
        }
    }
    Ok(super::exit_code(sent > 0, delivered == requests.len()))
}

fn saved(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "http") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
