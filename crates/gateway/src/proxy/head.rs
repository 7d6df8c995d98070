//! Heads on their way through: what is refused, what is taken off, what is added.
//!
//! # Rules
//!
//! - Hop-by-hop headers and all that `Connection` names stay on their hop (RFC 9110, 7.6.1), both ways. `Host` and the
//!   framing are never taken off by being named there.
//! - `X-Forwarded-For` gets the peer appended; `X-Forwarded-Proto` and `-Host` are passed on where they came and set
//!   where they did not: dropping them makes redirect loops in programs behind another balancer.
//! - `Expect` stays here: `100 Continue` is sent when the program begins to read.
//! - The target is sent on as it came, in origin form.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use seaworthy::core::refusal::Reason;
use seaworthy::refusal::Refusal;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What belongs to one hop (RFC 9110, 7.6.1).
static HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
];

/// What the gateway refuses before it asks the program.
pub(crate) fn refuse<B>(request: &Request<B>, longest_target: u64) -> Result<(), Refusal> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target as u64 > longest_target {
        return Err(Refusal::new(Reason::UriTooLong).detail(format!("at most {longest_target} bytes are accepted")));
    }
    if request.method() == Method::CONNECT {
        return Err(Refusal::new(Reason::MethodNotAllowed).detail("CONNECT is for forward proxies; this is none"));
    }
    if request.version() == Version::HTTP_2 {
        return Ok(());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            Err(Refusal::new(Reason::BadRequest).detail("an HTTP/1.1 request needs a Host header (RFC 9112, 3.2)"))
        }
        (Some(_), Some(_)) => Err(Refusal::new(Reason::BadRequest).detail("more than one Host header (RFC 9112, 3.2)")),
        (Some(host), None) => match request.uri().authority() {
            Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
                Err(Refusal::new(Reason::BadRequest).detail("the target and the Host header disagree"))
            }
            _ => Ok(()),
        },
        (None, _) => Ok(()),
    }
}

/// Whether the client asks for a WebSocket (RFC 6455, 4.1).
pub(crate) fn wants_websocket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let Some(upgrade) = headers.get(header::UPGRADE) else { return false };
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        && names(headers, header::CONNECTION).any(|name| name.eq_ignore_ascii_case(b"upgrade"))
}

/// Takes off what belongs to one hop.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most heads carry none of these or one, and looking once through their names is cheaper than asking for each.
    let place = |name| HOP_BY_HOP.iter().position(|known| known == name);
    let present = headers.keys().filter_map(place).fold(0_u32, |present, place| present | 1 << place);
    if present == 0 {
        return;
    }
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    // gRPC asks for trailers by `TE: trailers`, and that much may be said on every hop that can pass them.
    let trailers = names(headers, header::TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
    for (place, name) in HOP_BY_HOP.iter().enumerate() {
        if present & 1 << place != 0 {
            headers.remove(name);
        }
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// The headers that `Connection` names and that would not stay on this hop anyway.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    names(headers, header::CONNECTION)
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"close"))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::CONTENT_TYPE))
        .collect()
}

/// The comma-separated names in all headers of one name.
fn names(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// What becomes of a header of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Stays on this hop.
    Dropped,
    Te,
    Host,
    ForwardedFor,
    ForwardedProto,
    ForwardedHost,
}

/// The headers of requests that do not simply go on.
static FATES: [(HeaderName, Fate); 13] = [
    (header::HOST, Fate::Host),
    (header::CONNECTION, Fate::Dropped),
    (header::TE, Fate::Te),
    (header::TRANSFER_ENCODING, Fate::Dropped),
    (header::UPGRADE, Fate::Dropped),
    (header::EXPECT, Fate::Dropped),
    (header::PROXY_AUTHENTICATE, Fate::Dropped),
    (header::PROXY_AUTHORIZATION, Fate::Dropped),
    (KEEP_ALIVE, Fate::Dropped),
    (PROXY_CONNECTION, Fate::Dropped),
    (X_FORWARDED_FOR, Fate::ForwardedFor),
    (X_FORWARDED_PROTO, Fate::ForwardedProto),
    (X_FORWARDED_HOST, Fate::ForwardedHost),
];

