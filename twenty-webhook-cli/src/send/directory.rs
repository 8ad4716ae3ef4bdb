use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;

use super::request::RequestSource;
use super::{Client, SendArgs, single};
use crate::saved::Saved;
use crate::{input, terminal};

/// Sends the saved deliveries of a directory one after another, by their names, which begin with the time of their arrival.
pub(super) async fn run(args: &SendArgs, client: &Client, dir: &Path) -> anyhow::Result<ExitCode> {
    let files = saved(dir).with_context(|| format!("cannot read the directory {}", dir.display()))?;
    if files.is_empty() {
        bail!(
            "there is no saved delivery (*.http) in {}; `twenty-webhook listen --save DIR` saves them",
            dir.display()
        );
    }
    let (mut requests, mut skipped) = (Vec::new(), BTreeMap::new());
    for path in &files {
        // An unreadable file stops the command before anything is sent.
        let file = read(path)?;
        match file.rejected.filter(|_| !args.include_rejected) {
            Some(code) => *skipped.entry(code).or_default() += 1,
            None => requests.push(RequestSource::of_body(args, file.body, name(path))?),
        }
    }
    warn(&skipped, files.len());
    if requests.is_empty() {
        bail!("there is no other file in {}, so nothing was sent", dir.display());
    }
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

struct File {
    body: Bytes,
    rejected: Option<String>,
}

/// A saved delivery; any other file is a body.
fn read(path: &Path) -> anyhow::Result<File> {
    let file = input::read(path)?;
    let saved = Saved::find(&file).with_context(|| format!("{} is no saved delivery", path.display()))?;
    let Some(saved) = saved else { return Ok(File { body: file, rejected: None }) };
    Ok(File { rejected: saved.rejected().map(str::to_owned), body: saved.body })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Signing a request again makes it genuine, so a stranger's would pass for Twenty's.
fn warn(skipped: &BTreeMap<String, usize>, of: usize) {
    let count: usize = skipped.values().sum();
    if count > 0 {
        let codes: Vec<_> =
            skipped.iter().map(|(code, count)| format!("{count} {}", terminal::plain(code, 40))).collect();
        terminal::warn(&format!(
            "Skipped {count} of {of} files, because they did not verify when they were saved ({}), and signing them here would make them \
             genuine. --include-rejected sends them too.",
            codes.join(", ")
        ));
    }
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
