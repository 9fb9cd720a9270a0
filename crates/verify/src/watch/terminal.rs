//! A terminal that stands in for the user's, for output only.
//!
//! The command keeps the user's terminal as its standard input and as its controlling terminal: keys, Ctrl-C and Ctrl-Z reach
//! it as they always do, and a debugger may set the modes of its input. Only what it writes goes through here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// Our end of it, and the terminal that it stands for.
pub(super) struct Terminal {
    master: OwnedFd,
    real: OwnedFd,
    /// The modes of the user's terminal before the command ran.
    modes: Option<Termios>,
}

impl Terminal {
    /// A terminal of the same size as the user's; the second is the command's end.
    pub fn like(real: BorrowedFd<'_>) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let end = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        // What is written comes out as it is: the user's terminal does the rest.
        let mut modes = tcgetattr(&end)?;
        modes.output_modes.remove(OutputModes::OPOST);
        modes.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&end, OptionalActions::Now, &modes)?;
        let terminal = Self { master, real: real.try_clone_to_owned()?, modes: tcgetattr(real).ok() };
        terminal.resize();
        Ok((terminal, end))
    }

    /// A descriptor to read from.
    pub fn source(&self) -> io::Result<OwnedFd> {
        self.master.as_fd().try_clone_to_owned()
    }

    /// Takes on the size of the user's terminal.
    pub fn resize(&self) {
        if let Ok(size) = tcgetwinsize(&self.real) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Gives the user's terminal the modes back that it had: a command that was killed could not.
    pub fn restore(&self) {
        if let Some(modes) = &self.modes {
            let _ = tcsetattr(&self.real, OptionalActions::Drain, modes);
        }
    }
}
