//! INI files as pytest reads them (`iniconfig`): `=` or `:`, comments on lines of their own, indented lines
//! continue a value. `setup.cfg` differs from it in nothing that is asked for here.

/// A file's sections, in order.
#[derive(Debug, Default)]
pub(crate) struct Ini {
    sections: Vec<(String, Vec<(String, String)>)>,
}

impl Ini {
    /// Reads what it can: a line that is none of an INI file's is passed over.
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        // Whether an indented line has a value to continue.
        let mut open = false;
        for line in text.lines() {
            let line = if line.trim_start().starts_with(['#', ';']) { "" } else { line.trim_end() };
            if line.is_empty() {
                continue;
            }
            if line.starts_with('[') {
                let header = line.split(['#', ';']).next().unwrap_or(line).trim_end();
                if let Some(name) = header.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    ini.sections.push((name.to_owned(), Vec::new()));
                    open = false;
                }
                continue;
            }
            let Some((_, entries)) = ini.sections.last_mut() else { continue };
            if line.starts_with(char::is_whitespace) {
                if let Some((_, value)) = entries.last_mut().filter(|_| open) {
                    if !value.is_empty() {
                        value.push('\n');
                    }
                    value.push_str(line.trim());
                }
                continue;
            }
            let split =
                line.split_once('=').filter(|(name, _)| !name.contains(':')).or_else(|| line.split_once(':'));
            open = split.is_some();
            if let Some((name, value)) = split {
                entries.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        ini
    }

    /// A section's entries.
    pub fn section(&self, name: &str) -> Option<&[(String, String)]> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, entries)| entries.as_slice())
    }

    /// One value.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.section(section)?.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_iniconfig_does() {
        let ini = Ini::parse(
            "; top\nlost = 1\n[pytest] # why\nasyncio_mode = auto\naddopts: -q\n  --strict=yes\n\n    # no\n  -x\n\
             markers =\n    slow: takes long\n    a = b\n[tool:pytest]\nkey:with = colon\nurl = http://x # kept\n",
        );
        assert_eq!(ini.get("pytest", "asyncio_mode"), Some("auto"));
        assert_eq!(ini.get("pytest", "addopts"), Some("-q\n--strict=yes\n-x"));
        assert_eq!(ini.get("pytest", "markers"), Some("slow: takes long\na = b"));
        assert_eq!(ini.get("tool:pytest", "key"), Some("with = colon"));
        assert_eq!(ini.get("tool:pytest", "url"), Some("http://x # kept"));
        assert_eq!(ini.section("lost"), None);
        assert!(Ini::parse("[pytest\n]\n= \n").section("pytest").is_none());
    }
}
