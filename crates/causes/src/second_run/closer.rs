//! How to end an object that nothing ends, from where its run ends.

use loopmend_python::catalogue::{Close, Resource};
use loopmend_python::edit::{Edit, ImportRequest, Source, insert_after};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, MODULE, Name, ParameterKind, StmtId};
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle, Place, Value};

use crate::Declined;
use crate::carried::Object;

/// One statement that ends an object, with what it needs.
#[derive(Clone, Debug)]
pub struct Closer {
    /// The statement: `await close_sessions()`.
    pub line: String,
    /// What its file must import.
    pub import: Option<ImportRequest>,
    /// A function that is added where the object is kept.
    pub edits: Option<(FileId, Vec<Edit>)>,
    /// Last names of the calls that are new.
    pub added: Vec<String>,
}

/// Whether the object is made anew, or opens again, after the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The program ends with it.
    Gone,
    /// It is used again in the next run.
    Usable,
}

/// The statement that ends an object, written in `file`.
pub fn closer(life: &Lifecycle, object: &Object, file: FileId, after: After) -> Result<Closer, Declined> {
    let resource =
        life.resource(&object.site).ok_or_else(|| Declined::because("nothing is known of the object"))?;
    let close = method(life, resource).ok_or_else(|| {
        Declined::because("the object has no method that ends it: make it inside the coroutine")
    })?;
    let kept = object.places.iter().find_map(|place| match place {
        Place::Global(home, name) if *home == object.site.call.file => Some((*home, name.clone())),
        _ => None,
    });
    let cached = life.decorated(object.site.function, &["lru_cache", "cache"]);
    if cached {
        return cached_factory(life, object, &close, file);
    }
    let (home, name) = kept.ok_or_else(|| {
        Declined::because("the object is not kept in a global of its module: end it before its run ends, and make a new one in the next")
    })?;
    let container = in_container(life, home, &name, object);
    if !container && (after == After::Gone || resource.reopens) {
        return direct(life, object, &close, (home, &name), file);
    }
    if !container && !object.guarded {
        return Err(Declined::because(format!(
            "a closed `{}` does not open again: make it inside the coroutine with `async with`",
            object.class()
        )));
    }
    let ends = await_call(&name, &close);
    let wanted = name.trim_matches('_').to_owned();
    let function = free_name(life, home, &format!("close_{wanted}"));
    let body = if container {
        let item = wanted.strip_suffix('s').filter(|one| !one.is_empty()).unwrap_or("item").to_owned();
        let item = if item == *name { format!("one_{item}") } else { item };
        format!("while {name}:\n        _, {item} = {name}.popitem()\n        {}", await_call(&item, &close))
    } else {
        format!("global {name}\n    if {name} is not None:\n        {ends}\n        {name} = None")
    };
    let text = format!("async def {function}():\n    {body}\n");
    let edits = behind(life, home, object, &text)?;
    let (expr, import) = reference(life, file, home, &function)?;
    Ok(Closer {
        line: format!("await {expr}()"),
        import,
        edits: Some((home, edits)),
        added: vec![function, close.method.clone(), "popitem".to_owned()],
    })
}

/// The best method that ends it in the version that is installed.
pub fn method(life: &Lifecycle, resource: &Resource) -> Option<Close> {
    let version = life.settings().version(&resource.library.to_lowercase());
    let fits = |close: &&Close| match (&close.since, version) {
        (Some(since), Some(version)) => {
            let wanted: Vec<u64> = since.split('.').filter_map(|part| part.parse().ok()).collect();
            version.at_least(&wanted)
        }
        _ => true,
    };
    resource.close.iter().find(fits).cloned()
}

fn await_call(target: &str, close: &Close) -> String {
    let wait = if close.awaited { "await " } else { "" };
    format!("{wait}{target}.{}()", close.method)
}

/// `await client.aclose()`, by the name or by the factory that gives it.
fn direct(
    life: &Lifecycle,
    object: &Object,
    close: &Close,
    kept: (FileId, &Name),
    file: FileId,
) -> Result<Closer, Declined> {
    let factory = object.site.function;
    let of = life.facts(factory.file).function(factory.id);
    let plain =
        of.class.is_none() && !of.is_async && of.parent == Some(MODULE) && no_parameters(life, factory);
    let lazily = object.guarded && plain;
    let name = if lazily { of.name.clone() } else { kept.1.clone() };
    let (expr, import) = reference(life, file, kept.0, &name)?;
    if import.is_some() && !lazily && reassigned(life, kept.0, kept.1) {
        return Err(Declined::because(
            "the object is kept in a global that is bound anew: end it in its own module",
        ));
    }
    let target = if lazily { format!("{expr}()") } else { expr };
    Ok(Closer {
        line: await_call(&target, close),
        import,
        edits: None,
        added: vec![close.method.clone(), name.to_string()],
    })
}

