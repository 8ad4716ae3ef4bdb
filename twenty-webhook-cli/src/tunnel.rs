//! The user's own tunnel program.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Url;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::terminal;

/// How long to wait for the tunnel's URL.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Which program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TunnelProgram {
    Cloudflared,
    Ngrok,
    /// `ssh -R` to a service that prints the URL, such as localhost.run or serveo.net.
    Ssh(String),
}

impl FromStr for TunnelProgram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cloudflared" => Ok(Self::Cloudflared),
            None if text == "ngrok" => Ok(Self::Ngrok),
            // ssh would read a leading dash as an option, and some options run commands.
            Some(("ssh", host)) if host.starts_with('-') => Err("a host must not begin with `-`".to_owned()),
            Some(("ssh", host)) if !host.is_empty() && host.chars().all(|char| char.is_ascii_graphic()) => {
                Ok(Self::Ssh(host.to_owned()))
            }
            _ => Err("write cloudflared, ngrok, or ssh:HOST, as ssh:nokey@localhost.run".to_owned()),
        }
    }
}

impl TunnelProgram {
    fn name(&self) -> &'static str {
        match self {
            Self::Cloudflared => "cloudflared",
            Self::Ngrok => "ngrok",
            Self::Ssh(_) => "ssh",
        }
    }

    fn args(&self, to: SocketAddr) -> Vec<OsString> {
        let args = match self {
            Self::Cloudflared => vec!["tunnel".to_owned(), "--url".to_owned(), format!("http://{to}")],
            Self::Ngrok => {
                let args = ["http", &to.to_string(), "--log", "stdout", "--log-format", "logfmt"];
                args.map(str::to_owned).to_vec()
            }
            Self::Ssh(host) => {
                let forward = format!("80:{to}");
                let options = [
                    "-T",
                    "-o",
                    "ExitOnForwardFailure=yes",
                    "-o",
                    "ServerAliveInterval=30",
                    "-R",
                    &forward,
                    "--",
                    host,
                ];
                options.map(str::to_owned).to_vec()
            }
        };
        args.into_iter().map(OsString::from).collect()
    }

    fn install(&self) -> &'static str {
        match self {
            Self::Cloudflared => {
                "https://developers.cloudflare.com/cloudflare-one/networks/connectors/cloudflare-tunnel/downloads/"
            }
            Self::Ngrok => "https://ngrok.com/download",
            Self::Ssh(_) => "the package openssh-client",
        }
    }

    /// The tunnel's URL, if the line announces it. The programs print links to their documentation too.
    fn url_in(&self, line: &str) -> Option<Url> {
        // Some print in colour, also into a pipe.
        let line = anstream::adapter::strip_str(line).to_string();
        let urls = || {
            line.split(|char: char| char.is_whitespace() || matches!(char, '"' | '|' | '=' | '>' | '<' | ','))
                .filter(|word| word.starts_with("https://") || word.starts_with("http://"))
                .filter_map(|word| Url::parse(word).ok())
        };
        match self {
            Self::Cloudflared => {
                urls().find(|url| url.host_str().is_some_and(|host| host.ends_with(".trycloudflare.com")))
            }
            Self::Ngrok => line.contains("url=").then(|| urls().next_back()).flatten(),
            Self::Ssh(_) => {
                let lower = line.to_lowercase();
                (lower.contains("tunneled") || lower.contains("forwarding")).then(|| urls().next_back()).flatten()
            }
        }
    }
}

/// A tunnel that is up. It ends when this is dropped.
pub(crate) struct Tunnel {
    child: Child,
    pub(crate) url: Url,
    name: &'static str,
}

/// What the program prints.
enum Output {
    Url(Url),
    Line(String),
}

