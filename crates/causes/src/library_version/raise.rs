//! Raising the lower bound of a library that has a fault, where the project says which versions it takes.

use loopmend_model::Version;
use loopmend_python::catalogue::Fault;
use loopmend_python::edit::{Edit, Refused, Requirement, requirements};
use loopmend_python::lifecycle::{FileId, Lifecycle};

use super::requirement::normalised;

/// Where a project asks for a library that has a fault.
#[derive(Clone, Debug)]
pub(super) struct Raise {
    /// The fault.
    pub fault: &'static Fault,
    /// The first version without it.
    pub version: String,
    /// The requirements that still allow a version with it: the file, and what stands there.
    pub requirements: Vec<(FileId, Requirement)>,
}

impl Raise {
    /// Of a fault; none where no version without it is known, or no file of the project allows one with it.
    pub(super) fn of(life: &Lifecycle, fault: &'static Fault) -> Option<Self> {
        let name = normalised(&fault.library);
        let version = fixed(fault, life.settings().version(&name)?)?;
        let mut found = Vec::new();
        for path in life.config_paths() {
            let Some(file) = life.config(path) else { continue };
            for requirement in requirements(path, life.text(file), &name) {
                if !matches!(requirement.raised(&version), Ok(None)) {
                    found.push((file, requirement));
                }
            }
        }
        (!found.is_empty()).then_some(Self { fault, version, requirements: found })
    }

    /// The edits, by file.
    pub(super) fn edits(&self) -> Result<Vec<(FileId, Edit)>, Refused> {
        let mut edits = Vec::new();
        for (file, requirement) in &self.requirements {
            edits.extend(requirement.raised(&self.version)?.map(|edit| (*file, edit)));
        }
        Ok(edits)
    }
}

/// The lowest version without a fault that is higher than the one that has it: of `0.21.2, 0.23.6` that of its own series.
fn fixed(fault: &Fault, known: &Version) -> Option<String> {
    let listed = fault.fixed_in.split('(').next()?;
    listed
        .split(',')
        .map(str::trim)
        .find(|version| {
            version.starts_with(|c: char| c.is_ascii_digit())
                && Version::parse(version).is_some_and(|fixed| !known.at_least(&fixed.release))
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use loopmend_python::catalogue::faults;

    use super::*;

    #[test]
    fn the_fixed_version_of_a_series() {
        let mut fault = faults()[0].clone();
        let mut fixed_in = |words: &str, known: &str| {
            fault.fixed_in = words.to_owned();
            fixed(&fault, &Version::parse(known).expect("a version"))
        };
        assert_eq!(fixed_in("0.21.2, 0.23.6", "0.21.1").as_deref(), Some("0.21.2"));
        assert_eq!(fixed_in("0.21.2, 0.23.6", "0.22.0").as_deref(), Some("0.23.6"));
        assert_eq!(fixed_in("3.10.6 (not verified)", "3.9").as_deref(), Some("3.10.6"));
        assert_eq!(fixed_in("not established", "1"), None);
        assert_eq!(fixed_in("a release after 2.12.1", "2.12"), None);
    }
}
