//! Lower bounds of requirements (PEP 508, Poetry), raised where they stand.

use std::ops::Range;

use loopmend_model::Version;
use ruff_text_size::{TextRange, TextSize};
use toml_edit::{Document, Item, TableLike, Value};

use super::change::Edit;
use super::refused::Refused;

/// Which versions of a distribution a file asks for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The specifiers in the text; empty where any version will do.
    pub range: TextRange,
    /// What stands there: `>=0.21,<1`, `^1.4`.
    pub specifiers: String,
    /// A bare version is a pin, and `^` and `~` are known.
    poetry: bool,
}

/// All requirements of a distribution (by its normalised name) in a dependency file: `pyproject.toml`, `setup.cfg`, or a
/// requirements file. What is no plain version specifier (a URL, a path), or has hashes, is not among them.
pub fn requirements(path: &str, text: &str, name: &str) -> Vec<Requirement> {
    let file = path.rsplit('/').next().unwrap_or(path);
    match file {
        "pyproject.toml" => in_toml(text, name),
        "setup.cfg" => in_lines(text, name, &["install_requires"], "[options.extras_require]"),
        _ if file.ends_with(".txt") => in_lines(text, name, &[], ""),
        _ => Vec::new(),
    }
}

impl Requirement {
    /// The edit after which no version below `lowest` is allowed; none where none is. Refused where the specifiers leave no
    /// room for it.
    pub fn raised(&self, lowest: &str) -> Result<Option<Edit>, Refused> {
        let bound = Version::parse(lowest).ok_or(Refused::Unsupported("the version is none"))?;
        let mut raised = false;
        let mut bounded = false;
        let mut parts = Vec::new();
        for part in self.specifiers.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (sign, version) = split(part, self.poetry)?;
            let room = || Refused::Unsupported("the requirement leaves no room for a higher version");
            let known = || Version::parse(version).ok_or(Refused::Unsupported("a version that is none"));
            let kept = match sign {
                "" | "==" | ">=" | ">" | "^" | "~" | "~=" => {
                    bounded = true;
                    let known = known()?;
                    if known.at_least(&bound.release) {
                        true
                    } else if !compatible(sign, &known, &bound) {
                        return Err(room());
                    } else {
                        raised = true;
                        let sign = if sign == ">" { ">=" } else { sign };
                        parts.push(format!("{sign}{}{lowest}", space(part)));
                        false
                    }
                }
                "<" if bound.at_least(&known()?.release) => return Err(room()),
                "<=" if !known()?.at_least(&bound.release) => return Err(room()),
                _ => true,
            };
            if kept {
                parts.push(part.to_owned());
            }
        }
        if !bounded {
            raised = true;
            parts.retain(|part| part != "*");
            parts.insert(0, format!(">={lowest}"));
        }
        let comma = if self.specifiers.contains(", ") { ", " } else { "," };
        Ok(raised.then(|| Edit::replacement(self.range, parts.join(comma))))
    }
}

/// The white space between a sign and its version.
fn space(part: &str) -> &'static str {
    if part.contains(' ') { " " } else { "" }
}

fn split(part: &str, poetry: bool) -> Result<(&str, &str), Refused> {
    let sign =
        ["===", "==", ">=", "<=", "!=", "~=", "<", ">"].into_iter().find(|sign| part.starts_with(sign));
    let caret = ["^", "~"].into_iter().find(|sign| poetry && part.starts_with(sign));
    let unknown = Refused::Unsupported("the requirement has a form that is not known");
    match sign.or(caret) {
        Some("===") => Err(unknown),
        Some("==") if part.contains('*') => Err(unknown),
        Some(sign) => Ok((sign, part[sign.len()..].trim())),
        None if part == "*" => Ok(("*", "")),
        None if poetry && part.starts_with(|c: char| c.is_ascii_digit()) && !part.contains(['*', '|']) => {
            Ok(("", part))
        }
        None => Err(unknown),
    }
}

/// Whether a higher version is of the series that a sign allows.
fn compatible(sign: &str, known: &Version, higher: &Version) -> bool {
    let shared = match sign {
        "~=" => known.release.len().saturating_sub(1),
        "~" => known.release.len().min(2),
        "^" => known.release.iter().position(|number| *number != 0).map_or(known.release.len(), |at| at + 1),
        _ => 0,
    };
    let number = |version: &Version, index: usize| version.release.get(index).copied().unwrap_or(0);
    (0..shared).all(|index| number(known, index) == number(higher, index))
}

