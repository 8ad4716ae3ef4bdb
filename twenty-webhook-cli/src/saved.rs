use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use twenty_webhook_axum::UnixMillis;

use crate::time;

/// A request in a file that people can read, and edit, and that holds the body byte by byte:
///
/// ```text
/// # received: 2026-09-14T10:23:16.123Z
/// # verdict: 401 signature_mismatch
/// POST /webhooks/twenty HTTP/1.1
/// content-type: application/json
/// x-twenty-webhook-timestamp: 1789374097412
/// x-twenty-webhook-signature: 8661deff…
///
/// {"eventName":"person.created", …
/// ```
///
/// Comments, the request line, one header a line, an empty line; all that follows it, to the last byte, is the body. Lines end with
/// `\n` or `\r\n`. The comments may be left out, and so may the request line.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) received: Option<UnixMillis>,
    /// `verified`, `signature_mismatch`: the verdict without the status.
    pub(crate) code: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

const RECEIVED: &str = "# received: ";
const VERDICT: &str = "# verdict: ";
const REQUEST: &str = "POST ";

impl Saved {
    /// The delivery in a file; `None` if the file is a bare body. All commands tell them apart by this: the first line of a saved delivery is
    /// a comment, the request line or a header, and JSON never starts with one of these.
    ///
    /// # Errors
    /// If the first line is that of a saved delivery, and the rest is not.
    pub(crate) fn find(file: &Bytes) -> anyhow::Result<Option<Self>> {
        let Some(end) = file.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = &file[..end];
        let is_saved = line.starts_with(b"#") || line.starts_with(REQUEST.as_bytes()) || header(line).is_ok();
        is_saved.then(|| Self::read(file)).transpose()
    }

    /// The body in a saved delivery; any other file is a body.
    pub(crate) fn body_of(file: Bytes) -> anyhow::Result<Bytes> {
        let saved = Self::find(&file).context("it starts like a saved delivery, and is none")?;
        Ok(saved.map_or(file, |saved| saved.body))
    }

    fn read(file: &Bytes) -> anyhow::Result<Self> {
        let mut saved = Self { received: None, code: None, headers: HeaderMap::new(), body: Bytes::new() };
        let mut rest = 0;
        loop {
            let Some(end) = file[rest..].iter().position(|byte| *byte == b'\n') else {
                bail!("there is no empty line between the headers and the body");
            };
            let line = &file[rest..rest + end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            rest += end + 1;
            if line.is_empty() {
                saved.body = file.slice(rest..);
                return Ok(saved);
            }
            saved.read_line(line)?;
        }
    }

    /// Why it was rejected when it was saved. A duplicate was not: its signature is right. `None` also if the file has no verdict.
    pub(crate) fn rejected(&self) -> Option<&str> {
        let code = self.code.as_deref()?;
        (!["verified", "already_completed", "in_progress"].contains(&code)).then_some(code)
    }

    fn read_line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        if let Some(received) = line.strip_prefix(RECEIVED.as_bytes()) {
            self.received = std::str::from_utf8(received).ok().and_then(|text| time::parse(text).ok());
        } else if let Some(verdict) = line.strip_prefix(VERDICT.as_bytes()) {
            let verdict = String::from_utf8_lossy(verdict);
            self.code = verdict.split_whitespace().last().map(str::to_owned);
        } else if !line.starts_with(b"#") && !line.starts_with(REQUEST.as_bytes()) {
            let (name, value) = header(line)?;
            self.headers.append(name, value);
        }
        Ok(())
    }
}

/// Reads `Name: value`.
pub(crate) fn header(line: &[u8]) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let text = || String::from_utf8_lossy(line);
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        bail!("`{}` is not a header; write `Name: value`", text());
    };
    let name = HeaderName::from_bytes(line[..colon].trim_ascii()).with_context(|| format!("`{}`", text()))?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).with_context(|| format!("`{}`", text()))?;
    Ok((name, value))
}

/// A request to save.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) received: UnixMillis,
    /// `200 verified`, `401 signature_mismatch`.
    pub(crate) verdict: String,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    /// Saves it as a new file in `dir`. The name begins with the time and `number`, so names sort in the order of arrival if the numbers do.
    pub(crate) fn save(&self, dir: &Path, number: u64, label: &str) -> io::Result<PathBuf> {
        let time = time::iso(self.received).replace(':', "");
        let label: String =
            label.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '.').take(64).collect();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // It is customers' data.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Another process may have taken the name.
        for number in number.. {
            let path = dir.join(format!("{time}-{number:06}-{label}.http"));
            match options.open(&path) {
                Ok(mut file) => return file.write_all(&self.bytes()).map(|()| path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("some number is free")
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!(
            "{RECEIVED}{}\n{VERDICT}{}\n{REQUEST}{} HTTP/1.1\n",
            time::iso(self.received),
            self.verdict,
            self.path
        )
        .into_bytes();
        for (name, value) in self.headers {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
        bytes.push(b'\n');
        bytes.extend(self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use twenty_webhook_axum::UnixMillis;

    use super::Request;

    #[test]
    fn names_sort_in_the_order_of_arrival() {
        let dir = tempfile::tempdir().unwrap();
        let save = |millis: u64, number: u64, label: &str| {
            let headers = HeaderMap::new();
            let received = UnixMillis::from_millis(1_789_374_097_000 + millis);
            let request =
                Request { received, verdict: "200 verified".into(), path: "/", headers: &headers, body: b"{}" };
            request.save(dir.path(), number, label).unwrap()
        };
        let labels = ["task.created", "note.created"].into_iter().cycle();
        let mut saved: Vec<_> = (0..12).zip(labels).map(|(number, label)| save(1, number, label)).collect();
        saved.push(save(1, 11, "note.created"));
        saved.push(save(2, 0, "a.created"));
        assert!(saved.is_sorted(), "{saved:?}");
    }
}
