//! The way out for making an environment: a proxy that leads to public and private networks, never to this host itself or to
//! addresses that only this machine answers.
//!
//! The sandbox has no network of its own; what runs inside is told of the proxy by the usual variables.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::relay::Stream;

/// The port at which it is found inside.
pub(crate) const PORT: u16 = 3128;
/// How long another machine may take to accept.
const PATIENCE: Duration = Duration::from_secs(20);
/// Heads of requests are not longer than this.
const LONGEST: u64 = 64 << 10;

/// What is answered instead of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Unreadable,
    Forbidden,
    Unreachable,
}

impl Refusal {
    fn line(self) -> &'static [u8] {
        match self {
            Self::Unreadable => b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::Forbidden => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::Unreachable => {
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
        }
    }
}

/// Reads what a connection asks for, and gives the one that answers it; what was refused has been told so.
pub(crate) fn open(near: &Stream) -> io::Result<Stream> {
    let mut client = near.try_clone()?;
    let opened = read(client.try_clone()?).and_then(|asked| Ok((connect(&asked.host, asked.port)?, asked)));
    match opened {
        Ok((mut server, asked)) => {
            match &asked.head {
                Some(head) => server.write_all(head)?,
                None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
            }
            Ok(Stream::Tcp(server))
        }
        Err(refusal) => {
            client.write_all(refusal.line())?;
            Err(io::Error::other("refused"))
        }
    }
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    host: String,
    port: u16,
    /// What to say to the server; `None` for a tunnel.
    head: Option<Vec<u8>>,
}

/// Reads the head of a request, byte by byte where it must be: what follows it is the other side's.
fn read(client: Stream) -> Result<Asked, Refusal> {
    let mut head = Vec::new();
    // A buffer of one byte takes nothing that is not the head's.
    let mut lines = BufReader::with_capacity(1, client.take(LONGEST));
    loop {
        let before = head.len();
        let length = lines.read_until(b'\n', &mut head).map_err(|_| Refusal::Unreadable)?;
        if length == 0 {
            return Err(Refusal::Unreadable);
        }
        if head[before..].trim_ascii().is_empty() {
            break;
        }
    }
    parse(&String::from_utf8(head).map_err(|_| Refusal::Unreadable)?).ok_or(Refusal::Unreadable)
}

fn parse(head: &str) -> Option<Asked> {
    let (request, fields) = head.split_once("\r\n")?;
    let mut words = request.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        return Some(Asked { host, port, head: None });
    }
    let rest = target.strip_prefix("http://")?;
    let (named, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (host, port) = authority(named, Some(80))?;
    // One request a connection: the next may be for another host.
    let kept = fields.split("\r\n").filter(|field| {
        let name = field.split(':').next().unwrap_or_default();
        !["connection", "proxy-connection", "proxy-authorization"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
    });
    let mut head = format!("{method} {path} {version}\r\nConnection: close\r\n");
    for field in kept.filter(|field| !field.is_empty()) {
        head.push_str(field);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    Some(Asked { host, port, head: Some(head.into_bytes()) })
}

fn authority(text: &str, port: Option<u16>) -> Option<(String, u16)> {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, number)) if !number.ends_with(']') => (host, number.parse().ok()?),
        _ => (text, port?),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn connect(host: &str, port: u16) -> Result<TcpStream, Refusal> {
    let addresses = (host, port).to_socket_addrs().map_err(|_| Refusal::Unreachable)?;
    let mut refusal = Refusal::Unreachable;
    for address in addresses {
        if !may_reach(address.ip()) {
            refusal = Refusal::Forbidden;
            continue;
        }
        let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) else { continue };
        if is_this_host(&stream) {
            refusal = Refusal::Forbidden;
            continue;
        }
        return Ok(stream);
    }
    Err(refusal)
}

/// Whether the other end is this host, by whatever of its addresses.
fn is_this_host(stream: &TcpStream) -> bool {
    let same = |own: SocketAddr, other: SocketAddr| own.ip() == other.ip();
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(own), Ok(other)) => same(own, other),
        _ => true,
    }
}

/// Whether an address is another machine's: not the loopback, not link-local (where clouds hand out credentials).
fn may_reach(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => may_reach_v4(address),
        IpAddr::V6(address) => {
            let embedded = address.to_ipv4_mapped().or_else(|| nat64(address));
            embedded.map_or_else(|| may_reach_v6(address), may_reach_v4)
        }
    }
}

fn may_reach_v4(address: Ipv4Addr) -> bool {
    // The last is where one cloud's metadata is.
    let metadata = address == Ipv4Addr::new(100, 100, 100, 200);
    let nowhere = address.octets()[0] == 0 || address.is_broadcast() || address.is_multicast();
    !(address.is_loopback() || address.is_link_local() || nowhere || metadata)
}

fn may_reach_v6(address: Ipv6Addr) -> bool {
    let metadata = address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let nowhere = address.is_unspecified() || address.is_multicast();
    !(address.is_loopback() || address.is_unicast_link_local() || nowhere || metadata)
}

/// The address behind a translator's.
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let [.., a, b, c, d] = octets;
    (octets[..12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]).then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_other_machines_are_reached() {
        let reached = ["192.0.2.1", "10.1.2.3", "192.168.0.7", "151.101.0.223", "2a04:4e42::223"];
        let refused = [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "169.254.169.254",
            "255.255.255.255",
            "224.0.0.1",
            "100.100.100.200",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
        ];
        for address in reached {
            assert!(may_reach(address.parse().unwrap()), "{address}");
        }
        for address in refused {
            assert!(!may_reach(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn this_host_is_refused_by_all_its_addresses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "127.1", "[::1]"] {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
            assert!(open(&Stream::Unix(near)).is_err());
            let mut answer = String::new();
            far.read_to_string(&mut answer).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 502"),
                "{host}: {answer}"
            );
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }

    #[test]
    fn requests_are_read() {
        let asked = parse("CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n\r\n").unwrap();
        assert_eq!(asked, Asked { host: "pypi.org".to_owned(), port: 443, head: None });
        let asked =
            parse("GET http://[fd00::1]:81/simple/ HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
                .unwrap();
        assert_eq!((asked.host.as_str(), asked.port), ("fd00::1", 81));
        let head = String::from_utf8(asked.head.unwrap()).unwrap();
        assert_eq!(head, "GET /simple/ HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n");
        for bad in [
            "",
            "GET / HTTP/1.1\r\n\r\n",
            "CONNECT pypi.org HTTP/1.1\r\n\r\n",
            "GET https://x/ HTTP/1.1\r\n\r\n",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
