//! The log statements of twelve services: five each, with variables in braces. The first is logged when a request comes
//! in, the second when it is answered, the others in between.

/// One log statement.
pub struct Template {
    pub level: Level,
    pub logger: &'static str,
    pub message: Vec<Piece>,
    /// More JSON members, each with its leading comma.
    pub members: Vec<Piece>,
}

/// A service: a name and its statements.
pub struct Service {
    pub name: &'static str,
    pub templates: Vec<Template>,
    /// Whether its logger writes nanoseconds; the others write microseconds.
    pub nanoseconds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(&'static str),
    Variable(Variable),
}

/// What stands in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    // Of the transaction.
    User,
    Order,
    Session,
    Ip,
    Method,
    Path,
    Status,
    Product,
    Amount,
    Currency,
    City,
    // Of the record.
    Milliseconds,
    Duration,
    Count,
    Bytes,
    Shard,
    Attempt,
    Peer,
    Reference,
    Percent,
    Word,
}

fn variable(name: &str) -> Variable {
    match name {
        "user" => Variable::User,
        "order" => Variable::Order,
        "session" => Variable::Session,
        "ip" => Variable::Ip,
        "method" => Variable::Method,
        "path" => Variable::Path,
        "status" => Variable::Status,
        "ms" => Variable::Milliseconds,
        "duration" => Variable::Duration,
        "amount" => Variable::Amount,
        "currency" => Variable::Currency,
        "product" => Variable::Product,
        "count" => Variable::Count,
        "bytes" => Variable::Bytes,
        "shard" => Variable::Shard,
        "attempt" => Variable::Attempt,
        "peer" => Variable::Peer,
        "reference" => Variable::Reference,
        "percent" => Variable::Percent,
        "city" => Variable::City,
        "word" => Variable::Word,
        other => panic!("no variable is called {other}"),
    }
}

fn pieces(text: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a closing brace");
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Variable(variable(name)));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

const HTTP: &str = r#","http.method":"{method}","http.path":"{path}""#;
const ANSWER: &str =
    r#","http.method":"{method}","http.path":"{path}","http.status":{status},"duration_ms":{duration}"#;

const DEBUG: Level = Level::Debug;
const INFO: Level = Level::Info;
const WARN: Level = Level::Warn;
const ERROR: Level = Level::Error;

