//! The options that pytest really reads: the first file, in its order, that counts for it. The others are
//! ignored by pytest, however much they hold.

use std::collections::BTreeMap;

use loopmend_model::{ConfigFile, PytestSettings};
use toml::de::{DeTable, DeValue};

use crate::ini::Ini;
use crate::pyproject::Document;

/// Reads pytest's settings of the tree's root; `major` is the installed pytest's, if known.
pub(crate) fn pytest_settings(
    configs: &[ConfigFile],
    pyproject: &Document<'_>,
    major: Option<u64>,
) -> PytestSettings {
    let text = |path: &str| configs.iter().find(|config| config.path == path).map(|config| &*config.text);
    let settings = |path: &str, options| PytestSettings { file: Some(path.to_owned()), options };
    // Since 9, and nobody writes one for an older pytest.
    let native = major.is_none_or(|major| major >= 9);

    if native {
        for path in ["pytest.toml", ".pytest.toml"] {
            if let Some(text) = text(path) {
                let document = Document::parse(text).unwrap_or_else(|_| Document::empty());
                return settings(path, document.table(&["pytest"]).map(toml_options).unwrap_or_default());
            }
        }
    }
    for path in ["pytest.ini", ".pytest.ini"] {
        let Some(text) = text(path) else { continue };
        let options = ini_options(&Ini::parse(text), "pytest");
        // `pytest.ini` counts even when empty, its hidden twin since 9.
        if options.is_some() || path == "pytest.ini" || native {
            return settings(path, options.unwrap_or_default());
        }
    }
    if let Some(table) = pyproject.table(&["tool", "pytest"]).filter(|_| native) {
        let mut options = toml_options(table);
        options.remove("ini_options");
        if !options.is_empty() {
            return settings("pyproject.toml", options);
        }
    }
    if let Some(table) = pyproject.table(&["tool", "pytest", "ini_options"]) {
        return settings("pyproject.toml", toml_options(table));
    }
    for (path, section) in [("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")] {
        if let Some(options) = text(path).and_then(|text| ini_options(&Ini::parse(text), section)) {
            return settings(path, options);
        }
    }
    PytestSettings::default()
}

fn ini_options(ini: &Ini, section: &str) -> Option<BTreeMap<String, String>> {
    Some(ini.section(section)?.iter().cloned().collect())
}

fn toml_options(table: &DeTable<'_>) -> BTreeMap<String, String> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), option_text(value.get_ref()))).collect()
}

/// A value as pytest turns it into text; the items of a list on lines of their own.
fn option_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(true) => "True".to_owned(),
        DeValue::Boolean(false) => "False".to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            items.iter().map(|item| option_text(item.get_ref())).collect::<Vec<_>>().join("\n")
        }
        DeValue::Table(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn read(files: &[(&str, &str)], major: Option<u64>) -> (Option<String>, String) {
        let configs: Vec<ConfigFile> = files
            .iter()
            .map(|(path, text)| ConfigFile { path: (*path).to_owned(), text: Arc::from(*text) })
            .collect();
        let pyproject = files.iter().find(|(path, _)| *path == "pyproject.toml").map_or("", |(_, text)| text);
        let found = pytest_settings(&configs, &Document::parse(pyproject).unwrap(), major);
        let options: Vec<String> =
            found.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (found.file, options.join(";"))
    }

    const PYPROJECT: (&str, &str) = (
        "pyproject.toml",
        "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\npythonpath = ['.', 'src']\nxfail_strict = true\n",
    );

    #[test]
    fn the_first_file_that_counts() {
        let of = |file: &str, options: &str| (Some(file.to_owned()), options.to_owned());
        let setup = ("setup.cfg", "[tool:pytest]\nasyncio_mode = strict\n");
        let tox = ("tox.ini", "[pytest]\na: b\n");
        let pyproject = "asyncio_mode=auto;pythonpath=.\nsrc;xfail_strict=True";
        assert_eq!(read(&[PYPROJECT, setup, tox], None), of("pyproject.toml", pyproject));
        assert_eq!(read(&[PYPROJECT, ("pytest.ini", "")], None), of("pytest.ini", ""));
        assert_eq!(read(&[PYPROJECT, (".pytest.ini", "[pytest]\nx=1")], None), of(".pytest.ini", "x=1"));
        assert_eq!(read(&[("pyproject.toml", ""), setup, tox], None), of("tox.ini", "a=b"));
        assert_eq!(read(&[setup, ("tox.ini", "[tox]\n")], None), of("setup.cfg", "asyncio_mode=strict"));
        assert_eq!(read(&[("setup.cfg", "[pytest]\na=1\n")], None), (None, String::new()));
    }

    #[test]
    fn the_files_of_pytest_9() {
        let toml = ("pytest.toml", "[pytest]\nasyncio_mode = 'auto'\n");
        assert_eq!(read(&[toml, ("pytest.ini", "")], Some(9)).0.as_deref(), Some("pytest.toml"));
        assert_eq!(read(&[toml, ("pytest.ini", "")], Some(8)).0.as_deref(), Some("pytest.ini"));
        let native = ("pyproject.toml", "[tool.pytest]\nasyncio_mode = 'auto'\n");
        assert_eq!(read(&[native], Some(9)).1, "asyncio_mode=auto");
        assert_eq!(read(&[native], Some(8)), (None, String::new()));
        let hidden = [(".pytest.ini", ""), ("tox.ini", "[pytest]\na=b\n")];
        assert_eq!(read(&hidden, Some(9)).0.as_deref(), Some(".pytest.ini"));
        assert_eq!(read(&hidden, Some(8)).0.as_deref(), Some("tox.ini"));
    }
}
