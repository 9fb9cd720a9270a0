//! Files below a folder that a program may have written to: never through a link, never a pipe or a device.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, mkdirat, openat, unlinkat};

/// Reads a file, at most so many bytes of it.
pub(crate) fn read(folder: &Path, path: &str, most: u64) -> io::Result<Vec<u8>> {
    let (parent, name) = parent(folder, path, false)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(&parent, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Vec::new();
    File::from(file).take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Writes a new file in place of what is there; folders are made.
pub(crate) fn write(folder: &Path, path: &str, content: &[u8]) -> io::Result<()> {
    let (parent, name) = parent(folder, path, true)?;
    match unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&parent, name, flags, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all(content)
}

/// The folder that holds the file, opened step by step.
fn parent<'a>(folder: &Path, path: &'a str, make: bool) -> io::Result<(OwnedFd, &'a str)> {
    let outside = || io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder");
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(outside());
    }
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() {
        return Err(outside());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(CWD, folder, flags, Mode::empty())?;
    for part in above.split('/').filter(|part| !part.is_empty()) {
        if make {
            match mkdirat(&at, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        at = openat(&at, part, flags, Mode::empty())?;
    }
    Ok((at, name))
}
