//! A proof as a folder: what anyone needs to look at it, and to repeat it elsewhere.
//!
//! `proof.json` is all of it for programs; beside it are the patch, the log, and each run's output as files for people.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use loopmend_model::{Diagnosis, Patch, Proof, TreeSide};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The form of `proof.json`.
const FORMAT: u32 = 1;
/// The one file that is read back.
const RECORD: &str = "proof.json";
/// A record is refused above this size.
const LARGEST: u64 = 256 << 20;

/// What a bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The form.
    pub format: u32,
    /// The version of the program that made it.
    pub loopmend: String,
    /// The system that it was made on.
    pub system: String,
    /// The commit that the tree was at, where git says.
    pub commit: Option<String>,
    /// The causes found, the first first.
    pub diagnoses: Vec<Diagnosis>,
    /// What Python had printed, or the first part of it.
    pub log: String,
    /// The command that was given.
    pub command: Option<String>,
    /// In how many runs the error must be gone.
    pub runs: usize,
    /// The change.
    pub patch: Option<Patch>,
    /// What was shown.
    pub proof: Proof,
}

/// Why a bundle was not written or read.
#[derive(Debug, Error)]
pub enum BundleError {
    /// A file of it.
    #[error("{what} the bundle's `{}`: {source}", .path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder holds something else.
    #[error("write a bundle to `{}`: the folder is not empty and holds no bundle", .0.display())]
    Taken(PathBuf),
    /// It is none, or one of another form.
    #[error("read the bundle in `{}`: {message}", .path.display())]
    Form {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl Bundle {
    /// Whether a folder holds a bundle.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(RECORD).is_file()
    }

    /// Writes all files; `diff` is the patch as people read it. A bundle that is there is replaced.
    pub fn write(&self, folder: &Path, diff: &str) -> Result<(), BundleError> {
        let empty = folder.read_dir().map_or(true, |mut entries| entries.next().is_none());
        if !empty && !Self::is_in(folder) {
            return Err(BundleError::Taken(folder.to_owned()));
        }
        let runs = folder.join("runs");
        if runs.is_dir() {
            fs::remove_dir_all(&runs).map_err(|source| fails("write", &runs, source))?;
        }
        fs::create_dir_all(&runs).map_err(|source| fails("write", &runs, source))?;
        let put = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|source| fails("write", &path, source))
        };
        put("patch.diff", diff)?;
        put("log.txt", &self.log)?;
        for (number, run) in self.proof.runs.iter().enumerate() {
            let side = match run.tree {
                TreeSide::Before => "before",
                TreeSide::After => "after",
            };
            let mode = if run.watched { "-watched" } else { "" };
            let variables: Vec<String> =
                run.env.iter().map(|(name, value)| format!("{name}={value} ")).collect();
            let variables = variables.concat();
            let text = format!(
                "$ {variables}{}\n{}\n[{}, {} ms]\n",
                run.command, run.output, run.exit, run.milliseconds
            );
            put(&format!("runs/{:02}-{side}{mode}.txt", number + 1), &text)?;
        }
        let record = Self { format: FORMAT, ..self.clone() };
        let json = serde_json::to_string_pretty(&record)
            .map_err(|error| fails("write", &folder.join(RECORD), io::Error::other(error)))?;
        // Last: a folder with it is whole.
        put(RECORD, &(json + "\n"))
    }

    /// Reads a bundle.
    pub fn read(folder: &Path) -> Result<Self, BundleError> {
        let path = folder.join(RECORD);
        let form = |message: String| BundleError::Form { path: folder.to_owned(), message };
        let size = path.metadata().map_err(|source| fails("read", &path, source))?.len();
        if size > LARGEST {
            return Err(form("it is too large to be one".to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(|source| fails("read", &path, source))?;
        let bundle: Self = serde_json::from_str(&text).map_err(|error| form(error.to_string()))?;
        if bundle.format != FORMAT {
            return Err(form(format!("its form is {}, this program reads {FORMAT}", bundle.format)));
        }
        Ok(bundle)
    }
}

fn fails(what: &'static str, path: &Path, source: io::Error) -> BundleError {
    BundleError::File { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopmend_model::ProofRun;

    #[test]
    fn a_bundle_comes_back_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("bundle");
        let mut bundle = Bundle { format: FORMAT, log: "it broke".to_owned(), runs: 3, ..Bundle::default() };
        bundle.proof.runs = vec![ProofRun { command: "python a.py".to_owned(), ..ProofRun::default() }];
        bundle.write(&folder, "-a\n+b\n").unwrap();
        bundle.write(&folder, "-a\n+b\n").unwrap();
        assert_eq!(Bundle::read(&folder).unwrap(), bundle);
        assert!(fs::read_to_string(folder.join("runs/01-before.txt")).unwrap().starts_with("$ python a.py"));
    }

    #[test]
    fn nothing_of_others_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("mine"), "x").unwrap();
        assert!(matches!(Bundle::default().write(home.path(), ""), Err(BundleError::Taken(_))));
        assert!(matches!(Bundle::read(home.path()), Err(BundleError::File { .. })));
        fs::write(home.path().join(RECORD), "{}").unwrap();
        assert!(matches!(Bundle::read(home.path()), Err(BundleError::Form { .. })));
    }
}
