//! Services of the host that a run may reach: named one by one, forwarded over a socket, nothing else.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::relay::{Relay, Target};

/// A service of the host, by the name under which the program asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service {
    /// A name, or an address of the loopback.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why a text names no service.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ServiceError {
    /// It is not `HOST:PORT`.
    #[error("read the service `{0}`: write it as HOST:PORT, such as localhost:5432")]
    Shape(String),
    /// A port that only root may listen on.
    #[error("read the service `{0}`: ports below 1024 can't be stood in for; let the program use another")]
    Port(String),
    /// An address that the sandbox can't stand in for.
    #[error(
        "read the service `{0}`: an address must be one of the loopback; give the service a name, and let the program use that"
    )]
    Address(String),
}

impl FromStr for Service {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        let shape = || ServiceError::Shape(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
        let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(shape)?;
        if port < 1024 {
            return Err(ServiceError::Port(text.to_owned()));
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = host.parse::<IpAddr>() {
            if !address.is_loopback() {
                return Err(ServiceError::Address(text.to_owned()));
            }
        } else {
            let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || !host.bytes().all(named) {
                return Err(shape());
            }
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Service {
    /// The loopback address that stands for a host's name inside; the same for all of its ports.
    pub(crate) fn named_address(&self) -> Option<Ipv4Addr> {
        if self.host == "localhost" || self.host.parse::<IpAddr>().is_ok() {
            return None;
        }
        let sum = self.host.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let [_, _, high, low] = sum.to_be_bytes();
        Some(Ipv4Addr::new(127, 77, high, low.clamp(1, 254)))
    }

    /// The addresses to listen on inside.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        if let Some(address) = self.named_address() {
            return vec![address.into()];
        }
        match self.host.parse() {
            Ok(address) => vec![address],
            Err(_) => vec![Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()],
        }
    }
}

/// Forwards from sockets in a folder to the services, until dropped.
pub(crate) struct Forwarder {
    _relays: Vec<Relay>,
}

impl Forwarder {
    /// Listens on one socket a service, named by its place in the list, and on one for the gateway where it is open.
    pub fn start(folder: &Path, services: &[Service], gateway: bool) -> io::Result<Self> {
        let mut relays = Vec::with_capacity(services.len() + 1);
        if gateway {
            relays.push(Relay::start(listen(&folder.join(GATEWAY))?.into(), Target::Gateway)?);
        }
        for (index, service) in services.iter().enumerate() {
            let listener = listen(&folder.join(index.to_string()))?;
            relays.push(Relay::start(
                listener.into(),
                Target::Tcp(Arc::from(service.host.as_str()), service.port),
            )?);
        }
        Ok(Self { _relays: relays })
    }
}

/// The name of the gateway's socket.
pub(crate) const GATEWAY: &str = "gateway";

/// Listens on a socket that the program's user may connect to; the folder above is reached only through the sandbox.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_and_have_an_address_inside() {
        let read = |text: &str| text.parse::<Service>();
        let addresses = |text: &str| -> Vec<String> {
            read(text).unwrap().addresses().iter().map(ToString::to_string).collect()
        };
        assert_eq!(addresses("localhost:5432"), ["127.0.0.1", "::1"]);
        assert_eq!(addresses("[::1]:5432"), ["::1"]);
        assert_eq!(addresses("127.0.0.2:6379"), ["127.0.0.2"]);
        assert!(addresses("db:5432")[0].starts_with("127.77."));
        assert_eq!(addresses("db:5432"), addresses("db:5433"));
        assert_eq!(read("[::1]:5432").unwrap().to_string(), "[::1]:5432");
        for bad in ["", "db", ":5432", "db:", "db:0", "db:99999", "d b:5432", "db\n127.0.0.1 x:5432"] {
            assert_eq!(read(bad), Err(ServiceError::Shape(bad.to_owned())), "{bad}");
        }
        assert!(matches!(read("localhost:80"), Err(ServiceError::Port(_))));
        assert!(matches!(read("10.0.0.1:5432"), Err(ServiceError::Address(_))));
    }
}
