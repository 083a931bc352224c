//! The routes, as a table. `openapi.json` describes them, and a test holds the two against each other.

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::analysis::{facets, fields, histogram, statistics};
use super::api::Api;
use super::problem::Problem;
use super::services;
use super::transaction::{compare, export, page, stream};
use super::{context, deletions, openapi, process, search, status, tail, transactions, ui};

/// One route; a path has several of them where its methods do different things.
pub struct Route {
    /// With its parameters in braces.
    pub path: &'static str,
    /// HEAD goes with GET.
    pub methods: &'static [Method],
    /// The names that it takes: in the query string of a GET, in the body of a POST.
    pub parameters: &'static [&'static str],
    handler: fn(MethodFilter) -> MethodRouter<Api>,
}

const READ: &[Method] = &[Method::GET];
/// A query may be longer than an address.
const ASK: &[Method] = &[Method::GET, Method::POST];
const CHANGE: &[Method] = &[Method::POST];

/// All routes.
pub const ROUTES: &[Route] = &[
    Route::new("/livez", READ, &[], |methods| on(methods, process::livez)),
    Route::new("/readyz", READ, &[], |methods| on(methods, process::readyz)),
    Route::new("/metrics", READ, &[], |methods| on(methods, process::metrics)),
    Route::new("/openapi.json", READ, &[], |methods| on(methods, openapi::openapi)),
    Route::new("/api/v1/logs/search", ASK, search::PARAMETERS, |methods| on(methods, search::search)),
    Route::new("/api/v1/logs/histogram", ASK, histogram::PARAMETERS, |methods| on(methods, histogram::histogram)),
    Route::new("/api/v1/logs/facets", ASK, facets::PARAMETERS, |methods| on(methods, facets::facets)),
    Route::new("/api/v1/logs/stats", ASK, statistics::PARAMETERS, |methods| on(methods, statistics::stats)),
    Route::new("/api/v1/logs/context", ASK, context::PARAMETERS, |methods| on(methods, context::context)),
    Route::new("/api/v1/logs/tail", READ, tail::PARAMETERS, |methods| on(methods, tail::tail)),
    Route::new("/api/v1/fields", ASK, fields::PARAMETERS, |methods| on(methods, fields::fields)),
    Route::new("/api/v1/transactions", ASK, transactions::PARAMETERS, |methods| on(methods, transactions::list)),
    Route::new("/api/v1/transactions/{id}", READ, page::PARAMETERS, |methods| on(methods, page::get)),
    Route::new("/api/v1/transactions/{id}/stream", READ, stream::PARAMETERS, |methods| on(methods, stream::stream)),
    Route::new("/api/v1/transactions/{id}/compare", READ, compare::PARAMETERS, |methods| on(methods, compare::compare)),
    Route::new("/api/v1/services", READ, services::PARAMETERS, |methods| on(methods, services::services)),
    Route::new("/api/v1/services/graph", READ, services::GRAPH_PARAMETERS, |methods| on(methods, services::graph)),
    Route::new("/api/v1/transactions/{id}/export", READ, export::PARAMETERS, |methods| on(methods, export::export)),
    Route::new("/api/v1/admin/deletions", READ, &[], |methods| on(methods, deletions::list)),
    Route::new("/api/v1/admin/deletions", CHANGE, deletions::PARAMETERS, |methods| on(methods, deletions::create)),
    Route::new("/api/v1/admin/deletions/{id}", READ, &[], |methods| on(methods, deletions::get)),
    Route::new("/api/v1/status/agents", READ, &[], |methods| on(methods, status::agents)),
    Route::new("/api/v1/admin/agents/{id}/retire", CHANGE, &[], |methods| on(methods, status::retire)),
    Route::new("/api/v1/status/storage", READ, &[], |methods| on(methods, status::storage)),
];

impl Route {
    const fn new(
        path: &'static str,
        methods: &'static [Method],
        parameters: &'static [&'static str],
        handler: fn(MethodFilter) -> MethodRouter<Api>,
    ) -> Self {
        Self { path, methods, parameters, handler }
    }

    fn method_router(&self) -> MethodRouter<Api> {
        let filters = self.methods.iter().map(|method| MethodFilter::try_from(method.clone()).expect("a known method"));
        (self.handler)(filters.reduce(MethodFilter::or).expect("a route has a method"))
    }
}

/// All routes, ready to be served.
pub fn build(api: Api) -> Router {
    let router = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, route.method_router()));
    router.fallback(ui::page).method_not_allowed_fallback(async || Problem::Method).with_state(api)
}
