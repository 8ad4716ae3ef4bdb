use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, ProtocolVersion};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use twenty_webhook_axum::UnixMillis;

use super::Check;
use crate::send::install_crypto_provider;
use crate::{terminal, time};

/// The result of a handshake.
pub(super) enum Tls {
    Agreed(Check),
    /// No request can be made.
    Failed(Check),
    /// There is no connection, and requests say why; or they go through a proxy.
    NoConnection,
}

enum Failure {
    Tls(rustls::Error),
    Other(io::Error),
}

const CODE: &str = "tls";

/// Makes a separate handshake, because reqwest does not report the negotiated version.
pub(super) async fn check(url: &Url, limit: Duration) -> Tls {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = (host, url.port_or_known_default().unwrap_or(443));
    let Ok(Ok(stream)) = tokio::time::timeout(limit, TcpStream::connect(address)).await else {
        return Tls::NoConnection;
    };
    match tokio::time::timeout(limit, handshake(host, stream)).await {
        Ok(Ok(version)) => {
            Tls::Agreed(Check::ok(CODE, format!("{}, and the certificate is valid for this machine", shown(version))))
        }
        Ok(Err(Failure::Tls(error))) => Tls::Failed(judge(&error, host)),
        Ok(Err(Failure::Other(error))) => Tls::Failed(Check::wrong(
            CODE,
            format!("the TLS handshake broke off ({})", terminal::plain(&error.to_string(), 120)),
            "Twenty calls an https target only after a complete handshake",
            "look at the log of the proxy that has the certificate",
        )),
        Err(_) => Tls::Failed(Check::wrong(
            CODE,
            "the TLS handshake was not finished within 5 seconds",
            "Twenty gives up after 5 seconds",
            "look at the log of the proxy that has the certificate",
        )),
    }
}

async fn handshake(host: &str, stream: TcpStream) -> Result<Option<ProtocolVersion>, Failure> {
    install_crypto_provider();
    let config = ClientConfig::with_platform_verifier().map_err(Failure::Tls)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Failure::Other(io::Error::other(error)))?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(stream.get_ref().1.protocol_version()),
        Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => Failure::Tls(rustls::Error::clone(error)),
            None => Failure::Other(error),
        }),
    }
}

fn shown(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}

/// What is wrong, and how to fix it.
fn judge(error: &rustls::Error, host: &str) -> Check {
    const TRUST: &str = "If a public authority issued the certificate, send its intermediate certificates too. If it is your own \
                         authority, set NODE_EXTRA_CA_CERTS for Twenty's worker.";
    let host = terminal::plain(host, 80);
    let (what, fix) = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::Expired => ("the certificate has expired".to_owned(), "renew it".to_owned()),
            CertificateError::ExpiredContext { not_after, .. } => {
                (format!("the certificate expired on {}", day(*not_after)), "renew it".to_owned())
            }
            CertificateError::NotValidYet => {
                ("the certificate is not valid yet".to_owned(), "set the clocks by NTP".to_owned())
            }
            CertificateError::NotValidYetContext { not_before, .. } => (
                format!("the certificate is valid from {} on", day(*not_before)),
                "set the clocks by NTP, or wait".to_owned(),
            ),
            CertificateError::NotValidForName => {
                (format!("the certificate is not for {host}"), format!("get one for {host}"))
            }
            CertificateError::NotValidForNameContext { presented, .. } => (
                format!("the certificate is not for {host}, but for {}", terminal::plain(&presented.join(", "), 200)),
                format!("get one for {host}, or correct the webhook's target"),
            ),
            CertificateError::UnknownIssuer => {
                ("the certificate is of an authority that this machine does not trust".to_owned(), TRUST.to_owned())
            }
            CertificateError::Revoked => ("the certificate was revoked".to_owned(), "get a new one".to_owned()),
            other => (
                format!("the certificate is not valid ({})", terminal::plain(&format!("{other:?}"), 120)),
                TRUST.to_owned(),
            ),
        },
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => (
            "the target offers neither TLS 1.2 nor TLS 1.3 with a cipher that is safe".to_owned(),
            "update the proxy that has the certificate".to_owned(),
        ),
        rustls::Error::InvalidMessage(_) => (
            "the target does not speak TLS at this port".to_owned(),
            "correct the port, or put a proxy with a certificate in front of the receiver".to_owned(),
        ),
        error => (
            format!("the TLS handshake failed ({})", terminal::plain(&error.to_string(), 120)),
            "look at the log of the proxy that has the certificate".to_owned(),
        ),
    };
    Check::wrong(CODE, what, "Twenty calls a target only if it can verify its certificate", fix)
}

/// `2026-09-14`
fn day(time: UnixTime) -> String {
    let iso = time::iso(UnixMillis::from_millis(time.as_secs().saturating_mul(1000)));
    iso.split('T').next().unwrap_or_default().to_owned()
}
