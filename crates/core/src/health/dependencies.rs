//! Which check a check depends on, and which one is to blame when both fail.
//!
//! A queue that lives in Redis fails when Redis does. Whoever is woken at night should be woken once, and for Redis.

use std::collections::HashMap;

use super::Check;

/// Who depends on whom. Free of circles, so that there is always somebody to blame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies(HashMap<String, Vec<String>>);

/// Checks that depend on each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} depend on each other in a circle", .0.join(" → "))]
pub struct Cycle(pub Vec<String>);

impl Dependencies {
    /// From each check with the checks that it depends on. Names that no check has are no parents.
    ///
    /// # Errors
    ///
    /// [`Cycle`] with the first circle that was found.
    pub fn new<'n>(checks: impl IntoIterator<Item = (&'n str, &'n [String])>) -> Result<Self, Cycle> {
        let parents: HashMap<String, Vec<String>> =
            checks.into_iter().map(|(name, parents)| (name.to_owned(), parents.to_vec())).collect();
        let mut names: Vec<_> = parents.keys().collect();
        names.sort_unstable();
        let mut done = HashMap::new();
        for name in names {
            visit(name, &parents, &mut done, &mut Vec::new())?;
        }
        Ok(Self(parents))
    }

    /// Whether nothing depends on anything: then there is nobody to blame either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// Writes into each failing check which failing one is to blame: the farthest that it depends on, over failing ones.
    pub fn blame(&self, checks: &mut [Check]) {
        let failing: HashMap<String, bool> = checks.iter().map(|check| (check.name.clone(), check.fails())).collect();
        let fails = |name: &str| failing.get(name).copied().unwrap_or(false);
        for check in checks {
            let mut culprit = None;
            let mut at = check.name.as_str();
            // Ends because there are no circles.
            while let Some(parent) = self.0.get(at).into_iter().flatten().find(|parent| fails(parent)) {
                culprit = Some(parent.clone());
                at = parent;
            }
            check.because_of = culprit.filter(|_| check.fails());
        }
    }
}

/// Walks to all that `name` depends on. `done` says of each name whether the walk there has ended.
fn visit<'n>(
    name: &'n str,
    parents: &'n HashMap<String, Vec<String>>,
    done: &mut HashMap<&'n str, bool>,
    path: &mut Vec<&'n str>,
) -> Result<(), Cycle> {
    path.push(name);
    match done.get(name) {
        Some(true) => {}
        Some(false) => {
            let start = path.iter().position(|earlier| *earlier == name).unwrap_or_default();
            return Err(Cycle(path[start..].iter().map(|name| (*name).to_owned()).collect()));
        }
        None => {
            done.insert(name, false);
            for parent in parents.get(name).into_iter().flatten() {
                visit(parent, parents, done, path)?;
            }
            done.insert(name, true);
        }
    }
    path.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::health::Status;

    fn check(name: &str, status: Status) -> Check {
        Check { name: name.to_owned(), status, ..Check::default() }
    }

    fn depends(pairs: &[(&str, &[&str])]) -> Result<Dependencies, Cycle> {
        let owned: Vec<(&str, Vec<String>)> = pairs
            .iter()
            .map(|(name, parents)| (*name, parents.iter().map(|parent| (*parent).to_owned()).collect()))
            .collect();
        Dependencies::new(owned.iter().map(|(name, parents)| (*name, parents.as_slice())))
    }

    #[test]
    fn the_farthest_failing_parent_is_to_blame() {
        let depends = depends(&[("jobs", &["queue"]), ("queue", &["redis"]), ("redis", &[])]).unwrap();
        let mut checks = ["jobs", "queue", "redis"].map(|name| check(name, Status::Unhealthy));
        depends.blame(&mut checks);
        assert_eq!(checks.each_ref().map(|check| check.because_of.as_deref()), [Some("redis"), Some("redis"), None]);
        checks[2].status = Status::Healthy;
        depends.blame(&mut checks);
        assert_eq!(checks.each_ref().map(|check| check.because_of.as_deref()), [Some("queue"), None, None]);
    }

    #[test]
    fn a_check_that_holds_blames_nobody() {
        let depends = depends(&[("queue", &["redis"])]).unwrap();
        let mut checks = [check("queue", Status::Healthy), check("redis", Status::Unhealthy)];
        depends.blame(&mut checks);
        assert_eq!(checks[0].because_of, None);
    }

    #[test]
    fn a_circle_is_refused_and_shown() {
        let refused = depends(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]).unwrap_err();
        assert_eq!(refused.to_string(), "b → c → b depend on each other in a circle");
        assert_eq!(depends(&[("a", &["a"])]).unwrap_err().0, ["a", "a"]);
    }

    proptest! {
        #[test]
        fn blame_ends_for_any_graph_without_a_circle(
            edges in prop::collection::vec((0_usize..8, 0_usize..8), 0..20), failing in any::<[bool; 8]>(),
        ) {
            let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
            let parents: Vec<Vec<String>> = (0..8)
                .map(|at| edges.iter().filter(|(from, _)| *from == at).map(|(_, to)| names[*to].clone()).collect())
                .collect();
            let graph = names.iter().map(String::as_str).zip(parents.iter().map(Vec::as_slice));
            if let Ok(depends) = Dependencies::new(graph) {
                let status = |fails| if fails { Status::Unhealthy } else { Status::Healthy };
                let mut checks: Vec<_> = (0..8).map(|at| check(&names[at], status(failing[at]))).collect();
                depends.blame(&mut checks);
                for check in &checks {
                    if let Some(culprit) = &check.because_of {
                        let of_culprit = checks.iter().find(|other| other.name == *culprit).unwrap();
                        prop_assert!(check.fails() && of_culprit.fails() && of_culprit.because_of.is_none());
                    }
                }
            }
        }
    }
}
