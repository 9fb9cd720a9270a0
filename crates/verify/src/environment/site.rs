//! What is installed in an environment, read from its folders: nothing is run for that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The distributions in these folders by their normalised names, with their versions.
pub(crate) fn distributions(folders: &[PathBuf]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".dist-info")) else { continue };
        if let Some((name, version)) = stem.rsplit_once('-') {
            // The folder that is searched first wins.
            found.entry(normalised(name)).or_insert_with(|| version.to_owned());
        }
    }
    found
}

/// The name as indexes compare it.
pub(crate) fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(&part.to_ascii_lowercase());
    }
    normal
}

/// The name in a requirement such as `uvicorn[standard]>=0.20`.
pub(crate) fn name_of(requirement: &str) -> &str {
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    &requirement[..end.unwrap_or(requirement.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_indexes_do() {
        assert_eq!(normalised("Zope.Interface__x"), "zope-interface-x");
        assert_eq!(name_of("uvicorn[standard]>=0.20"), "uvicorn");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pytest_asyncio-0.23.8.dist-info")).unwrap();
        fs::create_dir(folder.path().join("pytest_asyncio")).unwrap();
        let found = distributions(&[folder.path().to_path_buf()]);
        assert_eq!(found, BTreeMap::from([("pytest-asyncio".to_owned(), "0.23.8".to_owned())]));
    }
}
