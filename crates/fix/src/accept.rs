//! Whether a changed tree is the old one without the defect.
#![allow(missing_docs)] // the fields of a rejection are named in its sentence

use std::fmt;

use loopmend_causes::{Declared, Found};
use loopmend_python::lifecycle::Lifecycle;

use crate::{awaited, effects, findings, names, order};

/// Why a mend is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The changed file does not parse.
    Broken { path: String, message: String },
    /// The finding is still there.
    StillFound,
    /// Another finding came up, be it a doubtful one.
    NewFinding { cause: String, message: String },
    /// A module no longer binds a name that others use.
    Unbound { path: String, name: String },
    /// A name is read that nothing binds.
    Unknown { path: String, name: String },
    /// An effectful call came or went that the mend did not say.
    Effect { name: String, gone: bool },
    /// Calls that begin at a function run in another order.
    Order { function: String },
    /// A function became async and this caller does not await it.
    NotAwaited { function: String, path: String, line: u32 },
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { path, message } => write!(f, "{path} would not parse: {message}"),
            Self::StillFound => f.write_str("the defect would still be there"),
            Self::NewFinding { cause, message } => write!(f, "it would bring {cause}: {message}"),
            Self::Unbound { path, name } => {
                write!(f, "{path} would no longer define `{name}`, which is used elsewhere")
            }
            Self::Unknown { path, name } => write!(f, "{path} would read `{name}`, which nothing defines"),
            Self::Effect { name, gone: true } => write!(f, "a call of `{name}` would be lost"),
            Self::Effect { name, gone: false } => write!(f, "an unexpected call of `{name}` would be added"),
            Self::Order { function } => write!(f, "the calls under `{function}` would run in another order"),
            Self::NotAwaited { function, path, line } => {
                write!(f, "`{function}` would become async, and {path}:{line} does not await it")
            }
        }
    }
}

/// Compares a tree before and after a mend of `target` that changed the files at `paths`.
pub fn accept(
    before: &Lifecycle,
    after: &Lifecycle,
    paths: &[&str],
    target: &Found,
    found_before: &[Found],
    found_after: &[Found],
    declared: &Declared,
) -> Result<(), Rejected> {
    for path in paths {
        parses(before, after, path)?;
    }
    findings::compare(before, after, target, found_before, found_after)?;
    for path in paths {
        names::bound(before, after, path, declared)?;
        names::known(before, after, path)?;
    }
    effects::counted(before, after, paths, declared)?;
    if !declared.moved {
        order::compare(before, after, paths, declared)?;
    }
    awaited::everywhere(before, after, paths)
}

fn parses(before: &Lifecycle, after: &Lifecycle, path: &str) -> Result<(), Rejected> {
    let errors = |life: &Lifecycle| life.file(path).map_or(0, |file| life.errors(file).len());
    if errors(after) > errors(before)
        && let Some(error) = after.file(path).and_then(|file| after.errors(file).first())
    {
        return Err(Rejected::Broken { path: path.to_owned(), message: error.message.clone() });
    }
    Ok(())
}
