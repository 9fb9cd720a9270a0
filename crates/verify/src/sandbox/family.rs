//! The processes of a sandbox as the host sees them.

use std::fs;

use rustix::process::{Pid, kill_process};

use crate::run::Signal;

/// How many processes from the leader to the program: the leader itself, the first process inside, and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth(pub usize);

/// The program itself, once it runs.
pub(crate) fn program(leader: u32, depth: Depth) -> Option<u32> {
    let mut at = leader;
    for _ in 0..depth.0 {
        // The first child is the line that leads to the program; what was left to the first process came later.
        at = *children(at).first()?;
    }
    Some(at)
}

/// The program and everything else inside, without what holds the sandbox.
pub(crate) fn inside(leader: u32, depth: Depth) -> Vec<u32> {
    let mut line = vec![leader];
    while line.len() < depth.0 {
        let Some(next) = line.last().and_then(|last| children(*last).first().copied()) else { break };
        line.push(next);
    }
    let mut found = descendants(leader);
    found.retain(|process| !line.contains(process));
    found
}

/// All that descend from a process, parents first.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut found = children(of);
    let mut next = 0;
    while let Some(process) = found.get(next) {
        let below = children(*process);
        found.extend(below);
        next += 1;
    }
    found
}

fn children(of: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            found.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    found.sort_unstable();
    found
}

/// Sends a signal to each; those that are gone are passed over.
pub(crate) fn signal(processes: &[u32], signal: Signal) {
    for process in processes {
        if let Some(pid) = Pid::from_raw(process.cast_signed()) {
            let _ = kill_process(pid, signal.raw());
        }
    }
}

/// Whether the processes below a leader hold more memory than this.
pub(crate) fn holds_more(leader: u32, most: u64) -> bool {
    let processes = descendants(leader);
    let page = rustix::param::page_size() as u64;
    // Pages shared after a fork count more than once here, so it only says where a closer look is due.
    let rough: u64 = processes.iter().filter_map(|process| private_pages(*process)).sum();
    rough.saturating_mul(page) > most
        && processes.iter().filter_map(|process| share(*process)).sum::<u64>() > most
}

/// Resident pages that are not a file's.
fn private_pages(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut numbers = text.split_ascii_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok());
    let (resident, shared) = (numbers.next()?, numbers.next()?);
    Some(resident.saturating_sub(shared))
}

/// Bytes of memory, each page divided by those that share it.
fn share(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("Pss_Anon:").or_else(|| line.strip_prefix("Pss:")))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
