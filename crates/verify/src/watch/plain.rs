//! The run on systems without signals and terminals as Unix has them: pipes, read by threads.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use loopmend_model::Incident;

use super::{Listener, Seen, WatchError, Watched};

/// How long the streams of a command that ended are read on where another process holds them.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(super) fn watch(watched: &Watched, listener: &dyn Fn() -> Box<dyn Listener>) -> Result<Seen, WatchError> {
    let mut command = Command::new(&watched.argv[0]);
    command.args(&watched.argv[1..]).envs(watched.variables.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| WatchError::of(watched, error))?;
    let (tell, told) = channel();
    if let Some(source) = child.stdout.take() {
        let (tell, ear) = (tell.clone(), listener());
        thread::spawn(move || tell.send((0, relay(source, io::stdout(), ear))));
    }
    if let Some(source) = child.stderr.take() {
        let (tell, ear) = (tell.clone(), listener());
        thread::spawn(move || tell.send((1, relay(source, io::stderr(), ear))));
    }
    drop(tell);
    let status = child.wait()?;
    let duration = started.elapsed();
    let mut heard: Vec<(u8, Vec<Incident>)> = Vec::new();
    let mut outlived = false;
    while heard.len() < 2 {
        match told.recv_timeout(LAST_WORDS) {
            Ok(stream) => heard.push(stream),
            Err(_) => {
                outlived = true;
                break;
            }
        }
    }
    heard.sort_by_key(|(stream, _)| *stream);
    let code = status.code().unwrap_or(1);
    Ok(Seen {
        status: u8::try_from(code).unwrap_or(1),
        signal: None,
        incidents: heard.into_iter().flat_map(|(_, incidents)| incidents).collect(),
        outlived,
        duration,
    })
}

fn relay(mut source: impl Read, mut sink: impl Write, mut ear: Box<dyn Listener>) -> Vec<Incident> {
    let mut piece = vec![0; 1 << 16];
    loop {
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                ear.hear(&piece[..length]);
                if sink.write_all(&piece[..length]).and_then(|()| sink.flush()).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    ear.end()
}
