//! What loopmend does inside the sandbox: listens for the host's services, lets the host reach the program's ports, and runs
//! the program.
//!
//! The words it is called with come from [`Errand::words`], so both ends are here.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::relay::{Listener, Relay, Stream, Target, join};
use super::service::Service;

/// The first argument by which the program is told that it is inside.
pub const INSIDE: &str = "__inside";

/// What is to be done inside.
#[derive(Debug, Default)]
pub(crate) struct Errand {
    /// Services, each with the socket that leads to it.
    pub services: Vec<(Service, PathBuf)>,
    /// The socket at which the host waits to be given a connection to the program.
    pub dial: Option<PathBuf>,
}

impl Errand {
    /// The arguments that say it; the program's own follow.
    pub fn words(&self) -> Vec<OsString> {
        let mut words = vec![OsString::from(INSIDE)];
        for (service, socket) in &self.services {
            words.extend(["--service".into(), service.to_string().into(), socket.clone().into()]);
        }
        if let Some(socket) = &self.dial {
            words.extend(["--dial".into(), socket.clone().into()]);
        }
        words.push("--".into());
        words
    }

    fn read(words: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut errand = Self::default();
        loop {
            match words.next()?.to_str()? {
                "--service" => {
                    let service = words.next()?.to_str()?.parse().ok()?;
                    errand.services.push((service, words.next()?.into()));
                }
                "--dial" => errand.dial = Some(words.next()?.into()),
                "--" => return Some(errand),
                _ => return None,
            }
        }
    }
}

/// Does what the arguments after [`INSIDE`] say, and gives the exit status; only a sandbox calls for it.
pub fn inside(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let mut words = arguments.into_iter();
    let Some(errand) = Errand::read(&mut words) else {
        return complain("it was called in a way that only a sandbox knows");
    };
    let Some(program) = words.next() else { return complain("there is no program to run") };
    let mut relays = Vec::new();
    for (service, socket) in &errand.services {
        match listen(service, socket) {
            Ok(listening) => relays.extend(listening),
            Err(error) => return complain(&format!("{service} could not be listened on: {error}")),
        }
    }
    // A group of its own, so that a program that signals its group does not end its sandbox.
    let child = Command::new(&program).args(words).process_group(0).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return complain(&format!("{}: {error}", program.display())),
    };
    if let Some(socket) = errand.dial {
        // It ends with this process.
        let _ = thread::Builder::new().spawn(move || answer(&socket));
    }
    let Ok(status) = child.wait() else { return complain("the program could not be waited for") };
    if let Some(signal) = status.signal() {
        return 128 + signal;
    }
    status.code().unwrap_or(1)
}

/// Says why the program could not be run, in the words that the host knows the sandbox's failures by.
fn complain(reason: &str) -> i32 {
    let _ = writeln!(std::io::stderr(), "{COMPLAINT}{reason}");
    1
}

/// How a line begins that tells of the sandbox's own failure.
pub(crate) const COMPLAINT: &str = "loopmend inside: ";

fn listen(service: &Service, socket: &Path) -> std::io::Result<Vec<Relay>> {
    let mut relays = Vec::new();
    let mut failed = None;
    for address in service.addresses() {
        match TcpListener::bind((address, service.port)) {
            Ok(listener) => {
                relays.push(Relay::start(Listener::from(listener), Target::Unix(socket.to_path_buf()))?);
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        // Of two addresses of a name, one is enough: the other family may be absent.
        Some(error) if relays.is_empty() => Err(error),
        _ => Ok(relays),
    }
}

/// Gives the host one connection after another, each to the port that it asks for.
fn answer(socket: &Path) {
    while let Ok(mut host) = UnixStream::connect(socket) {
        let mut port = [0; 2];
        if host.read_exact(&mut port).is_err() {
            thread::sleep(Duration::from_millis(10));
            continue;
        }
        let port = u16::from_be_bytes(port);
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let connected = loopback.iter().find_map(|address| TcpStream::connect((*address, port)).ok());
        if host.write_all(&[u8::from(connected.is_some())]).is_err() {
            continue;
        }
        if let Some(program) = connected {
            let _ = thread::Builder::new().spawn(move || join(Stream::Unix(host), Stream::Tcp(program)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_is_read_as_it_was_said() {
        let errand = Errand {
            services: vec![("[::1]:5432".parse().unwrap(), "/run/loopmend/services/0".into())],
            dial: Some("/run/loopmend/services/dial".into()),
        };
        let mut words = errand.words();
        words.push(OsString::from("python"));
        let mut words = words.into_iter().skip(1);
        let read = Errand::read(&mut words).unwrap();
        assert_eq!(read.services, errand.services);
        assert_eq!(read.dial, errand.dial);
        assert_eq!(words.next().as_deref(), Some(std::ffi::OsStr::new("python")));
        assert!(Errand::read(&mut [OsString::from("--other")].into_iter()).is_none());
    }
}
