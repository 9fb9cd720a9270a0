//! The edits of one mend, over several files.

use loopmend_model::Applicability;
use loopmend_python::edit::{Edit, Refused, Source};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle};

use super::closer::Closer;
use crate::{Declined, Mend};

/// A mend in the making.
pub(super) struct Edits<'l> {
    pub(super) life: &'l Lifecycle,
    mend: Mend,
    /// Calls whose value is taken care of already, so that a circle ends.
    made: Vec<ExprRef>,
}

impl<'l> Edits<'l> {
    pub(super) fn new(life: &'l Lifecycle, applicability: Applicability) -> Self {
        Self { life, mend: Mend::new(applicability), made: Vec::new() }
    }

    /// The source of a file as it is in the tree.
    pub(super) fn source(&self, file: FileId) -> Source {
        Source::parse(&self.life.facts(file).path, self.life.text(file).clone())
    }

    pub(super) fn add(&mut self, file: FileId, edits: Vec<Edit>) {
        self.mend.edit(self.life, file, edits);
    }

    pub(super) fn try_add(
        &mut self,
        file: FileId,
        edits: Result<Vec<Edit>, Refused>,
    ) -> Result<(), Declined> {
        self.add(file, edits?);
        Ok(())
    }

    /// Says which calls a close adds.
    pub(super) fn closes(&mut self, closer: &Closer) {
        for name in closer.calls() {
            self.adds(name);
        }
    }

    pub(super) fn adds(&mut self, name: String) {
        if !self.mend.declared.added.contains(&name) {
            self.mend.declared.added.push(name);
        }
    }

    pub(super) fn removes(&mut self, name: String) {
        if !self.mend.declared.removed.contains(&name) {
            self.mend.declared.removed.push(name);
        }
    }

    pub(super) fn moves(&mut self) {
        self.mend.declared.moved = true;
    }

    pub(super) fn note(&mut self, text: String) {
        self.mend.notes.push(text);
    }

    /// Whether a call is new to this mend.
    pub(super) fn first(&mut self, call: ExprRef) -> bool {
        let new = !self.made.contains(&call);
        self.made.push(call);
        new
    }

    pub(super) fn finish(self) -> Mend {
        self.mend
    }

    /// How a file imports a module of the tree: as it does already, as others do, or by its name.
    pub(super) fn module_name(&self, of: FileId, from: FileId) -> String {
        let life = self.life;
        let imported_by = |file: FileId| {
            life.outline(file).imports.iter().find_map(|import| {
                (life.imported_file(file, import.level, &import.module) == Some(of)).then(|| {
                    (import.level, format!("{}{}", ".".repeat(import.level as usize), import.module))
                })
            })
        };
        if let Some((_, text)) = imported_by(from) {
            return text;
        }
        if let Some((_, text)) = life.files().filter_map(imported_by).find(|(level, _)| *level == 0) {
            return text;
        }
        let full = life.facts(of).module.to_string();
        match full.split_once('.') {
            Some(("src" | "lib" | "python", rest)) if life.modules().find(rest, from) == Some(of) => {
                rest.to_owned()
            }
            _ => full,
        }
    }
}