impl Tunnel {
    /// Starts a tunnel to this address, and waits for its URL.
    pub(crate) async fn start(program: &TunnelProgram, to: SocketAddr) -> anyhow::Result<Self> {
        let name = program.name();
        let mut command = Command::new(name);
        command.args(program.args(to)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.kill_on_drop(true).spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{name} is not installed, or not on the PATH. Get it: {}", program.install())
            }
            spawned => spawned.with_context(|| format!("cannot start {name}"))?,
        };
        let (sender, mut output) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read(program.clone(), stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read(program.clone(), stderr, sender));
        }
        let mut last = Vec::new();
        let found = tokio::time::timeout(START_TIMEOUT, async {
            while let Some(output) = output.recv().await {
                match output {
                    Output::Url(url) => return Some(url),
                    Output::Line(line) => {
                        if last.len() == 3 {
                            last.remove(0);
                        }
                        last.push(terminal::plain(line.trim(), 200));
                    }
                }
            }
            None
        });
        match found.await {
            Ok(Some(url)) => Ok(Self { child, url, name }),
            Ok(None) => bail!("{name} ended without a URL. It printed: {}", last.join(" / ")),
            Err(_) => bail!("{name} printed no URL within 30 seconds, but: {}", last.join(" / ")),
        }
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow::anyhow!("the tunnel has ended: {} {status}", self.name),
            Err(error) => anyhow::anyhow!("the tunnel has ended: {error}"),
        }
    }
}

/// Reads to the end, so that the program is never stopped by a full pipe.
async fn read(program: TunnelProgram, from: impl AsyncRead + Unpin, found: mpsc::UnboundedSender<Output>) {
    let mut lines = BufReader::new(from).lines();
    let mut is_found = false;
    while let Ok(Some(line)) = lines.next_line().await {
        if is_found {
            continue;
        }
        let url = program.url_in(&line);
        is_found = url.is_some();
        let _ = found.send(url.map_or(Output::Line(line), Output::Url));
    }
}

#[cfg(test)]
mod tests {
    use super::TunnelProgram;

    #[test]
    fn the_urls_of_real_output() {
        let url = |program: &str, line: &str| {
            program.parse::<TunnelProgram>().unwrap().url_in(line).map(|url| url.to_string())
        };
        let docs = "INF Thank you for trying Cloudflare Tunnel. (https://developers.cloudflare.com/cloudflare-one/connections)";
        assert_eq!(url("cloudflared", docs), None);
        let line = "2026-09-14T10:23:16Z INF |  https://some-words-here.trycloudflare.com  |";
        assert_eq!(url("cloudflared", line).as_deref(), Some("https://some-words-here.trycloudflare.com/"));
        let line = r#"t=2026-09-14T10:23:16 lvl=info msg="started tunnel" obj=tunnels addr=http://localhost:3000 url=https://abc.ngrok-free.app"#;
        assert_eq!(url("ngrok", line).as_deref(), Some("https://abc.ngrok-free.app/"));
        let line = "0123.lhr.life tunneled with tls termination, https://0123.lhr.life";
        assert_eq!(url("ssh:localhost.run", line).as_deref(), Some("https://0123.lhr.life/"));
        let line = "Forwarding HTTP traffic from https://abc.serveo.net";
        assert_eq!(url("ssh:serveo.net", line).as_deref(), Some("https://abc.serveo.net/"));
        assert_eq!(url("ssh:localhost.run", "see https://localhost.run/docs/"), None);
        let line = "\u{1b}[32mForwarding HTTP traffic from\u{1b}[0m \u{1b}[1mhttps://abc.serveo.net\u{1b}[0m";
        assert_eq!(url("ssh:serveo.net", line).as_deref(), Some("https://abc.serveo.net/"));
        let line = "\u{1b}[90m2026-09-14T10:23:16Z\u{1b}[0m \u{1b}[32mINF\u{1b}[0m |  \u{1b}[4mhttps://a-b.trycloudflare.com\u{1b}[0m  |";
        assert_eq!(url("cloudflared", line).as_deref(), Some("https://a-b.trycloudflare.com/"));
    }

    #[test]
    fn a_host_is_no_option() {
        for text in ["ssh:-oProxyCommand=x", "ssh:", "ssh:a b", "ssh", "frp", "cloudflared:x"] {
            assert!(text.parse::<TunnelProgram>().is_err(), "{text}");
        }
    }
}