/// Gives each header of the request as the program gets it to `line`: what the client sent, without what belongs to its
/// hop, and what the program should know of the way the request came. The request stays as it is, to be said again.
pub(crate) fn onward(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    peer: Option<&HeaderValue>,
    mut line: impl FnMut(&HeaderName, &HeaderValue),
) {
    let named = headers.get(header::CONNECTION).map_or_else(Vec::new, |_| named_by_connection(headers));
    let (mut host, mut chain, mut proto, mut forwarded_host) = (None, Vec::new(), false, false);
    for (name, value) in headers {
        match FATES.iter().find_map(|(known, fate)| (known == name).then_some(*fate)) {
            Some(Fate::Dropped) => continue,
            // gRPC asks for trailers by `TE: trailers`, and that much may be said on every hop that can pass them.
            Some(Fate::Te) => {
                let mut codings = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                if codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers")) {
                    line(name, &HeaderValue::from_static("trailers"));
                }
                continue;
            }
            Some(Fate::Host) => host = Some(value),
            _ if named.contains(name) => continue,
            Some(Fate::ForwardedFor) if peer.is_some() => {
                chain.extend_from_slice(value.as_bytes());
                chain.extend_from_slice(b", ");
                continue;
            }
            Some(Fate::ForwardedProto) => proto = true,
            Some(Fate::ForwardedHost) => forwarded_host = true,
            Some(Fate::ForwardedFor) | None => {}
        }
        line(name, value);
    }
    if let Some(peer) = peer {
        if chain.is_empty() {
            line(&X_FORWARDED_FOR, peer);
        } else {
            chain.extend_from_slice(peer.as_bytes());
            // Made of values that were valid, and of commas.
            line(&X_FORWARDED_FOR, HeaderValue::from_bytes(&chain).as_ref().unwrap_or(peer));
        }
    }
    if !proto {
        line(&X_FORWARDED_PROTO, &HeaderValue::from_static("http"));
    }
    let said =
        authority.filter(|_| host.is_none()).and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(said) = &said {
        line(&header::HOST, said);
    }
    if let Some(host) = host.or(said.as_ref())
        && !forwarded_host
    {
        line(&X_FORWARDED_HOST, host);
    }
}

/// The target for an HTTP/2 upstream: everything (RFC 9113, 8.3.1).
pub(crate) fn absolute_form(uri: &mut Uri, headers: &mut HeaderMap) {
    let host = headers.remove(header::HOST);
    let named = host.as_ref().and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = named.or_else(|| uri.authority().cloned()).or_else(|| Some(Authority::from_static("localhost")));
    parts.path_and_query = Some(path_and_query(uri));
    if let Ok(absolute) = Uri::from_parts(parts) {
        *uri = absolute;
    }
}

