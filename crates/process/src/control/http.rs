//! The one request that may come as HTTP: `POST /breakers/NAME/reset`, for scripts that have curl and no `seaworthy`.

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::protocol::{Command, Reply};

/// The target of a first line of HTTP; `None` for a line of ours.
pub(super) fn posted(line: &[u8]) -> Option<&str> {
    let (target, version) = std::str::from_utf8(line).ok()?.strip_prefix("POST ")?.rsplit_once(' ')?;
    version.starts_with("HTTP/1.").then_some(target)
}

/// What is asked for at `target`.
pub(super) fn command(target: &str) -> Option<Command> {
    let name = target.strip_prefix("/breakers/")?.strip_suffix("/reset")?;
    let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
    Some(Command::ResetBreaker { name })
}

/// Reads up to the empty line that ends a head. A body is none of ours, and closes with the connection.
pub(super) async fn rest_of_head(lines: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 && !line.trim_ascii().is_empty() {
        line.clear();
    }
    Ok(())
}

/// The answer as a whole; the connection is closed after it.
pub(super) fn answer(reply: &Reply) -> Vec<u8> {
    let status = match reply {
        Reply::Refused { .. } => "404 Not Found",
        _ => "200 OK",
    };
    let mut body = serde_json::to_vec(reply).unwrap_or_default();
    body.push(b'\n');
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    answer.extend(body);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reset_is_asked_for_by_http() {
        let target = posted(b"POST /breakers/stripe/reset HTTP/1.1").unwrap();
        assert_eq!(command(target), Some(Command::ResetBreaker { name: "stripe".to_owned() }));
        for other in ["/", "/drain", "/breakers/reset", "/breakers/stripe"] {
            assert_eq!(command(other), None, "{other}");
        }
        for line in [&b"{\"do\":\"status\"}"[..], b"GET / HTTP/1.1", b"POST /", b"POST / HTTP/2", b"POST \xff HTTP/1.1"]
        {
            assert_eq!(posted(line), None);
        }
    }

    #[test]
    fn an_answer_is_whole_and_says_whether_it_was_done() {
        let text = |reply: &Reply| String::from_utf8(answer(reply)).unwrap();
        let done = text(&Reply::done("stripe is closed"));
        assert!(done.starts_with("HTTP/1.1 200 OK\r\n"), "{done}");
        let (head, body) = done.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{done}");
        assert!(text(&Reply::refused("no breaker")).starts_with("HTTP/1.1 404 "));
    }
}
