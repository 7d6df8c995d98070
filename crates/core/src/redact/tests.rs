use proptest::prelude::*;

use super::*;

fn plain() -> Redactor {
    Redactor::default()
}

#[test]
fn names_that_mean_secrets_everywhere_are_secret_in_any_case() {
    for name in ["Authorization", "cookie", "SET-COOKIE", "X-Api-Key", "csrfToken", "client_secret", "user[Password]"] {
        assert!(plain().is_secret(name), "{name}");
    }
    for name in ["accept", "page", "user", "author", "cookies-accepted"] {
        assert!(!plain().is_secret(name), "{name}");
    }
}

#[test]
fn a_star_stands_for_anything_and_no_star_for_nothing() {
    let redactor = Redactor::new(["ssn", "*session*", "x-*-id"]);
    for name in ["SSN", "PHPSESSIONID", "x-user-id", "X--ID", "session"] {
        assert!(redactor.is_secret(name), "{name}");
    }
    for name in ["ssn2", "my-ssn", "x-id", "x-user-ident"] {
        assert!(!redactor.is_secret(name), "{name}");
    }
}

#[test]
fn a_name_that_is_encoded_is_still_secret() {
    assert_eq!(plain().query("%74oken=abc&a=1"), "%74oken=***&a=1");
    assert_eq!(plain().query("user%5Bpassword%5D=abc"), "user%5Bpassword%5D=***");
}

#[test]
fn a_semicolon_does_not_carry_a_secret_past() {
    assert_eq!(plain().query("a=1;token=abc;b=2"), "a=1;token=***;b=2");
}

#[test]
fn a_url_in_a_parameter_loses_its_password_too() {
    assert_eq!(plain().query("next=http%3A%2F%2Fu%3Ahunter2%40h%2F&a=1"), "next=***&a=1");
    assert_eq!(plain().query("next=http%3A%2F%2Fh%2F&a=1"), "next=http%3A%2F%2Fh%2F&a=1");
}

#[test]
fn a_query_without_secrets_is_handed_back_as_it_is() {
    for query in ["", "a", "a=1&b=2", "token", "token=", "a=%zz&&=;"] {
        assert!(matches!(plain().query(query), Cow::Borrowed(same) if same == query), "{query}");
    }
}

#[test]
fn passwords_of_urls_go_and_users_stay() {
    for (url, shown) in [
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("amqp://guest@mq/", "amqp://guest@mq/"),
        ("http://localhost:8080/@home", "http://localhost:8080/@home"),
        ("postgres://u:p@ss@db/x", "postgres://u:***@db/x"),
        ("postgres://u:p/w@db/x", "postgres://u:***@db/x"),
        ("https://u:p@h/?a=1&token=t#part", "https://u:***@h/?a=1&token=***#part"),
        ("s://u:p?token=x@h/?token=y", "s://u:***@h/?token=***"),
        ("no url: at all@", "no url: at all@"),
    ] {
        assert_eq!(plain().url(url), shown);
    }
}

#[test]
fn a_command_line_loses_its_secrets_and_keeps_the_rest() {
    let command = "serve --db postgres://u:hunter2@db/x --api-key=abc PORT=80 --level=info";
    assert_eq!(plain().text(command), "serve --db postgres://u:***@db/x --api-key=*** PORT=80 --level=info");
    assert!(matches!(plain().text("connection refused"), Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn no_value_of_a_secret_parameter_is_ever_shown(before in "[a-z=&;%+]{0,20}", value in "[A-Z]{6,12}", after in "[a-z=&;%+]{0,20}") {
        let shown = plain().query(&format!("{before}&access_token={value}&{after}")).into_owned();
        prop_assert!(!shown.contains(&value), "{shown}");
    }

    #[test]
    fn no_password_of_a_url_is_ever_shown(user in "[a-z]{0,8}", password in "[A-Z]{6,12}", host in "[a-z.]{1,12}", path in "[a-z/?=&#]{0,20}") {
        let url = format!("scheme://{user}:{password}@{host}/{path}");
        prop_assert!(!plain().url(&url).contains(&password));
        let text = format!("cannot reach {url} at all");
        prop_assert!(!plain().text(&text).contains(&password));
    }

    #[test]
    fn nothing_that_a_client_sends_makes_it_panic(text in any::<String>(), pattern in any::<String>()) {
        let redactor = Redactor::new([pattern]);
        let _ = (redactor.query(&text).len(), redactor.url(&text).len(), redactor.text(&text).len());
    }

    #[test]
    fn what_is_redacted_stays_as_it_is_when_redacted_again(text in "[a-z=&;:/@? ]{0,40}") {
        let once = plain().query(&text).into_owned();
        prop_assert_eq!(plain().query(&once).into_owned(), once.clone());
    }
}
