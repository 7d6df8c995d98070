//! `app`: the JSON that the program answered, as a template sees it. What is missing there is `null`.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

/// Which parts of `app` a template asks for.
#[derive(Debug, Default)]
pub(super) struct Paths(Vec<Vec<String>>);

impl Paths {
    /// Those among the names of a template.
    pub(super) fn of(names: &[String]) -> Self {
        let path = |name: &String| {
            let rest = name.strip_prefix("app.")?;
            Some(rest.split('.').map(str::to_owned).collect())
        };
        Self(names.iter().filter_map(path).collect())
    }

    /// Whether something below `path` is asked for.
    fn goes_on(&self, path: &[String]) -> bool {
        self.0.iter().any(|wanted| wanted.len() > path.len() && wanted.starts_with(path))
    }
}

/// A table in the answer of the program, or one that should be there.
#[derive(Debug)]
pub(super) struct App {
    answer: Option<Arc<serde_json::Value>>,
    path: Vec<String>,
    wanted: Arc<Paths>,
}

impl App {
    pub(super) fn new(answer: Option<Arc<serde_json::Value>>, wanted: Arc<Paths>) -> Self {
        Self { answer, path: Vec::new(), wanted }
    }

    fn here(&self) -> Option<&serde_json::Value> {
        let root = self.answer.as_deref()?;
        self.path.iter().try_fold(root, |value, key| value.get(key))
    }

    fn below(&self, key: &str) -> Value {
        let child = self.here().and_then(|table| table.get(key));
        let mut path = self.path.clone();
        path.push(key.to_owned());
        if child.is_some_and(serde_json::Value::is_object) || self.wanted.goes_on(&path) {
            return Value::from_object(Self { answer: self.answer.clone(), path, wanted: self.wanted.clone() });
        }
        child.map_or(Value::from(()), Value::from_serialize)
    }
}

impl Object for App {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_str().map(|key| self.below(key))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let table = self.here().and_then(serde_json::Value::as_object);
        Enumerator::Values(table.into_iter().flat_map(|table| table.keys()).map(Value::from).collect())
    }
}
