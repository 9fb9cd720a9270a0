//! What is said of an object that is left open.

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Leak, LeakKind, Lifecycle, Site};

use super::child::Child;
use super::fate::{How, Keeper, Open};
use super::{Detail, SLUG, owner};
use crate::{Found, Report, Spot};

pub(super) fn open(life: &Lifecycle, site: &Site, open: Open) -> Found {
    let class = &open.closer.class;
    let resource = site.gives.rsplit('.').next().unwrap_or(&site.gives).to_owned();
    let of_tree = open.closer.owner.is_some();
    let what = if of_tree { format!("`{class}`, which keeps a `{resource}`,") } else { format!("`{class}`") };
    let place = |function: &FunctionRef| life.facts(function.file).function(function.id).qualname.clone();
    let message = match (&open.how, &open.keeper) {
        (How::Never, Keeper::Function(function)) => {
            format!("The {what} that `{}` opens is never closed.", place(function))
        }
        (How::Never, Keeper::Class(owner, name)) => {
            let owner = &life.facts(owner.file).class(owner.id).name;
            format!("`{owner}` keeps a {what} in `{name}` and has no way to close it.")
        }
        (How::Never, Keeper::Module(_, name)) => {
            format!("The {what} in the global `{name}` is never closed: the loop ends before it does.")
        }
        (How::Never, Keeper::Cache(function)) => {
            format!("The {what} that the cache of `{}` keeps is never closed.", place(function))
        }
        (How::Never, Keeper::State(name)) => {
            format!("The {what} kept in `{}` is never closed.", name.trim_matches(['[', ']']))
        }
        (How::Uncalled(function), _) => {
            format!("Nothing calls `{}`, which would close the {what}.", place(function))
        }
        (How::Some(leaks), _) => {
            let lines = lines(life, open.at, leaks);
            let way = match leaks.first().map(|leak| leak.kind) {
                Some(LeakKind::Raise) => "a `raise`",
                Some(LeakKind::End) => "a way to the end of the function",
                _ => "an early `return`",
            };
            format!("The {what} is closed, but {way} passes the close by ({lines}).")
        }
        (How::Exceptions(_), _) => {
            format!("The {what} is closed, but not when an exception comes between opening and close.")
        }
    };
    let spot = match &open.keeper {
        Keeper::Class(..) | Keeper::Module(..) | Keeper::Cache(_) | Keeper::State(_) => {
            Spot::expr(life, site.call)
        }
        Keeper::Function(_) => Spot::expr(life, open.at),
    };
    let mut found = Found::new(SLUG, spot, message);
    found.doubtful = open.doubtful;
    found.unwinding = matches!(open.how, How::Exceptions(_));
    if let How::Some(leaks) | How::Exceptions(leaks) = &open.how {
        for leak in leaks.iter().take(3) {
            let stmt = loopmend_python::lifecycle::StmtRef { file: open.at.file, id: leak.stmt };
            found.related.push((Spot::stmt(life, stmt), "left open this way".to_owned()));
        }
    }
    if let How::Uncalled(function) = &open.how {
        found.related.push((Spot::function(life, *function), "closes it, uncalled".to_owned()));
    }
    if let Some(owner) = open.closer.owner
        && let Some(step) = open.closer.steps.first()
        && let Some(method) = life.method(owner, &step.method)
    {
        found
            .related
            .push((Spot::function(life, method), "closes it, but is not called for this one".to_owned()));
    }
    if let Keeper::Class(class, _) = &open.keeper {
        for maker in owner::makers(life, *class).into_iter().take(3) {
            found.related.push((Spot::expr(life, maker), "makes the owner".to_owned()));
        }
    }
    if found.spot != Spot::expr(life, site.call) {
        found.related.push((Spot::expr(life, site.call), format!("the {resource} is opened here")));
    }
    found.functions = vec![site.function];
    let facts = life.facts(open.at.file);
    found.functions.push(FunctionRef { file: open.at.file, id: facts.function_of(open.at.id) });
    found.functions.extend(open.users.iter().copied());
    found.functions.dedup();
    found.names = vec![site.gives.to_string(), resource];
    if of_tree {
        found.names.push(class.clone());
    }
    match &open.keeper {
        Keeper::Class(_, name) | Keeper::Module(_, name) | Keeper::State(name) => {
            found.names.push(name.trim_matches(['[', ']']).to_owned());
        }
        Keeper::Function(_) | Keeper::Cache(_) => {}
    }
    // The author closes it already, only not on every way: nothing is used after the end that is new.
    let closed_by_author = matches!(open.how, How::Some(_)) && matches!(open.keeper, Keeper::Function(_));
    found.applicability =
        if closed_by_author && !open.doubtful { Applicability::Safe } else { Applicability::Unsafe };
    found.detail = Some(Arc::new(Detail::Open(open)));
    found
}

fn lines(life: &Lifecycle, at: ExprRef, leaks: &[Leak]) -> String {
    let facts = life.facts(at.file);
    let mut texts: Vec<String> = leaks
        .iter()
        .map(|leak| {
            let text = &life.text(at.file)[facts.stmt(leak.stmt).range];
            format!("`{}`", text.lines().next().unwrap_or_default().trim())
        })
        .collect();
    texts.dedup();
    texts.truncate(3);
    texts.join(", ")
}

pub(super) fn child(life: &Lifecycle, site: &Site, report: &mut Report) {
    let facts = life.facts(site.call.file);
    let (spot, message, doubtful, detail) = match super::child::child(life, site.call) {
        Child::Fine => return,
        Child::NeverWaited => (
            Spot::expr(life, site.call),
            "Nothing waits for this child process: its transport outlives the loop.".to_owned(),
            true,
            None,
        ),
        Child::Abandoned(child) => {
            let spot = match child.killing {
                Some(kill) => Spot::expr(life, site.call.with(kill)),
                None => Spot { file: site.call.file, range: facts.stmt(child.first).range },
            };
            let message = match child.killing {
                Some(_) => format!(
                    "`{}` is killed when it times out, but nobody waits for it: its transport is collected after the loop has ended.",
                    child.child
                ),
                None => {
                    format!("`{}` goes on when it times out: it must be killed and waited for.", child.child)
                }
            };
            (spot, message, false, Some(Arc::new(Detail::Abandoned(child))))
        }
    };
    let mut found = Found::new(SLUG, spot, message);
    found.doubtful = doubtful;
    if found.spot != Spot::expr(life, site.call) {
        found.related.push((Spot::expr(life, site.call), "the child is started here".to_owned()));
    }
    found.functions = vec![site.function];
    found.names = vec!["BaseSubprocessTransport".to_owned(), "Process".to_owned()];
    found.symptoms = vec![
        "ignored-subprocess-del",
        "subprocess-loop-closed",
        "subprocess-still-running",
        "unclosed-transport",
        "event-loop-closed",
        "ignored-function-del",
    ];
    if let Some(detail) = detail {
        found.detail = Some(detail);
    }
    report.add(found);
}
