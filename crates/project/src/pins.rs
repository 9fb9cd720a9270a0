//! Versions that the project's own requirements pin with `==`.

use std::path::Path;

use loopmend_model::ConfigFile;
use toml::de::{DeTable, DeValue};

use crate::distribution::Versions;
use crate::ini::Ini;
use crate::pyproject::{Document, strings};
use crate::walk::LARGEST;

/// Requirement files that include each other deeper than this include themselves.
const DEEPEST: usize = 8;

/// All pins of requirement files, `pyproject.toml` and `setup.cfg`.
pub(crate) fn pinned(
    root: &Path,
    configs: &[ConfigFile],
    pyproject: &Document<'_>,
    setup_cfg: Option<&Ini>,
) -> Versions {
    let mut versions = Versions::default();
    for config in configs.iter().filter(|config| config.path.starts_with("requirements")) {
        requirements(root, &config.text, DEEPEST, &mut versions);
    }
    standard(pyproject, &mut versions);
    poetry(pyproject, &mut versions);
    if let Some(ini) = setup_cfg {
        let extras =
            ini.section("options.extras_require").into_iter().flatten().map(|(_, value)| value.as_str());
        for line in ini.get("options", "install_requires").into_iter().chain(extras).flat_map(str::lines) {
            versions.add_requirement(line);
        }
    }
    versions
}

/// The lines of a requirements file, and of those that it includes.
fn requirements(folder: &Path, text: &str, depth: usize, versions: &mut Versions) {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let included = ["--requirement", "--constraint", "-r", "-c"]
            .into_iter()
            .find_map(|option| line.strip_prefix(option))
            .map(|rest| rest.trim_start_matches('=').trim());
        if let Some(name) = included {
            let path = folder.join(name);
            let small = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
            if let Some(text) = std::fs::read_to_string(&path).ok().filter(|_| small && depth > 0) {
                requirements(path.parent().unwrap_or(folder), &text, depth - 1, versions);
            }
        } else if !line.starts_with(['#', '-']) {
            versions.add_requirement(line.split(" --").next().unwrap_or(line));
        }
    }
}

/// `[project]`, `[dependency-groups]`, and the older places of uv and PDM.
fn standard(pyproject: &Document<'_>, versions: &mut Versions) {
    let lists = [&["project", "dependencies"][..], &["tool", "uv", "dev-dependencies"]];
    for requirement in
        lists.into_iter().filter_map(|path| pyproject.get(path)).flat_map(|list| strings(list.get_ref()))
    {
        versions.add_requirement(requirement);
    }
    let groups = [
        &["project", "optional-dependencies"][..],
        &["dependency-groups"],
        &["tool", "pdm", "dev-dependencies"],
    ];
    for group in groups.into_iter().filter_map(|path| pyproject.table(path)).flat_map(DeTable::values) {
        for requirement in strings(group.get_ref()) {
            versions.add_requirement(requirement);
        }
    }
}

/// Poetry's tables, where a bare version is a pin.
fn poetry(pyproject: &Document<'_>, versions: &mut Versions) {
    let poetry = &["tool", "poetry"];
    let mut tables: Vec<&DeTable<'_>> = ["dependencies", "dev-dependencies"]
        .into_iter()
        .filter_map(|name| pyproject.table(&[poetry[0], poetry[1], name]))
        .collect();
    if let Some(groups) = pyproject.table(&["tool", "poetry", "group"]) {
        tables.extend(
            groups.values().filter_map(|group| group.get_ref().get("dependencies")?.get_ref().as_table()),
        );
    }
    for (name, value) in tables.into_iter().flatten() {
        let constraint = match value.get_ref() {
            DeValue::Table(table) => table.get("version").and_then(|version| version.get_ref().as_str()),
            value => value.as_str(),
        };
        let Some(constraint) = constraint.map(str::trim).filter(|_| name.get_ref() != "python") else {
            continue;
        };
        if constraint.starts_with(|c: char| c.is_ascii_digit()) && !constraint.contains(['*', ',', '|', ' '])
        {
            versions.add(name.get_ref(), constraint);
        } else if !constraint.contains('|') {
            versions.add_specifier(name.get_ref(), constraint);
        }
    }
}