type Statement = (Level, &'static str, &'static str, &'static str);

/// Service, then its statements: level, logger, message, members.
const STATEMENTS: [(&str, [Statement; 5]); 12] = [
    (
        "gateway",
        [
            (INFO, "edge.access", "accepted {method} {path} from {ip}", HTTP),
            (INFO, "edge.access", "{method} {path} answered {status} in {ms} ms, {bytes} bytes", ANSWER),
            (DEBUG, "edge.route", "route matched upstream {peer} for session {session}", ""),
            (INFO, "edge.limit", "rate budget of {ip} at {percent} %", r#","budget.remaining":{count}"#),
            (WARN, "edge.upstream", "upstream {peer} slow: first byte after {ms} ms (attempt {attempt})", ""),
        ],
    ),
    (
        "auth",
        [
            (DEBUG, "shop.auth.TokenFilter", "verifying bearer token of session {session}", HTTP),
            (INFO, "shop.auth.TokenFilter", "token accepted for {user}, expires in {count} s", ANSWER),
            (INFO, "shop.auth.SessionStore", "session {session} refreshed from {ip}", ""),
            (DEBUG, "shop.auth.KeyCache", "signing key k-{shard} found in cache, age {count} s", ""),
            (WARN, "shop.auth.Guard", "{attempt} failed logins for {user} from {ip} in {city}", ""),
        ],
    ),
    (
        "catalog",
        [
            (INFO, "catalog.http", "request for product {product}", HTTP),
            (INFO, "catalog.http", "product {product} rendered with {count} variants", ANSWER),
            (
                DEBUG,
                "catalog.sql",
                "select * from products where sku = '{product}' and shard = {shard} took {ms} ms",
                r#","db.rows":{count}"#,
            ),
            (DEBUG, "catalog.cache", "cache miss for key product:{product}:{currency}", r#","cache.bytes":{bytes}"#),
            (ERROR, "catalog.sql", "connection to {peer} lost while reading {product}: broken pipe", ""),
        ],
    ),
    (
        "cart",
        [
            (INFO, "com.shop.cart.CartController", "loading cart of {user}", HTTP),
            (
                INFO,
                "com.shop.cart.CartController",
                "cart of {user} has {count} items worth {amount} {currency}",
                ANSWER,
            ),
            (INFO, "com.shop.cart.CartService", "added {count} x {product} to cart of session {session}", ""),
            (DEBUG, "com.shop.cart.RedisCartStore", "HSET cart:{user} {product} -> {peer} in {ms} ms", ""),
            (WARN, "com.shop.cart.CartService", "price of {product} changed by {percent} % since it was added", ""),
        ],
    ),
    (
        "checkout",
        [
            (INFO, "com.shop.checkout.CheckoutController", "checkout of order {order} started by {user}", HTTP),
            (
                INFO,
                "com.shop.checkout.CheckoutController",
                "order {order} finished with status {status} after {ms} ms",
                ANSWER,
            ),
            (INFO, "com.shop.checkout.Saga", "order {order}: step {word} done in {ms} ms", r#","order_id":"{order}""#),
            (
                DEBUG,
                "com.shop.checkout.Totals",
                "order {order}: net {amount}, tax {amount}, total {amount} {currency}",
                r#","order_id":"{order}""#,
            ),
            (
                ERROR,
                "com.shop.checkout.Saga",
                "order {order}: step {word} failed, compensating {count} steps",
                r#","error.kind":"StepFailed""#,
            ),
        ],
    ),
    (
        "payments",
        [
            (
                INFO,
                "payments.api",
                "authorise {amount} {currency} for order {order}",
                r#","order_id":"{order}","amount":{amount},"currency":"{currency}""#,
            ),
            (INFO, "payments.api", "authorised {amount} {currency}, reference {reference}", ANSWER),
            (
                DEBUG,
                "payments.risk",
                "risk score {percent} for {user} paying from {city}",
                r#","risk.model":"m-{shard}""#,
            ),
            (
                INFO,
                "payments.acquirer",
                "acquirer {peer} answered in {ms} ms, code {shard}",
                r#","acquirer.reference":"{reference}""#,
            ),
            (WARN, "payments.acquirer", "timeout of {peer} after {ms} ms, attempt {attempt} of 3", ""),
        ],
    ),
    (
        "inventory",
        [
            (INFO, "inventory.handler", "reserve {count} x {product} for order {order}", HTTP),
            (INFO, "inventory.handler", "reserved {product} in warehouse {city}, {count} left", ANSWER),
            (
                DEBUG,
                "inventory.sql",
                "update stock set reserved = reserved + {count} where sku = '{product}' took {ms} ms",
                r#","db.shard":{shard}"#,
            ),
            (
                INFO,
                "inventory.events",
                "published stock.reserved for {product} to partition {shard} at offset {bytes}",
                "",
            ),
            (WARN, "inventory.handler", "stock of {product} is low in {city}: {count} left", ""),
        ],
    ),
    (
        "shipping",
        [
            (INFO, "shipping.Quote", "quote for order {order} to {city}", HTTP),
            (INFO, "shipping.Quote", "cheapest carrier for {order} costs {amount} {currency}", ANSWER),
            (DEBUG, "shipping.Carrier", "GET https://{peer}/rates?weight={count}&to={city} took {ms} ms", ""),
            (INFO, "shipping.Label", "label {reference} printed for order {order}", r#","order_id":"{order}""#),
            (ERROR, "shipping.Carrier", "carrier {peer} refused address of {user}: postal code unknown in {city}", ""),
        ],
    ),
    (
        "notifications",
        [
            (INFO, "notify.queue", "queued mail {word} for {user}", r#","queue.depth":{count}"#),
            (INFO, "notify.smtp", "mail to {user} accepted by {peer} as {reference}", r#","duration_ms":{duration}"#),
            (DEBUG, "notify.template", "rendered template {word} in {ms} ms, {bytes} bytes", ""),
            (DEBUG, "notify.smtp", "connection {shard} to {peer} reused after {count} s", ""),
            (WARN, "notify.smtp", "{peer} deferred mail to {user}: try again in {count} s", ""),
        ],
    ),
    (
        "search",
        [
            (INFO, "search.api", "query '{word} {word}' from session {session}", HTTP),
            (INFO, "search.api", "query '{word} {word}' found {count} products in {ms} ms", ANSWER),
            (
                DEBUG,
                "search.shard",
                "shard {shard} scored {bytes} documents in {ms} ms",
                r#","shard.segments":{count}"#,
            ),
            (DEBUG, "search.suggest", "{count} suggestions for prefix '{word}'", ""),
            (WARN, "search.shard", "shard {shard} on {peer} timed out after {ms} ms, partial result", ""),
        ],
    ),
    (
        "pricing",
        [
            (DEBUG, "pricing.engine", "price list {currency} for {product}", HTTP),
            (INFO, "pricing.engine", "{product} costs {amount} {currency} with {percent} % discount", ANSWER),
            (DEBUG, "pricing.rules", "rule {word}-{shard} applied to {product}: {amount} -> {amount}", ""),
            (DEBUG, "pricing.rates", "exchange rate of {currency} is {amount}, fetched {count} s ago", ""),
            (
                ERROR,
                "pricing.rules",
                "rule {word}-{shard} divides by zero for {product}",
                r#","error.kind":"ArithmeticError""#,
            ),
        ],
    ),
    (
        "users",
        [
            (INFO, "users.http", "profile of {user} requested by {ip}", HTTP),
            (INFO, "users.http", "profile of {user} sent, {bytes} bytes", ANSWER),
            (
                DEBUG,
                "users.sql",
                "select id, name, mail from users where id = '{user}' took {ms} ms on {peer}",
                r#","db.rows":1"#,
            ),
            (INFO, "users.audit", "address {count} of {user} read for order {order}", ""),
            (WARN, "users.http", "profile of {user} has no address in {city}", ""),
        ],
    ),
];

/// All services.
pub fn services() -> Vec<Service> {
    STATEMENTS
        .iter()
        .enumerate()
        .map(|(index, (name, statements))| Service {
            name,
            nanoseconds: index % 3 == 2,
            templates: statements
                .iter()
                .map(|&(level, logger, message, members)| Template {
                    level,
                    logger,
                    message: pieces(message),
                    members: pieces(members),
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_templates() {
        let services = services();
        assert_eq!((services.len(), services.iter().map(|service| service.templates.len()).sum::<usize>()), (12, 60));
    }

    #[test]
    fn a_template_is_taken_apart() {
        assert_eq!(pieces("a {user}b"), [Piece::Text("a "), Piece::Variable(Variable::User), Piece::Text("b")]);
    }
}
