//! Versions in lock files. They are written by machines, line by line in one fixed form, so a scan of lines is
//! as exact as a parser and takes no time on a file of megabytes.

use std::path::Path;

use crate::distribution::Versions;

/// The versions of the first lock file that is there.
pub(crate) fn locked(root: &Path) -> Option<Versions> {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).ok();
    if let Some(text) = ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"].into_iter().find_map(read) {
        return Some(packages(&text));
    }
    read("Pipfile.lock").map(|text| pipfile(&text))
}

/// `name` and `version` below each `[[package]]`, up to the next header.
fn packages(text: &str) -> Versions {
    let mut versions = Versions::default();
    let (mut inside, mut name, mut version) = (false, None, None);
    for line in text.lines().chain(["["]) {
        if line.starts_with('[') {
            if let (Some(name), Some(version)) = (name.take(), version.take()) {
                versions.add(name, version);
            }
            (name, version) = (None, None);
            inside = matches!(line.trim_end(), "[[package]]" | "[[packages]]");
        } else if inside {
            name = name.or_else(|| quoted(line, "name"));
            version = version.or_else(|| quoted(line, "version"));
        }
    }
    versions
}

fn quoted<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim();
    value.strip_prefix('"')?.split('"').next()
}

fn pipfile(text: &str) -> Versions {
    let mut versions = Versions::default();
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(text) else { return versions };
    for group in ["default", "develop"] {
        for (name, package) in lock.get(group).and_then(serde_json::Value::as_object).into_iter().flatten() {
            if let Some(specifier) = package.get("version").and_then(serde_json::Value::as_str) {
                versions.add_specifier(name, specifier);
            }
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(versions: Versions) -> Vec<String> {
        versions.into_known().map(|(name, version)| format!("{name} {version}")).collect()
    }

    #[test]
    fn packages_of_uv_and_poetry() {
        let text = "version = 1\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"AnyIO\"\nversion = \"4.4.0\"\n\
                    source = { registry = \"https://pypi.org/simple\" }\ndependencies = [\n    { name = \"idna\" },\n]\n\n\
                    [package.dependencies]\nversion = \"9\"\n\n[[package]]\nname = \"own\"\nsource = { editable = \".\" }\n\n\
                    [[package]]\nname = \"fork\"\nversion = \"1.0\"\n[[package]]\nname = \"fork\"\nversion = \"2.0\"\n\
                    [[package]]\nname = \"last\"\nversion = \"2.0\"\n";
        assert_eq!(known(packages(text)), ["anyio 4.4.0", "last 2.0"]);
    }

    #[test]
    fn packages_of_pipenv() {
        let text = r#"{"_meta": {}, "default": {"httpx": {"version": "==0.27.0"}, "x": {"git": "…"}}, "develop": {"pytest": {"version": "==8.2.0"}}}"#;
        assert_eq!(known(pipfile(text)), ["httpx 0.27.0", "pytest 8.2.0"]);
        assert_eq!(known(pipfile("{")), Vec::<String>::new());
    }
}
