//! Version expressions of the catalogue: `>=3.11.5,<3.11.6 || ==3.12.0`, `1.4.11 to 1.4.12`, `all`.

use loopmend_model::Version;

/// What is known of a version and an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is in the range.
    Yes,
    /// It is not.
    No,
    /// The version is not known, or the expression names no range.
    Unknown,
}

/// Whether a version is in the range that the words name.
pub(super) fn fits(words: &str, version: Option<&Version>) -> Fit {
    let words = words.split('(').next().unwrap_or(words).trim();
    if words == "all" || words.starts_with("all ") {
        return Fit::Yes;
    }
    let mut known = false;
    for alternative in words.split("||") {
        let Some(bounds) = bounds(alternative.trim()) else { continue };
        known = true;
        if version
            .is_some_and(|version| bounds.iter().all(|(operator, bound)| holds(version, operator, bound)))
        {
            return Fit::Yes;
        }
    }
    if known && version.is_some() { Fit::No } else { Fit::Unknown }
}

/// `>=1,<2`, `==1.2`, `1.4 to 1.5` as bounds; none where it is no range.
fn bounds(words: &str) -> Option<Vec<(&'static str, Version)>> {
    if let Some((low, high)) = words.split_once(" to ").filter(|_| !words.contains("seen")) {
        return Some(vec![(">=", Version::parse(low)?), ("<=", Version::parse(high)?)]);
    }
    words
        .split(',')
        // `>=1.32, seen to 1.76`: newer ones were not looked at.
        .filter(|part| !part.trim().starts_with("seen"))
        .map(|part| {
            let part = part.trim();
            let operator =
                ["==", ">=", "<=", "<", ">"].into_iter().find(|operator| part.starts_with(operator))?;
            Some((operator, Version::parse(&part[operator.len()..])?))
        })
        .collect::<Option<Vec<_>>>()
        .filter(|bounds| !bounds.is_empty())
}

fn holds(version: &Version, operator: &str, bound: &Version) -> bool {
    let at_least = version.at_least(&bound.release);
    let equal = at_least && bound.at_least(&version.release);
    match operator {
        ">=" => at_least,
        "<" => !at_least,
        ">" => at_least && !equal,
        "<=" => !at_least || equal,
        _ => equal,
    }
}

/// The distributions that a `with` names, each with its range (empty for any version).
pub(super) fn companions(with: &str) -> Vec<(String, String)> {
    let with = with.split('(').next().unwrap_or(with);
    with.split(" on ")
        .filter_map(|one| {
            let one = one.trim();
            let end = one
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
                .unwrap_or(one.len());
            let (name, range) = one.split_at(end);
            (!name.is_empty()).then(|| (normalised(name), range.trim().to_owned()))
        })
        .collect()
}

/// A distribution's name as indexes compare it.
pub(super) fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(words: &str, version: &str) -> Fit {
        fits(words, Version::parse(version).as_ref())
    }

    #[test]
    fn ranges() {
        let affected = "<0.21.2 || >=0.22,<0.23.6";
        assert_eq!(fit(affected, "0.21.1"), Fit::Yes);
        assert_eq!(fit(affected, "0.21.2"), Fit::No);
        assert_eq!(fit(affected, "0.23.5"), Fit::Yes);
        assert_eq!(fit(affected, "0.23.6"), Fit::No);
        assert_eq!(fit(">=8.2", "8.2.0"), Fit::Yes);
        assert_eq!(fit("==3.12.0", "3.12"), Fit::Yes);
        assert_eq!(fit("1.4.11 to 1.4.12", "1.4.12"), Fit::Yes);
        assert_eq!(fit("1.4.11 to 1.4.12", "1.4.13"), Fit::No);
        assert_eq!(fit("<=1.6.0 (last)", "1.6.0"), Fit::Yes);
        assert_eq!(fit("not established (reported 2024-07)", "1.0"), Fit::Unknown);
        assert_eq!(fit("seen to 2.x", "1.0"), Fit::Unknown);
        assert_eq!(fit(">=1.32, seen to 1.76", "1.60"), Fit::Yes);
        assert_eq!(fit("all", "9"), Fit::Yes);
        assert_eq!(fits("<3", None), Fit::Unknown);
    }

    #[test]
    fn two_libraries() {
        assert_eq!(companions("pytest >=8.2"), [("pytest".to_owned(), ">=8.2".to_owned())]);
        assert_eq!(
            companions("uvicorn >=0.36 on python >=3.12"),
            [("uvicorn".to_owned(), ">=0.36".to_owned()), ("python".to_owned(), ">=3.12".to_owned())]
        );
        assert_eq!(companions("uvloop"), [("uvloop".to_owned(), String::new())]);
    }
}
