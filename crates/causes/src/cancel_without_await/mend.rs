//! The wait behind a cancel.

use loopmend_python::edit::{Draft, Source, insert_after};
use loopmend_python::lifecycle::Lifecycle;

use super::found_in::Cancel;
use crate::background::{Stop, Wait, import};
use crate::{Declined, Found, Mend};

pub(super) fn mend(life: &Lifecycle, found: &Found, cancel: &Cancel) -> Result<Mend, Declined> {
    let Some((handle, many)) = cancel.handle else {
        return Err(Declined::because("wait for the cancelled task before anything that it uses is closed"));
    };
    let Some(wait) = cancel.waits(life) else {
        let name = &life.facts(cancel.function.file).function(cancel.function.id).name;
        return Err(Declined::because(format!(
            "`{name}` is not async: make it so, wait for the task after the cancel, and await `{name}` where it is called"
        )));
    };
    let file = cancel.call.file;
    let facts = life.facts(file);
    let source = Source::parse(&facts.path, life.text(file).clone());
    if source.is_broken() {
        return Err(Declined::because("mend the syntax errors of the file first"));
    }
    let guarded = many && matches!(wait, Wait::Run(_));
    let stop = Stop { handle: life.source(handle).to_owned(), many, cancel: true, guarded };
    let (lines, requests) = stop.cancelled(life, file, &source, &wait);
    let mut draft = Draft::new(&source);
    draft.step(|now| insert_after(now, facts.stmt(cancel.stmt).range, &lines))?;
    import(&mut draft, &requests)?;
    let mut mend = Mend::new(found.applicability);
    mend.edit(life, file, draft.edits());
    mend.declared.added = stop.added();
    mend.declared.added.retain(|name| name != "cancel");
    if let Wait::Run(_) = wait {
        mend.declared.added.push("run_until_complete".to_owned());
    }
    Ok(mend)
}