/// Where the specifiers of a requirement (`name[extra] >=1 ; marker`) stand in it; none of another distribution.
fn specifiers_in(requirement: &str, name: &str) -> Option<Range<usize>> {
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(requirement.len());
    let plain = requirement[..end].to_ascii_lowercase().replace(['_', '.'], "-");
    if plain != name {
        return None;
    }
    let mut start = end;
    let rest = &requirement[start..];
    if rest.trim_start().starts_with('[') {
        start += rest.find(']')? + 1;
    }
    let rest = &requirement[start..];
    let words = &rest[..rest.find([';', '#']).unwrap_or(rest.len())];
    // Hashes go with their version.
    if words.contains(['@', '(', '/', '\\']) || words.contains(" --") {
        return None;
    }
    let trimmed = words.trim();
    let from = if trimmed.is_empty() { start } else { start + words.len() - words.trim_start().len() };
    Some(from..from + trimmed.len())
}

fn at(start: usize, len: usize) -> TextRange {
    TextRange::at(TextSize::new(start as u32), TextSize::new(len as u32))
}

fn standard(text: &str, start: usize, requirement: &str, name: &str) -> Option<Requirement> {
    let inside = specifiers_in(requirement, name)?;
    let range = at(start + inside.start, inside.len());
    Some(Requirement { range, specifiers: text[range].to_owned(), poetry: false })
}

/// Requirements one a line; in an INI file those of an option of these names, or of any option of a section.
fn in_lines(text: &str, name: &str, options: &[&str], section: &str) -> Vec<Requirement> {
    let ini = !options.is_empty();
    let (mut offset, mut inside, mut all) = (0, !ini, false);
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let mut lead = line.len() - line.trim_start().len();
        if ini && line.starts_with('[') {
            (inside, all) = (false, line.trim_end() == section);
            continue;
        }
        if ini && lead == 0 {
            let Some((option, _)) = line.split_once('=') else { continue };
            inside = all || options.contains(&option.trim());
            let behind = option.len() + 1;
            lead = behind + line[behind..].len() - line[behind..].trim_start().len();
        }
        let words = line[lead..].trim_end();
        if inside && !words.starts_with(['#', '-']) {
            found.extend(standard(text, start + lead, words, name));
        }
    }
    found
}

/// Arrays of requirements, in tables of arrays too, and Poetry's tables.
fn in_toml(text: &str, name: &str) -> Vec<Requirement> {
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    let get =
        |path: &[&str]| path.iter().try_fold(document.as_item(), |item, key| item.as_table_like()?.get(key));
    let mut found = Vec::new();
    for path in [&["project", "dependencies"][..], &["tool", "uv", "dev-dependencies"]] {
        array(text, get(path), name, &mut found);
    }
    let groups = [
        &["project", "optional-dependencies"][..],
        &["dependency-groups"],
        &["tool", "pdm", "dev-dependencies"],
    ];
    for group in groups.into_iter().filter_map(|path| get(path)?.as_table_like()) {
        for (_, list) in group.iter() {
            array(text, Some(list), name, &mut found);
        }
    }
    for table in ["dependencies", "dev-dependencies"] {
        let item = get(&["tool", "poetry", table]);
        poetry(text, item.and_then(Item::as_table_like), name, &mut found);
    }
    let groups = get(&["tool", "poetry", "group"]).and_then(Item::as_table_like);
    for (_, group) in groups.into_iter().flat_map(TableLike::iter) {
        let item = group.as_table_like().and_then(|group| group.get("dependencies"));
        poetry(text, item.and_then(Item::as_table_like), name, &mut found);
    }
    found.sort_by_key(|requirement| requirement.range.start());
    found
}

/// The inside of a string as it stands in the text, where nothing in it is escaped.
fn literal(text: &str, value: &Value) -> Option<Range<usize>> {
    let span = value.span()?;
    let inside = span.start + 1..span.end.checked_sub(1)?;
    (text.get(inside.clone())? == value.as_str()?).then_some(inside)
}

fn array(text: &str, item: Option<&Item>, name: &str, found: &mut Vec<Requirement>) {
    for value in item.and_then(Item::as_array).into_iter().flatten() {
        if let Some(inside) = literal(text, value) {
            found.extend(standard(text, inside.start, &text[inside.clone()], name));
        }
    }
}

fn poetry(text: &str, table: Option<&dyn TableLike>, name: &str, found: &mut Vec<Requirement>) {
    for (key, item) in table.into_iter().flat_map(TableLike::iter) {
        if key.to_ascii_lowercase().replace(['_', '.'], "-") != name {
            continue;
        }
        let version = item.as_table_like().map_or(Some(item), |table| table.get("version"));
        if let Some(inside) = version.and_then(Item::as_value).and_then(|value| literal(text, value)) {
            let specifiers = text[inside.clone()].to_owned();
            found.push(Requirement { range: at(inside.start, inside.len()), specifiers, poetry: true });
        }
    }
}
