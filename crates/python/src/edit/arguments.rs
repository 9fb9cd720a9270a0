//! Arguments of calls and parameters of functions.

use ruff_python_ast::token::{TokenKind, parenthesized_range};
use ruff_python_ast::{AnyNodeRef, ArgOrKeyword, Arguments, Expr, ExprRef};
use ruff_text_size::{Ranged, TextRange};

use super::change::Edit;
use super::items::Items;
use super::refused::Refused;
use super::source::Source;

/// Adds `name=value` to a call, before a last `**kwargs`. Nothing to do where it is there with this value.
pub fn add_keyword(
    source: &Source,
    call: impl Ranged,
    name: &str,
    value: &str,
) -> Result<Vec<Edit>, Refused> {
    let call = source.call_at(call).ok_or(Refused::Missing("call"))?;
    match call.arguments.find_keyword(name) {
        Some(keyword) if source.slice(&keyword.value) == value => Ok(Vec::new()),
        Some(_) => Err(Refused::Exists(name.to_owned())),
        None => add(source, &call.arguments, &format!("{name}={value}"), true),
    }
}

/// Adds `name=value` to a call, or gives the keyword this value.
pub fn set_keyword(
    source: &Source,
    call: impl Ranged,
    name: &str,
    value: &str,
) -> Result<Vec<Edit>, Refused> {
    let found = source.call_at(call.range()).ok_or(Refused::Missing("call"))?;
    match found.arguments.find_keyword(name) {
        Some(keyword) if source.slice(&keyword.value) != value => {
            let text = format!("{name}={value}");
            Ok(vec![Edit::replacement(keyword, text)])
        }
        _ => add_keyword(source, found, name, value),
    }
}

/// Takes a keyword argument from a call. Nothing to do where there is none.
pub fn remove_keyword(source: &Source, call: impl Ranged, name: &str) -> Result<Vec<Edit>, Refused> {
    let call = source.call_at(call).ok_or(Refused::Missing("call"))?;
    let Some(keyword) = call.arguments.find_keyword(name) else { return Ok(Vec::new()) };
    remove(source, &call.arguments, keyword.range())
}

/// Adds an argument behind the last positional one.
pub fn add_positional(source: &Source, call: impl Ranged, value: &str) -> Result<Vec<Edit>, Refused> {
    let call = source.call_at(call).ok_or(Refused::Missing("call"))?;
    add(source, &call.arguments, value, false)
}

/// Puts `value` in the place of the positional argument at `index`.
pub fn replace_positional(
    source: &Source,
    call: impl Ranged,
    index: usize,
    value: &str,
) -> Result<Vec<Edit>, Refused> {
    let call = source.call_at(call).ok_or(Refused::Missing("call"))?;
    let argument = call.arguments.args.get(index).ok_or(Refused::Missing("argument"))?;
    Ok(vec![Edit::replacement(whole(source, &call.arguments, argument), value)])
}

/// Takes the positional argument at `index` from a call.
pub fn remove_positional(source: &Source, call: impl Ranged, index: usize) -> Result<Vec<Edit>, Refused> {
    let call = source.call_at(call).ok_or(Refused::Missing("call"))?;
    let argument = call.arguments.args.get(index).ok_or(Refused::Missing("argument"))?;
    remove(source, &call.arguments, argument.range())
}

/// Adds a parameter (`name`, `name: T`, `name=default`): behind the last plain one, without a default before
/// those that have one.
pub fn add_parameter(source: &Source, function: impl Ranged, parameter: &str) -> Result<Vec<Edit>, Refused> {
    let function = source.function_at(function).ok_or(Refused::Missing("function"))?;
    let name = parameter.split([':', '=']).next().unwrap_or("").trim();
    let parameters = &function.parameters;
    if parameters.includes(name) {
        return Err(Refused::Exists(name.to_owned()));
    }
    let plain = parameters.posonlyargs.iter().chain(&parameters.args);
    let index = if parameter.contains('=') {
        plain.count()
    } else {
        plain.take_while(|parameter| parameter.default.is_none()).count()
    };
    if index < parameters.posonlyargs.len() {
        return Err(Refused::Unsupported("the parameter would become positional-only"));
    }
    let items = parameter_items(source, function.name.range(), parameters)?;
    // `/` and a bare `*` are things between commas that are no nodes: count in commas.
    let text = |item: &TextRange| source.slice(*item);
    let plain_items = items.items.iter().take_while(|item| !text(item).starts_with('*'));
    let slash = plain_items.clone().position(|item| text(item) == "/");
    let index = index + usize::from(slash.is_some_and(|slash| slash <= index));
    Ok(items.insert(source, index.min(items.items.len()), parameter))
}

