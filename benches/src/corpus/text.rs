//! A record as text: nginx, Spring Boot, log4j and Python's logging, by service. Errors of the last three carry their stack trace.
//!
//! Every record's first line holds the transaction's ID where its framework's usual pattern puts it.

use std::io::Write;

use fastrand::Rng;

use super::transaction::{Clock, DATE, Entry, Hop, Transaction, exponential};

/// Deep enough for a servlet container, and for what stands above it.
const FRAMES: std::ops::RangeInclusive<usize> = 8..=40;
const JAVA_FRAMES: [&str; 12] = [
    "org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java",
    "org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java",
    "jakarta.servlet.http.HttpServlet.service(HttpServlet.java",
    "org.apache.catalina.core.ApplicationFilterChain.internalDoFilter(ApplicationFilterChain.java",
    "org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java",
    "org.springframework.web.filter.OncePerRequestFilter.doFilter(OncePerRequestFilter.java",
    "org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java",
    "org.apache.coyote.http11.Http11Processor.service(Http11Processor.java",
    "org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java",
    "com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java",
    "java.base/java.lang.reflect.Method.invoke(Method.java",
];
const JAVA_EXCEPTIONS: [(&str, &str); 4] = [
    ("java.lang.IllegalStateException", "step cannot be compensated"),
    ("org.springframework.dao.DataAccessResourceFailureException", "unable to acquire a connection"),
    ("java.util.concurrent.TimeoutException", "no answer within 2000 ms"),
    ("java.io.IOException", "Broken pipe"),
];
const PYTHON_FRAMES: [(&str, &str, &str); 4] = [
    ("site-packages/flask/app.py", "dispatch_request", "return self.view_functions[rule.endpoint](**view_args)"),
    (
        "site-packages/sqlalchemy/engine/base.py",
        "_execute_context",
        "self.dialect.do_execute(cursor, statement, parameters)",
    ),
    ("site-packages/requests/sessions.py", "send", "r = adapter.send(request, **kwargs)"),
    ("site-packages/tenacity/__init__.py", "__call__", "result = fn(*args, **kwargs)"),
];
const PYTHON_EXCEPTIONS: [&str; 3] = [
    "psycopg2.OperationalError: server closed the connection unexpectedly",
    "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='rates.internal', port=8443): Read timed out.",
    "ZeroDivisionError: division by zero",
];
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Writes a record and its line feed.
pub fn write(out: &mut Vec<u8>, random: &mut Rng, transaction: &Transaction, entry: &Entry<'_>) {
    let written = match entry.service.name {
        "gateway" if entry.is_answer => nginx_access(out, random, transaction, entry),
        "gateway" => nginx_error(out, random, transaction, entry),
        "auth" | "cart" | "checkout" | "shipping" => spring(out, random, transaction, entry),
        "payments" | "search" | "users" => log4j(out, random, transaction, entry),
        _ => python(out, random, transaction, entry),
    };
    written.expect("a Vec takes whatever is written to it");
}

/// The combined format, with the request's time and ID behind it.
fn nginx_access(
    out: &mut Vec<u8>,
    random: &mut Rng,
    transaction: &Transaction,
    entry: &Entry<'_>,
) -> std::io::Result<()> {
    let Clock { hour, minute, second, .. } = Clock::of(entry.time_ns);
    let Transaction { ip, user, method, path, status, trace_id, .. } = transaction;
    let bytes = 200 + exponential(random, 9000);
    let seconds = entry.hop.duration_ns as f64 / 1e9;
    writeln!(
        out,
        r#"{ip} - {user} [20/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "{method} {path} HTTP/1.1" {status} {bytes} "-" "{USER_AGENT}" {seconds:.3} "{trace_id}""#
    )
}

fn nginx_error(
    out: &mut Vec<u8>,
    random: &mut Rng,
    transaction: &Transaction,
    entry: &Entry<'_>,
) -> std::io::Result<()> {
    let Clock { hour, minute, second, .. } = Clock::of(entry.time_ns);
    let Transaction { ip, method, path, trace_id, .. } = transaction;
    let (level, connection) = (entry.level.to_lowercase(), random.u32(1..900_000));
    write!(out, "2026/11/20 {hour:02}:{minute:02}:{second:02} [{level}] 31#31: *{connection} ")?;
    transaction.fill(out, random, &entry.template.message, entry.hop);
    writeln!(
        out,
        r#", client: {ip}, server: shop.example, request: "{method} {path} HTTP/1.1", host: "shop.example", request_id: "{trace_id}""#
    )
}

