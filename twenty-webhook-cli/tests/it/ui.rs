//! `listen --ui`: the page, and access to it. `.ci/try-ui` uses it in a browser.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Server, command, exchange, pipe, run, text};

/// A page, and the cookie with its token.
struct Page {
    server: Server,
    origin: String,
    host: String,
    cookie: String,
    token: String,
    receiver: String,
}

impl Page {
    fn open(more: &[&str]) -> Self {
        Self::open_at("127.0.0.1:0", &[&["--ui"], more].concat())
    }

    /// With the receiver at this address.
    fn open_at(addr: &str, more: &[&str]) -> Self {
        let listen = command(&[&["listen", "--addr", addr, "--json"], more].concat());
        let server = Server::start(listen, "The deliveries are shown at ");
        let (origin, token) = server.url.split_once("/?token=").unwrap();
        let (origin, token) = (origin.to_owned(), token.to_owned());
        let line = server.stderr.recv_timeout(Duration::from_secs(20)).unwrap();
        let receiver = line.strip_prefix("Listening on ").unwrap().split([',', ';']).next().unwrap().to_owned();
        let host = origin.strip_prefix("http://").unwrap().to_owned();
        let entry =
            exchange(&origin, &format!("GET /?token={token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        let cookie = entry.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { server, origin, host, cookie, token, receiver }
    }

    fn request(&self, line: &str, headers: &str) -> String {
        let (host, cookie) = (&self.host, &self.cookie);
        let request =
            format!("{line} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n{headers}\r\n");
        exchange(&self.origin, &request)
    }

    fn details(&self, id: u64) -> Value {
        let answer = self.request(&format!("GET /delivery/{id}"), "");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn curl(&self, id: u64) -> String {
        let answer = self.request(&format!("GET /delivery/{id}/curl"), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn resend(&self, id: u64, headers: &str) -> String {
        self.request(&format!("POST /delivery/{id}/resend"), &format!("Content-Length: 0\r\n{headers}"))
    }
}

#[test]
fn the_page_needs_this_runs_token_and_a_loopback_host() {
    let page = Page::open(&[]);
    let get = |host: &str, headers: &str| {
        exchange(&page.origin, &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
    };
    let cookie = format!("Cookie: {}\r\n", page.cookie);
    assert!(get(&page.host, "").starts_with("HTTP/1.1 403"), "without the token");
    assert!(get("evil.example", &cookie).starts_with("HTTP/1.1 421"), "a name that was rebound to this machine");
    let shown = get(&page.host, &cookie);
    assert!(shown.starts_with("HTTP/1.1 200") && !shown.contains(&page.token), "{shown}");
    for header in [
        "content-security-policy: default-src 'none'; style-src 'self'",
        "x-frame-options: DENY",
        "cache-control: no-store",
    ] {
        assert!(shown.contains(header), "{header}: {shown}");
    }
    run(&["send", &page.receiver]);
    page.server.line();
    assert!(page.resend(1, "").starts_with("HTTP/1.1 403"), "no origin");
    assert!(page.resend(1, "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403"), "another site's form");
    // The receiver's port, which a tunnel may expose, does not serve the page.
    let through_receiver = exchange(
        &page.receiver,
        &format!("GET / HTTP/1.1\r\nHost: {}\r\n{cookie}Connection: close\r\n\r\n", page.host),
    );
    assert!(through_receiver.starts_with("HTTP/1.1 405"), "{through_receiver}");
    let open = run(&["listen", "--addr", "0", "--ui", "0.0.0.0:0"]);
    assert!(text(&open.stderr).contains("on loopback only"), "{open:?}");
}

#[test]
fn earlier_deliveries_are_shown_and_new_ones_live() {
    let page = Page::open(&[]);
    run(&["send", &page.receiver, "person.created"]);
    let mut stream = TcpStream::connect(&page.host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", page.host, page.cookie).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut next = || -> Value {
        let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
        serde_json::from_str(&data).unwrap()
    };
    assert_eq!(next()["event"], "person.created");
    run(&["send", &page.receiver, "task.deleted", "--tamper", "body"]);
    let second = next();
    assert_eq!(
        (&second["event"], &second["verdict"], &second["id"]),
        (&json!("task.deleted"), &json!("rejected"), &json!(2))
    );
}

#[test]
fn a_delivery_is_shown_with_headers_body_diagnosis_and_changes() {
    let page = Page::open(&[]);
    let body = |city: &str, more: &str| {
        format!(
            r#"{{"eventName":"person.updated","record":{{"id":"1","name":{{"firstName":"Ada","lastName":"L"}},"city":"{city}"{more}}}}}"#
        )
    };
    for body in [body("London", ""), body("Nantes", r#","jobTitle":"<b>CTO</b>""#)] {
        pipe(&["send", &page.receiver, "--file", "-"], body.as_bytes());
        page.server.line();
    }
    run(&["send", &page.receiver, "--age", "1h"]);
    page.server.line();
    assert_eq!(page.details(1)["changes"], Value::Null, "it is the first of its record");
    let second = page.details(2);
    assert_eq!(
        second["changes"],
        json!([
            { "field": "city", "before": "\"London\"", "after": "\"Nantes\"" },
            { "field": "jobTitle", "before": null, "after": "\"<b>CTO</b>\"" },
        ])
    );
    let names: Vec<_> =
        second["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap()).collect();
    assert!(names.contains(&"x-twenty-webhook-signature"), "{names:?}");
    assert!(second["body"].as_str().unwrap().contains("\n  \"eventName\": \"person.updated\""), "{second}");
    let late = page.details(3);
    assert_eq!(late["delivery"]["findings"][0]["code"], "stale_timestamp", "{late}");
    assert!(late["delivery"]["findings"][0]["problem"].is_string(), "{late}");
    assert!(
        page.request("GET /ui.js", "").contains("findings.map(({ problem, fix })"),
        "the script uses the names of the JSON"
    );
    assert!(page.request("GET /delivery/4", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn resend_download_and_curl_give_the_same_body() {
    let other = Server::listen(&[]);
    let page = Page::open(&["--forward-to", &other.url]);
    // It was rejected, so it was not forwarded. Signed again, it verifies.
    run(&["send", &page.receiver, "--age", "1h"]);
    let report: Value = serde_json::from_str(&page.server.line()).unwrap();
    let answer = page.resend(1, &format!("Origin: {}\r\n", page.origin));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("200 OK"), "{answer}");
    let resent = other.report();
    assert_eq!((&resent["verdict"], &resent["delivery_id"]), (&json!("verified"), &report["delivery_id"]));

    let download = page.request("GET /delivery/1/download", "");
    assert!(download.contains("content-disposition: attachment; filename=\"delivery-1.http\""), "{download}");
    let file = download.split_once("\r\n\r\n").unwrap().1;
    let explained = pipe(&["explain", "--json"], file.as_bytes());
    let explained: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(explained["code"], "stale_timestamp");

    let curl = page.curl(1);
    assert!(
        curl.starts_with(&format!("curl -i '{}", other.url)) && curl.contains("X-Twenty-Webhook-Signature"),
        "{curl}"
    );
}

/// A receiver accepts a signature for 5 minutes, and a page may stay open for longer.
#[test]
fn the_curl_command_is_signed_when_it_is_copied() {
    let page = Page::open(&[]);
    run(&["send", &page.receiver]);
    page.server.line();
    assert_eq!(page.details(1)["is_text"], true);
    let timestamp = |curl: String| {
        let (_, rest) = curl.split_once("X-Twenty-Webhook-Timestamp: ").unwrap_or_else(|| panic!("{curl}"));
        rest.split_once('\'').unwrap().0.parse::<u64>().unwrap()
    };
    let first = timestamp(page.curl(1));
    std::thread::sleep(Duration::from_millis(20));
    assert!(timestamp(page.curl(1)) >= first + 20);

    let get = |host: &str, cookie: &str| {
        let request = format!("GET /delivery/1/curl HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}\r\n");
        exchange(&page.origin, &request)
    };
    assert!(get(&page.host, "").starts_with("HTTP/1.1 403"), "without the token");
    assert!(get("evil.example", &format!("Cookie: {}\r\n", page.cookie)).starts_with("HTTP/1.1 421"), "another host");
    assert!(page.request("GET /delivery/2/curl", "").starts_with("HTTP/1.1 404"));

    pipe(&["send", &page.receiver, "--file", "-"], b"\xff");
    page.server.line();
    assert_eq!(page.details(2)["is_text"], false);
    assert!(page.request("GET /delivery/2/curl", "").starts_with("HTTP/1.1 404"), "no shell can hold it");
}

/// As a name that resolves to another address of loopback has it.
#[cfg(target_os = "linux")]
#[test]
fn a_page_at_another_loopback_address_opens_by_its_printed_url() {
    let page = Page::open_at("127.0.0.1:0", &["--ui", "127.0.0.2:0"]);
    assert!(page.origin.starts_with("http://127.0.0.2:"), "{}", page.origin);
    assert!(page.request("GET /", "").starts_with("HTTP/1.1 200"));
}

/// Linux has all of 127.0.0.0/8 on loopback, and other systems only the first address.
#[cfg(target_os = "linux")]
#[test]
fn resend_goes_to_the_receivers_own_address() {
    let page = Page::open_at("127.0.0.2:0", &["--ui"]);
    run(&["send", &page.receiver]);
    page.server.line();
    let answer = page.resend(1, &format!("Origin: {}\r\n", page.origin));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("200 OK"), "{answer}");
}

/// Also one that does not verify: anyone can send it.
#[test]
fn a_body_of_brackets_is_shown_with_a_limit() {
    let page = Page::open(&[]);
    let body = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    pipe(&["send", &page.receiver, "--file", "-", "--secret", "another"], body.as_bytes());
    page.server.line();
    let answer = page.request("GET /delivery/1", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.len() < 2_000_000, "{} bytes", answer.len());
}

/// Both pages look the same. There are two files, because a package cannot contain a file of another package, and the dashboard is built only
/// with the inbox.
#[test]
fn its_style_is_the_dashboards() {
    let style = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(style("src/listen/ui/style.css"), style("../twenty-webhook-inbox/src/dashboard/style.css"));
}