/// Takes a parameter from a function. Nothing to do where there is none.
pub fn remove_parameter(source: &Source, function: impl Ranged, name: &str) -> Result<Vec<Edit>, Refused> {
    let function = source.function_at(function).ok_or(Refused::Missing("function"))?;
    let Some(parameter) = function.parameters.iter().find(|parameter| parameter.name().as_str() == name)
    else {
        return Ok(Vec::new());
    };
    let items = parameter_items(source, function.name.range(), &function.parameters)?;
    let index = items.items.iter().position(|item| item.contains_range(parameter.name().range()));
    Ok(items.remove(source, index.ok_or(Refused::Missing("parameter"))?))
}

fn parameter_items(
    source: &Source,
    name: TextRange,
    parameters: &ruff_python_ast::Parameters,
) -> Result<Items, Refused> {
    let region = TextRange::new(name.end(), parameters.end().max(name.end()));
    let mut depth = 0;
    let mut inside = None;
    let mut items: Vec<TextRange> = Vec::new();
    let mut current: Option<TextRange> = None;
    for token in source.tokens_in(region) {
        let kind = token.kind();
        if inside.is_none() {
            match kind {
                TokenKind::Lpar if depth == 0 => inside = Some(token.end()),
                TokenKind::Lsqb => depth += 1,
                TokenKind::Rsqb => depth -= 1,
                _ => {}
            }
            continue;
        }
        match kind {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth += 1,
            TokenKind::Rpar if depth == 0 => {
                items.extend(current.take());
                let start = inside.unwrap_or(token.start());
                return Ok(Items { inside: TextRange::new(start, token.start()), items });
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => depth -= 1,
            TokenKind::Comma if depth == 0 => {
                items.extend(current.take());
                continue;
            }
            kind if kind.is_trivia() => continue,
            _ => {}
        }
        current = Some(current.map_or(token.range(), |known| known.cover(token.range())));
    }
    Err(Refused::Unsupported("the parameters have no brackets"))
}

fn add(source: &Source, arguments: &Arguments, text: &str, keyword: bool) -> Result<Vec<Edit>, Refused> {
    let known = list(source, arguments)?;
    if let ([Expr::Generator(generator)], []) = (&*arguments.args, &*arguments.keywords)
        && !generator.parenthesized
    {
        let range = generator.range();
        return Ok(vec![
            Edit::insertion(range.start(), "("),
            Edit::insertion(range.end(), format!("), {text}")),
        ]);
    }
    let index = if keyword {
        let unpacked = arguments.keywords.last().filter(|last| last.arg.is_none());
        let behind = known.items.last();
        match (unpacked, behind) {
            (Some(unpacked), Some(behind)) if behind.contains_range(unpacked.range()) => {
                known.items.len() - 1
            }
            _ => known.items.len(),
        }
    } else {
        let first_keyword = arguments.keywords.first().map(ruff_text_size::Ranged::start);
        known.items.iter().filter(|item| first_keyword.is_none_or(|keyword| item.start() < keyword)).count()
    };
    Ok(known.insert(source, index, text))
}

fn remove(source: &Source, arguments: &Arguments, argument: TextRange) -> Result<Vec<Edit>, Refused> {
    let list = list(source, arguments)?;
    let index = list.items.iter().position(|item| item.contains_range(argument));
    Ok(list.remove(source, index.ok_or(Refused::Missing("argument"))?))
}

fn list(source: &Source, arguments: &Arguments) -> Result<Items, Refused> {
    if !source.slice(arguments).ends_with(')') {
        return Err(Refused::Unsupported("the call is not closed"));
    }
    let items = arguments.iter_source_order().map(|argument| match argument {
        ArgOrKeyword::Arg(expr) => whole(source, arguments, expr),
        ArgOrKeyword::Keyword(keyword) => keyword.range(),
    });
    Ok(Items { inside: arguments.inner_range(), items: items.collect() })
}

/// An argument with the brackets around it.
fn whole(source: &Source, arguments: &Arguments, argument: &Expr) -> TextRange {
    let parent = AnyNodeRef::from(arguments);
    parenthesized_range(ExprRef::from(argument), parent, source.parsed().tokens()).unwrap_or(argument.range())
}
