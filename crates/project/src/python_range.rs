//! The Python versions that a project says it supports.

use crate::ini::Ini;
use crate::pyproject::Document;

/// A Python's `(major, minor)`.
pub(crate) type Minor = (u8, u8);

/// Lowest and highest supported, as far as said.
pub(crate) type Bounds = (Option<Minor>, Option<Minor>);

/// What packaging metadata says: the first that says anything, the standard's place first.
pub(crate) fn declared(pyproject: &Document<'_>, setup_cfg: Option<&Ini>, setup_py: Option<&str>) -> Bounds {
    let said = pyproject
        .string(&["project", "requires-python"])
        .or_else(|| pyproject.string(&["tool", "poetry", "dependencies", "python"]))
        .or_else(|| setup_cfg.and_then(|ini| ini.get("options", "python_requires")))
        .or_else(|| setup_py.and_then(python_requires));
    said.map(bounds).unwrap_or_default()
}

/// The literal given as `python_requires` in `setup.py`.
fn python_requires(source: &str) -> Option<&str> {
    let at = source.find("python_requires")?;
    let rest = source[at + "python_requires".len()..].trim_start_matches(['"', '\'']).trim_start();
    let rest = rest.strip_prefix(['=', ':'])?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(value, _)| value)
}

/// Reads `3.12.4` and `cpython-3.12` to the minor version.
pub(crate) fn minor(text: &str) -> Option<Minor> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

/// What a specifier set (PEP 440) or a Poetry constraint allows; `||` joins alternatives.
pub(crate) fn bounds(text: &str) -> Bounds {
    text.split('|')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(all_of)
        .reduce(|a, b| {
            let either =
                |x: Option<Minor>, y: Option<Minor>, pick: fn(Minor, Minor) -> Minor| Some(pick(x?, y?));
            (either(a.0, b.0, Ord::min), either(a.1, b.1, Ord::max))
        })
        .unwrap_or_default()
}

fn all_of(text: &str) -> Bounds {
    let mut all: Bounds = (None, None);
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !(c.is_whitespace() || c == ',')) {
        rest = &rest[start..];
        let operator_end = rest.find(|c: char| !"<>=!~^".contains(c)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(operator_end);
        let after = after.trim_start();
        let version_end = after.find(|c: char| c == ',' || c.is_whitespace() || "<>=!~^".contains(c));
        let (version, after) = after.split_at(version_end.unwrap_or(after.len()));
        if operator.is_empty() && version.is_empty() {
            break;
        }
        let (low, high) = clause(operator, version);
        all.0 = all.0.max(low);
        all.1 = match (all.1, high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        rest = after;
    }
    all
}

fn clause(operator: &str, version: &str) -> Bounds {
    let mut numbers = Vec::new();
    for part in version.trim_start_matches('v').split('.') {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part[..end].parse::<u8>() {
            Ok(number) => numbers.push(number),
            Err(_) => break,
        }
    }
    let Some(&major) = numbers.first() else { return (None, None) };
    let minor = numbers.get(1).copied();
    let whole = (major, minor.unwrap_or(0));
    let exactly = (Some(whole), minor.map(|_| whole));
    match operator {
        ">=" | ">" | "^" => (Some(whole), None),
        // The last number may rise: with two of them that is the minor version.
        "~=" if numbers.len() < 3 => (Some(whole), None),
        "~=" | "~" | "==" | "===" | "=" | "" => exactly,
        "<=" => (None, minor.map(|_| whole)),
        "<" if numbers.get(2).is_some_and(|&patch| patch > 0) => (None, Some(whole)),
        "<" => match (major, minor.unwrap_or(0)) {
            (major, minor) if minor > 0 => (None, Some((major, minor - 1))),
            (3, 0) => (None, Some((2, 7))),
            _ => (None, None),
        },
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_and_constraints() {
        let cases: [(&str, Bounds); 22] = [
            (">=3.9", (Some((3, 9)), None)),
            (">= 3.9, < 3.13", (Some((3, 9)), Some((3, 12)))),
            (">=3.9,<4", (Some((3, 9)), None)),
            (">=3.9 <3.12", (Some((3, 9)), Some((3, 11)))),
            (">=3.8,!=3.9.*,<=3.11", (Some((3, 8)), Some((3, 11)))),
            (">3.8", (Some((3, 8)), None)),
            ("~=3.10", (Some((3, 10)), None)),
            ("~=3.10.2", (Some((3, 10)), Some((3, 10)))),
            ("==3.12.*", (Some((3, 12)), Some((3, 12)))),
            ("==3.*", (Some((3, 0)), None)),
            ("^3.9", (Some((3, 9)), None)),
            ("~3.11", (Some((3, 11)), Some((3, 11)))),
            ("3.11.*", (Some((3, 11)), Some((3, 11)))),
            ("3.11", (Some((3, 11)), Some((3, 11)))),
            ("<3.13,>=3.10.4", (Some((3, 10)), Some((3, 12)))),
            ("<3.12.3,>=3.10", (Some((3, 10)), Some((3, 12)))),
            ("~3.9 || ~3.11", (Some((3, 9)), Some((3, 11)))),
            ("^3.9 || ~3.8", (Some((3, 8)), None)),
            ("*", (None, None)),
            ("", (None, None)),
            ("what?", (None, None)),
            (">=999999", (None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(bounds(text), expected, "{text}");
        }
    }

    #[test]
    fn where_it_is_said() {
        let read = |pyproject: &str, cfg: &str, py: &str| {
            declared(&Document::parse(pyproject).unwrap(), Some(&Ini::parse(cfg)), Some(py)).0
        };
        assert_eq!(
            read("[project]\nrequires-python='>=3.9'", "[options]\npython_requires = >=3.7", ""),
            Some((3, 9))
        );
        assert_eq!(read("[tool.poetry.dependencies]\npython='^3.10'", "", ""), Some((3, 10)));
        assert_eq!(read("", "[options]\npython_requires = >=3.7", ""), Some((3, 7)));
        assert_eq!(read("", "", "setup(\n    python_requires = \">=3.8\",\n)"), Some((3, 8)));
        assert_eq!(read("", "", "setup(python_requires=spec())"), None);
    }

    #[test]
    fn minors() {
        assert_eq!(minor("3.12.4"), Some((3, 12)));
        assert_eq!(minor("cpython-3.13.0rc1\n"), Some((3, 13)));
        assert_eq!(minor("pypy"), None);
        assert_eq!(minor("3"), None);
    }
}
