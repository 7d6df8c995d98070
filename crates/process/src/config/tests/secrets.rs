//! No output shows a secret.

use super::*;

const SECRET: &str = "hunter2";

#[test]
fn a_secret_is_found_in_the_environment_in_a_file_or_in_place() {
    let given = file("[app.env]\nA = { env = \"FROM\" }\nB = { file = \"/run/secrets/b\" }\nC = \"plain\"")
        .variable("FROM", "one")
        .with_file("/run/secrets/b", "two\n");
    let env = given.config().app.env;
    assert_eq!(env.values().map(Secret::expose).collect::<Vec<_>>(), ["one", "two", "plain"]);
}

#[test]
fn a_missing_secret_is_an_error_at_load() {
    let given = file(
        "[app.env]\nA = { env = \"GONE\" }\nB = { file = \"/gone\" }\nC = { file = \"/empty\" }\nD = {}\nE = { env = 1 }",
    )
    .with_file("/empty", "\n");
    let problems = given.problems();
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(
        problems[0].contains("seaworthy.toml:2: `app.env.A` names the environment variable \"GONE\", which is not set")
    );
    assert!(problems[1].contains("seaworthy.toml:3: `app.env.B` names the file /gone, which cannot be read"));
    assert!(problems[2].contains("seaworthy.toml:4: `app.env.C` names the file /empty, which is empty"));
    assert!(problems[3].contains("seaworthy.toml:5: `app.env.D` is not a secret"));
    assert!(problems[4].contains("seaworthy.toml:6: `app.env.E` is not a secret"));
}

#[test]
fn a_secret_in_plain_text_is_warned_about_and_an_ordinary_value_is_not() {
    let loaded = file(
        "[app.env]\nAPI_TOKEN = \"abc\"\nNODE_ENV = \"production\"\nDATABASE_URL = \"postgres://me:pw@db/app\"\nU = \"http://a@b\"",
    )
    .loaded();
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["app.env.API_TOKEN", "app.env.DATABASE_URL"]);
}

#[test]
fn nothing_that_can_be_printed_shows_a_secret() {
    let text = format!(
        "[app.env]\nA = \"{SECRET}\"\nB = {{ env = \"FROM\" }}\n[[migrate]]\nname = \"m\"\ncommand = [\"true\"]\nenv = {{ P = \"{SECRET}\" }}"
    );
    let given = file(&text).variable("FROM", SECRET).variable("SEAWORTHY_APP__ENV__C", SECRET);
    let loaded = given.loaded();
    let printed = format!("{loaded:?}{}{}", show(&loaded, Format::Text), show(&loaded, Format::Json));
    assert!(!printed.contains(SECRET), "{printed}");
    assert_eq!(given.setting("app.env.B").value, "***");
    assert_eq!(given.origin("app.env.B"), "seaworthy.toml:3");
    assert_eq!(given.setting("migrate[0].env.P").value, "***");
    assert_eq!(loaded.config.migrate[0].env["P"].to_string(), "***");
    assert_eq!(loaded.config.app.env["C"].expose(), SECRET);
}

#[test]
fn no_problem_quotes_a_value_that_may_be_a_secret() {
    let text = format!(
        "password = \"{SECRET}\"\n[app.env]\nA = [\"{SECRET}\"]\nB = {{ value = \"{SECRET}\" }}\n[[upstream]]\nurl = \"unix:/a\"\ntoken = \"{SECRET}\""
    );
    let given = file(&text).variable("SEAWORTHY_TOKEN", SECRET).variable("SEAWORTHY_APP__ENV", SECRET);
    let problems = given.problems().join("\n");
    assert!(!problems.contains(SECRET), "{problems}");
}