/// `get_client.cache_clear()` after the close.
fn cached_factory(
    life: &Lifecycle,
    object: &Object,
    close: &Close,
    file: FileId,
) -> Result<Closer, Declined> {
    let factory = object.site.function;
    let of = life.facts(factory.file).function(factory.id);
    if of.class.is_some() || of.parent != Some(MODULE) || !no_parameters(life, factory) {
        return Err(Declined::because(
            "the cached factory takes arguments: keep the objects in a dict that can be emptied, or make them inside the coroutine",
        ));
    }
    let name = &of.name;
    let wanted = name.trim_start_matches('_');
    let wanted = ["get_", "make_", "create_", "build_"]
        .iter()
        .find_map(|prefix| wanted.strip_prefix(prefix))
        .unwrap_or(wanted);
    let function = free_name(life, factory.file, &format!("close_{wanted}"));
    let text = format!(
        "async def {function}():\n    if {name}.cache_info().currsize:\n        {}\n        {name}.cache_clear()\n",
        await_call(&format!("{name}()"), close)
    );
    let edits = behind(life, factory.file, object, &text)?;
    let (expr, import) = reference(life, file, factory.file, &function)?;
    Ok(Closer {
        line: format!("await {expr}()"),
        import,
        edits: Some((factory.file, edits)),
        added: vec![
            function,
            close.method.clone(),
            "cache_clear".to_owned(),
            "cache_info".to_owned(),
            name.to_string(),
        ],
    })
}

/// A function put behind the one that makes the object, or behind the object at the top of its module.
fn behind(life: &Lifecycle, home: FileId, object: &Object, text: &str) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(home);
    let source = Source::parse(&facts.path, life.text(home).to_string());
    let at: StmtId = match facts.function(object.site.function.id).definition {
        Definition::Def(stmt) if object.site.function.file == home => stmt,
        _ => facts
            .stmt_of(object.site.call.id)
            .ok_or_else(|| Declined::because("the object is made in no statement"))?,
    };
    let top = facts.ancestors(at).last().map_or(at, |(outer, _)| outer);
    Ok(insert_after(&source, facts.stmt(top).range, &format!("\n\n{text}"))?)
}

fn no_parameters(life: &Lifecycle, function: FunctionRef) -> bool {
    life.facts(function.file).function(function.id).params.iter().all(|param| {
        param.default.is_some() || matches!(param.kind, ParameterKind::Args | ParameterKind::Kwargs)
    })
}

/// Whether a global is bound to a dict.
pub fn is_dict(life: &Lifecycle, home: FileId, name: &Name) -> bool {
    let facts = life.facts(home);
    facts.scopes[MODULE.index()].get(name).into_iter().flatten().any(|&id| match facts.binding(id).kind {
        BindingKind::Value { value, .. } => match &facts.expr(value).kind {
            ExprKind::Dict(_) => true,
            ExprKind::Call { func, .. } => facts.dotted(*func).is_some_and(|text| text == "dict"),
            _ => false,
        },
        _ => false,
    })
}

/// Whether a global holds a dict of objects rather than one.
fn in_container(life: &Lifecycle, home: FileId, name: &Name, object: &Object) -> bool {
    let facts = life.facts(home);
    let dict = is_dict(life, home, name);
    let loose = object.places.iter().any(|place| matches!(place, Place::Loose(last, _) if *last == **name));
    dict || loose && facts.scopes[MODULE.index()].contains_key(name)
}

fn reassigned(life: &Lifecycle, home: FileId, name: &Name) -> bool {
    life.facts(home).functions.iter().any(|function| function.globals.contains(name))
}

/// A name that a module does not bind yet.
pub fn free_name(life: &Lifecycle, file: FileId, wanted: &str) -> String {
    let facts = life.facts(file);
    let taken = |name: &str| facts.scopes.iter().any(|scope| scope.contains_key(name));
    let mut name = wanted.to_owned();
    while taken(&name) {
        name.push('_');
    }
    name
}

/// How a file names something of another module: an expression, with an import where none is there.
pub fn reference(
    life: &Lifecycle,
    file: FileId,
    home: FileId,
    name: &str,
) -> Result<(String, Option<ImportRequest>), Declined> {
    if file == home {
        return Ok((name.to_owned(), None));
    }
    let facts = life.facts(file);
    let mut names: Vec<&Name> = facts.scopes[MODULE.index()].keys().collect();
    names.sort();
    for local in &names {
        let module = life.module_member(file, local).iter().any(|value| match value {
            Value::Module(module) => life.modules().find(module, file) == Some(home),
            _ => false,
        });
        if module {
            return Ok((format!("{local}.{name}"), None));
        }
    }
    if imports(life, home, file) {
        return Err(Declined::because(
            "what keeps the object imports the module that starts the runs: end the object in a coroutine of its own module",
        ));
    }
    Ok((name.to_owned(), Some(ImportRequest::from(&dotted(life, file, home), name))))
}

/// The module's name as files of the tree import it.
fn dotted(life: &Lifecycle, file: FileId, home: FileId) -> String {
    let files = std::iter::once(file).chain(life.files());
    for other in files {
        for import in &life.outline(other).imports {
            if import.level == 0 && life.modules().find(&import.module, other) == Some(home) {
                return import.module.to_string();
            }
        }
    }
    let module = life.facts(home).module.to_string();
    module.strip_prefix("src.").map_or(module.clone(), str::to_owned)
}

/// Whether a module imports another, directly or through others.
fn imports(life: &Lifecycle, from: FileId, target: FileId) -> bool {
    let mut seen = vec![from];
    let mut index = 0;
    while index < seen.len() {
        let at = seen[index];
        index += 1;
        let facts = life.facts(at);
        for binding in &facts.bindings {
            let module = match &binding.kind {
                BindingKind::ImportFrom { module, name, .. } => {
                    let inner = format!("{module}.{name}");
                    life.modules().find(&inner, at).or_else(|| life.modules().find(module, at))
                }
                BindingKind::Import { module } => life.modules().find(module, at),
                _ => None,
            };
            if let Some(next) = module {
                if next == target {
                    return true;
                }
                if !seen.contains(&next) {
                    seen.push(next);
                }
            }
        }
    }
    false
}
