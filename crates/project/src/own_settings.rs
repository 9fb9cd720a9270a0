//! `[tool.loopmend]` of `pyproject.toml`:
//!
//! ```toml
//! [tool.loopmend]
//! ignore = ["dropped-task"]              # causes never reported
//! exclude = ["generated/", "*_pb2.py"]   # in the manner of .gitignore
//! run = "python -m app --once"           # what a proof runs
//! services = ["127.0.0.1:5432"]          # what a proof's runs may reach
//!
//! [tool.loopmend.resources."mypkg.Client"]
//! close = "aclose"            # or a list, best first
//! awaited = true              # whether close is awaited (the default)
//! acquire = "call"            # or "await", where the constructor is awaited
//! context_manager = "async"   # or "sync", or "none" (the default)
//! binds = true                # whether it ties itself to the loop (the default)
//! ```
//!
//! A key that is not known is an error, since a misspelt one would be a setting silently lost.

use loopmend_model::UserResource;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::pyproject::Document;

const KEYS: [&str; 5] = ["ignore", "exclude", "run", "services", "resources"];
const RESOURCE_KEYS: [&str; 5] = ["close", "awaited", "acquire", "context_manager", "binds"];

/// The project's settings for this program.
#[derive(Debug, Default)]
pub(crate) struct OwnSettings {
    pub ignore: Vec<String>,
    pub exclude: Vec<String>,
    pub run: Option<String>,
    pub services: Vec<String>,
    pub resources: Vec<UserResource>,
}

/// What is wrong in `[tool.loopmend]`, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {message}")]
pub struct OwnSettingsError {
    /// The file, in the project.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// One sentence, with what is allowed.
    pub message: String,
}

/// Reads the section; all defaults where there is none.
pub(crate) fn own_settings(pyproject: &Document<'_>) -> Result<OwnSettings, OwnSettingsError> {
    let mut settings = OwnSettings::default();
    let Some(section) = pyproject.get(&["tool", "loopmend"]) else { return Ok(settings) };
    let reader = Reader(pyproject);
    let table = reader.table(section, "tool.loopmend")?;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "ignore" => settings.ignore = reader.strings(value, "ignore")?,
            "exclude" => settings.exclude = reader.strings(value, "exclude")?,
            "run" => settings.run = Some(reader.string(value, "run")?),
            "services" => settings.services = reader.strings(value, "services")?,
            "resources" => {
                for (constructor, value) in reader.table(value, "tool.loopmend.resources")? {
                    settings.resources.push(reader.resource(constructor.get_ref(), value)?);
                }
            }
            other => return Err(reader.unknown(key.span().start, other, "tool.loopmend", &KEYS)),
        }
    }
    Ok(settings)
}

struct Reader<'d, 't>(&'d Document<'t>);

