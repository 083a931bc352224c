//! Buying what is in a cart: reserve, charge, confirm by mail. Logs as Spring Boot 3 does with
//! `logging.pattern.level=%5p [${spring.application.name},%X{traceId},%X{spanId}]`, with Java stack traces.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Name, Reply, Service, refusal, reply};
use crate::context::Context;
use crate::http::{Answer, NoAnswer};

const CONTROLLER: &str = "c.shop.checkout.CheckoutController";
const MAIL_TIMEOUT_MS: u64 = 600;

pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/checkout", post(checkout)).with_state(Checkout { service })
}

#[derive(Clone)]
struct Checkout {
    service: Arc<Service>,
}

/// One checkout under way, on a thread of Tomcat's pool.
struct Order<'a> {
    service: &'a Service,
    context: &'a Context,
    thread: u8,
}

async fn checkout(State(checkout): State<Checkout>, context: Context, Json(order): Json<Value>) -> Reply {
    let text = |key: &str| order[key].as_str().unwrap_or_default();
    let (cart, card, mail) = (text("cart"), text("card"), text("email"));
    let order = Order { service: &checkout.service, context: &context, thread: fastrand::u8(1..=10) };
    order.info(CONTROLLER, &format!("Checkout started: cart={cart}, customer={mail}"));

    let loaded = order.call(Method::GET, Name::Cart, &format!("/carts/{cart}"), None, 1_000).await;
    let (skus, total_cents) = match loaded {
        Ok(answer) if answer.is_success() => (answer.json()["skus"].clone(), answer.json()["total_cents"].clone()),
        Ok(answer) if answer.status == 404 => {
            order.log("WARN", CONTROLLER, &format!("Cart {cart} is unknown or was bought already"));
            return refusal(StatusCode::CONFLICT, "the cart is empty");
        }
        other => return order.failed(cart, "cart", "CartClient.load(CartClient.java:44)", &reason(&other)),
    };
    let items = skus.as_array().map_or(0, Vec::len);
    order.info(
        "c.shop.checkout.CartClient",
        &format!("Cart {cart} has {items} items, total {} EUR", euros(&total_cents)),
    );

    let reserved = order.call(Method::POST, Name::Inventory, "/reservations", Some(json!({"skus": skus})), 2_000).await;
    let reservation = match reserved {
        Ok(answer) if answer.is_success() => answer.json()["reservation"].as_str().unwrap_or_default().to_owned(),
        other => {
            return order.failed(
                cart,
                "inventory",
                "InventoryClient.reserve(InventoryClient.java:61)",
                &reason(&other),
            );
        }
    };
    let charge = json!({"order": cart, "amount_cents": total_cents, "card": card});
    let charged = order.call(Method::POST, Name::Payments, "/charges", Some(charge), 2_000).await;
    match charged {
        Ok(answer) if answer.is_success() => {}
        Ok(answer) if answer.status == 402 => return order.declined(cart, &reservation, &answer).await,
        other => {
            return order.failed(cart, "payments", "PaymentsClient.charge(PaymentsClient.java:73)", &reason(&other));
        }
    }
    order.confirm(cart, mail, &total_cents).await
}

impl Order<'_> {
    async fn confirm(&self, cart: &str, mail: &str, total_cents: &Value) -> Reply {
        let number = fastrand::u32(100_000..999_999);
        self.info("c.shop.checkout.OrderRepository", &format!("Order {number} saved for cart {cart}"));
        let letter = json!({"to": mail, "template": "order-confirmation", "order": number});
        let sent = self.call(Method::POST, Name::Mailer, "/mails", Some(letter), MAIL_TIMEOUT_MS).await;
        if !sent.as_ref().is_ok_and(Answer::is_success) {
            let why = reason(&sent);
            let message = format!("Order {number} is confirmed, but its mail is not: mailer {why}");
            self.log("WARN", "c.shop.checkout.MailerClient", &message);
        }
        // Whether the cart is closed changes nothing for the customer.
        let _ = self.call(Method::DELETE, Name::Cart, &format!("/carts/{cart}"), None, 1_000).await;
        self.info(CONTROLLER, &format!("Order {number} confirmed, {} EUR", euros(total_cents)));
        reply(StatusCode::OK, json!({"order": number, "total_cents": total_cents}))
    }

    async fn declined(&self, cart: &str, reservation: &str, answer: &Answer) -> Reply {
        let why = answer.json()["reason"].as_str().unwrap_or("unknown").to_owned();
        self.log(
            "WARN",
            CONTROLLER,
            &format!("Payment for cart {cart} declined: {why}; releasing reservation {reservation}"),
        );
        let path = format!("/reservations/{reservation}");
        // A reservation that is not released runs out by itself.
        let _ = self.call(Method::DELETE, Name::Inventory, &path, None, 1_000).await;
        self.log("ERROR", CONTROLLER, &format!("Checkout of cart {cart} failed: card declined ({why})"));
        refusal(StatusCode::PAYMENT_REQUIRED, &why)
    }

    /// What Spring's error handler writes when a client of ours throws.
    fn failed(&self, cart: &str, peer: &str, place: &str, why: &str) -> Reply {
        let class = place.split('.').next().unwrap_or_default();
        self.log(
            "ERROR",
            CONTROLLER,
            &format!(
                "Checkout of cart {cart} failed\n\
                 \n\
                 shop.checkout.UpstreamException: {peer} {why}\n\
                 \tat shop.checkout.{place}\n\
                 \tat shop.checkout.CheckoutService.checkout(CheckoutService.java:112)\n\
                 \tat shop.checkout.CheckoutController.post(CheckoutController.java:39)\n\
                 \tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)\n\
                 \tat org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)\n\
                 \tat org.apache.tomcat.util.threads.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1190)\n\
                 \tat java.base/java.lang.Thread.run(Thread.java:1583)\n\
                 Caused by: org.springframework.web.client.RestClientException: {class}: {why}\n\
                 \tat org.springframework.web.client.StatusHandler.handle(StatusHandler.java:77)\n\
                 \tat shop.checkout.{place}\n\
                 \t... 31 common frames omitted"
            ),
        );
        refusal(StatusCode::SERVICE_UNAVAILABLE, &format!("{peer} is not available"))
    }

    async fn call(
        &self,
        method: Method,
        peer: Name,
        path: &str,
        body: Option<Value>,
        timeout_ms: u64,
    ) -> Result<Answer, NoAnswer> {
        self.service.call(self.context, method, peer, path, body, timeout_ms).await
    }

    fn info(&self, logger: &str, message: &str) {
        self.log("INFO", logger, message);
    }

    fn log(&self, level: &str, logger: &str, message: &str) {
        self.service.log.append(&format!(
            "{} {level:>5} [checkout,{},{}] {} --- [nio-8080-exec-{}] {logger:<40} : {message}",
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            self.context.trace_id,
            self.context.span_id,
            self.service.process_id,
            self.thread,
        ));
    }
}

fn reason(outcome: &Result<Answer, NoAnswer>) -> String {
    match outcome {
        Ok(answer) => format!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body)),
        Err(NoAnswer(why)) => format!("gave no answer: {why}"),
    }
}

fn euros(cents: &Value) -> String {
    let cents = cents.as_u64().unwrap_or_default();
    format!("{}.{:02}", cents / 100, cents % 100)
}
