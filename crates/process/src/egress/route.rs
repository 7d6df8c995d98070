//! From what the program asked for to what is asked of the service, and back.

use std::borrow::Cow;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use percent_encoding::percent_decode_str;
use seaworthy::core::refusal::Reason;
use seaworthy::refusal::Refusal;

use crate::config::Destination;
use crate::gateway::strip_hop_by_hop;

/// The first segment of a path, and what comes after it.
pub(super) fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.find('/').map_or((path, "/"), |at| path.split_at(at))
}

/// What follows the path of `destination` in a target that names a server, as those of proxies do (RFC 9112, 3.2.2); `None`
/// where it is another server, or above that path.
pub(super) fn within<'t>(target: &'t Uri, destination: &Destination) -> Option<&'t str> {
    // What comes in plain text leaves so: TLS would be told to nobody, and `CONNECT` takes the call out of our hands.
    let plain = target.scheme() == Some(&Scheme::HTTP) && destination.scheme == Scheme::HTTP;
    let (asked, known) = (target.authority().filter(|_| plain)?, &destination.authority);
    let port = |authority: &Authority| authority.port_u16().unwrap_or(80);
    if !asked.host().eq_ignore_ascii_case(known.host()) || port(asked) != port(known) {
        return None;
    }
    let rest = target.path().strip_prefix(&*destination.base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// What no service is asked.
pub(super) fn refuse<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        let detail = "nothing is tunnelled: call /NAME/… of a configured service";
        return Err(Refusal::new(Reason::MethodNotAllowed).detail(detail));
    }
    if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Refusal::new(Reason::BadRequest).detail("the target carries a user or a password"));
    }
    let dots = |segment: &str| matches!(&*percent_decode_str(segment).decode_utf8_lossy(), "." | "..");
    if request.uri().path().split('/').any(dots) {
        // A server would leave the base path by them.
        return Err(Refusal::new(Reason::BadRequest).detail("the path has dot segments"));
    }
    Ok(())
}

/// Makes `request` one to `destination`, where `rest` is the path without the name of the service.
pub(super) fn send_to<B>(request: &mut Request<B>, destination: &Destination, rest: &str) -> Result<(), Refusal> {
    let Destination { scheme, authority, base, .. } = destination;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let too_long = |_| Refusal::new(Reason::UriTooLong).detail("the path does not fit below that of the service");
    let target = PathAndQuery::try_from(format!("{base}{rest}{query}")).map_err(too_long)?;
    let mut parts = http::uri::Parts::default();
    (parts.scheme, parts.authority) = (Some(scheme.clone()), Some(authority.clone()));
    parts.path_and_query = Some(target);
    *request.uri_mut() = Uri::from_parts(parts)
        .map_err(|_| Refusal::new(Reason::BadRequest).detail("the path does not fit below that of the service"))?;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    // `Host` is made of the URI by the client; the program's is our own listener. The 100 has been sent where it was due.
    headers.remove(header::HOST);
    headers.remove(header::EXPECT);
    Ok(())
}

/// Makes the head of an answer one of ours. `prefix` is the path of the service on our listener: empty, or `/NAME`; `None` where
/// the program called it by its own address, so that redirects are right as they are.
pub(super) fn bring_back(headers: &mut HeaderMap, destination: &Destination, prefix: Option<&str>) {
    strip_hop_by_hop(headers);
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    if let Some(local) = prefix.zip(location).and_then(|(prefix, location)| local(location, destination, prefix)) {
        headers.insert(header::LOCATION, local);
    }
}

