//! The causes' pages: written from the shelf, their only source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::programs::workspace;
use crate::totals::Totals;

/// Writes all pages, and takes away those whose cause is gone.
pub fn write() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
    let pages = pages();
    for name in present()? {
        if !pages.contains_key(&name) {
            fs::remove_file(folder.join(&name)).with_context(|| format!("failed to remove {name}"))?;
        }
    }
    for (name, text) in &pages {
        fs::write(folder.join(name), text).with_context(|| format!("failed to write {name}"))?;
    }
    println!("{} pages in {}", pages.len(), folder.display());
    Ok(())
}

/// Checks that the pages in the tree are those of the shelf.
pub fn current() -> Result<Totals> {
    let mut totals = Totals::default();
    let pages = pages();
    for (name, text) in &pages {
        let holds = fs::read_to_string(folder().join(name)).is_ok_and(|found| found == *text);
        if !holds {
            println!("docs/causes/{name} is not what the shelf says: run `cargo xtask docs`");
        }
        totals += Totals::one(holds);
    }
    for name in present()?.into_iter().filter(|name| !pages.contains_key(name)) {
        println!("docs/causes/{name} has no cause on the shelf: run `cargo xtask docs`");
        totals += Totals::one(false);
    }
    Ok(totals)
}

fn folder() -> PathBuf {
    workspace().join("docs/causes")
}

fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut index =
        "# Causes\n\nWhat loopmend finds and mends. These pages are written by `cargo xtask docs` from the \
                     causes themselves;\n`loopmend explain CAUSE` prints the same.\n\n"
            .to_owned();
    for cause in loopmend_causes::shelf() {
        let _ = writeln!(index, "- [{0}]({0}.md): {1}", cause.slug(), cause.page().title);
        pages.insert(
            format!("{}.md", cause.slug()),
            format!("{}\n", cause.page().markdown(cause.slug()).trim_end()),
        );
    }
    pages.insert("README.md".to_owned(), index);
    pages
}

fn present() -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder()) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
