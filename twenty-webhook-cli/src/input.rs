use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;

/// Reads a file, or stdin if it is called `-`.
pub(crate) fn read(path: &Path) -> anyhow::Result<Bytes> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).context("cannot read stdin")?;
        return Ok(bytes.into());
    }
    Ok(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.into())
}
