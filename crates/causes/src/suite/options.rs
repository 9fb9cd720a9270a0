//! pytest's options in the file that it reads.

use loopmend_python::edit::{Refused, set_ini_key, set_toml_key};
use loopmend_python::facts::{TextRange, TextSize};
use loopmend_python::lifecycle::Lifecycle;

use crate::Spot;

/// The path and new text of the file that pytest reads, with an option set in it. Where pytest reads none, a section is
/// added to `pyproject.toml` if there is one, else `pytest.ini` is made.
pub(crate) fn set_option(
    life: &Lifecycle,
    text: impl Fn(&str) -> Option<String>,
    name: &str,
    value: &str,
) -> Result<(String, String), Refused> {
    let path = match &life.settings().pytest.file {
        Some(path) => path.clone(),
        None if life.config("pyproject.toml").is_some() => "pyproject.toml".to_owned(),
        None => "pytest.ini".to_owned(),
    };
    let before = text(&path).unwrap_or_default();
    let quoted = format!("\"{value}\"");
    let after = match path.as_str() {
        "pytest.toml" | ".pytest.toml" => set_toml_key(&before, &["pytest"], name, &quoted)?,
        "pyproject.toml" => set_toml_key(&before, table(&before), name, &quoted)?,
        "setup.cfg" => set_ini_key(&before, "tool:pytest", name, value),
        _ => set_ini_key(&before, "pytest", name, value),
    };
    Ok((path, after))
}

/// The table of `pyproject.toml` that holds pytest's options; `[tool.pytest]` itself from pytest 9 on.
fn table(text: &str) -> &'static [&'static str] {
    let header = |name: &str| text.lines().any(|line| line.trim() == name);
    if header("[tool.pytest]") && !text.contains("tool.pytest.ini_options") {
        &["tool", "pytest"]
    } else {
        &["tool", "pytest", "ini_options"]
    }
}

/// Where an option stands in the file that pytest reads, else the header of its section, else the start of the file.
pub(crate) fn option_spot(life: &Lifecycle, name: &str) -> Option<Spot> {
    let path = life.settings().pytest.file.as_ref()?;
    let file = life.config(path)?;
    let text = life.text(file);
    let headers: &[&str] = match path.as_str() {
        "pyproject.toml" => &["[tool.pytest.ini_options]", "[tool.pytest]"],
        "setup.cfg" => &["[tool:pytest]"],
        _ => &["[pytest]"],
    };
    let (mut offset, mut inside) = (0, false);
    let mut header: Option<TextRange> = None;
    for line in text.split_inclusive('\n') {
        let range = TextRange::at(TextSize::new(offset), TextSize::of(line.trim_end()));
        offset += line.len() as u32;
        if line.starts_with('[') {
            inside = headers.contains(&line.trim_end());
            if inside {
                header.get_or_insert(range);
            }
        } else if inside && line.trim_start().strip_prefix(name).is_some_and(is_end_of_name) {
            return Some(Spot { file, range });
        }
    }
    Some(Spot { file, range: header.unwrap_or_else(|| TextRange::empty(TextSize::new(0))) })
}

fn is_end_of_name(rest: &str) -> bool {
    rest.trim_start().starts_with(['=', ':'])
}
