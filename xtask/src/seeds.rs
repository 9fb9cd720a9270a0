//! Defects that are sown into a large tree, to see that each is found there.
//!
//! A seed is a file `seeds/CAUSE.py` or `seeds/CAUSE.VARIANT.py`: a few lines with that defect. It is written at the
//! end of one of the tree's files; a seed of a test goes into a test file of its own beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::programs::workspace;

/// Files that are too short are often empty packages.
const LEAST_BYTES: u64 = 500;

/// A seed in its place.
#[derive(Debug)]
pub struct Sown {
    /// The cause that must be found.
    pub cause: String,
    /// The file, from the tree's root, with `/`.
    pub path: String,
    /// The first line of the seed, counted from 1.
    pub first: usize,
}

/// Sows every seed, each into a file of its own, evenly over the tree.
pub fn sow(tree: &Path) -> Result<Vec<Sown>> {
    let seeds = read()?;
    let mut files = Vec::new();
    python_files(tree, &mut files)?;
    files.sort();
    anyhow::ensure!(files.len() >= seeds.len(), "the tree has fewer files than there are seeds");
    let stride = files.len() / seeds.len();
    let mut sown = Vec::new();
    for (index, (name, seed)) in seeds.iter().enumerate() {
        let cause = name.split('.').next().unwrap_or(name).to_owned();
        let host = &files[index * stride];
        let (path, first) = if seed.contains("import pytest") {
            let path = host.with_file_name(format!("test_sown_{index}.py"));
            fs::write(&path, seed)?;
            (path, 1)
        } else {
            let text = fs::read_to_string(host)?;
            let first = text.lines().count() + 3;
            fs::write(host, format!("{}\n\n\n{seed}", text.trim_end_matches('\n')))?;
            (host.clone(), first)
        };
        let path = path.strip_prefix(tree)?.to_string_lossy().replace('\\', "/");
        sown.push(Sown { cause, path, first });
    }
    Ok(sown)
}

fn read() -> Result<Vec<(String, String)>> {
    let folder = workspace().join("xtask/seeds");
    let mut seeds = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            seeds.push((name, fs::read_to_string(&path)?));
        }
    }
    seeds.sort();
    Ok(seeds)
}

fn python_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            python_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py")
            && entry.metadata()?.len() >= LEAST_BYTES
        {
            files.push(path);
        }
    }
    Ok(())
}
