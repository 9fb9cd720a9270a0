//! The last guard: a bug in loopmend reaches a user as one sentence and status 2.

use std::io::Write as _;
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use crate::failure;

/// Deeply nested source needs a deep stack; the memory is only taken when it is used.
const STACK_BYTES: usize = 256 << 20;

static TOLD: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program; a panic in it, on whatever thread, is told plainly.
pub fn guarded(program: fn() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place =
            info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        if let Ok(mut told) = TOLD.lock() {
            told.get_or_insert(format!("{what}{place}"));
        }
    }));
    // The pool's threads parse the files; one that exists already, or can't be made, is as good as it is.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global();
    let running = thread::Builder::new().name("loopmend".to_owned()).stack_size(STACK_BYTES).spawn(program);
    match running.map(thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(_)) => {
            tell();
            ExitCode::from(failure::STATUS)
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: failed to start a thread: {error}");
            ExitCode::from(failure::STATUS)
        }
    }
}

fn tell() {
    let detail = TOLD.lock().ok().and_then(|told| told.clone()).unwrap_or_default();
    let _ = writeln!(
        anstream::stderr(),
        "error: loopmend made a mistake of its own and stopped; this is a bug in loopmend, not in your project\n  \
         detail: {detail}\n  \
         hint: please report it with the command you ran, at {}/issues",
        env!("CARGO_PKG_REPOSITORY")
    );
}