/// Spring Boot 3.2 with its correlation ID.
fn spring(out: &mut Vec<u8>, random: &mut Rng, transaction: &Transaction, entry: &Entry<'_>) -> std::io::Result<()> {
    let Clock { hour, minute, second, fraction_ns } = Clock::of(entry.time_ns);
    let Hop { thread, span_id, .. } = entry.hop;
    let (level, name, logger) = (entry.level, entry.service.name, entry.template.logger);
    write!(
        out,
        "{DATE}T{hour:02}:{minute:02}:{second:02}.{:03}Z {level:>5} 1 --- [{name}] [{thread:>15}] [{}-{span_id}] {logger:<40} : ",
        fraction_ns / 1_000_000,
        transaction.trace_id
    )?;
    transaction.fill(out, random, &entry.template.message, entry.hop);
    out.push(b'\n');
    java_trace(out, random, entry)
}

fn log4j(out: &mut Vec<u8>, random: &mut Rng, transaction: &Transaction, entry: &Entry<'_>) -> std::io::Result<()> {
    let Clock { hour, minute, second, fraction_ns } = Clock::of(entry.time_ns);
    let Hop { thread, span_id, .. } = entry.hop;
    let (level, logger) = (entry.level, entry.template.logger);
    write!(
        out,
        "{DATE} {hour:02}:{minute:02}:{second:02},{:03} {level:<5} [{thread}] {logger} [traceId={}, spanId={span_id}] - ",
        fraction_ns / 1_000_000,
        transaction.trace_id
    )?;
    transaction.fill(out, random, &entry.template.message, entry.hop);
    out.push(b'\n');
    java_trace(out, random, entry)
}

/// Python's logging as OpenTelemetry's instrumentation sets it up.
fn python(out: &mut Vec<u8>, random: &mut Rng, transaction: &Transaction, entry: &Entry<'_>) -> std::io::Result<()> {
    let Clock { hour, minute, second, fraction_ns } = Clock::of(entry.time_ns);
    let (name, logger, span_id) = (entry.service.name, entry.template.logger, &entry.hop.span_id);
    let level = if entry.level == "WARN" { "WARNING" } else { entry.level };
    let module = logger.rsplit('.').next().unwrap_or(logger);
    write!(
        out,
        "{DATE} {hour:02}:{minute:02}:{second:02},{:03} {level} [{logger}] [{module}.py:{}] [trace_id={} span_id={span_id} resource.service.name={name} trace_sampled=True] - ",
        fraction_ns / 1_000_000,
        20 + entry.template.message.len(),
        transaction.trace_id,
    )?;
    transaction.fill(out, random, &entry.template.message, entry.hop);
    out.push(b'\n');
    if entry.level != "ERROR" {
        return Ok(());
    }
    writeln!(out, "Traceback (most recent call last):")?;
    writeln!(out, "  File \"/srv/app/{name}/{module}.py\", line {}, in handle", random.u8(20..))?;
    writeln!(out, "    return {module}.run(request)")?;
    for _ in 0..random.usize(2..=8) {
        let (file, function, source) = PYTHON_FRAMES[random.usize(..PYTHON_FRAMES.len())];
        writeln!(out, "  File \"/usr/lib/python3.13/{file}\", line {}, in {function}", random.u16(10..2000))?;
        writeln!(out, "    {source}")?;
    }
    writeln!(out, "{}", PYTHON_EXCEPTIONS[random.usize(..PYTHON_EXCEPTIONS.len())])
}

fn java_trace(out: &mut Vec<u8>, random: &mut Rng, entry: &Entry<'_>) -> std::io::Result<()> {
    if entry.level != "ERROR" {
        return Ok(());
    }
    let (class, message) = JAVA_EXCEPTIONS[random.usize(..JAVA_EXCEPTIONS.len())];
    writeln!(out, "{class}: {message}")?;
    java_frames(out, random, entry.template.logger)?;
    if random.bool() {
        let (class, message) = JAVA_EXCEPTIONS[random.usize(..JAVA_EXCEPTIONS.len())];
        writeln!(out, "Caused by: {class}: {message}")?;
        java_frames(out, random, entry.template.logger)?;
        writeln!(out, "\t... {} common frames omitted", random.u8(3..60))?;
    }
    Ok(())
}

fn java_frames(out: &mut Vec<u8>, random: &mut Rng, logger: &str) -> std::io::Result<()> {
    let class = logger.rsplit('.').next().unwrap_or(logger);
    writeln!(out, "\tat {logger}.handle({class}.java:{})", random.u16(20..600))?;
    for _ in 0..random.usize(FRAMES) {
        writeln!(out, "\tat {}:{})", JAVA_FRAMES[random.usize(..JAVA_FRAMES.len())], random.u16(20..3000))?;
    }
    Ok(())
}
