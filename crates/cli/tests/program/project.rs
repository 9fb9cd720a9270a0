//! A small project with one defect, and the program run on it.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// The close on line 11 is not awaited.
pub const DEFECT: &str = "\
import asyncio

import aiohttp


async def ping(url):
    session = aiohttp.ClientSession()
    try:
        return (await session.get(url)).status
    finally:
        session.close()


if __name__ == \"__main__\":
    asyncio.run(ping(\"http://localhost/\"))
";

/// What Python prints of it.
pub const LOG: &str = "\
/srv/shop/app/ping.py:11: RuntimeWarning: coroutine 'ClientSession.close' was never awaited
  session.close()
RuntimeWarning: Enable tracemalloc to get the object allocation traceback
Unclosed client session
client_session: <aiohttp.client.ClientSession object at 0x7f0000000000>
";

/// A project in a temporary folder, with a state folder of its own.
pub struct Project {
    home: TempDir,
}

impl Project {
    /// A project without files.
    pub fn empty() -> Self {
        let project = Self { home: TempDir::new().expect("a temporary folder") };
        fs::create_dir(project.root()).expect("a new folder");
        project
    }

    /// The project with the defect.
    pub fn with_defect() -> Self {
        let project = Self::empty();
        project.write("app/__init__.py", "");
        project.write("app/ping.py", DEFECT);
        project
    }

    /// The project's folder.
    pub fn root(&self) -> PathBuf {
        self.home.path().join("shop")
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("it is in the project")).expect("a new folder");
        fs::write(&path, text).expect("a new file");
        path
    }

    /// Writes a log beside the project.
    pub fn log(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join("error.log");
        fs::write(&path, text).expect("a new file");
        path
    }

    /// A file's text.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).expect("it is there")
    }

    /// The program, in the project's folder, without the environment of whoever runs the tests.
    pub fn loopmend(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.home.path());
        command.current_dir(self.root()).args(arguments);
        command
    }
}

/// The program, with its state in a folder.
fn program(home: &Path) -> Command {
    let mut command = Command::cargo_bin("loopmend").expect("it was built for this test");
    command
        .env_remove("VIRTUAL_ENV")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("XDG_STATE_HOME", home.join("state"))
        .env("HOME", home);
    command
}

/// Standard output of a command that ends with this status.
pub fn printed(command: &mut Command, status: i32) -> String {
    let output = command.output().expect("it starts");
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "printed: {out}\nsaid: {talk}");
    out.into_owned()
}

/// Standard error of a command that ends with this status.
pub fn said(command: &mut Command, status: i32) -> String {
    let output = command.output().expect("it starts");
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "printed: {out}\nsaid: {talk}");
    talk.into_owned()
}
