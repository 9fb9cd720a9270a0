//! The smallest program that can stand in for services inside a sandbox.
//!
//! Called with `hold` and a folder, it runs there, confined, what sleeps for long, to be killed meanwhile.

use loopmend_verify::{Command, INSIDE, Place, Sandbox, inside};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == INSIDE {
        std::process::exit(inside(arguments));
    }
    if first == "hold" {
        let folder = arguments.next().unwrap_or_default();
        let workspace = Sandbox::new().ok().and_then(|sandbox| sandbox.prepare(folder.as_ref(), None).ok());
        if let Some(workspace) = workspace {
            let _ = workspace.run(&Command::new(["sh", "-c", "setsid sleep 83.375 & sleep 83.375"]));
        }
    }
}
