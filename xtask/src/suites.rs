//! `cargo xtask suites`: packages' own tests before and after `loopmend fix`.
//!
//! Each package of `suites/packages.toml` is downloaded as its authors publish it, with its tests. They run on three copies: as
//! it is, after `fix`, after `fix --unsafe`. Every test must end on all three as it did on the first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::bench::{cache, copy_tree};
use crate::programs;

#[derive(Deserialize)]
struct Packages {
    suite: Vec<Suite>,
}

/// One package and how its tests run.
#[derive(Deserialize)]
struct Suite {
    package: String,
    version: String,
    /// What its tests need beside it.
    requires: Vec<String>,
    /// Arguments of pytest.
    tests: Vec<String>,
    /// The folder that its modules are imported from.
    #[serde(default)]
    source: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// How each test ended, by its name.
type Ended = BTreeMap<String, String>;

/// Runs the suites of these packages, or all; gives whether no test ends otherwise after a fix.
pub fn run(only: &[String]) -> Result<bool> {
    let program = programs::loopmend()?;
    let listed = include_str!("../suites/packages.toml");
    let packages: Packages = toml::from_str(listed).context("suites/packages.toml can't be read")?;
    let mut holds = true;
    println!(
        "| package | version | files changed | lines | tests before | after `fix` | after `fix --unsafe` |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for suite in packages.suite {
        if only.is_empty() || only.contains(&suite.package) {
            holds &= suite.compare(&program)?;
        }
    }
    Ok(holds)
}

impl Suite {
    fn compare(&self, program: &Path) -> Result<bool> {
        let home = cache().join("suites").join(format!("{}-{}", self.package, self.version));
        let source = self.unpacked(&home)?;
        let python = self.python(&home)?;
        let before = self.ended(&python, &source, &home.join("before"), None)?;
        let mut counts = Vec::new();
        let mut holds = true;
        let mut changed = (0, 0);
        for (name, arguments) in [("safe", &["fix"][..]), ("unsafe", &["fix", "--unsafe"])] {
            let after = self.ended(&python, &source, &home.join(name), Some((program, arguments)))?;
            for (test, end) in &after {
                let was = before.get(test).map_or("absent", String::as_str);
                if was != end {
                    println!("FAILS {} {test}: {was}, after {} {end}", self.package, arguments.join(" "));
                    holds = false;
                }
            }
            holds &= before.len() == after.len();
            changed = differing(&source, &home.join(name))?;
            counts.push(words(&after));
        }
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            self.package,
            self.version,
            changed.0,
            changed.1,
            words(&before),
            counts.join(" | ")
        );
        Ok(holds)
    }

    /// The source distribution, downloaded once.
    fn unpacked(&self, home: &Path) -> Result<PathBuf> {
        let folder = home.join("sdist");
        if !folder.exists() {
            fs::create_dir_all(home)?;
            let wanted = format!("{}=={}", self.package, self.version);
            let got = Command::new("python3")
                .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", &self.package])
                .args(["--dest".as_ref(), folder.as_os_str()])
                .arg(wanted)
                .status()
                .context("failed to start python3")?;
            anyhow::ensure!(got.success(), "{} could not be downloaded", self.package);
        }
        let entries = || fs::read_dir(&folder).map(|all| all.filter_map(|entry| Some(entry.ok()?.path())));
        if let Some(known) = entries()?.find(|path| path.is_dir()) {
            return Ok(known);
        }
        let archive = entries()?.next().context("nothing was downloaded")?;
        let unpacked =
            Command::new("python3").args(["-m", "tarfile", "-e"]).arg(&archive).arg(&folder).status()?;
        anyhow::ensure!(unpacked.success(), "{} could not be unpacked", archive.display());
        entries()?.find(|path| path.is_dir()).context("the archive has no folder")
    }

    /// An environment with the package and what its tests need.
    fn python(&self, home: &Path) -> Result<PathBuf> {
        let folder = home.join("venv");
        let python = folder.join("bin/python");
        if !folder.join("done").exists() {
            let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status()?;
            anyhow::ensure!(made.success(), "no environment could be made for {}", self.package);
            let got = Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .arg(format!("{}=={}", self.package, self.version))
                .args(&self.requires)
                .status()?;
            anyhow::ensure!(got.success(), "what {} needs could not be installed", self.package);
            fs::write(folder.join("done"), "")?;
        }
        Ok(python)
    }

    /// How the tests of a copy end, after a fix where one is given.
    fn ended(
        &self,
        python: &Path,
        source: &Path,
        copy: &Path,
        fix: Option<(&Path, &[&str])>,
    ) -> Result<Ended> {
        if copy.exists() {
            fs::remove_dir_all(copy)?;
        }
        copy_tree(source, copy)?;
        if let Some((program, arguments)) = fix {
            let fixed = Command::new(program)
                .args(arguments)
                .arg(copy)
                .env_remove("VIRTUAL_ENV")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
            anyhow::ensure!(matches!(fixed.code(), Some(0 | 1)), "fix failed on {}", self.package);
        }
        let output = Command::new(python)
            .current_dir(copy)
            .args(["-m", "pytest", "-o", "addopts=", "-q", "-rA", "-p", "no:cacheprovider"])
            .args(&self.tests)
            .env("PYTHONPATH", copy.join(&self.source))
            .envs(&self.env)
            .stderr(Stdio::null())
            .output()
            .context("failed to start pytest")?;
        let ended = ends(&String::from_utf8_lossy(&output.stdout));
        anyhow::ensure!(!ended.is_empty(), "no test of {} ran", self.package);
        Ok(ended)
    }
}

/// The lines of pytest's summary: `PASSED tests/test_app.py::test_start`.
fn ends(text: &str) -> Ended {
    text.lines()
        .filter_map(|line| {
            let (word, rest) = line.split_once(' ')?;
            let known = matches!(word, "PASSED" | "FAILED" | "ERROR" | "XFAIL" | "XPASS");
            let test = rest.split(" - ").next().unwrap_or(rest);
            (known && test.contains("::")).then(|| (test.to_owned(), word.to_lowercase()))
        })
        .collect()
}

fn words(ended: &Ended) -> String {
    let count = |word: &str| ended.values().filter(|end| *end == word).count();
    let mut text = format!("{} passed", count("passed") + count("xfail"));
    for word in ["failed", "error", "xpass"] {
        if count(word) > 0 {
            text += &format!(", {} {word}", count(word));
        }
    }
    text
}

/// Files that differ from those of the source, and lines that came or went.
fn differing(source: &Path, copy: &Path) -> Result<(usize, usize)> {
    let output = Command::new("diff").args(["-r", "-U0", "-x", "*.pyc"]).arg(source).arg(copy).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let files = text.lines().filter(|line| line.starts_with("+++ ")).count();
    let lines = text
        .lines()
        .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++ ") && !line.starts_with("--- "))
        .count();
    Ok((files, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_off_the_summary() {
        let text = "..F\n==== short test summary info ====\nPASSED tests/test_a.py::test_one\n\
                    FAILED tests/test_a.py::test_two[x - y] - AssertionError: no\nSKIPPED [1] tests/test_a.py:3: not here\n";
        let ended = ends(text);
        assert_eq!(ended.len(), 2);
        assert_eq!(ended["tests/test_a.py::test_one"], "passed");
        assert_eq!(words(&ended), "1 passed, 1 failed");
    }
}
