//! `library-version`: a known defect of an installed version, or of two versions together.

mod fault;
mod requirement;

use loopmend_model::{Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::Lifecycle;

use crate::{Cause, Declined, Found, Mend, Page, Report};

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
    unless: "Always: no change of the source mends a library. The answer names the version to go to. A message that many causes share is believed \
to be the library's only where the versions are known to fit and no frame is the project's.",
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

    fn detect(&self, _: &Lifecycle, _: &mut Report) {}

    fn fix(&self, _: &Lifecycle, _: &Found) -> Result<Mend, Declined> {
        Err(Declined::because("go to another version of the library; the source is right"))
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
