//! Which streams there are between the command and us: as many as the user's own, and of the same kind.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use super::terminal::Terminal;

/// Bytes that a pipe may hold: fewer turns where a program says much.
const PIPE: usize = 1 << 20;

/// One stream from the command to the user.
pub(super) struct Stream {
    /// Where we read what the command says.
    pub source: OwnedFd,
    /// Where it was meant to go.
    pub sink: File,
}

/// All of them.
pub(super) struct Output {
    pub streams: Vec<Stream>,
    /// The command's ends.
    pub stdout: Stdio,
    pub stderr: Stdio,
    pub terminals: Vec<Terminal>,
}

impl Output {
    /// A terminal is stood in for by a terminal, anything else by a pipe. Where standard output and error are the same,
    /// there is one stream, so that their order is kept.
    pub fn open() -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let mut terminals = Vec::new();
        let (first, out) = open(stdout.as_fd(), stdout.is_terminal(), &mut terminals)?;
        if same(stdout.as_fd(), stderr.as_fd()) {
            let err = out.try_clone()?;
            return Ok(Self { streams: vec![first], stdout: out.into(), stderr: err.into(), terminals });
        }
        let (second, err) = open(stderr.as_fd(), stderr.is_terminal(), &mut terminals)?;
        Ok(Self { streams: vec![first, second], stdout: out.into(), stderr: err.into(), terminals })
    }
}

/// A stream to `sink`, and the end of it that the command gets.
fn open(
    sink: BorrowedFd<'_>,
    is_terminal: bool,
    terminals: &mut Vec<Terminal>,
) -> io::Result<(Stream, OwnedFd)> {
    let own = File::from(sink.try_clone_to_owned()?);
    // Without a free one, plain is better than not at all.
    if is_terminal && let Ok((terminal, end)) = Terminal::like(sink) {
        let source = terminal.source()?;
        terminals.push(terminal);
        return Ok((Stream { source, sink: own }, end));
    }
    let (source, end) = io::pipe()?;
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&end, PIPE);
    Ok((Stream { source: source.into(), sink: own }, end.into()))
}

/// Whether both lead to the same place.
fn same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(one), Ok(other)) = (rustix::fs::fstat(one), rustix::fs::fstat(other)) else { return false };
    (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)
}
