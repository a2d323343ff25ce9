//! The routes of a site, and a list of them for whoever describes or checks them.

use axum::Router;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::problem::Problem;

/// Routes that share the state `S`.
#[derive(Debug)]
pub(super) struct Routes<S> {
    router: Router<S>,
    list: Vec<(&'static str, &'static str)>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None at first.
    pub(super) fn new() -> Self {
        Self { router: Router::new(), list: Vec::new() }
    }

    /// Every route as method and path, in the order in which they were added.
    pub(super) fn list(&self) -> &[(&'static str, &'static str)] {
        &self.list
    }

    /// Answers GET, and HEAD.
    pub(super) fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, S>) -> Self {
        self.add("GET", path, get(handler))
    }

    /// Answers POST.
    pub(super) fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, S>) -> Self {
        self.add("POST", path, post(handler))
    }

    /// Answers PUT.
    pub(super) fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, S>) -> Self {
        self.add("PUT", path, put(handler))
    }

    /// Answers DELETE.
    pub(super) fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, S>) -> Self {
        self.add("DELETE", path, delete(handler))
    }

    /// All of them, with answers for what is none of them.
    pub(super) fn into_router(self, state: S) -> Router {
        let unknown = || async { Problem::new(StatusCode::NOT_FOUND, "there is no such page; / lists them") };
        let method = || async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this page does not take this method; see Allow")
        };
        self.router.fallback(unknown).method_not_allowed_fallback(method).with_state(state)
    }

    fn add(mut self, method: &'static str, path: &'static str, answer: MethodRouter<S>) -> Self {
        self.list.push((method, path));
        Self { router: self.router.route(path, answer), list: self.list }
    }
}
