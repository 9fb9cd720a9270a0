//! Findings before and after: each of those after must be one of those before.

use loopmend_causes::{Cause, Found, cause};
use loopmend_python::lifecycle::Lifecycle;

use crate::accept::Rejected;

/// What a finding is known by when lines move: its file, its words, and the text that it is about.
struct Origin<'l> {
    cause: &'static str,
    path: &'l str,
    message: &'l str,
    text: &'l str,
}

impl<'l> Origin<'l> {
    fn of(life: &'l Lifecycle, found: &'l Found) -> Self {
        let file = found.spot.file;
        Self {
            cause: found.cause,
            path: &life.facts(file).path,
            message: &found.message,
            text: &life.text(file)[found.spot.range],
        }
    }

    /// How surely it is the same finding; less is surer.
    fn distance(&self, other: &Self) -> Option<u8> {
        if self.cause != other.cause {
            return None;
        }
        let (path, message, text) =
            (self.path == other.path, self.message == other.message, self.text == other.text);
        match (path, message, text) {
            (true, true, true) => Some(0),
            (true, true, false) => Some(1),
            (true, false, true) => Some(2),
            (false, true, true) => Some(3),
            (false, true, false) => Some(4),
            (false, false, true) => Some(5),
            (_, false, false) => None,
        }
    }
}

/// The target is gone, and every finding left was there before: a doubtful one is new, too.
pub(crate) fn compare(
    before: &Lifecycle,
    after: &Lifecycle,
    target: &Found,
    found_before: &[Found],
    found_after: &[Found],
) -> Result<(), Rejected> {
    let mut mended = false;
    let mut old: Vec<(Origin<'_>, bool)> = Vec::new();
    for found in found_before {
        let own = !mended && found.cause == target.cause && found.spot == target.spot;
        mended |= own;
        old.push((Origin::of(before, found), own));
    }
    let mut pairs: Vec<(u8, bool, usize, usize)> = Vec::new();
    let new: Vec<Origin<'_>> = found_after.iter().map(|found| Origin::of(after, found)).collect();
    for (at, one) in new.iter().enumerate() {
        for (index, (other, own)) in old.iter().enumerate() {
            pairs.extend(one.distance(other).map(|distance| (distance, *own, index, at)));
        }
    }
    // The surest pairs first; the target only where nothing else is as sure.
    pairs.sort_unstable();
    let mut partner: Vec<Option<usize>> = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
    for (_, _, index, at) in pairs {
        if !taken[index] && partner[at].is_none() {
            taken[index] = true;
            partner[at] = Some(index);
        }
    }
    for (origin, partner) in new.iter().zip(partner) {
        match partner {
            Some(index) if old[index].1 => return Err(Rejected::StillFound),
            Some(_) => {}
            None if cause(origin.cause).is_some_and(Cause::shows_by_cleanup) => {}
            None => {
                return Err(Rejected::NewFinding {
                    cause: origin.cause.to_owned(),
                    message: origin.message.to_owned(),
                });
            }
        }
    }
    Ok(())
}
