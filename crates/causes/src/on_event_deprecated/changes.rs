//! The changes of a plan, file by file.

use std::collections::BTreeMap;

use loopmend_python::edit::{Draft, Edit, ImportRequest, Source, import_edits, remove_import};
use loopmend_python::facts::TextRange;
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle};

use crate::lifespan::{Handler, source, unregister};
use crate::{Declined, Mend};

/// All changes so far.
pub(super) struct Changes<'l> {
    life: &'l Lifecycle,
    files: BTreeMap<FileId, Change>,
}

/// What changes in one file.
pub(super) struct Change {
    /// The file as it is.
    pub source: Source,
    /// Edits of it.
    pub edits: Vec<Edit>,
    /// Statements that go.
    pub gone: Vec<TextRange>,
    /// Imports that come.
    pub requests: Vec<ImportRequest>,
    /// Names whose imports go, if nothing uses them then.
    pub unused: Vec<String>,
}

impl<'l> Changes<'l> {
    pub fn new(life: &'l Lifecycle) -> Self {
        Self { life, files: BTreeMap::new() }
    }

    /// Those of a file.
    pub fn of(&mut self, file: FileId) -> &mut Change {
        let life = self.life;
        self.files.entry(file).or_insert_with(|| Change {
            source: source(life, file),
            edits: Vec::new(),
            gone: Vec::new(),
            requests: Vec::new(),
            unused: Vec::new(),
        })
    }

    /// Puts all into a mend, with the registrations of these handlers taken away.
    pub fn finish(
        self,
        handlers: &[&Handler],
        inlined: &[FunctionRef],
        mend: &mut Mend,
    ) -> Result<(), Declined> {
        for (file, change) in self.files {
            let mut edits = change.edits;
            edits.extend(unregister(self.life, &change.source, file, handlers, inlined, &change.gone)?);
            let mut draft = Draft::new(&change.source);
            draft.step(|_| Ok(edits))?;
            draft.step(|now| Ok(import_edits(now, &change.requests).0))?;
            for name in &change.unused {
                draft.step(|now| Ok(remove_import(now, name)))?;
            }
            mend.edit(self.life, file, draft.edits());
        }
        Ok(())
    }
}
