//! Processes that left their group: found by a variable that every descendant of a run carries.

use std::fs;

use super::Signal;

/// The variable that marks the processes of a run.
pub(crate) const MARK: &str = "LOOPMEND_RUN";

/// Sends a signal to every process that carries this mark; gives how many there were.
///
/// A program that clears its environment and its group escapes; only a sandbox holds that one.
pub(crate) fn signal_marked(mark: &str, signal: Signal) -> usize {
    let entry = format!("{MARK}={mark}");
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let mut sent = 0;
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(environment) = fs::read(process.path().join("environ")) else { continue };
        if !environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) {
            continue;
        }
        let Some(pid) = rustix::process::Pid::from_raw(pid) else { continue };
        sent += usize::from(rustix::process::kill_process(pid, signal.raw()).is_ok());
    }
    sent
}
