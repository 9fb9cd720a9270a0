//! The steps in which an environment is made, by what its project has.

use std::fs;

use super::maker::{Builds, MakeError};
use super::recipe::{Exporter, Kind, Recipe};
use super::workbench::{Bench, StepError};

/// The file beside an environment that says the project is not installed in it.
pub(crate) const NOT_INSTALLED: &str = "not-installed";

/// Makes the environment at the bench.
pub(crate) fn make(bench: &Bench<'_>, recipe: &Recipe, builds: Builds) -> Result<(), MakeError> {
    let venv = bench.venv().to_string_lossy().into_owned();
    let python = bench.python.python.to_string_lossy().into_owned();
    bench.uv("making an empty environment", &["venv", "--no-project", "--python", &python, &venv], false)?;
    let foreign = builds == Builds::Allowed;
    dependencies(bench, recipe, foreign)?;
    let installed = recipe.installable && foreign && project(bench, recipe).is_ok();
    if !installed && recipe.kind == Kind::Built {
        // Nothing else says what it needs.
        project(bench, recipe)?;
    }
    if !installed {
        fs::write(bench.folder.join(NOT_INSTALLED), "")?;
    }
    Ok(())
}

fn dependencies(bench: &Bench<'_>, recipe: &Recipe, foreign: bool) -> Result<(), StepError> {
    match &recipe.kind {
        Kind::Uv => {
            let mut all = vec!["--all-extras"];
            let groups: Vec<String> = recipe.groups.iter().map(|group| format!("--group={group}")).collect();
            all.extend(groups.iter().map(String::as_str));
            let step = "installing what uv.lock names";
            let sync = ["sync", "--frozen", "--no-install-workspace"];
            // Extras may exclude each other.
            let done = wheels_first(bench, step, &sync, &["--no-build"], &all, foreign);
            done.or_else(|error| {
                wheels_first(bench, step, &sync, &["--no-build"], &[], foreign).map_err(|_| error)
            })
        }
        Kind::Exported(exporter) => {
            let exported = export(bench, *exporter).or_else(|error| pins(bench, *exporter).ok_or(error))?;
            let list = bench.lend("exported.txt", &exported);
            let list = list.map_err(|error| not_run("keeping the exported list", &error))?;
            let list = list.to_string_lossy();
            install(bench, "installing what the lock names", &["-r", &list, "--no-deps"], foreign)
        }
        Kind::Requirements(lists) => {
            let words: Vec<&str> = lists.iter().flat_map(|list| ["-r", list.as_str()]).collect();
            let step = format!("installing {}", lists.join(", "));
            install(bench, &step, &words, foreign)
        }
        Kind::Declared => {
            let extras = recipe.extras.iter().flat_map(|extra| ["--extra", extra.as_str()]);
            let groups = recipe.groups.iter().flat_map(|group| ["--group", group.as_str()]);
            let mut words = vec!["-r", "pyproject.toml"];
            words.extend(extras.chain(groups));
            let step = "installing what pyproject.toml names";
            let done = install(bench, step, &words, foreign);
            // Extras may exclude each other.
            done.or_else(|error| install(bench, step, &words[..2], foreign).map_err(|_| error))
        }
        Kind::Built | Kind::Bare => Ok(()),
    }
}

fn install(bench: &Bench<'_>, step: &str, words: &[&str], foreign: bool) -> Result<(), StepError> {
    wheels_first(bench, step, &["pip", "install"], &["--only-binary", ":all:"], words, foreign)
}

/// Runs a step with wheels only, which runs no code of theirs, and where that does not do and may be, with builds.
fn wheels_first(
    bench: &Bench<'_>,
    step: &str,
    command: &[&str],
    wheels: &[&str],
    words: &[&str],
    foreign: bool,
) -> Result<(), StepError> {
    let done = bench.uv(step, &[command, wheels, words].concat(), false).map(drop);
    if done.is_ok() || !foreign {
        return done;
    }
    bench.uv(step, &[command, words].concat(), true).map(drop)
}

/// Installs the project itself, by a link to where it is.
fn project(bench: &Bench<'_>, recipe: &Recipe) -> Result<(), StepError> {
    let extras =
        if recipe.extras.is_empty() { String::new() } else { format!("[{}]", recipe.extras.join(",")) };
    let named = format!(".{extras}");
    let mut words = vec!["pip", "install", "-e"];
    if recipe.kind == Kind::Built {
        words.push(&named);
        return bench.uv("building the project", &words, true).map(drop);
    }
    words.extend([".", "--no-deps"]);
    bench.uv("building the project", &words, true).map(drop)
}

/// The requirements in a lock, as the tool that wrote it reads them.
fn export(bench: &Bench<'_>, exporter: Exporter) -> Result<Vec<u8>, StepError> {
    let words: &[&str] = match exporter {
        Exporter::Poetry => &[
            "tool",
            "run",
            "--with",
            "poetry-plugin-export",
            "poetry",
            "export",
            "--all-groups",
            "--all-extras",
            "--without-hashes",
            "--format",
            "requirements.txt",
        ],
        Exporter::Pdm => {
            &["tool", "run", "pdm", "export", "--group", ":all", "--no-hashes", "--format", "requirements"]
        }
        Exporter::Pipenv => &["tool", "run", "pipenv", "requirements", "--dev"],
    };
    let step = match exporter {
        Exporter::Poetry => "exporting poetry.lock",
        Exporter::Pdm => "exporting pdm.lock",
        Exporter::Pipenv => "exporting Pipfile.lock",
    };
    bench.uv(step, words, true)
}

