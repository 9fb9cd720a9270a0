//! The run on systems with signals and terminals.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::output::Output;
use super::relay::{Relayed, ending, relay};
use super::signals::Forwarding;
use super::{Listener, Seen, WatchError, Watched};

pub(super) fn watch(watched: &Watched, listener: &dyn Fn() -> Box<dyn Listener>) -> Result<Seen, WatchError> {
    let Output { streams, stdout, stderr, terminals } = Output::open()?;
    let terminals = Arc::new(terminals);
    let shared = has_terminal();
    let mut command = Command::new(&watched.argv[0]);
    command.args(&watched.argv[1..]).envs(watched.variables.iter().map(|(name, value)| (name, value)));
    command.stdout(stdout).stderr(stderr);
    if !shared {
        // A signal for our group is a signal for us, and we forward it: it comes once.
        command.process_group(0);
    }
    let (gone, alive) = ending()?;
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| WatchError::of(watched, error))?;
    // Our copies of the command's ends: as long as they are open, no stream ends.
    drop(command);
    let forwarding = Forwarding::start(child.id(), shared, Arc::clone(&terminals))?;
    let mut relays = Vec::new();
    for stream in streams {
        let (gone, listener) = (gone.try_clone()?, listener());
        relays.push(thread::Builder::new().spawn(move || relay(stream, &gone, listener))?);
    }
    let status = end_of(&mut child, &forwarding)?;
    drop(alive);
    let mut seen = Seen {
        status: code(status),
        signal: status.signal(),
        incidents: Vec::new(),
        outlived: false,
        duration: started.elapsed(),
    };
    for relay in relays {
        if let Ok(Relayed { incidents, outlived }) = relay.join() {
            seen.incidents.extend(incidents);
            seen.outlived |= outlived;
        }
    }
    if seen.signal.is_some() {
        terminals.iter().for_each(super::terminal::Terminal::restore);
    }
    Ok(seen)
}

/// Waits for the end; no signal is sent to its number once that may be another's.
fn end_of(child: &mut Child, forwarding: &Forwarding) -> Result<ExitStatus, WatchError> {
    if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
    }
    forwarding.end();
    Ok(child.wait()?)
}

/// The status as a shell has it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code & 0xff).unwrap_or(1)
}

/// Whether a terminal controls us, which sends its signals to us and to the command alike.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}