/// Where a redirect within the service leads on our listener, so that the program stays behind its breaker. One to elsewhere
/// is passed on as it came: the program may follow it, we do not.
fn local(location: &str, destination: &Destination, prefix: &str) -> Option<HeaderValue> {
    let path: Cow<'_, str> = if location.starts_with('/') && !location.starts_with("//") {
        location.into()
    } else {
        let uri: Uri = location.parse().ok()?;
        if uri.scheme() != Some(&destination.scheme) || uri.authority() != Some(&destination.authority) {
            return None;
        }
        uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned().into()
    };
    // Above the base nothing of ours leads there.
    let rest = path.strip_prefix(&*destination.base)?;
    if !rest.is_empty() && !rest.starts_with(['/', '?']) {
        return None;
    }
    HeaderValue::from_str(&format!("{prefix}{}{rest}", if rest.starts_with('/') { "" } else { "/" })).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kind as _;

    fn destination(url: &str) -> Destination {
        Destination::read(&url.into()).unwrap()
    }

    fn sent(url: &str, target: &str) -> Result<String, u16> {
        let mut request = Request::get(target).header("host", "127.0.0.1:9091").body(()).unwrap();
        refuse(&request).map_err(|refusal| refusal_status(&refusal))?;
        let path = request.uri().path().to_owned();
        let (_, rest) = split(&path);
        send_to(&mut request, &destination(url), rest).map_err(|refusal| refusal_status(&refusal))?;
        assert!(!request.headers().contains_key("host"));
        Ok(request.uri().to_string())
    }

    fn refusal_status(refusal: &Refusal) -> u16 {
        refusal
            .respond::<http_body_util::Full<bytes::Bytes>>(&seaworthy::context::Correlation::default())
            .status()
            .into()
    }

    #[test]
    fn a_call_goes_below_the_path_of_its_service_with_its_query() {
        let stripe = "https://api.stripe.com";
        for (url, target, sent_to) in [
            (stripe, "/stripe/v1/charges?limit=3", "https://api.stripe.com/v1/charges?limit=3"),
            (stripe, "/stripe", "https://api.stripe.com/"),
            (stripe, "/stripe?a", "https://api.stripe.com/?a"),
            (stripe, "/stripe/a%2Fb//c", "https://api.stripe.com/a%2Fb//c"),
            ("http://a:81/v2", "/a/users", "http://a:81/v2/users"),
        ] {
            assert_eq!(sent(url, target).as_deref(), Ok(sent_to), "{target}");
        }
    }

    #[test]
    fn nobody_leaves_the_path_of_a_service_or_names_another_one() {
        let url = "http://a/v2";
        for target in ["/a/../admin", "/a/%2e%2E/admin", "/a/x/.%2e"] {
            assert_eq!(sent(url, target), Err(400), "{target}");
        }
        assert_eq!(sent(url, "http://user:pw@a/v2/"), Err(400));
    }

    #[test]
    fn a_proxied_call_is_for_the_server_and_the_path_that_are_configured() {
        for (url, target, rest) in [
            ("http://a", "http://a/users?x=1", Some("/users")),
            ("http://a", "http://A:80", Some("/")),
            ("http://a:81/v2", "http://a:81/v2/users", Some("/users")),
            ("http://a:81/v2", "http://a:81/v2", Some("")),
            ("http://[::1]:81", "http://[::1]:81/x", Some("/x")),
            ("http://a:81/v2", "http://a:81/v20", None),
            ("http://a:81/v2", "http://a:81/", None),
            ("http://a:81", "http://a/", None),
            ("http://a", "http://b/", None),
            ("http://a", "https://a/", None),
            ("https://a", "https://a/", None),
            ("https://a:80", "http://a/", None),
            ("http://a", "/users", None),
        ] {
            let target: Uri = target.parse().unwrap();
            assert_eq!(within(&target, &destination(url)), rest, "{url} {target}");
        }
    }

    #[test]
    fn a_redirect_within_the_service_stays_behind_its_breaker_and_another_is_left_alone() {
        let brought = |url: &str, location: &'static str| {
            let mut headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(location))]);
            bring_back(&mut headers, &destination(url), Some("/stripe"));
            headers[header::LOCATION].to_str().unwrap().to_owned()
        };
        let root = "https://api.stripe.com";
        for (url, location, local) in [
            (root, "/v1/next?page=2", "/stripe/v1/next?page=2"),
            (root, "https://api.stripe.com/v1", "/stripe/v1"),
            (root, "https://api.stripe.com", "/stripe/"),
            (root, "https://evil.example/v1", "https://evil.example/v1"),
            (root, "http://api.stripe.com/v1", "http://api.stripe.com/v1"),
            (root, "//evil.example/", "//evil.example/"),
            (root, "relative", "relative"),
            ("http://a/v2", "/v2/users", "/stripe/users"),
            ("http://a/v2", "/v2?x", "/stripe/?x"),
            ("http://a/v2", "/v20/users", "/v20/users"),
            ("http://a/v2", "/login", "/login"),
        ] {
            assert_eq!(brought(url, location), local, "{url} {location}");
        }
    }
}
