//! The demo's service: its files, an environment with its packages from `PyPI`, and runs of it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::environment;
use crate::failure::Failure;
use crate::talk::Talk;

const FILES: [(&str, &str); 4] = [
    ("app/__init__.py", include_str!("../../demo/app/__init__.py")),
    ("app/main.py", include_str!("../../demo/app/main.py")),
    ("app/settings.py", include_str!("../../demo/app/settings.py")),
    ("pyproject.toml", include_str!("../../demo/pyproject.toml")),
];
const PACKAGES: [&str; 4] = ["fastapi>=0.115", "uvicorn>=0.34", "asyncpg>=0.30", "aiohttp>=3.11"];
/// Longer than any start of the service takes, short enough to be waited for.
const RUN_LIMIT: Duration = Duration::from_mins(1);
/// As long as a service's shutdown may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The service, ready to run.
pub struct Service {
    /// The project's folder.
    pub folder: PathBuf,
    /// Its virtual environment, beside the project.
    pub environment: PathBuf,
}

impl Service {
    /// Writes the files and makes the environment.
    pub fn make(place: &Path, talk: Talk) -> anyhow::Result<Self> {
        let service = Self { folder: place.join("orders"), environment: place.join("environment") };
        for (name, text) in FILES {
            let path = service.folder.join(name);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
            made.with_context(|| format!("failed to write {}", path.display()))?;
        }
        let python = environment::python().ok_or_else(|| {
            Failure::new("there is no Python 3 on this machine")
                .hint("install it from your system's packages, or from python.org")
        })?;
        let progress = talk.progress("installing fastapi, uvicorn, asyncpg and aiohttp from PyPI");
        let made = service.install(&python);
        progress.finish_and_clear();
        made?;
        Ok(service)
    }

    fn install(&self, python: &Path) -> Result<(), Failure> {
        if let Some(uv) =
            environment::program("uv").filter(|uv| quiet(Command::new(uv).arg("--version")).is_ok())
        {
            let made = quiet(
                Command::new(&uv)
                    .args(["venv", "--no-project", "--python"])
                    .arg(python)
                    .arg(&self.environment),
            )
            .and_then(|()| {
                quiet(
                    Command::new(&uv).args(["pip", "install", "--python"]).arg(self.python()).args(PACKAGES),
                )
            });
            if made.is_ok() {
                return Ok(());
            }
        }
        quiet(Command::new(python).args(["-m", "venv", "--clear"]).arg(&self.environment)).map_err(
            |error| {
                Failure::new(format!("failed to make a virtual environment: {error}"))
                    .hint("Debian and Ubuntu need `sudo apt-get install python3-venv`")
            },
        )?;
        quiet(Command::new(self.python()).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]).args(PACKAGES))
            .map_err(|error| {
                Failure::new(format!("failed to install the demo's packages from PyPI: {error}"))
                    .hint("the demo needs the network, or a package index that pip is configured for; `explain`, `check` and `fix` do not")
            })
    }

    /// The service's main file, as it is now.
    pub fn source(&self) -> anyhow::Result<String> {
        let text = fs::read_to_string(self.folder.join("app/main.py"))
            .context("failed to read the demo's service")?;
        let handlers: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("app = "))
            .take_while(|line| !line.starts_with("@app.get"))
            .collect();
        Ok(handlers.join("\n").trim_end().to_owned() + "\n")
    }

    /// Starts it with uvicorn, asks for its health if it serves, stops it; gives what it printed and answered.
    pub fn run(&self, talk: Talk) -> anyhow::Result<String> {
        let progress = talk.progress("running the service");
        let port = free_port().context("failed to find a free port")?;
        let (mut reader, writer) = std::io::pipe().context("failed to make a pipe")?;
        let mut command = Command::new(self.python());
        command
            .args([
                "-W",
                "default",
                "-m",
                "uvicorn",
                "app.main:app",
                "--host",
                "127.0.0.1",
                "--no-use-colors",
                "--port",
            ])
            .arg(port.to_string())
            .current_dir(&self.folder)
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("PYTHONPATH")
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(writer.try_clone().context("failed to make a pipe")?)
            .stderr(writer);
        let child = command.spawn().context(Failure::new("failed to start the demo's service"))?;
        // The command holds the pipe's other end.
        drop(command);
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = reader.read_to_end(&mut bytes);
            bytes
        });
        let answered = ask_and_stop(child, port);
        let bytes = reading.join().unwrap_or_default();
        progress.finish_and_clear();
        let mut printed = String::from_utf8_lossy(&bytes).into_owned();
        match answered.context("failed to wait for the demo's service")? {
            Ended::Alone => {}
            Ended::Answered(answer) => {
                let _ = writeln!(printed, "\nGET /health: {answer}");
            }
            Ended::Late => {
                return Err(Failure::new(
                    "the demo's service did not start within a minute, and was stopped",
                )
                .into());
            }
        }
        Ok(printed)
    }

    /// Keeps what a run printed beside the service.
    pub fn store_log(&self, log: &str) -> anyhow::Result<()> {
        fs::write(self.folder.join("error.log"), log).context("failed to write error.log")
    }

    fn python(&self) -> PathBuf {
        if cfg!(windows) {
            self.environment.join("Scripts/python.exe")
        } else {
            self.environment.join("bin/python")
        }
    }
}

/// How a run ended.
enum Ended {
    /// By itself: it could not start.
    Alone,
    /// It served, answered this, and was stopped.
    Answered(String),
    /// It neither served nor ended.
    Late,
}

fn ask_and_stop(mut child: Child, port: u16) -> io::Result<Ended> {
    let started = Instant::now();
    loop {
        if child.try_wait()?.is_some() {
            return Ok(Ended::Alone);
        }
        if let Ok(answer) = health(port) {
            stop(&mut child)?;
            return Ok(Ended::Answered(answer));
        }
        if started.elapsed() > RUN_LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Late);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asks for the service's health, in the plainest HTTP.
fn health(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.lines().next().and_then(|line| line.split_once(' ')).map_or("", |(_, status)| status);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(format!("{status} {body}"))
}

/// Asks it to stop as an operator would, so that its shutdown runs; ends it where that can't be had.
fn stop(child: &mut Child) -> io::Result<()> {
    let asked = cfg!(unix) && quiet(Command::new("kill").args(["-TERM", &child.id().to_string()])).is_ok();
    let started = Instant::now();
    while asked && started.elapsed() < STOP_LIMIT {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Runs a command for its effect; its last words are the error.
fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(lines.iter().rev().take(2).rev().copied().collect::<Vec<_>>().join("; "))
}
