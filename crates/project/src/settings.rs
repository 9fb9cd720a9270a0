//! All that is read beside the source, put together: installed beats locked, locked beats pinned, and what none
//! of them says stays unknown.

use std::path::Path;

use loopmend_model::{ConfigFile, Note, PythonRange, Settings, VersionSource};

use crate::ini::Ini;
use crate::installed::installed;
use crate::locks::locked;
use crate::own_settings::{OwnSettingsError, own_settings};
use crate::pins::pinned;
use crate::pyproject::Document;
use crate::pytest::pytest_settings;
use crate::python_range::{Minor, declared, minor};

/// Reads the settings; beside them, the globs that `[tool.loopmend]` excludes.
pub(crate) fn read_settings(
    root: &Path,
    configs: &[ConfigFile],
    environment: Option<&Path>,
    notes: &mut Vec<Note>,
) -> Result<(Settings, Vec<String>), OwnSettingsError> {
    let text = |path: &str| configs.iter().find(|config| config.path == path).map(|config| &*config.text);
    let pyproject =
        Document::parse(text("pyproject.toml").unwrap_or("")).unwrap_or_else(|(line, message)| {
            let message = format!("not understood, line {line}: {message}");
            notes.push(Note { path: Some("pyproject.toml".to_owned()), message });
            Document::empty()
        });
    let own = own_settings(&pyproject)?;
    let setup_cfg = text("setup.cfg").map(Ini::parse);
    let setup_py = std::fs::read_to_string(root.join("setup.py")).ok();

    let mut settings = Settings {
        resources: own.resources,
        ignore: own.ignore,
        run: own.run,
        services: own.services,
        ..Settings::default()
    };
    let found = installed(root, environment);
    let (min, max) = declared(&pyproject, setup_cfg.as_ref(), setup_py.as_deref());
    let interpreter = match &found {
        Some(found) => found.interpreter,
        None => chosen_python(root),
    };
    settings.python = PythonRange { min: min.or(interpreter), max, interpreter };

    let sources = [
        (Some(pinned(root, configs, &pyproject, setup_cfg.as_ref())), VersionSource::Pinned),
        (locked(root), VersionSource::Locked),
        (found.map(|found| found.versions), VersionSource::Installed),
    ];
    for (versions, source) in sources {
        for (name, version) in versions.into_iter().flat_map(crate::distribution::Versions::into_known) {
            settings.versions.insert(name, (version, source));
        }
    }
    let pytest = settings.version("pytest").and_then(|version| version.release.first().copied());
    settings.pytest = pytest_settings(configs, &pyproject, pytest);
    Ok((settings, own.exclude))
}

/// The one Python that `.python-version` names.
fn chosen_python(root: &Path) -> Option<Minor> {
    let text = std::fs::read_to_string(root.join(".python-version")).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let only = lines.next()?;
    lines.next().is_none().then(|| minor(only))?
}

/// The settings once configuration files have other texts: what pytest reads is read again, the rest stays.
pub fn settings_after(settings: &Settings, configs: &[ConfigFile]) -> Settings {
    let pyproject =
        configs.iter().find(|config| config.path == "pyproject.toml").map_or("", |config| &*config.text);
    let pyproject = Document::parse(pyproject).unwrap_or_else(|_| Document::empty());
    let pytest = settings.version("pytest").and_then(|version| version.release.first().copied());
    Settings { pytest: pytest_settings(configs, &pyproject, pytest), ..settings.clone() }
}
