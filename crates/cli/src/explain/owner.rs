//! Whose code a frame is in, by its path.

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The project's.
    Yours,
    /// An installed library's, by the name it is imported by.
    Library(String),
    /// Python's own.
    Python,
}

impl Owner {
    /// How it is called in the margin.
    pub fn name(&self) -> &str {
        match self {
            Self::Yours => "yours",
            Self::Library(name) => name,
            Self::Python => "Python",
        }
    }
}

/// Whose the file is, on whatever system the path was printed.
pub fn of(path: &str) -> Owner {
    let path = path.replace('\\', "/");
    for folder in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = path.rfind(folder) {
            return library(&path[at + folder.len()..]);
        }
    }
    if path.starts_with("<frozen ") || in_python(&path) {
        return Owner::Python;
    }
    match path.rsplit_once('.') {
        Some((_, "pyx" | "pxd")) => library(&path),
        _ => Owner::Yours,
    }
}

/// The path without what differs from machine to machine.
pub fn short(path: &str) -> String {
    let path = path.replace('\\', "/");
    for folder in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = path.rfind(folder) {
            return path[at + folder.len()..].to_owned();
        }
    }
    match python_folder(&path) {
        Some(at) => path[at..].to_owned(),
        None => path,
    }
}

fn library(path: &str) -> Owner {
    let first = path.split('/').find(|part| !part.is_empty()).unwrap_or(path);
    Owner::Library(first.split('.').next().unwrap_or(first).to_owned())
}

fn in_python(path: &str) -> bool {
    python_folder(path).is_some()
}

/// Where the path goes on after the standard library's folder.
fn python_folder(path: &str) -> Option<usize> {
    for mark in ["/lib/python3.", "/lib64/python3.", "/lib/pypy3."] {
        if let Some(at) = path.find(mark) {
            let rest = at + mark.len();
            return path[rest..].find('/').map(|slash| rest + slash + 1);
        }
    }
    // Windows: C:\Python312\Lib\asyncio\runners.py, …\Programs\Python\Python312\Lib\….
    let at = path.find("/Lib/").filter(|at| path[..*at].to_ascii_lowercase().contains("python"))?;
    Some(at + "/Lib/".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        assert_eq!(of("/app/src/main.py"), Owner::Yours);
        assert_eq!(of("src/main.py"), Owner::Yours);
        assert_eq!(
            of("/app/venv/lib/python3.11/site-packages/httpx/_client.py"),
            Owner::Library("httpx".to_owned())
        );
        assert_eq!(of("/venv/lib/python3.11/site-packages/six.py"), Owner::Library("six".to_owned()));
        assert_eq!(of("/usr/local/lib/python3.12/asyncio/runners.py"), Owner::Python);
        assert_eq!(
            of(r"C:\Users\a\AppData\Local\Programs\Python\Python312\Lib\asyncio\base_events.py"),
            Owner::Python
        );
        assert_eq!(of(r"C:\venv\Lib\site-packages\aiohttp\client.py"), Owner::Library("aiohttp".to_owned()));
        assert_eq!(of("uvloop/loop.pyx"), Owner::Library("uvloop".to_owned()));
        assert_eq!(of("<frozen importlib._bootstrap>"), Owner::Python);
        assert_eq!(of("<stdin>"), Owner::Yours);
    }

    #[test]
    fn short_paths() {
        assert_eq!(short("/usr/lib/python3.12/asyncio/runners.py"), "asyncio/runners.py");
        assert_eq!(short("/v/lib/python3.12/site-packages/httpx/_client.py"), "httpx/_client.py");
        assert_eq!(short("/app/main.py"), "/app/main.py");
    }
}