type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Reader<'_, 't> {
    fn error(&self, offset: usize, message: String) -> OwnSettingsError {
        OwnSettingsError { file: "pyproject.toml".to_owned(), line: self.0.line(offset), message }
    }

    fn unknown(&self, offset: usize, key: &str, section: &str, known: &[&str]) -> OwnSettingsError {
        self.error(offset, format!("unknown key `{key}` in [{section}]; known are {}", listed(known)))
    }

    fn wrong(&self, value: &Value<'t>, key: &str, wanted: &str) -> OwnSettingsError {
        let found = value.get_ref().type_str();
        self.error(value.span().start, format!("`{key}` must be {wanted}, not {found}"))
    }

    fn table<'v>(&self, value: &'v Value<'t>, key: &str) -> Result<&'v DeTable<'t>, OwnSettingsError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong(value, key, "a table"))
    }

    fn strings(&self, value: &Value<'t>, key: &str) -> Result<Vec<String>, OwnSettingsError> {
        let items = value.get_ref().as_array().ok_or_else(|| self.wrong(value, key, "a list of strings"))?;
        let string = |item: &Value<'t>| match item.get_ref().as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.wrong(item, key, "a list of strings")),
        };
        items.iter().map(string).collect()
    }

    fn string(&self, value: &Value<'t>, key: &str) -> Result<String, OwnSettingsError> {
        value.get_ref().as_str().map(str::to_owned).ok_or_else(|| self.wrong(value, key, "a string"))
    }

    fn boolean(&self, value: &Value<'t>, key: &str) -> Result<bool, OwnSettingsError> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong(value, key, "true or false"))
    }

    fn choice(&self, value: &Value<'t>, key: &str, allowed: &[&str]) -> Result<String, OwnSettingsError> {
        match value.get_ref().as_str() {
            Some(text) if allowed.contains(&text) => Ok(text.to_owned()),
            Some(text) => {
                let message = format!("`{key}` must be one of {}, not `{text}`", listed(allowed));
                Err(self.error(value.span().start, message))
            }
            None => Err(self.wrong(value, key, "a string")),
        }
    }

    fn resource(&self, constructor: &str, value: &Value<'t>) -> Result<UserResource, OwnSettingsError> {
        let section = format!("tool.loopmend.resources.\"{constructor}\"");
        let mut resource = UserResource {
            constructor: constructor.to_owned(),
            close: Vec::new(),
            close_awaited: true,
            acquire_awaited: false,
            context_manager: "none".to_owned(),
            binds: true,
        };
        for (key, value) in self.table(value, &section)? {
            let offset = key.span().start;
            match key.get_ref().as_ref() {
                "close" => {
                    resource.close = match value.get_ref().as_str() {
                        Some(method) => vec![method.to_owned()],
                        None => self.strings(value, "close")?,
                    }
                }
                "awaited" => resource.close_awaited = self.boolean(value, "awaited")?,
                "acquire" => {
                    resource.acquire_awaited = self.choice(value, "acquire", &["call", "await"])? == "await";
                }
                "context_manager" => {
                    resource.context_manager =
                        self.choice(value, "context_manager", &["async", "sync", "none"])?;
                }
                "binds" => resource.binds = self.boolean(value, "binds")?,
                other if value.get_ref().is_table() => {
                    let quoted = format!("[tool.loopmend.resources.\"{constructor}.{other}\"]");
                    let message =
                        format!("unknown key `{other}` in [{section}]; a dotted path is quoted: {quoted}");
                    return Err(self.error(offset, message));
                }
                other => return Err(self.unknown(offset, other, &section, &RESOURCE_KEYS)),
            }
        }
        Ok(resource)
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OwnSettings, String> {
        own_settings(&Document::parse(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_that_can_be_said() {
        let settings = read(
            "[tool.loopmend]\nignore = ['dropped-task']\nexclude = ['gen/']\nrun = 'python app.py'\nservices = ['127.0.0.1:1']\n\
             [tool.loopmend.resources.\"mypkg.Client\"]\nclose = 'aclose'\nawaited = false\nacquire = 'await'\n\
             context_manager = 'async'\nbinds = false\n[tool.loopmend.resources.\"mypkg.Other\"]\nclose = ['stop', 'kill']\n",
        )
        .unwrap();
        assert_eq!(settings.ignore, ["dropped-task"]);
        assert_eq!(settings.exclude, ["gen/"]);
        assert_eq!(settings.run.as_deref(), Some("python app.py"));
        assert_eq!(settings.services, ["127.0.0.1:1"]);
        let [client, other] = settings.resources.as_slice() else { panic!("two resources") };
        assert_eq!(client.constructor, "mypkg.Client");
        assert_eq!(client.close, ["aclose"]);
        assert!(!client.close_awaited && client.acquire_awaited && !client.binds);
        assert_eq!(client.context_manager, "async");
        assert_eq!(other.close, ["stop", "kill"]);
        assert!(other.close_awaited && !other.acquire_awaited && other.binds);
        assert!(read("[tool.other]\nx = 1\n").unwrap().ignore.is_empty());
    }

    #[test]
    fn mistakes_are_said_with_their_place() {
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(
            error("[tool.loopmend]\nignore = []\nexlude = []\n"),
            "pyproject.toml:3: unknown key `exlude` in [tool.loopmend]; known are `ignore`, `exclude`, `run`, `services`, `resources`"
        );
        assert_eq!(
            error("[tool.loopmend]\nignore = 'x'\n"),
            "pyproject.toml:2: `ignore` must be a list of strings, not string"
        );
        assert_eq!(
            error("[tool.loopmend.resources.\"a.B\"]\nacquire = 'later'\n"),
            "pyproject.toml:2: `acquire` must be one of `call`, `await`, not `later`"
        );
        assert_eq!(
            error("[tool.loopmend.resources.a.B]\nclose = 'x'\n"),
            "pyproject.toml:1: unknown key `B` in [tool.loopmend.resources.\"a\"]; \
             a dotted path is quoted: [tool.loopmend.resources.\"a.B\"]"
        );
        assert_eq!(
            error("[tool]\nloopmend = 3\n"),
            "pyproject.toml:2: `tool.loopmend` must be a table, not integer"
        );
    }
}
