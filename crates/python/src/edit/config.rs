//! Keys set in configuration files, everything else kept.

use toml_edit::{DocumentMut, Item, Table, Value};

use super::refused::Refused;

/// The TOML text with `key = value` in the table at `path`, which is made where it is missing. `value` is TOML
/// itself: `"\"function\""`, `true`, `[1, 2]`. Comments and the format of all else stay.
pub fn set_toml_key(text: &str, path: &[&str], key: &str, value: &str) -> Result<String, Refused> {
    let toml = |error: &dyn std::fmt::Display| Refused::Toml(error.to_string());
    let crlf = text.contains("\r\n");
    let mut document: DocumentMut = text.parse().map_err(|error| toml(&error))?;
    let mut value: Value = value.parse().map_err(|error| toml(&error))?;
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for (depth, name) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        let item = table.entry(name).or_insert_with(|| {
            let mut made = Table::new();
            made.set_implicit(!last);
            Item::Table(made)
        });
        if let (true, Some(made)) = (last, item.as_table_mut())
            && made.is_empty()
        {
            made.set_implicit(false);
        }
        table = item.as_table_like_mut().ok_or_else(|| toml(&format!("`{name}` is not a table")))?;
    }
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(known) => {
            if known.to_string().trim() == value.to_string().trim() {
                return Ok(text.to_owned());
            }
            *value.decor_mut() = known.decor().clone();
            *known = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
    let result = document.to_string();
    Ok(if crlf { result.replace("\r\n", "\n").replace('\n', "\r\n") } else { result })
}

/// The INI text (`pytest.ini`, `setup.cfg`, `tox.ini`) with `key = value` in a section, which is added where it is
/// missing. Comments and all other lines stay; a value over several lines is replaced whole.
pub fn set_ini_key(text: &str, section: &str, key: &str, value: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(head) = lines.iter().position(|line| section_name(line) == Some(section)) else {
        let mut result = text.to_owned();
        if !result.is_empty() {
            if !result.ends_with('\n') {
                result.push_str(newline);
            }
            if !result.ends_with(&newline.repeat(2)) {
                result.push_str(newline);
            }
        }
        return result + &format!("[{section}]{newline}{key} = {value}{newline}");
    };
    let end = lines[head + 1..]
        .iter()
        .position(|line| section_name(line).is_some())
        .map_or(lines.len(), |at| head + 1 + at);
    let known =
        (head + 1..end).find(|&at| option(lines[at]).is_some_and(|(name, _)| name.eq_ignore_ascii_case(key)));
    let sign = (head + 1..end).find_map(|at| option(lines[at]).map(|(_, sign)| sign)).unwrap_or(" = ");
    if let Some(at) = known {
        let mut below = at + 1;
        while below < end && lines[below].starts_with([' ', '\t']) && !lines[below].trim().is_empty() {
            below += 1;
        }
        let line = lines[at];
        let (name, sign) = option(line).unwrap_or((key, sign));
        if below == at + 1 && line.trim_end() == format!("{name}{sign}{value}") {
            return text.to_owned();
        }
        let ending = if lines[below - 1].ends_with('\n') { newline } else { "" };
        let replaced = format!("{name}{sign}{value}{ending}");
        lines.splice(at..below, [replaced.as_str()]);
        return lines.concat();
    }
    // Behind the last line of the section that says something; comments that close it stay where they are.
    let last = (head..end).rev().find(|&at| !lines[at].trim().is_empty()).unwrap_or(head);
    let lead = if lines[last].ends_with('\n') { "" } else { newline };
    let added = format!("{lead}{key}{sign}{value}{newline}");
    lines.insert(last + 1, &added);
    lines.concat()
}

fn section_name(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix('[')?.split(']').next()
}

/// The name of an option's line and the sign with its white space.
fn option(line: &str) -> Option<(&str, &str)> {
    if line.starts_with([' ', '\t', '#', ';', '[']) {
        return None;
    }
    let at = line.find(['=', ':'])?;
    let name = line[..at].trim_end();
    let behind = &line[at + 1..];
    let space = behind.len() - behind.trim_start_matches([' ', '\t']).len();
    (!name.is_empty()).then(|| (name, &line[name.len()..at + 1 + space]))
}
