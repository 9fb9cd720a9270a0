//! pytest's options in the text of a configuration file that a mend has changed.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, Value};

/// The options of pytest's section in this file; none where it has no such section.
pub(in super::super) fn pytest_options(path: &str, text: &str) -> Option<BTreeMap<String, String>> {
    match path {
        "pytest.toml" | ".pytest.toml" => toml_options(text, &["pytest"]),
        "pyproject.toml" => toml_options(text, &["tool", "pytest", "ini_options"])
            .or_else(|| toml_options(text, &["tool", "pytest"])),
        "setup.cfg" => ini_options(text, "tool:pytest"),
        "pytest.ini" | ".pytest.ini" | "tox.ini" => ini_options(text, "pytest"),
        _ => None,
    }
}

fn toml_options(text: &str, path: &[&str]) -> Option<BTreeMap<String, String>> {
    let document: DocumentMut = text.parse().ok()?;
    let mut item: &Item = document.as_item();
    for name in path {
        item = item.get(name)?;
    }
    let table = item.as_table_like()?;
    Some(
        table
            .iter()
            .filter_map(|(key, item)| Some((key.to_owned(), option_text(item.as_value()?))))
            .collect(),
    )
}

fn option_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.value().clone(),
        Value::Boolean(flag) => if *flag.value() { "True" } else { "False" }.to_owned(),
        Value::Array(items) => items.iter().map(option_text).collect::<Vec<_>>().join("\n"),
        other => other.to_string().trim().to_owned(),
    }
}

fn ini_options(text: &str, section: &str) -> Option<BTreeMap<String, String>> {
    let mut options: Option<BTreeMap<String, String>> = None;
    let mut last: Option<String> = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            inside = name.split(']').next() == Some(section);
            last = None;
            if inside {
                options.get_or_insert_default();
            }
        } else if let (true, Some(options)) = (inside, &mut options) {
            if line.starts_with([' ', '\t']) {
                if let Some(value) = last.as_ref().and_then(|name| options.get_mut(name)) {
                    value.push('\n');
                    value.push_str(trimmed);
                }
            } else if let Some(at) = line.find(['=', ':']) {
                let name = line[..at].trim().to_owned();
                options.insert(name.clone(), line[at + 1..].trim().to_owned());
                last = Some(name);
            }
        }
    }
    options
}
