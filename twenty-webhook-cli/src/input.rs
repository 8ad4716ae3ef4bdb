use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;

/// Reads a file, or stdin if it is called `-`.
pub(crate) fn read(path: &Path) -> anyhow::Result<Bytes> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            crate::terminal::note("Reading from the terminal. Ctrl-D ends the input.");
        }
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).context("cannot read stdin")?;
        return Ok(bytes.into());
    }
    Ok(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.into())
}
