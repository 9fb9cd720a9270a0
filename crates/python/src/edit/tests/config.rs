use super::super::{set_ini_key, set_toml_key};

#[test]
fn sets_toml_and_keeps_the_rest() {
    let path = ["tool", "pytest", "ini_options"];
    let text = "[project]\nname = \"x\"  # c\n\n[tool.pytest.ini_options]\nasyncio_mode = 'auto'  # why\n\n# end\n[tool.ruff]\nx = 1\n";
    assert_eq!(
        set_toml_key(text, &path, "asyncio_default_fixture_loop_scope", "\"session\"").expect("toml"),
        text.replace("# why\n", "# why\nasyncio_default_fixture_loop_scope = \"session\"\n")
    );
    assert_eq!(
        set_toml_key(text, &path, "asyncio_mode", "\"strict\"").expect("toml"),
        text.replace("'auto'", "\"strict\"")
    );
    let made = set_toml_key("[project]\r\nname = \"x\"\r\n", &path, "a", "1").expect("toml");
    assert_eq!(made, "[project]\r\nname = \"x\"\r\n\r\n[tool.pytest.ini_options]\r\na = 1\r\n");
    assert_eq!(set_toml_key(&made, &path, "a", "1").expect("toml"), made);
    assert!(set_toml_key("tool = 1\n", &path, "a", "1").is_err());
    assert!(set_toml_key("[", &path, "a", "1").is_err());
}

#[test]
fn sets_ini_and_keeps_the_rest() {
    let text = "[tox]\nx = 1\n\n[pytest]\n; c\naddopts=-q\n  -x\nasyncio_mode=auto\n\n[flake8]\ny: 2\n";
    assert_eq!(
        set_ini_key(text, "pytest", "asyncio_mode", "strict"),
        text.replace("asyncio_mode=auto", "asyncio_mode=strict")
    );
    assert_eq!(
        set_ini_key(text, "pytest", "addopts", "-v"),
        text.replace("addopts=-q\n  -x\n", "addopts=-v\n")
    );
    assert_eq!(set_ini_key(text, "pytest", "k", "v"), text.replace("mode=auto\n", "mode=auto\nk=v\n"));
    assert_eq!(set_ini_key(text, "flake8", "k", "v"), format!("{text}k: v\n"));
    assert_eq!(set_ini_key("[a]\r\nb = 1", "pytest", "k", "v"), "[a]\r\nb = 1\r\n\r\n[pytest]\r\nk = v\r\n");
    assert_eq!(set_ini_key("", "pytest", "k", "v"), "[pytest]\nk = v\n");
    let once = set_ini_key(text, "pytest", "k", "v");
    assert_eq!(set_ini_key(&once, "pytest", "k", "v"), once);
}
