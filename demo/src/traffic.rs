//! Customers: they look at teas, fill carts and check out, a few requests a second. Every request's trace ID is
//! remembered with what it must have crossed, so that it can be looked up and checked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clew_service::shutdown::CancellationToken;
use http_body_util::Full;
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

use crate::context::{Context, TRACEPARENT};
use crate::http::{Answer, Caller};
use crate::service::Name;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests under way at once; beyond it customers wait outside.
const UNDER_WAY_MAX: usize = 256;
/// Finished requests that are remembered.
const REMEMBERED_MAX: usize = 500;
/// One look by half of the customers, and by the others one to three teas and a checkout.
const REQUESTS_A_VISIT: f64 = 2.0;
const CUSTOMERS: [&str; 5] = ["ada", "grace", "linus", "margaret", "ken"];
const TEAS: [&str; 6] = ["TEA-ASSAM", "TEA-SENCHA", "TEA-OOLONG", "TEA-ROOIBOS", "TEA-CHAI", "TEA-MATCHA"];
const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Safari/604.1",
    "ShopApp/7.3 (Android 16)",
];

/// A request that was answered.
#[derive(Clone)]
pub struct Finished {
    pub trace_id: String,
    pub what: &'static str,
    pub status: u16,
    /// The services that this answer cannot have come about without.
    pub crossed: Vec<Name>,
}

#[derive(Default)]
pub struct Ledger {
    pub requests: u64,
    pub failures: u64,
    pub unanswered: u64,
    pub newest_failure: Option<Finished>,
    pub remembered: VecDeque<Finished>,
}

/// Customers of one gateway.
#[derive(Clone)]
pub struct Traffic {
    caller: Caller,
    gateway: SocketAddr,
    pub ledger: Rc<RefCell<Ledger>>,
}

impl Traffic {
    pub fn new(gateway: SocketAddr) -> Self {
        Self { caller: Caller::new(), gateway, ledger: Rc::default() }
    }

    /// Where the shop's door is.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Sends about `rate` requests a second until `stop`, and then waits for those under way.
    pub async fn flow(self, rate: f64, stop: CancellationToken) {
        let customers = LocalSet::new();
        let doors = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let coming = async {
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(REQUESTS_A_VISIT / rate));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The very first customer has a bad card, so that there is a failure to look at soon.
            let mut unlucky = true;
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = ticks.tick() => {}
                }
                let Ok(place) = Arc::clone(&doors).try_acquire_owned() else { continue };
                let (customer, stop) = (self.clone(), stop.clone());
                let unlucky = std::mem::take(&mut unlucky);
                tokio::task::spawn_local(async move {
                    customer.visit(unlucky, stop).await;
                    drop(place);
                });
            }
        };
        customers.run_until(coming).await;
        customers.await;
    }

    /// One customer: half only look, the others buy, and pause between their requests as people do.
    async fn visit(&self, unlucky: bool, stop: CancellationToken) {
        let browser = BROWSERS[fastrand::usize(..BROWSERS.len())];
        let buys = unlucky || fastrand::bool();
        if !buys {
            let path = format!("/products/{}", tea());
            self.request(browser, "look", "GET", &path, None).await;
            return;
        }
        let cart = format!("c-{:06x}", fastrand::u32(..0x100_0000));
        for _ in 0..fastrand::u8(1..=3) {
            self.request(browser, "add", "POST", &format!("/carts/{cart}/items"), Some(json!({"sku": tea()}))).await;
            let pause = Duration::from_millis(if unlucky { 0 } else { fastrand::u64(50..400) });
            if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
                return;
            }
        }
        let declined = unlucky || fastrand::u8(..12) == 0;
        let card = if declined { "4000000000000002" } else { "4242424242424242" };
        let email = format!("{}@example.org", CUSTOMERS[fastrand::usize(..CUSTOMERS.len())]);
        self.request(
            browser,
            "checkout",
            "POST",
            "/checkout",
            Some(json!({"cart": cart, "card": card, "email": email})),
        )
        .await;
    }

    async fn request(&self, browser: &str, what: &'static str, method: &str, path: &str, body: Option<Value>) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway))
            .header("user-agent", browser)
            .header("content-type", "application/json");
        // The app starts the trace itself; for browsers the gateway does.
        if browser.starts_with("ShopApp") {
            request = request.header(TRACEPARENT, Context::receive(&HeaderMap::new()).traceparent());
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).expect("made of valid parts");
        match self.caller.send(request, TIMEOUT).await {
            Ok(answer) => self.ledger.borrow_mut().note(what, &answer),
            Err(_) => self.ledger.borrow_mut().unanswered += 1,
        }
    }
}

impl Ledger {
    fn note(&mut self, what: &'static str, answer: &Answer) {
        self.requests += 1;
        let trace_id = Context::receive(&answer.headers).trace_id;
        let finished = Finished { trace_id, what, status: answer.status, crossed: crossed(what, answer.status) };
        if !answer.is_success() {
            self.failures += 1;
            if what == "checkout" {
                self.newest_failure = Some(finished.clone());
            }
        }
        if self.remembered.len() == REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        self.remembered.push_back(finished);
    }
}

fn crossed(what: &str, status: u16) -> Vec<Name> {
    use Name::*;
    match (what, status) {
        ("look", _) => vec![Gateway, Inventory],
        ("add", 201) => vec![Gateway, Cart, Inventory],
        ("checkout", 200) => vec![Gateway, Checkout, Cart, Inventory, Payments, Mailer],
        ("checkout", 402) => vec![Gateway, Checkout, Cart, Inventory, Payments],
        // Where it failed, its own log says.
        ("checkout", 409 | 503) => vec![Gateway, Checkout],
        _ => vec![Gateway],
    }
}

fn tea() -> &'static str {
    TEAS[fastrand::usize(..TEAS.len())]
}
