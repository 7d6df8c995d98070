//! What the layers of a [`Stack`](super::Stack) do before a request is asked, and after it was answered.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem, slice};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use seaworthy_core::event::Sink;
use seaworthy_core::refusal::Reason;

use super::Settings;
use crate::access::{AccessLayer, Head, Observer, Record};
use crate::client_address::ClientAddressLayer;
use crate::clock;
use crate::context::RequestContext;
use crate::cors::{Asked, CorsLayer};
use crate::gate::{self, Decision, GateLayer};
use crate::headers::Templates;
use crate::lifecycle::Lifecycle;
use crate::limit::body::{BodyLimitLayer, Watched};
use crate::limit::rate::{self, Allowance, RateLimitLayer, Verdict};
use crate::refusal::Refusal;
use crate::request_id::RequestIdLayer;
use crate::trace::TraceContextLayer;

/// All layers but those that each worker has of its own.
pub(super) struct Shared {
    pub(super) sink: Arc<dyn Sink>,
    client: ClientAddressLayer,
    request_id: RequestIdLayer,
    trace: TraceContextLayer,
    cors: CorsLayer,
    pub(super) gate: GateLayer,
    rate: RateLimitLayer,
    pub(super) body: BodyLimitLayer,
    /// For answers with an id, and for those with an allowance besides.
    templates: [Templates; 2],
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sink: _, client, request_id, trace, cors, gate, rate, body, templates } = self;
        f.debug_struct("Shared")
            .field("client", client)
            .field("request_id", request_id)
            .field("trace", trace)
            .field("cors", cors)
            .field("gate", gate)
            .field("rate", rate)
            .field("body", body)
            .field("templates", templates)
            .finish_non_exhaustive()
    }
}

/// What was found by the head of a request.
pub(super) struct Begun<O: Observer> {
    pub(super) record: Record<O>,
    /// `None` where the body can be neither too large nor too slow.
    pub(super) watched: Option<Arc<Watched>>,
    /// Whose page asks, where answers are shared.
    pub(super) origin: Option<HeaderValue>,
    pub(super) allowance: Option<Allowance>,
    pub(super) verdict: HeadVerdict,
}

/// What becomes of a request by its head.
pub(super) enum HeadVerdict {
    Pass,
    Hold(Duration, Reason),
    Preflight(HeaderMap),
    Limited(rate::Refused),
    Refused(Refusal),
}

impl Shared {
    pub(super) fn new(settings: Settings, lifecycle: Lifecycle, sink: Arc<dyn Sink>) -> Self {
        let Settings { trusted, request_id, trace, headers, cors, hold, reject, rate, body, .. } = settings;
        let id = request_id.name().clone();
        let [limit, remaining, reset] = Allowance::NAMES.map(HeaderName::clone);
        let templates = [
            Templates::new(headers, slice::from_ref(&id)),
            Templates::new(headers, &[id.clone(), limit, remaining, reset]),
        ];
        Self {
            sink,
            client: ClientAddressLayer::new(trusted),
            request_id,
            trace,
            cors,
            gate: GateLayer::new(lifecycle).hold(hold).reject(reject),
            rate,
            body: BodyLimitLayer::new(body),
            templates,
        }
    }

    /// Whatever can be done by the head of a request, before anybody is asked. All of it here, so that its context is looked up once.
    pub(super) fn begin<O: Observer, B: Body>(&self, access: &AccessLayer<O>, request: &mut Request<B>) -> Begun<O> {
        let mut extensions = mem::take(request.extensions_mut());
        let context = RequestContext::of_mut(&mut extensions);
        context.know_protocol(request.method(), request.headers());
        self.client.mark(context, request.headers());
        self.request_id.mark(context, request.headers_mut());
        self.trace.mark(context, request.headers_mut());
        let watched = self.body.watch(&request.body().size_hint(), Some(context));
        let (mut origin, mut allowance) = (None, None);
        let verdict = match self.cors.ask(request.method(), request.headers()) {
            Asked::Preflight(headers) => HeadVerdict::Preflight(headers),
            asked => {
                if let Asked::Answer(page) = asked {
                    origin = page;
                }
                self.judge(context, request, watched.as_deref(), &mut allowance)
            }
        };
        let (method, uri, version, headers) = (request.method(), request.uri(), request.version(), request.headers());
        let record = access.begin(context, &Head { method, uri, version, headers });
        *request.extensions_mut() = extensions;
        Begun { record, watched, origin, allowance, verdict }
    }

    fn judge<B>(
        &self,
        context: &RequestContext,
        request: &Request<B>,
        watched: Option<&Watched>,
        allowance: &mut Option<Allowance>,
    ) -> HeadVerdict {
        let passed = match self.gate.decide() {
            // Whom the gate turns away shall not pay for it.
            Decision::Refuse(reason) => return HeadVerdict::Refused(gate::refusal(reason)),
            Decision::Hold(patience, reason) => HeadVerdict::Hold(patience, reason),
            Decision::Serve => HeadVerdict::Pass,
        };
        let now = context.started.unwrap_or_else(clock::now);
        match self.rate.decide(request.uri().path(), Some(context), request.headers(), now) {
            Verdict::Refused(refused) => return HeadVerdict::Limited(refused),
            Verdict::Allowed(allowed) => *allowance = Some(allowed),
            Verdict::Unlimited => {}
        }
        watched.and_then(Watched::complaint).map_or(passed, HeadVerdict::Refused)
    }

    /// Tells a page of `origin` whether it may read the answer.
    pub(super) fn share<R>(&self, origin: Option<&HeaderValue>, answer: &mut Response<R>) {
        self.cors.share(origin, answer.headers_mut());
    }

    /// Whatever is done to the head of an answer, whoever gave it.
    pub(super) fn end<R, O: Observer>(
        &self,
        answer: &mut Response<R>,
        record: Option<&mut Record<O>>,
        allowance: Option<Allowance>,
        told_by_header: bool,
    ) {
        if told_by_header {
            self.gate.say_farewell(answer);
        }
        let Some(record) = record else { return };
        record.answered(answer);
        let id = record.request_id().cloned().unwrap_or_else(|| HeaderValue::from_static(""));
        let [plain, limited] = &self.templates;
        let told = allowance.and_then(|allowance| Some(allowance.values(self.rate.most()?)));
        match told {
            None => plain.put([id], answer),
            Some([limit, remaining, reset]) => limited.put([id, limit, remaining, reset], answer),
        }
    }
}
