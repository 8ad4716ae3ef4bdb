use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Reads an address to listen on: `3000`, `localhost:3000`, `127.0.0.1:3000`, `[::1]:3000`.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let mut addresses =
        text.to_socket_addrs().map_err(|_| "write a port, or HOST:PORT, as localhost:3000".to_owned())?;
    let first = addresses.next().ok_or_else(|| format!("{text} has no address"))?;
    // `localhost` is ::1 on some machines, and most tools try 127.0.0.1.
    Ok(if first.is_ipv6() { addresses.find(SocketAddr::is_ipv4).unwrap_or(first) } else { first })
}

/// The address at which this machine reaches a listener: on loopback, if it listens on all addresses.
pub(crate) fn of_listener(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, bound.port()).into()
}

/// The same as [`parse`], for what must be reachable from this machine only.
pub(crate) fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address = parse(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("the page shows customers' data, so it is served on loopback only: 127.0.0.1:PORT".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_listener_is_reached_at_its_own_address() {
        for (bound, reached) in [
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
            ("[::1]:3000", "[::1]:3000"),
            ("192.168.1.7:80", "192.168.1.7:80"),
        ] {
            assert_eq!(super::of_listener(bound.parse().unwrap()).to_string(), reached, "{bound}");
        }
    }
}
