//! Services that the source itself names on loopback.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use loopmend_model::Tree;
use regex::Regex;

/// Schemes of servers, with the port that they have where none is named.
const SCHEMES: [(&str, u16); 9] = [
    ("postgres", 5432),
    ("redis", 6379),
    ("valkey", 6379),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("amqp", 5672),
    ("mongodb", 27017),
    ("nats", 4222),
    ("mqtt", 1883),
];

/// Words of a client that goes to its server's own port where nothing else is said.
const DEFAULTS: [(&str, &str, u16); 6] = [
    (
        r"\basyncpg\.(?:connect|create_pool)\(\s*(?:\)|(?:user|database|password|min_size)\s*=)",
        "PGPORT",
        5432,
    ),
    (r"\bPG(?:HOST|PORT)\b", "PGPORT", 5432),
    (r"\b(?:Strict)?Redis\(\s*(?:\)|db\s*=|decode_responses\s*=)", "", 6379),
    (r"\bAsyncIOMotorClient\(\s*\)|\b(?:Async)?MongoClient\(\s*\)", "", 27017),
    (r"\baiomysql\.(?:connect|create_pool)\(\s*(?:\)|user\s*=)", "", 3306),
    (r"\bnats\.connect\(\s*\)", "", 4222),
];

static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b([a-z]+)(?:ql)?(?:\+[a-z0-9_+]+)?://(?:[^@/\s'\x22]*@)?(localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?",
    )
    .expect("it is tested")
});

static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?s)\bhost\s*=\s*[^)=\n]{0,60}?["'](?:localhost|127\.0\.0\.1)["'].{0,80}?\bport\s*=\s*[^)=\n]{0,60}?\b(\d{3,5})\b"#,
    )
    .expect("it is tested")
});

/// `HOST:PORT` of each, sorted; `variables` are those that the command sets itself.
pub fn named(tree: &Tree, variables: &[(String, String)]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (_, value) in variables {
        urls(value, &mut found);
    }
    for file in &tree.files {
        let text = &*file.text;
        urls(text, &mut found);
        for pair in PAIR.captures_iter(text) {
            port(&pair[1], &mut found);
        }
        for (pattern, variable, default) in DEFAULTS {
            if Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text)) {
                let set = std::env::var(variable).ok().filter(|_| !variable.is_empty());
                found.insert(set.and_then(|set| set.parse().ok()).unwrap_or(default));
            }
        }
    }
    found.into_iter().filter(|port| *port > 1).map(|port| format!("127.0.0.1:{port}")).collect()
}

fn urls(text: &str, found: &mut BTreeSet<u16>) {
    for url in URL.captures_iter(text) {
        let scheme = url[1].trim_end_matches('s');
        let Some((_, default)) = SCHEMES.iter().find(|(name, _)| scheme == *name || url[1].starts_with(name))
        else {
            continue;
        };
        match url.get(3) {
            Some(named) => port(named.as_str(), found),
            None => {
                found.insert(*default);
            }
        }
    }
}

fn port(text: &str, found: &mut BTreeSet<u16>) {
    found.extend(text.parse::<u16>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopmend_model::SourceFile;

    fn services(text: &str) -> Vec<String> {
        let file = SourceFile { path: "a.py".to_owned(), text: text.into() };
        named(&Tree { files: vec![file], ..Tree::default() }, &[])
    }

    #[test]
    fn urls_on_loopback_are_found() {
        assert_eq!(services("U = 'postgresql+asyncpg://u:p@localhost/shop'"), ["127.0.0.1:5432"]);
        assert_eq!(services("U = 'postgresql://postgres@127.0.0.1:6432/test'"), ["127.0.0.1:6432"]);
        assert_eq!(
            services("U = 'redis://localhost'\nV = \"amqp://guest@localhost:5673/\""),
            ["127.0.0.1:5673", "127.0.0.1:6379"]
        );
    }

    #[test]
    fn pairs_and_defaults_are_found() {
        assert_eq!(services("connect(host='localhost', port=5433)"), ["127.0.0.1:5433"]);
        assert_eq!(
            services("connect(host=os.environ.get('H', 'localhost'), port=int(os.environ.get('P', 3307)))"),
            ["127.0.0.1:3307"]
        );
        assert_eq!(services("await asyncpg.create_pool(user='postgres')"), ["127.0.0.1:5432"]);
        assert_eq!(services("redis.Redis()"), ["127.0.0.1:6379"]);
    }

    #[test]
    fn nothing_else_is() {
        assert!(services("U = 'http://127.0.0.1:8000'\nV = 'redis://cache.internal:6379'\nW = 'postgresql://a@127.0.0.1:1/x'").is_empty());
    }
}
