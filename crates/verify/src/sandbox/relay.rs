//! Passes connections on, byte for byte, both ways: outside from a socket to a service, inside from a port to that socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::gateway;

/// More connections than this at once are refused.
const MOST: usize = 256;
/// How long a service may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection of either kind.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    pub fn shutdown(&self, how: Shutdown) {
        // The other side may have closed it first.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is listened on.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Listener {
    fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Self::Unix(listener) => Stream::Unix(listener.accept()?.0),
        })
    }

    /// Wakes a thread that waits in `accept`.
    fn wake(&self) {
        use std::os::fd::AsFd;
        let fd = match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        };
        let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Both);
    }
}

/// Where connections lead.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Tcp(Arc<str>, u16),
    Unix(PathBuf),
    /// Wherever each connection asks to be led, as far as it may.
    Gateway,
}

impl Target {
    fn connect(&self, near: &Stream) -> io::Result<Stream> {
        match self {
            Self::Gateway => gateway::open(near),
            Self::Tcp(host, port) => {
                let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
                for address in (host.as_ref(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, PATIENCE) {
                        Ok(stream) => return Ok(Stream::Tcp(stream)),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Self::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }
}

/// The connections that are open, to be closed when the relay ends.
#[derive(Default)]
struct Open {
    streams: Mutex<Vec<(u64, [Stream; 2])>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    over: AtomicBool,
}

/// Passes on what comes to a listener, until dropped.
pub(crate) struct Relay {
    listener: Arc<Listener>,
    open: Arc<Open>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    pub fn start(listener: Listener, target: Target) -> io::Result<Self> {
        let (listener, open) = (Arc::new(listener), Arc::new(Open::default()));
        let (listening, opened) = (Arc::clone(&listener), Arc::clone(&open));
        let thread = thread::Builder::new()
            .name("loopmend-relay".to_owned())
            .spawn(move || accept(&listening, &target, &opened))?;
        Ok(Self { listener, open, thread: Some(thread) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.open.over.store(true, Ordering::SeqCst);
        self.listener.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for (_, pair) in lock(&self.open.streams).iter() {
            for stream in pair {
                stream.shutdown(Shutdown::Both);
            }
        }
        let threads = std::mem::take(&mut *lock(&self.open.threads));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &Listener, target: &Target, open: &Arc<Open>) {
    let mut number = 0;
    loop {
        let came = listener.accept();
        if open.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(near) = came else {
            // Out of files, most likely: the next try may find some.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        lock(&open.threads).retain(|thread| !thread.is_finished());
        if lock(&open.streams).len() >= MOST {
            near.shutdown(Shutdown::Both);
            continue;
        }
        number += 1;
        let (target, kept) = (target.clone(), Arc::clone(open));
        let work = move || {
            if let Ok(far) = target.connect(&near) {
                // A relay that ended meanwhile has closed what was registered; this one is seen by `join`.
                let _ = hold(&kept, number, near, far);
            } else {
                near.shutdown(Shutdown::Both);
            }
        };
        if let Ok(thread) = thread::Builder::new().name("loopmend-relay".to_owned()).spawn(work) {
            lock(&open.threads).push(thread);
        }
    }
}

/// Passes both ways while the connection is known to the relay.
fn hold(open: &Open, number: u64, near: Stream, far: Stream) -> io::Result<()> {
    {
        let mut streams = lock(&open.streams);
        if open.over.load(Ordering::SeqCst) {
            return Ok(());
        }
        streams.push((number, [near.try_clone()?, far.try_clone()?]));
    }
    let done = join(near, far);
    lock(&open.streams).retain(|(other, _)| *other != number);
    done
}

/// Passes bytes both ways until both sides have ended.
pub(crate) fn join(near: Stream, far: Stream) -> io::Result<()> {
    let (from_far, to_near) = (far.try_clone()?, near.try_clone()?);
    let back =
        thread::Builder::new().name("loopmend-relay".to_owned()).spawn(move || pass(from_far, to_near))?;
    pass(near, far);
    let _ = back.join();
    Ok(())
}

fn pass(mut from: Stream, mut to: Stream) {
    match io::copy(&mut from, &mut to) {
        Ok(_) => to.shutdown(Shutdown::Write),
        Err(_) => {
            from.shutdown(Shutdown::Both);
            to.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
