//! The head of a request, as it goes to the program.

use http::{HeaderValue, Request, header};

use super::Framing;
use crate::proxy::head;

/// Writes the head of `request` for the next hop to the end of `out`.
pub(super) fn write<B>(
    out: &mut Vec<u8>,
    request: &Request<B>,
    peer: Option<&HeaderValue>,
    framing: Framing,
    websocket: bool,
) {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    if !target.starts_with(['/', '*']) {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut line = |name: &[u8], value: &[u8]| {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    head::onward(request.headers(), uri.authority(), peer, |name, value| {
        // Framed anew below.
        if name != header::CONTENT_LENGTH {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
    });
    match framing {
        Framing::Length(length) => line(b"content-length", itoa::Buffer::new().format(length).as_bytes()),
        Framing::Chunked => line(b"transfer-encoding", b"chunked"),
        Framing::Empty | Framing::UntilClose => {}
    }
    if websocket {
        line(b"connection", b"Upgrade");
        line(b"upgrade", b"websocket");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn written(request: http::request::Builder, framing: Framing) -> String {
        let mut out = Vec::new();
        let peer = HeaderValue::from_static("192.0.2.7");
        write(&mut out, &request.body(()).unwrap(), Some(&peer), framing, false);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_head_is_framed_anew_and_tells_of_the_way() {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/a?b=c")
            .header("host", "example.com")
            .header("content-length", "7")
            .header("transfer-encoding", "chunked")
            .header("accept", "*/*");
        let expected = "POST /a?b=c HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\nx-forwarded-for: 192.0.2.7\r\n\
                        x-forwarded-proto: http\r\nx-forwarded-host: example.com\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(written(request, Framing::Length(5)), expected);
    }

    #[test]
    fn the_target_is_in_origin_form() {
        let target = |uri: &str| {
            let head = written(Request::builder().uri(uri).header("host", "a"), Framing::Empty);
            head.split_ascii_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!(target("http://a/b?c"), "/b?c");
        assert_eq!(target("http://a?c"), "/?c");
        assert_eq!(target("http://a"), "/");
        assert_eq!(target("*"), "*");
    }
}
