//! Headers whose names are known before there is an answer to put them on.

use std::mem;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use seaworthy_core::refusal::Reason;

use super::{Preset, X_POWERED_BY};

/// For answers of the service, and for our own.
#[derive(Debug, Clone)]
pub(crate) struct Templates {
    service: Template,
    refusal: Template,
}

impl Templates {
    /// The service's answers get the headers of `preset`, ours all; both those of `own`.
    pub(crate) fn new(preset: Preset, own: &[HeaderName]) -> Self {
        Self { service: Template::new(preset, own.to_vec()), refusal: Template::new(Preset::Strict, own.to_vec()) }
    }

    /// Puts the right ones on; `own` in the order of their names.
    pub(crate) fn put<R, const N: usize>(&self, own: [HeaderValue; N], answer: &mut Response<R>) {
        let is_refusal = answer.extensions().get::<Reason>().is_some();
        let template = if is_refusal { &self.refusal } else { &self.service };
        template.put(own, answer.headers_mut());
    }
}

/// What answers get, as maps. An answer takes a copy of one and adds what it says itself, where that is less than to hash each of these
/// names again: a hash goes through a name byte by byte, and a copy asks for none.
#[derive(Debug, Clone)]
struct Template {
    preset: Preset,
    /// Names whose values come with the answer, and stand whatever the service said.
    own: Vec<HeaderName>,
    /// Both, `own` first.
    plain: HeaderMap,
    /// For the many that say what they are and how long, and little else: the same with places for that, behind `own`.
    described: HeaderMap,
}

const DESCRIPTION: [HeaderName; 2] = [header::CONTENT_TYPE, header::CONTENT_LENGTH];

/// For headers that the answer itself brings: so many that the map need not grow for most of them.
const SPARE: usize = 5;

impl Template {
    /// The headers of `preset` where the service says nothing else, and those of `own`.
    fn new(preset: Preset, own: Vec<HeaderName>) -> Self {
        let map = |names: &[HeaderName]| {
            let mut map = HeaderMap::with_capacity(names.len() + preset.headers().len() + SPARE);
            let places = names.iter().map(|name| (name.clone(), HeaderValue::from_static("")));
            map.extend(places.chain(preset.headers().iter().cloned()));
            assert!(map.keys().zip(names).all(|(name, own)| name == own), "a map that only grew keeps its order");
            map
        };
        let (plain, described) = (map(&own), map(&[own.as_slice(), &DESCRIPTION].concat()));
        Self { preset, own, plain, described }
    }

    /// Puts them on; `own` in the order of their names.
    fn put<const N: usize>(&self, own: [HeaderValue; N], headers: &mut HeaderMap) {
        debug_assert_eq!(self.own.len(), N, "a value for each name");
        // One look at the few that are there, in place of a search for each.
        let (mut telling, mut owned, mut description) = (false, false, 0);
        for name in headers.keys() {
            description += usize::from(DESCRIPTION.contains(name));
            telling |= *name == header::SERVER || *name == X_POWERED_BY;
            owned |= self.own.contains(name);
        }
        if telling && self.preset != Preset::Off {
            headers.remove(header::SERVER);
            headers.remove(&X_POWERED_BY);
        }
        if owned {
            self.own.iter().for_each(|name| drop(headers.remove(name)));
        }
        if headers.len() > self.plain.len() {
            self.insert(own, headers);
        } else {
            self.copy(own, headers, description == DESCRIPTION.len());
        }
    }

    fn copy<const N: usize>(&self, own: [HeaderValue; N], headers: &mut HeaderMap, described: bool) {
        let map = if described { &self.described } else { &self.plain };
        let mut said = mem::replace(headers, map.clone());
        let mut places = headers.values_mut();
        // The values first: who asks for a place that has none would lose it.
        for (value, place) in own.into_iter().zip(places.by_ref()) {
            *place = value;
        }
        if described && let (Some(kind), Some(length)) = (places.next(), places.next()) {
            for (name, value) in &mut said {
                if *name == header::CONTENT_TYPE {
                    mem::swap(kind, value);
                } else if *name == header::CONTENT_LENGTH {
                    mem::swap(length, value);
                }
            }
            if said.len() == DESCRIPTION.len() {
                return;
            }
        }
        let mut last = None;
        for (name, value) in said {
            match name {
                Some(name) => {
                    if !(described && DESCRIPTION.contains(&name)) {
                        // In place of what the map has of it.
                        headers.insert(&name, value);
                    }
                    last = Some(name);
                }
                None => {
                    last.as_ref().map(|name| headers.append(name, value));
                }
            }
        }
    }

    fn insert<const N: usize>(&self, own: [HeaderValue; N], headers: &mut HeaderMap) {
        let preset = self.preset.headers();
        let mut set = 0_u32;
        for name in headers.keys() {
            if let Some(index) = preset.iter().position(|(known, _)| known == name) {
                set |= 1 << index;
            }
        }
        headers.reserve(self.plain.len());
        for (index, (name, value)) in preset.iter().enumerate() {
            if set & 1 << index == 0 {
                headers.insert(name, value.clone());
            }
        }
        for (name, value) in self.own.iter().zip(own) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        Template::new(Preset::Api, vec![HeaderName::from_static("x-request-id"), HeaderName::from_static("x-left")])
    }

    fn put(template: &Template, headers: &mut HeaderMap) {
        template.put([HeaderValue::from_static("id"), HeaderValue::from_static("7")], headers);
    }

    /// What a service says: that of its own affairs which nobody takes off, and as much besides as is wanted.
    fn said(more: usize) -> HeaderMap {
        let mut said = HeaderMap::new();
        for (name, value) in [
            ("server", "Werkzeug/3"),
            ("x-request-id", "its own"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("referrer-policy", "origin"),
        ] {
            said.append(name, HeaderValue::from_static(value));
        }
        let other = |index| HeaderName::try_from(format!("x-other-{index}")).unwrap();
        said.extend((0..more).map(|index| (other(index), HeaderValue::from_static("1"))));
        said
    }

    #[test]
    fn few_headers_are_added_to_a_copy_and_many_are_added_to_with_the_same_outcome() {
        let (few, many) = (5, 50);
        for (more, described) in [(0, false), (few, false), (many, false), (0, true), (few, true), (many, true)] {
            let mut headers = said(more);
            if described {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("2"));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            put(&template(), &mut headers);
            let all =
                |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
            assert_eq!(all("x-request-id"), ["id"]);
            assert_eq!(all("x-left"), ["7"]);
            assert_eq!(all("set-cookie"), ["a=1", "b=2"], "every value of a name stands, in order");
            assert_eq!(all("referrer-policy"), ["origin"], "what the service set itself stands");
            assert_eq!(all("x-frame-options"), ["DENY"]);
            assert!(all("server").is_empty());
            let description = if described { vec!["2", "text/plain"] } else { Vec::new() };
            assert_eq!([all("content-length"), all("content-type")].concat(), description);
            // The five of the preset, of which the service said one; two of ours; the cookies.
            let more = more + description.len();
            assert_eq!((headers.keys_len(), headers.len()), (5 + 2 + 1 + more, 5 + 2 + 2 + more));
        }
    }

    #[test]
    fn a_preset_that_is_off_adds_and_takes_off_nothing_but_what_is_its_users_own() {
        let mut headers = said(0);
        put(&Template::new(Preset::Off, template().own), &mut headers);
        assert_eq!(headers["server"], "Werkzeug/3");
        assert_eq!((&headers["x-request-id"], headers.keys_len()), (&HeaderValue::from_static("id"), 5));
    }
}
