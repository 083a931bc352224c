//! The routes, as a table. `openapi.json` describes them, and a test holds the two against each other.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::analysis::{facets, fields, histogram, statistics};
use super::api::Api;
use super::guard::{Guarded, doorstep, guard};
use super::problem::Problem;
use super::services;
use super::transaction::{compare, export, page, stream};
use super::{context, deletions, openapi, process, search, session, status, tail, transactions, ui};
use crate::access::principal::Scope;

/// One route; a path has several of them where its methods do different things.
pub struct Route {
    /// With its parameters in braces.
    pub path: &'static str,
    /// HEAD goes with GET.
    pub methods: &'static [Method],
    /// The names that it takes: in the query string of a GET, in the body of a POST.
    pub parameters: &'static [&'static str],
    /// What it takes to ask; none: everybody may.
    pub scope: Option<Scope>,
    handler: Handler,
}

type Handler = fn(MethodFilter) -> MethodRouter<Api>;

const READ: &[Method] = &[Method::GET];
/// A query may be longer than an address.
const ASK: &[Method] = &[Method::GET, Method::POST];
const CHANGE: &[Method] = &[Method::POST];
const END: &[Method] = &[Method::DELETE];

/// All routes.
pub const ROUTES: &[Route] = &[
    Route::open("/livez", READ, &[], |methods| on(methods, process::livez)),
    Route::open("/readyz", READ, &[], |methods| on(methods, process::readyz)),
    Route::read("/metrics", READ, &[], |methods| on(methods, process::metrics)),
    Route::open("/openapi.json", READ, &[], |methods| on(methods, openapi::openapi)),
    Route::open("/api/v1/session", READ, &[], |methods| on(methods, session::show)),
    Route::open("/api/v1/session", CHANGE, session::PARAMETERS, |methods| on(methods, session::login)),
    Route::open("/api/v1/session", END, &[], |methods| on(methods, session::logout)),
    Route::read("/api/v1/logs/search", ASK, search::PARAMETERS, |methods| on(methods, search::search)),
    Route::read("/api/v1/logs/histogram", ASK, histogram::PARAMETERS, |methods| on(methods, histogram::histogram)),
    Route::read("/api/v1/logs/facets", ASK, facets::PARAMETERS, |methods| on(methods, facets::facets)),
    Route::read("/api/v1/logs/stats", ASK, statistics::PARAMETERS, |methods| on(methods, statistics::stats)),
    Route::read("/api/v1/logs/context", ASK, context::PARAMETERS, |methods| on(methods, context::context)),
    Route::read("/api/v1/logs/tail", READ, tail::PARAMETERS, |methods| on(methods, tail::tail)),
    Route::read("/api/v1/fields", ASK, fields::PARAMETERS, |methods| on(methods, fields::fields)),
    Route::read("/api/v1/transactions", ASK, transactions::PARAMETERS, |methods| on(methods, transactions::list)),
    Route::read("/api/v1/transactions/{id}", READ, page::PARAMETERS, |methods| on(methods, page::get)),
    Route::read("/api/v1/transactions/{id}/stream", READ, stream::PARAMETERS, |methods| on(methods, stream::stream)),
    Route::read("/api/v1/transactions/{id}/compare", READ, compare::PARAMETERS, |methods| {
        on(methods, compare::compare)
    }),
    Route::read("/api/v1/services", READ, services::PARAMETERS, |methods| on(methods, services::services)),
    Route::read("/api/v1/services/graph", READ, services::GRAPH_PARAMETERS, |methods| on(methods, services::graph)),
    Route::read("/api/v1/transactions/{id}/export", READ, export::PARAMETERS, |methods| on(methods, export::export)),
    Route::admin("/api/v1/admin/deletions", READ, &[], |methods| on(methods, deletions::list)),
    Route::admin("/api/v1/admin/deletions", CHANGE, deletions::PARAMETERS, |methods| on(methods, deletions::create)),
    Route::admin("/api/v1/admin/deletions/{id}", READ, &[], |methods| on(methods, deletions::get)),
    Route::read("/api/v1/status/agents", READ, &[], |methods| on(methods, status::agents)),
    Route::admin("/api/v1/admin/agents/{id}/retire", CHANGE, &[], |methods| on(methods, status::retire)),
    Route::read("/api/v1/status/storage", READ, &[], |methods| on(methods, status::storage)),
];

impl Route {
    /// Holds nothing that is anybody's secret.
    const fn open(
        path: &'static str,
        methods: &'static [Method],
        parameters: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self { path, methods, parameters, scope: None, handler }
    }

    const fn read(
        path: &'static str,
        methods: &'static [Method],
        parameters: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self { path, methods, parameters, scope: Some(Scope::Read), handler }
    }

    const fn admin(
        path: &'static str,
        methods: &'static [Method],
        parameters: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self { path, methods, parameters, scope: Some(Scope::Admin), handler }
    }

    fn method_router(&self, api: &Api) -> MethodRouter<Api> {
        let filters = self.methods.iter().map(|method| MethodFilter::try_from(method.clone()).expect("a known method"));
        let router = (self.handler)(filters.reduce(MethodFilter::or).expect("a route has a method"));
        let Some(scope) = self.scope else { return router };
        router.route_layer(from_fn_with_state(Guarded { api: api.clone(), scope }, guard))
    }
}

/// All routes, ready to be served.
pub fn build(api: Api) -> Router {
    let router = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, route.method_router(&api)));
    let router = router.fallback(ui::page).method_not_allowed_fallback(async || Problem::Method);
    router.layer(from_fn_with_state(api.clone(), doorstep)).with_state(api)
}
