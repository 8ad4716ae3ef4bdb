//! Targets at addresses that Twenty refuses by default.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;
use tokio::net::lookup_host;

pub(crate) const WHY: &str = "Twenty refuses private and loopback addresses by default, self-hosted too, and only its audit log says so. \
                              Twenty's worker may resolve the name otherwise";
pub(crate) const FIX: &str = "use a public address, or a tunnel (`listen --tunnel`); or set OUTBOUND_HTTP_ALLOWED_INTERNAL_HOSTS for \
                              Twenty's server and for its worker, which makes the calls";

/// Those of the target's addresses that are private, as resolved here.
pub(crate) async fn addresses(target: &Url) -> io::Result<Vec<IpAddr>> {
    let host = target.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = target.port_or_known_default().unwrap_or(443);
    Ok(lookup_host((host, port)).await?.map(|address| address.ip()).filter(|address| is_private(*address)).collect())
}

pub(crate) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn problem(addresses: &str) -> String {
    format!("the target is at the private address {addresses}, as resolved here")
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || a == 0 || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(v4.into()),
            None => {
                v6 == Ipv6Addr::LOCALHOST || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_addresses() {
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "127.0.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "::",
            "fd00::2",
            "fe80::1",
            "::ffff:10.1.2.3",
        ] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
