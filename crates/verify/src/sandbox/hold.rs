//! The grip on a sandbox that runs: signals, connections, limits, and its end.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, kill_process_group};
use tempfile::TempDir;

use super::cgroup::Groups;
use super::disk::Watch;
use super::family::{self, Depth};
use super::gateway;
use super::inside::{COMPLAINT, Errand};
use super::service::{Forwarder, GATEWAY, Service, listen};
use super::view::SERVICES;
use crate::run::{Breach, Exit, Link, Reach, Signal};

/// How long a sandbox may take to have started its program.
const START: Duration = Duration::from_secs(5);

/// The sockets of one run.
pub(crate) struct Sockets {
    folder: TempDir,
    dial: Option<UnixListener>,
    gateway: bool,
    _forwarder: Forwarder,
}

impl Sockets {
    /// Opens those that are needed; `None` where none is.
    pub fn open(
        base: &Path,
        services: &[Service],
        gateway: bool,
        attended: bool,
    ) -> io::Result<Option<Self>> {
        if services.is_empty() && !gateway && !attended {
            return Ok(None);
        }
        // The system allows a socket's path about a hundred bytes.
        let root = if base.as_os_str().len() < 80 { base.to_path_buf() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("s").rand_bytes(6).tempdir_in(root)?;
        let dial = attended.then(|| listen(&folder.path().join("dial"))).transpose()?;
        let forwarder = Forwarder::start(folder.path(), services, gateway)?;
        Ok(Some(Self { folder, dial, gateway, _forwarder: forwarder }))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What is to be done inside for them.
    pub fn errand(&self, services: &[Service]) -> Errand {
        let at = |name: &str| PathBuf::from(SERVICES).join(name);
        let numbered = services.iter().enumerate();
        let mut led: Vec<(Service, PathBuf)> =
            numbered.map(|(index, service)| (service.clone(), at(&index.to_string()))).collect();
        if self.gateway {
            led.push((Service { host: "127.0.0.1".to_owned(), port: gateway::PORT }, at(GATEWAY)));
        }
        Errand { services: led, dial: self.dial.is_some().then(|| at("dial")) }
    }
}

/// The grip on one run.
pub(crate) struct Hold {
    depth: Depth,
    memory: u64,
    watch: Watch,
    groups: Groups,
    sockets: Mutex<Option<Sockets>>,
    dial: Option<UnixListener>,
    ran_out: AtomicBool,
}

impl Hold {
    pub fn new(
        depth: Depth,
        memory: u64,
        watch: Watch,
        groups: Groups,
        mut sockets: Option<Sockets>,
    ) -> Self {
        let dial = sockets.as_mut().and_then(|sockets| sockets.dial.take());
        Self {
            depth,
            memory,
            watch,
            groups,
            sockets: Mutex::new(sockets),
            dial,
            ran_out: AtomicBool::new(false),
        }
    }

    /// The program itself; a sandbox that is being set up is waited for.
    fn program(&self, leader: u32) -> io::Result<u32> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(program) = family::program(leader, self.depth) {
                return Ok(program);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the program is not running"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Reach for Hold {
    fn signal(&self, leader: u32, signal: Signal) -> io::Result<()> {
        family::signal(&[self.program(leader)?], signal);
        Ok(())
    }

    fn signal_all(&self, leader: u32, signal: Signal) -> io::Result<()> {
        if signal != Signal::Kill {
            family::signal(&family::inside(leader, self.depth), signal);
            return Ok(());
        }
        // With the first process inside, the system ends all the others.
        family::signal(&family::descendants(leader), signal);
        let leader = Pid::from_raw(leader.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(kill_process_group(leader, signal.raw())?)
    }

    fn connect(&self, port: u16) -> io::Result<Link> {
        let Some(dial) = &self.dial else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut link = accept(dial, START)?;
        link.set_read_timeout(Some(START))?;
        link.write_all(&port.to_be_bytes())?;
        let mut connected = [0];
        link.read_exact(&mut connected)?;
        if connected == [0] {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        link.set_read_timeout(None)?;
        Ok(Link::Unix(link))
    }

    fn breach(&self, leader: u32) -> Option<Breach> {
        if family::holds_more(leader, self.memory) {
            return Some(Breach::Memory);
        }
        self.watch.exceeded().then_some(Breach::Disk)
    }

    fn clear(&self) {
        self.ran_out.fetch_or(self.groups.ran_out(), Ordering::Relaxed);
        if let Err(error) = self.groups.clear() {
            // Nothing is in it any more, or the system is about to say so; the next run has a group of its own.
            let _ = error;
        }
        drop(self.sockets.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn failure(&self, exit: Exit, stderr: &[u8]) -> Option<String> {
        if exit != Exit::Code(1) {
            return None;
        }
        let text = String::from_utf8_lossy(stderr);
        let (first, rest) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
        let reason =
            ["bwrap: ", "setpriv: ", COMPLAINT].iter().find_map(|start| first.strip_prefix(start))?;
        // A program that says the same has said more, or exits otherwise.
        rest.is_empty().then(|| reason.to_owned())
    }

    fn status(&self, code: Option<i32>, signal: Option<i32>) -> Exit {
        // Bubblewrap tells a signal as a shell does.
        let signal = signal.or_else(|| code.filter(|code| (129..=160).contains(code)).map(|code| code - 128));
        match (signal, code) {
            (Some(9), _) if self.ran_out.load(Ordering::Relaxed) => Exit::TooMuchMemory,
            (Some(signal), _) => Exit::Signal(signal),
            (None, code) => Exit::Code(code.unwrap_or(1)),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.clear();
    }
}

fn accept(listener: &UnixListener, time: Duration) -> io::Result<UnixStream> {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let timeout = Timespec::try_from(time).map_err(io::Error::other)?;
    if poll(&mut fds, Some(&timeout))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    listener.accept().map(|(stream, _)| stream)
}
