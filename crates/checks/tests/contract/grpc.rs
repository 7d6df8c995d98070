//! `grpc` against the server of grpc's own library for Python.

use seaworthy_checks::Trust;
use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::grpc::{Server as Target, Settings};
use seaworthy_core::health::Class;

use crate::bed::{Certificates, Server, failure, once, passed};
use crate::contract::{Subject, hold};

/// Serves the health protocol by hand: its messages are a byte or two, and Debian has no package of them.
const PROGRAM: &str = r#"
import sys, grpc
from concurrent import futures

def check(request, context):
    name = request[2:].decode()
    if name == "down":
        return b"\x08\x02"
    if name == "private":
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
    if name not in ("", "shop.Inventory"):
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\x08\x01"

class Health(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == sys.argv[2]:
            return grpc.unary_unary_rpc_method_handler(check)

server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Health(),))
if len(sys.argv) > 3:
    pair = tuple(open(path, "rb").read() for path in sys.argv[3:])
    server.add_secure_port(f"127.0.0.1:{sys.argv[1]}", grpc.ssl_server_credentials((pair,)))
else:
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
"#;

const METHOD: &str = "/grpc.health.v1.Health/Check";

async fn server(method: &str, certificates: Option<&Certificates>) -> Server {
    let files = certificates.map(|certificates| ["server.key", "server.pem"].map(|name| certificates.path(name)));
    let files = files.into_iter().flatten().map(|path| path.to_str().unwrap().to_owned());
    Server::start(|_, port| {
        let program = ["/usr/bin/python3", "-c", PROGRAM, &port.to_string(), method].map(str::to_owned);
        program.into_iter().chain(files).collect()
    })
    .await
}

fn at(url: &str, service: &str, trust: Trust) -> Spec {
    let server = Target::new(url).unwrap();
    Spec::Grpc(Box::new(Settings { server, service: service.to_owned(), tls: trust.into() }))
}

#[tokio::test]
async fn the_contract_holds() {
    hold(Subject {
        keeps: false,
        ..Subject::new(
            server(METHOD, None).await,
            |port| at(&format!("grpc://127.0.0.1:{port}"), "", Trust::Public),
            "nothing is secret here",
        )
    })
    .await;
}

#[tokio::test]
async fn each_answer_of_the_protocol_has_its_class() {
    let health = server(METHOD, None).await;
    let asked = |service: &str| once(at(&format!("grpc://localhost:{}", health.port), service, Trust::Public));
    assert!(passed(&asked("shop.Inventory").await));
    assert_eq!(failure(&asked("down").await), (Class::Condition, "the status is NOT_SERVING"));
    let unknown = asked("other").await;
    let said = "the service is not known there (NOT_FOUND): unknown service";
    assert_eq!(failure(&unknown), (Class::Condition, said));
    assert_eq!(failure(&asked("private").await).0, Class::Auth);

    let other = server("/other.Service/Method", None).await;
    let run = once(at(&format!("grpc://localhost:{}", other.port), "", Trust::Public)).await;
    assert!(failure(&run).1.starts_with("the server has no health service (UNIMPLEMENTED)"), "{run:?}");
}

#[tokio::test]
async fn tls_is_verified() {
    let certificates = Certificates::make();
    let server = server(METHOD, Some(&certificates)).await;
    let url = format!("grpcs://localhost:{}", server.port);
    let run = once(at(&url, "", Trust::File(certificates.path("ca.pem")))).await;
    assert!(passed(&run), "{run:?}");
    assert_eq!(failure(&once(at(&url, "", Trust::Public)).await).0, Class::Tls);
}
