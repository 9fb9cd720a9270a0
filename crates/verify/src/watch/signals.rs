//! Signals that are meant for the command and reach us.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

use super::terminal::Terminal;

/// What is forwarded.
const FORWARDED: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];

/// Forwards until it is dropped.
pub(super) struct Forwarding {
    /// The command; none once it has ended, so that its number may be another's.
    target: Arc<Mutex<Option<Pid>>>,
    handle: signal_hook::iterator::Handle,
}

impl Forwarding {
    /// Starts to forward to a process. `shared`: a terminal sends it what it sends us, so that only what another process sent
    /// is forwarded.
    pub fn start(command: u32, shared: bool, terminals: Arc<Vec<Terminal>>) -> std::io::Result<Self> {
        let ignored = ignored();
        let wanted = FORWARDED.iter().filter(|signal| !ignored.contains(signal));
        let mut signals = SignalsInfo::<WithOrigin>::new(wanted)?;
        let handle = signals.handle();
        let target = Arc::new(Mutex::new(Pid::from_raw(command.cast_signed())));
        let known = Arc::clone(&target);
        thread::spawn(move || {
            for origin in signals.forever() {
                if origin.signal == SIGWINCH {
                    for terminal in terminals.iter() {
                        terminal.resize();
                    }
                } else if shared && is_from_terminal(&origin) {
                    continue;
                }
                let target = known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let (Some(pid), Some(signal)) = (*target, Signal::from_named_raw(origin.signal)) {
                    let _ = kill_process(pid, signal);
                }
            }
        });
        Ok(Self { target, handle })
    }

    /// The command has ended, though it is not reaped yet.
    pub fn end(&self) {
        *self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        self.handle.close();
    }
}

fn is_from_terminal(origin: &Origin) -> bool {
    matches!(origin.cause, Cause::Kernel) || origin.process.is_none_or(|process| process.pid == 0)
}

/// Signals that we were started to ignore (`nohup`, a shell's background): the command shall ignore them too.
fn ignored() -> HashSet<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}
