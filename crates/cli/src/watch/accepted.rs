//! The baseline that a user names: read before the command, judged and perhaps written after it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use loopmend_model::Incident;
use loopmend_verify::watch::{Baseline, Known};

use crate::failure::Failure;
use crate::talk::Talk;

/// What is accepted.
pub struct Accepted {
    file: Option<PathBuf>,
    write: bool,
    baseline: Baseline,
    /// Where the command runs: paths count from here.
    folder: String,
}

impl Accepted {
    /// Reads the file; with `write`, it need not be there.
    pub fn read(file: Option<&Path>, write: bool) -> Result<Self, Failure> {
        let folder =
            env::current_dir().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        let mut baseline = Baseline::default();
        if let Some(file) = file {
            match fs::read_to_string(file) {
                Ok(text) => {
                    baseline = Baseline::read(&text)
                        .map_err(|error| Failure::new(format!("failed to {error}")).hint(hint(file)))?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && write => {}
                Err(error) => {
                    return Err(Failure::new(format!("failed to read {}: {error}", file.display()))
                        .hint("--write-baseline makes it of what a run shows"));
                }
            }
        }
        Ok(Self { file: file.map(Path::to_path_buf), write, baseline, folder })
    }

    /// Whether an incident is known, or is about to be.
    pub fn accepts(&self, incident: &Incident) -> bool {
        self.write || self.baseline.accepts(incident, &self.folder)
    }

    /// Entries of which nothing was seen.
    pub fn stale<'i>(&self, incidents: impl IntoIterator<Item = &'i Incident>) -> Vec<&Known> {
        self.baseline.stale(incidents, &self.folder)
    }

    /// Writes the file where that is asked for, or tells of entries that nothing was seen of.
    pub fn settle<'i>(
        &self,
        incidents: impl IntoIterator<Item = &'i Incident>,
        talk: Talk,
    ) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.write {
            let anew = Baseline::of(incidents, &self.folder);
            fs::write(file, anew.text())
                .map_err(|error| Failure::new(format!("failed to write {}: {error}", file.display())))?;
            talk.say(format_args!(
                "{} accepts {} now (it accepted {})",
                file.display(),
                counted(anew.len()),
                self.baseline.len()
            ));
            return Ok(());
        }
        for known in self.stale(incidents) {
            talk.say(format_args!(
                "{}: not seen in this run, take it out if it is mended: {} {} {}",
                file.display(),
                known.symptom,
                known.place,
                known.subject
            ));
        }
        Ok(())
    }
}

fn counted(number: usize) -> String {
    if number == 1 { "one symptom".to_owned() } else { format!("{number} symptoms") }
}

fn hint(file: &Path) -> String {
    format!(
        "{} is written by `loopmend watch --baseline {} --write-baseline -- COMMAND`",
        file.display(),
        file.display()
    )
}
