//! A command that runs: what it said so far, signals to it, its end.

use std::io;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::launch::{Launch, Link, Reach};
use super::pump::Pump;
use super::{Limits, Ran};

/// A signal that a program may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What a terminal sends at Ctrl-C.
    Interrupt,
    /// What a supervisor sends to end a program.
    Terminate,
    /// What can't be ignored.
    Kill,
}

impl Signal {
    pub(crate) fn raw(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Kill => rustix::process::Signal::KILL,
        }
    }
}

/// Why a command did not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no such program, as far as the command may look.
    #[error("run `{command}`: no program `{program}` in the environment or the system's path")]
    NoProgram {
        /// The command as one would type it.
        command: String,
        /// Its first word.
        program: String,
    },
    /// The folder to run in is not in the copy.
    #[error("run `{command}`: no folder `{folder}` in the project")]
    NoFolder {
        /// The command as one would type it.
        command: String,
        /// The folder as given.
        folder: String,
    },
    /// The place itself could not be set up.
    #[error("run `{command}`: the sandbox could not be set up: {reason}")]
    Place {
        /// The command as one would type it.
        command: String,
        /// What it said.
        reason: String,
    },
    /// The system refused.
    #[error("run `{command}`: {source}")]
    Io {
        /// The command as one would type it.
        command: String,
        /// What the system says.
        source: io::Error,
    },
}

/// What the pump and its owner share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub state: Mutex<State>,
    pub changed: Condvar,
}

/// Where a run is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub output: Vec<u8>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub cut: bool,
    /// The leader is gone and its number may be another's.
    pub reaped: bool,
    /// The owner wants it ended.
    pub stop: bool,
    pub over: Option<(super::Exit, Duration)>,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that was started; dropped, it is killed with all that belongs to it.
pub struct Running {
    shared: Arc<Shared>,
    reach: Arc<dyn Reach>,
    leader: u32,
    command: String,
    pump: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts what a place handed over, as the leader of a process group of its own; `shown` names it in errors.
    pub fn start(launch: Launch, limits: &Limits, shown: &str) -> Result<Self, RunError> {
        let Launch { mut command, reach } = launch;
        let fails = |source| RunError::Io { command: shown.to_owned(), source };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let shared = Arc::new(Shared::default());
        let (tell, told) = mpsc::sync_channel(1);
        let (pumped, reached, limits) = (Arc::clone(&shared), Arc::clone(&reach), *limits);
        // What dies with its parent dies with the thread that started it, so the pump's thread starts it.
        let work = move || {
            let child = command.spawn();
            // The ends of the pipes that the child was given stay open here as long as its command does.
            drop(command);
            let child = match child {
                Ok(child) => child,
                Err(error) => {
                    reached.clear();
                    let _ = tell.send(Err(error));
                    return;
                }
            };
            let leader = child.id();
            let pump = Pump::new(child, pumped, reached, limits);
            if tell.send(Ok(leader)).is_ok() {
                pump.run();
            }
        };
        let pump = thread::Builder::new().name("loopmend-run".to_owned()).spawn(work).map_err(fails)?;
        let ended_early = || io::Error::other("its thread ended early");
        let leader = match told.recv().map_err(|_| ended_early()).and_then(|started| started) {
            Ok(leader) => leader,
            Err(error) => {
                let _ = pump.join();
                return Err(fails(error));
            }
        };
        Ok(Self { shared, reach, leader, command: shown.to_owned(), pump: Some(pump) })
    }

    /// Sends a signal to the program itself; nothing happens where it is gone.
    pub fn signal(&self, signal: Signal) -> Result<(), RunError> {
        let state = self.shared.lock();
        if state.reaped {
            return Ok(());
        }
        self.reach
            .signal(self.leader, signal)
            .map_err(|source| RunError::Io { command: self.command.clone(), source })
    }

    /// Opens a connection to a port the program listens on, at its own loopback.
    pub fn connect(&self, port: u16) -> io::Result<Link> {
        self.reach.connect(port)
    }

    /// What both streams said so far.
    pub fn output(&self) -> Vec<u8> {
        self.shared.lock().output.clone()
    }

    /// Waits until both streams together satisfy the test; false where the run or the time is over before.
    pub fn wait_for(&self, time: Duration, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.shared.lock();
        let mut seen = None;
        loop {
            if seen != Some(state.output.len()) {
                seen = Some(state.output.len());
                if test(&state.output) {
                    return true;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.over.is_some() || left.is_zero() {
                return false;
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poison| poison.into_inner().0, |(state, _)| state);
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.shared.lock().over.is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Ran, RunError> {
        self.join();
        let mut state = self.shared.lock();
        let Some((exit, duration)) = state.over else {
            let source = io::Error::other("its watcher ended early");
            return Err(RunError::Io { command: self.command.clone(), source });
        };
        if let Some(reason) = self.reach.failure(exit, &state.stderr) {
            return Err(RunError::Place { command: self.command.clone(), reason });
        }
        Ok(Ran {
            exit,
            output: std::mem::take(&mut state.output),
            stdout: std::mem::take(&mut state.stdout),
            stderr: std::mem::take(&mut state.stderr),
            cut: state.cut,
            duration,
        })
    }

    /// Kills it with all that belongs to it, and gives what it said.
    pub fn stop(self) -> Result<Ran, RunError> {
        self.shared.lock().stop = true;
        self.wait()
    }

    fn join(&mut self) {
        if let Some(pump) = self.pump.take() {
            // A pump that panicked leaves `over` empty, which `wait` tells.
            let _ = pump.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.join();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("command", &self.command)
            .field("leader", &self.leader)
            .finish_non_exhaustive()
    }
}

/// Kept here so that the pump can end its child whatever happens.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
