//! uv itself: the user's, or one that is installed into our own cache.

use std::path::{Path, PathBuf};

use super::store::Store;
use super::workbench::{Bench, sources};
use super::{Environment, MakeError, Maker};
use crate::run::Command;
use crate::sandbox::in_path;

/// Finds uv; where it is absent, it is installed from the index with the pip of an interpreter.
pub(crate) fn find_or_install(maker: &Maker<'_>, python: &Environment) -> Result<PathBuf, MakeError> {
    if let Some(found) = in_path("uv").and_then(|path| path.canonicalize().ok()) {
        return Ok(found);
    }
    let store = Store::new(maker.cache.join("tools"));
    let kept = store.get("uv", |folder| {
        (maker.say)("uv is not installed: installing it from the package index into loopmend's own cache");
        install(maker, folder, python)
    })?;
    Ok(kept.folder.join("venv/bin/uv"))
}

fn install(maker: &Maker<'_>, folder: &Path, python: &Environment) -> Result<(), MakeError> {
    let empty = tempfile::tempdir()?;
    let bench = Bench::new(maker, empty.path(), folder, python, Path::new("/usr/bin/uv"))?;
    let venv = bench.venv();
    let run = |program: PathBuf, arguments: &[&str]| {
        let mut argv = vec![program.into_os_string()];
        argv.extend(arguments.iter().map(Into::into));
        let mut command = Command::new(argv);
        command.env.extend(sources());
        bench.run("installing uv", command)
    };
    let installed = run(python.python.clone(), &["-m", "venv", &venv.to_string_lossy()]).and_then(|_| {
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            "uv",
        ];
        run(venv.join("bin/python"), &pip)
    });
    installed.map_err(|error| MakeError::NoUv(MakeError::from(error).to_string()))?;
    bench.seal()?;
    Ok(())
}