fn path_and_query(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(pair) {
            headers.append::<HeaderName>(name, value);
        }
        headers
    }

    fn request(version: Version, uri: &str, lines: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(uri).body(()).unwrap();
        *request.headers_mut() = headers(lines);
        request
    }

    fn gone_on(headers: &HeaderMap, authority: Option<&Authority>, peer: Option<&HeaderValue>) -> HeaderMap {
        let mut gone = HeaderMap::new();
        onward(headers, authority, peer, |name, value| {
            gone.append(name, value.clone());
        });
        gone
    }

    #[test]
    fn the_authority_of_http2_becomes_the_host() {
        let authority = Authority::from_static("example.com");
        let head = gone_on(&headers(&[("accept", "*/*")]), Some(&authority), None);
        assert_eq!(head[header::HOST], "example.com");
        assert_eq!(head[X_FORWARDED_HOST], "example.com");
        assert!(!head.contains_key(X_FORWARDED_FOR));
    }

    #[test]
    fn what_the_connection_header_names_stays_on_its_hop_but_never_the_host() {
        let mut head = headers(&[
            ("connection", "keep-alive, X-Internal, Host"),
            ("keep-alive", "timeout=5"),
            ("x-internal", "1"),
            ("host", "a"),
            ("te", "gzip, trailers"),
            ("accept", "*/*"),
        ]);
        let gone = gone_on(&head, None, None);
        strip_hop_by_hop(&mut head);
        let names = |headers: &HeaderMap| {
            let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&head), ["accept", "host", "te"]);
        assert_eq!(names(&gone), ["accept", "host", "te", "x-forwarded-host", "x-forwarded-proto"]);
        for head in [head, gone] {
            assert_eq!(head[header::TE], "trailers");
        }
    }

    #[test]
    fn a_host_header_is_needed_once_and_agrees_with_the_target() {
        let refused = |request: Request<()>| refuse(&request, 100).is_err();
        assert!(refused(request(Version::HTTP_11, "/", &[])));
        assert!(refused(request(Version::HTTP_11, "/", &[("host", "a"), ("host", "a")])));
        assert!(refused(request(Version::HTTP_11, "http://a/", &[("host", "b")])));
        assert!(!refused(request(Version::HTTP_11, "http://a/", &[("host", "A")])));
        assert!(!refused(request(Version::HTTP_10, "/", &[])));
        assert!(refused(request(Version::HTTP_11, &format!("/{}", "x".repeat(100)), &[("host", "a")])));
    }

    #[test]
    fn the_peer_is_appended_and_what_a_balancer_said_is_passed_on() {
        let peer = HeaderValue::from_static("192.0.2.7");
        let mut head = headers(&[("host", "a"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "1.1.1.1")]);
        head.append("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        let head = gone_on(&head, None, Some(&peer));
        assert_eq!(head[X_FORWARDED_FOR], "1.1.1.1, 10.0.0.1, 192.0.2.7");
        assert_eq!(head.get_all(X_FORWARDED_FOR).iter().count(), 1);
        assert_eq!(head[X_FORWARDED_PROTO], "https");
        assert_eq!(head[X_FORWARDED_HOST], "a");
    }

    #[test]
    fn only_a_websocket_upgrade_is_one() {
        let asks = |upgrade: &str, connection: &str| {
            wants_websocket(&request(Version::HTTP_11, "/", &[("upgrade", upgrade), ("connection", connection)]))
        };
        assert!(asks("websocket", "keep-alive, Upgrade"));
        assert!(!asks("h2c", "Upgrade"));
        assert!(!asks("websocket", "keep-alive"));
    }

    #[test]
    fn the_target_for_http2_says_everything() {
        let mut uri: Uri = "/a?b=c".parse().unwrap();
        let mut head = headers(&[("host", "example.com:81")]);
        absolute_form(&mut uri, &mut head);
        assert_eq!(uri, "http://example.com:81/a?b=c");
    }

    proptest! {
        #[test]
        fn no_connection_header_survives(value in "[a-zA-Z0-9 ,\\-]{0,40}") {
            let mut head = headers(&[("host", "a"), ("connection", &value)]);
            let gone = gone_on(&head, None, None);
            strip_hop_by_hop(&mut head);
            for head in [&head, &gone] {
                prop_assert!(!head.contains_key(header::CONNECTION));
                prop_assert!(head.contains_key(header::HOST));
            }
        }
    }

    /// Lines of `name: value`, as far as they are headers.
    fn fuzzed(text: &[u8]) -> HeaderMap {
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
        });
        lines.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn fuzz_no_head_passes_what_belongs_to_the_hop() {
        seaworthy_fuzz::drive("head", |text| {
            let mut headers = fuzzed(text);
            let peer = HeaderValue::from_static("203.0.113.9");
            let gone = gone_on(&headers, None, Some(&peer));
            strip_hop_by_hop(&mut headers);
            for headers in [&headers, &gone] {
                for name in HOP_BY_HOP.iter().filter(|name| **name != header::TE) {
                    assert!(!headers.contains_key(name), "{name}");
                }
                assert!(headers.get(header::TE).is_none_or(|coding| coding == "trailers"));
            }
            let chain = gone.get(X_FORWARDED_FOR).expect("it was added");
            assert!(chain.as_bytes().ends_with(peer.as_bytes()));
        });
    }

    #[test]
    fn fuzz_any_target_has_a_form_for_http2() {
        seaworthy_fuzz::drive_text("target", |text| {
            let Ok(uri) = text.trim().parse::<Uri>() else { return };
            let mut absolute = uri;
            absolute_form(&mut absolute, &mut HeaderMap::new());
            assert!(absolute.authority().is_some(), "{absolute}");
        });
    }
}
