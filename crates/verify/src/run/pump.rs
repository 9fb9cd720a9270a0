//! The one loop of a run: reads both pipes as they fill, watches the limits, and ends the group.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::launch::{Breach, Reach};
use super::running::{Shared, Signal, end};
use super::{Exit, Limits};

/// How often the limits are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long pipes that somebody still holds are read after the program's end.
const QUIET: Duration = Duration::from_millis(50);
/// How long they are read though they never fall quiet.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Reads, watches and ends one run.
pub(crate) struct Pump {
    child: Child,
    /// Readable once the leader is gone, where the system has such a thing.
    gone: Option<OwnedFd>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    shared: Arc<Shared>,
    reach: Arc<dyn Reach>,
    limits: Limits,
    started: Instant,
    buffer: Vec<u8>,
    /// Why we ended it.
    ended: Option<Exit>,
    kill_at: Option<Instant>,
    looked: Instant,
}

impl Pump {
    pub fn new(mut child: Child, shared: Arc<Shared>, reach: Arc<dyn Reach>, limits: Limits) -> Self {
        let started = Instant::now();
        Self {
            gone: gone(&child),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            shared,
            reach,
            limits,
            started,
            buffer: vec![0; 1 << 16],
            ended: None,
            kill_at: None,
            looked: started,
        }
    }

    pub fn run(mut self) {
        while !self.is_gone() {
            self.enforce();
            let wait = if self.gone.is_some() { TICK } else { TICK / 10 };
            self.read(wait);
        }
        let duration = self.started.elapsed();
        // The number is still the leader's: it is reaped only below.
        let _ = self.reach.signal_all(self.child.id(), Signal::Kill);
        let status = {
            let mut state = self.shared.lock();
            state.reaped = true;
            self.child.wait().ok()
        };
        self.reach.clear();
        self.drain();
        let (code, signal) = status.map_or((None, None), |status| {
            (status.code(), std::os::unix::process::ExitStatusExt::signal(&status))
        });
        let exit = self.ended.unwrap_or_else(|| self.reach.status(code, signal));
        let mut state = self.shared.lock();
        state.over = Some((exit, duration));
        self.shared.changed.notify_all();
    }

    /// Whether the leader ended; it stays a zombie, so that its number is nobody else's.
    fn is_gone(&mut self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None) | Err(rustix::io::Errno::INTR))
    }

    fn enforce(&mut self) {
        let now = Instant::now();
        let leader = self.child.id();
        if self.kill_at.is_some_and(|at| now >= at) {
            let _ = self.reach.signal_all(leader, Signal::Kill);
            self.kill_at = Some(now + TICK);
            return;
        }
        if self.ended.is_some() {
            return;
        }
        let (stop, cut) = {
            let state = self.shared.lock();
            (state.stop, state.cut)
        };
        if stop {
            self.kill(Exit::Stopped);
        } else if cut {
            self.kill(Exit::TooMuchOutput);
        } else if now.duration_since(self.started) >= self.limits.time {
            self.ended = Some(Exit::TimedOut);
            let _ = self.reach.signal_all(leader, Signal::Terminate);
            self.kill_at = Some(now + self.limits.grace);
        } else if now.duration_since(self.looked) >= TICK {
            self.looked = now;
            match self.reach.breach(leader) {
                Some(Breach::Disk) => self.kill(Exit::TooMuchDisk),
                Some(Breach::Memory) => self.kill(Exit::TooMuchMemory),
                None => {}
            }
        }
    }

    fn kill(&mut self, reason: Exit) {
        self.ended = Some(reason);
        let _ = self.reach.signal_all(self.child.id(), Signal::Kill);
        self.kill_at = Some(Instant::now() + TICK);
    }

    /// Reads what there is, waiting so long for it; whether anything came.
    fn read(&mut self, wait: Duration) -> bool {
        let [out, err] = self.ready(wait);
        let mut came = false;
        // Where both came since the last look, nobody knows which was first; programs tend to fail after they spoke.
        if out {
            came |= self.take_from(true);
        }
        if err {
            came |= self.take_from(false);
        }
        came
    }

    /// Which of the two pipes has something to say, its end included.
    fn ready(&self, wait: Duration) -> [bool; 2] {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(3);
        let out = self.stdout.as_ref().map(|pipe| {
            fds.push(PollFd::new(pipe, PollFlags::IN));
            fds.len() - 1
        });
        let err = self.stderr.as_ref().map(|pipe| {
            fds.push(PollFd::new(pipe, PollFlags::IN));
            fds.len() - 1
        });
        if let Some(gone) = &self.gone {
            fds.push(PollFd::from_borrowed_fd(gone.as_fd(), PollFlags::IN));
        }
        let timeout = Timespec::try_from(wait).ok();
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return [false, false];
        }
        let said = |index: Option<usize>| index.is_some_and(|index| !fds[index].revents().is_empty());
        [said(out), said(err)]
    }

    fn take_from(&mut self, out: bool) -> bool {
        let read = match (out, &mut self.stdout, &mut self.stderr) {
            (true, Some(pipe), _) => pipe.read(&mut self.buffer),
            (false, _, Some(pipe)) => pipe.read(&mut self.buffer),
            _ => return false,
        };
        match read {
            Ok(0) => self.close(out),
            Ok(length) => {
                self.keep(out, length);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.close(out),
        }
        false
    }

    fn close(&mut self, out: bool) {
        if out {
            self.stdout = None;
        } else {
            self.stderr = None;
        }
    }

    fn keep(&mut self, out: bool, length: usize) {
        let mut state = self.shared.lock();
        let room =
            usize::try_from(self.limits.output).unwrap_or(usize::MAX).saturating_sub(state.output.len());
        let kept = &self.buffer[..length.min(room)];
        state.cut |= length > room;
        state.output.extend_from_slice(kept);
        if out {
            state.stdout.extend_from_slice(kept);
        } else {
            state.stderr.extend_from_slice(kept);
        }
        self.shared.changed.notify_all();
    }

    /// Reads what is left in the pipes; one that somebody else still holds is given up once it is quiet.
    fn drain(&mut self) {
        self.gone = None;
        let until = Instant::now() + LAST_WORDS;
        while (self.stdout.is_some() || self.stderr.is_some()) && Instant::now() < until {
            let open = (self.stdout.is_some(), self.stderr.is_some());
            if !self.read(QUIET) && open == (self.stdout.is_some(), self.stderr.is_some()) {
                break;
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        if !self.shared.lock().reaped {
            end(&mut self.child);
        }
    }
}

#[cfg(target_os = "linux")]
fn gone(child: &Child) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_raw(child.id().cast_signed())?, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn gone(_: &Child) -> Option<OwnedFd> {
    None
}
