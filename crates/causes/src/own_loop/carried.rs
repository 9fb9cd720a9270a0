//! Whether a mend that gives each piece of work its own loop would carry an object from one to the next.

use std::sync::Arc;

use loopmend_python::edit::apply;
use loopmend_python::lifecycle::Lifecycle;

use crate::Mend;
use crate::carried::carried;

/// The class of an object that would be carried past the end of its loop once the mend is made, and was not before.
pub(crate) fn newly_carried(life: &Lifecycle, mend: &Mend) -> Option<String> {
    let changes: Vec<(String, Arc<str>)> = mend
        .edits
        .iter()
        .filter_map(|(path, edits)| {
            let file = life.file(path)?;
            Some((path.clone(), apply(life.text(file), edits).ok()?.into()))
        })
        .collect();
    let after = life.with_changes(&changes);
    let before: Vec<String> = classes(life);
    classes(&after).into_iter().find(|class| !before.contains(class))
}

fn classes(life: &Lifecycle) -> Vec<String> {
    carried(life)
        .iter()
        .flat_map(|group| group.objects.iter().map(|carried| carried.object.class().to_owned()))
        .collect()
}
