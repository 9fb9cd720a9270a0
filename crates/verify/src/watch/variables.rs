//! What makes Python tell more, by environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Frames kept for the place where an object was allocated: enough to get through a library into the program.
const FRAMES: &str = "25";

/// Whether Python is to name the places where objects and tasks were created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Warnings are shown, and nothing else is changed.
    No,
    /// Development mode, asyncio's debug mode and tracemalloc: slower, and it names creation sites.
    Yes,
}

/// The variables for a command, less those that the user has set. Warnings are shown, never made errors.
///
/// Python hides `ResourceWarning` unless told otherwise. pytest and unittest choose warnings by themselves only where nobody
/// told Python anything; so they are given what they would have chosen, and `ResourceWarning` besides.
pub fn variables(
    argv: &[OsString],
    origins: Origins,
    is_set: &dyn Fn(&str) -> bool,
) -> Vec<(&'static str, String)> {
    let warnings = match runner(argv) {
        Runner::Pytest => {
            "always::DeprecationWarning,always::PendingDeprecationWarning,default::ResourceWarning"
        }
        Runner::Unittest => "default",
        Runner::Other => "default::ResourceWarning",
    };
    let mut wanted = vec![("PYTHONWARNINGS", warnings)];
    if origins == Origins::Yes {
        wanted.extend([("PYTHONDEVMODE", "1"), ("PYTHONASYNCIODEBUG", "1"), ("PYTHONTRACEMALLOC", FRAMES)]);
    }
    let unset = wanted.into_iter().filter(|(name, _)| !is_set(name));
    unset.map(|(name, value)| (name, value.to_owned())).collect()
}

enum Runner {
    Pytest,
    Unittest,
    Other,
}

/// Who chooses warnings in a command, as far as its words tell.
fn runner(argv: &[OsString]) -> Runner {
    let name = |word: &OsStr| {
        let stem = Path::new(word).file_stem().unwrap_or(word).to_string_lossy().into_owned();
        stem.to_lowercase()
    };
    for (index, word) in argv.iter().enumerate() {
        match name(word).as_str() {
            "pytest" | "py.test" | "py" if word.to_string_lossy().contains("test") => return Runner::Pytest,
            "unittest" => return Runner::Unittest,
            "manage" if argv.get(index + 1).is_some_and(|next| next == "test") => return Runner::Unittest,
            _ => {}
        }
    }
    Runner::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(command: &str, origins: Origins, known: &[&str]) -> Vec<String> {
        let argv: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        let all = variables(&argv, origins, &|name| known.contains(&name));
        all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn warnings_are_shown_as_the_runner_would_show_them() {
        let pytest = "PYTHONWARNINGS=always::DeprecationWarning,always::PendingDeprecationWarning,default::ResourceWarning";
        for command in
            ["pytest -q", "/v/bin/py.test", "python3 -m pytest", "coverage run -m pytest", "pytest.exe"]
        {
            assert_eq!(set(command, Origins::No, &[]), [pytest], "{command}");
        }
        assert_eq!(set("python -m unittest", Origins::No, &[]), ["PYTHONWARNINGS=default"]);
        assert_eq!(set("python manage.py test", Origins::No, &[]), ["PYTHONWARNINGS=default"]);
        assert_eq!(set("python worker.py", Origins::No, &[]), ["PYTHONWARNINGS=default::ResourceWarning"]);
    }

    #[test]
    fn what_the_user_set_stays() {
        assert_eq!(set("pytest", Origins::No, &["PYTHONWARNINGS"]), Vec::<String>::new());
        assert_eq!(
            set("python a.py", Origins::Yes, &["PYTHONDEVMODE", "PYTHONWARNINGS"]),
            ["PYTHONASYNCIODEBUG=1", "PYTHONTRACEMALLOC=25"]
        );
    }
}
