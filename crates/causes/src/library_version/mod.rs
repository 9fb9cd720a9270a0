//! `library-version`: a known defect of an installed version, or of two versions together.

mod fault;
mod raise;
mod requirement;

use std::sync::Arc;

use loopmend_model::{Applicability, Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::Lifecycle;

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use raise::Raise;

/// The cause.
pub struct LibraryVersion;

const PAGE: Page = Page {
    title: "A known defect of an installed version",
    what: "Some releases of libraries, or two releases together, fail although the program follows their documentation: pytest-asyncio 0.21.1 \
does not know pytest 8.2, nest_asyncio breaks newer uvicorn, a client's `__del__` runs into a closed loop. The traceback then has frames of \
the library and its host only, and the version is in the range that is known to be affected.",
    log: "E   AttributeError: 'FixtureDef' object has no attribute 'unittest'\n\n/venv/lib/python3.11/site-packages/pytest_asyncio/plugin.py:281: AttributeError",
    wrong: "",
    right: "",
    unless: "No change of the source mends a library: the answer to a log names the version to go to, and the tree is left alone. With `--unsafe` \
the lower bound in `pyproject.toml`, `setup.cfg` or a requirements file is raised to the first version without the fault, where the other bounds \
leave room for it and no hashes are pinned; installing it, or making the lock file anew, is left to you. A message that many causes share is believed \
to be the library's only where the versions are known to fit and no frame is the project's. Without a log only two versions that are known not to go \
together are told of.",
    prevent: "Pin versions that work together, and move the pins in one change with a run of the tests.",
    symptoms: &[],
};

impl Cause for LibraryVersion {
    fn slug(&self) -> &'static str {
        "library-version"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        // Whether a program comes upon the fault of one library is not known; two that don't go together fail at once.
        let pairs = fault::present(life).filter(|(fault, _)| fault.with.is_some());
        for (fault, known) in pairs {
            if let Some(raise) = Raise::of(life, fault) {
                report.add(found(raise, &known));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let raise = found
            .detail::<Raise>()
            .ok_or_else(|| Declined::because("go to another version of the library; the source is right"))?;
        let library = &raise.fault.library;
        let edits = raise.edits().map_err(|refused| {
            Declined::because(format!("ask for {library} {} or newer by hand: {refused}", raise.version))
        })?;
        let mut mend = Mend::new(found.applicability);
        for (file, edit) in edits {
            mend.edit_path(life.path(file).to_owned(), vec![edit]);
        }
        mend.notes.push(format!(
            "install {library} {} or newer now, and make the lock file anew if there is one",
            raise.version
        ));
        Ok(mend)
    }

    fn refuse(&self, incident: &Incident, life: Option<&Lifecycle>) -> Option<Refusal> {
        let life = life?;
        let (fault, known) = fault::explains(life, incident)?;
        let what = match &fault.with {
            Some(with) => format!("{} {} with {with}", fault.library, fault.affected),
            None => format!("{} {}", fault.library, fault.affected),
        };
        let here = if known.is_empty() {
            " (which version is installed here is not known)".to_owned()
        } else {
            format!(" (here: {})", known.join(", "))
        };
        Some(Refusal {
            code: RefusalCode::LibraryFault,
            message: format!(
                "This is a known defect of {what}{here}, see {}: the source is right and is left alone. What helps: {}.",
                fault.source,
                fault.advice.trim_end_matches('.')
            ),
        })
    }
}

fn found(raise: Raise, known: &[String]) -> Found {
    let fault = raise.fault;
    let (file, first) = &raise.requirements[0];
    let have = if fault.with.is_some() { "have a known defect together" } else { "has a known defect" };
    let message = format!(
        "{} {have}, see {}: {} {} is the first without it, and an older one is asked for here",
        known.join(" and "),
        fault.source,
        fault.library,
        raise.version
    );
    let mut found = Found::new("library-version", Spot { file: *file, range: first.range }, message);
    found.applicability = Applicability::Unsafe;
    for (file, requirement) in &raise.requirements[1..] {
        let spot = Spot { file: *file, range: requirement.range };
        found.related.push((spot, "asked for here too".to_owned()));
    }
    found.detail = Some(Arc::new(raise));
    found
}

/// The raised lower bound of the library that is to blame for an incident; none where no file of the project asks for it.
pub fn raised(life: &Lifecycle, incident: &Incident) -> Option<Result<(Found, Mend), Declined>> {
    let (fault, known) = fault::explains(life, incident)?;
    let found = found(Raise::of(life, fault)?, &known);
    Some(LibraryVersion.fix(life, &found).map(|mend| (found, mend)))
}
