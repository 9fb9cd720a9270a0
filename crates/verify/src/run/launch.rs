//! What a place hands over to be started.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::running::Signal;

/// A limit that was passed, as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The copy grew too large.
    Disk,
    /// The processes took too much memory.
    Memory,
}

/// How a place reaches what it started.
pub trait Reach: Send + Sync {
    /// Sends a signal to the program itself; `leader` is the process that was started for it.
    fn signal(&self, leader: u32, signal: Signal) -> io::Result<()>;

    /// Sends a signal to the program and all its descendants.
    fn signal_all(&self, leader: u32, signal: Signal) -> io::Result<()>;

    /// Opens a connection to a port that the program listens on, at its loopback.
    fn connect(&self, port: u16) -> io::Result<Link>;

    /// Looks whether a limit was passed; called about twenty times a second.
    fn breach(&self, leader: u32) -> Option<Breach>;

    /// Ends what is left when the leader is gone.
    fn clear(&self);

    /// Why the place itself could not be set up, where that is how the run ended.
    fn failure(&self, _exit: super::Exit, _stderr: &[u8]) -> Option<String> {
        None
    }

    /// What the leader's status says of the program, and whether the system ended it for memory.
    fn status(&self, code: Option<i32>, signal: Option<i32>) -> super::Exit {
        match (code, signal) {
            (Some(code), _) => super::Exit::Code(code),
            (None, signal) => super::Exit::Signal(signal.unwrap_or(0)),
        }
    }
}

/// The system's command, and what holds while it runs.
pub struct Launch {
    /// Program, arguments, variables and folder; streams and group are set by the run.
    pub command: std::process::Command,
    /// How the place reaches it.
    pub reach: Arc<dyn Reach>,
}

/// A connection to a program that runs.
#[derive(Debug)]
pub enum Link {
    /// Straight to it.
    Tcp(TcpStream),
    /// Through the sandbox's socket.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Link {
    /// How long reading and writing may take.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.flush(),
        }
    }
}
