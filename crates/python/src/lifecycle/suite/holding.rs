//! What a fixture keeps alive of a loop while tests run.

use super::super::{ExprRef, FunctionRef, Kind, Lifecycle, SiteKind, StmtRef, UseKind, Value};
use super::Suite;
use crate::catalogue::Binds;
use crate::facts::{ExprKind, StmtKind};

/// What a fixture holds between its set-up and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Plain data: which loop it was made on does not matter.
    Nothing,
    /// Objects of the loop, by the calls that make them.
    Objects {
        /// The calls, in order.
        sites: Vec<ExprRef>,
        /// One of them works by itself, and so needs its loop to run: a server, a task.
        works: bool,
    },
    /// Something that was not resolved.
    Unknown,
}

impl Suite {
    /// What a fixture holds.
    pub fn holding(&self, life: &Lifecycle, index: usize) -> Holding {
        let fixture = &self.fixtures[index];
        let reachable = life.reachable(fixture.function);
        let (mut sites, mut works, mut doubt) = (Vec::new(), false, false);
        for site in life.sites().iter().filter(|site| reachable.contains(&site.function)) {
            let Some(resource) = life.resource(site) else { continue };
            if resource.binds == Binds::Never
                || resource.reuse_in_second_run == "works"
                || has_no_pool(life, site.call)
                || !outlives(life, site.call, site.function, fixture.function)
            {
                continue;
            }
            doubt |= !resource.breaks_in_second_run();
            works |= site.kind == SiteKind::Task
                || ["Server", "AppRunner", "TCPSite", "UnixSite"].iter().any(|end| site.gives.ends_with(end));
            sites.push(site.call);
        }
        if sites.len() > usize::from(doubt) {
            return Holding::Objects { sites, works };
        }
        let given =
            if fixture.is_generator { life.yields(fixture.function) } else { life.returns(fixture.function) };
        let unknown = given.iter().any(|value| match value {
            Value::Unknown | Value::Coroutine(..) => true,
            // What the catalogue knows was judged above.
            Value::Instance(Kind::External(_), Some(site)) if life.site_at(*site).is_some() => false,
            Value::Instance(Kind::External(path), _) => !is_plain(path),
            _ => false,
        });
        if doubt || unknown { Holding::Unknown } else { Holding::Nothing }
    }

    /// Whether what a fixture hands over can hold what it was given: it yields or returns a value that is no constant.
    pub fn hands_over(&self, life: &Lifecycle, index: usize) -> bool {
        let fixture = &self.fixtures[index];
        let given =
            if fixture.is_generator { life.yields(fixture.function) } else { life.returns(fixture.function) };
        let mut gives = false;
        let facts = life.facts(fixture.function.file);
        facts.body_exprs(fixture.function.id, &mut |id| {
            gives |= matches!(facts.expr(id).kind, ExprKind::Yield(Some(_)));
        });
        let facts = life.facts(fixture.function.file);
        facts.walk(&facts.function(fixture.function.id).body, &mut |stmt| {
            gives |= matches!(facts.stmt(stmt).kind, StmtKind::Return(Some(_)));
        });
        gives && !given.iter().all(|value| matches!(value, Value::Constant(_) | Value::None))
    }
}

/// Modules whose objects know of no loop.
const PLAIN: &[&str] = &[
    "base64",
    "builtins",
    "collections",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "hashlib",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "os",
    "pathlib",
    "pickle",
    "random",
    "re",
    "secrets",
    "shutil",
    "string",
    "tempfile",
    "textwrap",
    "time",
    "tomllib",
    "toml",
    "types",
    "unittest",
    "uuid",
    "yaml",
    "zlib",
];

fn is_plain(path: &str) -> bool {
    PLAIN.contains(&path.split('.').next().unwrap_or(path))
        || ["str", "int", "dict", "list", "bytes", "float"].contains(&path)
}

/// `create_async_engine(…, poolclass=NullPool)` keeps no connection from one loop to the next.
fn has_no_pool(life: &Lifecycle, call: ExprRef) -> bool {
    super::mark::keyword(life, call, "poolclass")
        .is_some_and(|value| life.source(value).rsplit('.').next() == Some("NullPool"))
}

/// Whether an object made in `function`, which runs as part of a fixture, is still there while tests run.
fn outlives(life: &Lifecycle, call: ExprRef, function: FunctionRef, fixture: FunctionRef) -> bool {
    let facts = life.facts(call.file);
    let of = facts.function(function.id);
    // A `with` around it ends it before the fixture goes on, unless the yield stands inside.
    let mut entered = None;
    if let Some(stmt) = facts.stmt_of(call.id)
        && let StmtKind::With { items, .. } = &facts.stmt(stmt).kind
        && items.iter().any(|item| facts.expr(item.context).range.contains_range(facts.expr(call.id).range))
    {
        entered = Some(StmtRef { file: call.file, id: stmt });
    }
    if let Some(with) = entered {
        let range = facts.stmt(with.id).range;
        let mut inside = false;
        facts.body_exprs(function.id, &mut |id| {
            let expr = facts.expr(id);
            inside |= matches!(expr.kind, ExprKind::Yield(_)) && range.contains_range(expr.range);
        });
        return inside;
    }
    if function == fixture && of.is_generator {
        return true;
    }
    let flow = life.flow_of(call);
    flow.doubt
        || flow.kept()
        || flow.uses.iter().any(|at| {
            matches!(
                at.kind,
                UseKind::Returned(_) | UseKind::Yielded(_) | UseKind::Stored(_) | UseKind::Argument { .. }
            )
        })
}