/// The pins in a lock, read by us: for where its tool does not run with what the index has today.
fn pins(bench: &Bench<'_>, exporter: Exporter) -> Option<Vec<u8>> {
    let name = match exporter {
        Exporter::Poetry => "poetry.lock",
        Exporter::Pdm => "pdm.lock",
        Exporter::Pipenv => return None,
    };
    let lock = bench.read(name).ok()?;
    pins_in(&String::from_utf8(lock).ok()?)
}

fn pins_in(lock: &str) -> Option<Vec<u8>> {
    let lock: toml::Table = lock.parse().ok()?;
    let mut lines = String::new();
    for package in lock.get("package")?.as_array()? {
        let text = |name: &str| package.get(name).and_then(toml::Value::as_str);
        let from_index = package.get("git").or(package.get("path")).or(package.get("url")).is_none()
            && package
                .get("source")
                .is_none_or(|source| source.get("type").and_then(|kind| kind.as_str()) == Some("legacy"));
        if !from_index {
            return None;
        }
        lines.push_str(&format!("{}=={}", text("name")?, text("version")?));
        if let Some(marker) = text("marker").or_else(|| text("markers")) {
            lines.push_str(&format!(" ; {marker}"));
        }
        lines.push('\n');
    }
    Some(lines.into_bytes())
}

fn not_run(step: &str, error: &std::io::Error) -> StepError {
    StepError::NotRun { step: step.to_owned(), reason: error.to_string() }
}

/// The package that a complaint of uv is about.
pub(crate) fn blamed(said: &str) -> Option<String> {
    let quoted =
        |after: &str| said.split_once(after).and_then(|(_, rest)| rest.split_once('`')).map(|(name, _)| name);
    let word = |before: &str| {
        let line = said.lines().find_map(|line| line.split_once(before))?.0;
        line.split_ascii_whitespace().next_back().map(|word| word.trim_matches('`'))
    };
    let found = quoted("Failed to build `")
        .or_else(|| quoted("Failed to download and build `"))
        .or_else(|| quoted("Failed to download `"))
        .or_else(|| quoted("Failed to fetch: `"))
        .or_else(|| word(" was not found in the "))
        .or_else(|| word(" has no wheels "))
        .or_else(|| {
            said.split_once("there is no version of ")
                .and_then(|(_, rest)| rest.split_ascii_whitespace().next())
        })
        .or_else(|| {
            said.split_once("Because only ").and_then(|(_, rest)| rest.split_ascii_whitespace().next())
        })
        .or_else(|| said.split_once("Because ").and_then(|(_, rest)| rest.split_ascii_whitespace().next()))?;
    let found = found.rsplit('/').next().unwrap_or(found).trim_end_matches([',', '.']);
    Some(found.to_owned()).filter(|name| !name.is_empty())
}

/// The part of a complaint that is worth telling.
pub(crate) fn gist(said: &str) -> String {
    const MOST: usize = 1200;
    let start = said.find("× ").or_else(|| said.find("error: ")).unwrap_or(0);
    let told = &said[start..];
    match told.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &told[..end]),
        None => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_to_blame_is_named() {
        let not_found = "  × No solution found when resolving dependencies:\n  ╰─▶ Because nosuchpkg was not found in the package registry and you require\n      nosuchpkg, we can conclude that your requirements are unsatisfiable.";
        assert_eq!(blamed(not_found).as_deref(), Some("nosuchpkg"));
        assert_eq!(
            blamed("  × Failed to build `asyncpg==0.27.0`\n  ├─▶ …").as_deref(),
            Some("asyncpg==0.27.0")
        );
        let none = "  ╰─▶ Because there is no version of aiohttp==99 and you require aiohttp==99, we can";
        assert_eq!(blamed(none).as_deref(), Some("aiohttp==99"));
        let wheels = "  ╰─▶ Because sgmllib3k==1.0.0 has no wheels with a matching Python version tag";
        assert_eq!(blamed(wheels).as_deref(), Some("sgmllib3k==1.0.0"));
        assert_eq!(blamed("error: something else"), None);
        assert_eq!(gist("Using Python 3.12\nerror: bad"), "error: bad");
    }

    #[test]
    fn pins_of_a_lock_are_read_where_all_come_from_an_index() {
        let lock = "[[package]]\nname='a'\nversion='1'\nmarker=\"sys_platform == 'win32'\"\n[[package]]\nname='b'\nversion='2'\n";
        assert_eq!(pins_in(lock).unwrap(), b"a==1 ; sys_platform == 'win32'\nb==2\n");
        assert_eq!(pins_in("[[package]]\nname='a'\nversion='1'\ngit='https://x'\n"), None);
        assert_eq!(pins_in("[[package]]\nname='a'\nversion='1'\n[package.source]\ntype='git'\n"), None);
    }
}
