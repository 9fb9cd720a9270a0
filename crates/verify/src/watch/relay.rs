//! One stream passed through, and heard on the way.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use loopmend_model::Incident;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Listener;
use super::output::Stream;

/// Bytes read at once.
const PIECE: usize = 1 << 17;
/// Pieces that the ear may lag behind.
const BEHIND: usize = 16;
/// How long the streams of a command that ended are read on where another process holds them.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What came of a stream.
pub(super) struct Relayed {
    pub incidents: Vec<Incident>,
    /// Somebody still held it.
    pub outlived: bool,
}

/// Passes a stream through until all of its writers are gone, or the command is (`gone` ends) and what it said is read.
pub(super) fn relay(stream: Stream, gone: &PipeReader, mut listener: Box<dyn Listener>) -> Relayed {
    let (pieces, heard) = sync_channel::<Vec<u8>>(BEHIND);
    thread::scope(|scope| {
        let ear = scope.spawn(move || {
            for piece in heard {
                listener.hear(&piece);
            }
            listener.end()
        });
        let outlived = pass(stream, gone, &pieces);
        drop(pieces);
        let incidents = ear.join().unwrap_or_default();
        Relayed { incidents, outlived }
    })
}

/// Gives whether the stream was left with somebody still holding it.
fn pass(stream: Stream, gone: &PipeReader, pieces: &SyncSender<Vec<u8>>) -> bool {
    let Stream { source, mut sink } = stream;
    let mut source = File::from(source);
    // Once the command is gone: bytes that it left to be read, then the time at which to stop.
    let mut left: Option<u64> = None;
    let mut until: Option<Instant> = None;
    loop {
        if left == Some(0) && until.is_none() {
            until = Some(Instant::now() + LAST_WORDS);
        }
        match wait(&source, (left.is_none()).then_some(gone), until) {
            Woken::Readable => {}
            Woken::Gone => {
                left = Some(rustix::io::ioctl_fionread(&source).unwrap_or(0));
                continue;
            }
            Woken::Late => return true,
        }
        let mut piece = vec![0; PIECE];
        let length = match source.read(&mut piece) {
            Ok(0) => return false,
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => continue,
            // A terminal whose other end is closed says so.
            Err(_) => return false,
        };
        if let Some(left) = &mut left {
            *left = left.saturating_sub(length as u64);
        }
        piece.truncate(length);
        let written = write(&mut sink, &piece);
        let _ = pieces.send(piece);
        if written.is_err() {
            // Whoever read it is gone: closing our end tells the command, as it would be told without us.
            return false;
        }
    }
}

enum Woken {
    Readable,
    Gone,
    Late,
}

fn wait(source: &File, gone: Option<&PipeReader>, until: Option<Instant>) -> Woken {
    loop {
        let mut watched = vec![PollFd::new(source, PollFlags::IN)];
        if let Some(gone) = gone {
            watched.push(PollFd::new(gone, PollFlags::IN));
        }
        let timeout = match until {
            Some(until) => {
                let rest = until.saturating_duration_since(Instant::now());
                if rest.is_zero() {
                    return Woken::Late;
                }
                Timespec::try_from(rest).ok()
            }
            None => None,
        };
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) | Err(_) => continue,
            Ok(_) => {}
        }
        if !watched[0].revents().is_empty() {
            return Woken::Readable;
        }
        if watched.get(1).is_some_and(|gone| !gone.revents().is_empty()) {
            return Woken::Gone;
        }
    }
}

/// Writes all of it, though the reader may have set its end not to block.
fn write(sink: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&sink.as_fd(), PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A reader's end that ends when the writer's end is dropped.
pub(super) fn ending() -> io::Result<(PipeReader, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader, writer.into()))
}
