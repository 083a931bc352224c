// What of the page knows no browser: IDs in pasted texts, terms of queries, fields of lines, times, characters that hide.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, tidy } from "../../aggregator/ui/lib/fields.js";
import { bytes, duration, offset } from "../../aggregator/ui/lib/format.js";
import { BOX, laidOut } from "../../aggregator/ui/lib/graph-layout.js";
import { candidates, identify } from "../../aggregator/ui/lib/identify.js";
import { has, highlighted, term, toggled } from "../../aggregator/ui/lib/query.js";
import { bounded, inRow, mark, visible } from "../../aggregator/ui/lib/text.js";
import { between, exact, later, parse, resolve } from "../../aggregator/ui/lib/time.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test("what is put into the box goes where it belongs", () => {
  const uuid = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
  for (const [input, kind, id] of /** @type {[string, string, string?][]} */ ([
    ["", "nothing"], ["  ", "nothing"],
    [TRACE, "id", TRACE], [` ${TRACE}\n`, "id", TRACE], [TRACE.toUpperCase(), "id", TRACE.toUpperCase()], [uuid, "id", uuid], ["a3ce929d0e0e4736", "id", "a3ce929d0e0e4736"],
    [`00-${TRACE}-00f067aa0ba902b7-01`, "id", TRACE], ["1-5759e988-bd862e3fe1be46a994272793", "id", "1-5759e988-bd862e3fe1be46a994272793"], ["12345678901234567890", "id", "12345678901234567890"],
    [`txn:${TRACE}`, "id", TRACE], [`http://127.0.0.1:7601/t/${TRACE}?zoom=1-2`, "id", TRACE],
    ["order-2026-0017", "maybe", "order-2026-0017"], ["timeout", "query"], ["connection reset", "query"],
    ["service:payments level:>=warn", "query"], ['level:error "card declined"', "query"], [`service:payments txn:${TRACE}`, "query"], [`${TRACE} AND timeout`, "query"],
    [`2026-11-23T13:07:00Z INFO [checkout,${TRACE},8dded2a1b2c3d4e5] started`, "line"], [`{"trace_id":"${TRACE}","msg":"a:b"}`, "line"], [`ts=1 level=info msg="x" request_id=req-20261123-77`, "line"],
    ["00000000000000000000000000000000", "maybe"],
  ])) {
    const found = /** @type {any} */ (identify(input));
    assert.equal(found.kind, kind, input);
    if (id) assert.equal(found.id, id, input);
  }
  assert.deepEqual(candidates(`GET / 200 traceparent=00-${TRACE}-00f067aa0ba902b7-01 x-request-id: ${uuid}`), [TRACE, uuid, "00f067aa0ba902b7"].slice(0, 2));
  assert.deepEqual(candidates(`trace_id=${"0".repeat(32)} request_id=-`), []);
  assert.equal(candidates(Array.from({ length: 100 }, (_, at) => `trace_id=${String(at).padStart(32, "a")}`).join(" ")).length, 12);
});

test("terms are added to a query and taken out of it", () => {
  assert.equal(term("service", "payments"), "service:payments");
  assert.equal(term("service", "my shop"), 'service:"my shop"');
  assert.equal(term("service", "x", { ofLine: true }), '.service:"x"');
  assert.equal(term("status", "500", { number: true }), "status:500");
  assert.equal(term("msg", 'say "hi" \\ there\n'), 'msg:"say \\"hi\\" \\\\ there\\n"');
  assert.equal(term("odd key", "x"), '"odd key":"x"');
  assert.equal(term(".level", "30", { number: true }), ".level:30");
  assert.equal(toggled("", "level:error"), "level:error");
  assert.equal(toggled("timeout", "level:error"), "timeout level:error");
  assert.equal(toggled("timeout level:error", "level:error"), "timeout");
  assert.equal(toggled("-level:error timeout", "level:error"), "timeout level:error");
  assert.equal(toggled("a OR b", "level:error"), "(a OR b) level:error");
  assert.ok(has('x service:"my shop"', 'service:"my shop"') && !has("service:payments2", "service:payments"));
});

test("what a query looks for stands out, and nothing else", () => {
  const marked = (/** @type {string} */ query, /** @type {string} */ line) => [...line.matchAll(highlighted(query) ?? /(?!)/g)].map((found) => found[0]);
  assert.deepEqual(marked('"connection reset" -healthz level:error', "Connection Reset by peer healthz error"), ["Connection Reset"]);
  assert.deepEqual(marked("/time(out|d out)/ msg:slow*", "timed out, slowly"), ["timed out", "slow"]);
  assert.deepEqual(marked("a.b (c OR NOT d)", "a.b axb c d"), ["a.b", "c"]);
  assert.equal(highlighted("service:x status:>=500 *"), null);
  assert.equal(highlighted("/(/")?.source ?? null, null);
});

test("fields are those of a query, and numbers keep their digits", () => {
  const fields = (/** @type {string} */ line) => Object.fromEntries(fieldsOf(line).fields.map((field) => [field.name, field.value]));
  assert.deepEqual(fields('{"user":{"id":12345678901234567890,"tags":["a","b"]},"ok":true,"none":null,"f":1.50}'), { "user.id": process.versions.node.startsWith("20") ? "12345678901234567000" : "12345678901234567890", "user.tags": "b", ok: "true", none: "null", f: process.versions.node.startsWith("20") ? "1.5" : "1.50" });
  assert.deepEqual(fields('ts=1 msg="say \\"hi\\"" url=http://x/?a=b empty="" (code=7)'), { ts: "1", msg: 'say "hi"', url: "http://x/?a=b", empty: "", code: "7" });
  assert.deepEqual(fields("nothing here"), {});
  assert.deepEqual(fields("{broken: json}"), {});
  assert.equal(fieldsOf(JSON.stringify(Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`k${at}`, at])))).fields.length, 400);
  let deep = "1";
  for (let at = 0; at < 100; at += 1) deep = `{"a":${deep}}`;
  assert.equal(fieldsOf(deep).fields.length, 1);
  assert.doesNotThrow(() => fieldsOf("[".repeat(100_000)), "nor does anything break");
  assert.doesNotThrow(() => fieldsOf(`{"a":`.repeat(20_000) + "1" + "}".repeat(20_000)));
  assert.deepEqual(tidy({ line: '{"level":30,"msg":"charged","trace_id":"x","amount":5}' }), { message: "charged", rest: [{ name: "amount", value: "5", kind: "number" }] });
  assert.equal(tidy({ line: "2026-11-23 INFO done in a=5 ms" }), null);
});

test("times are exact to the nanosecond", () => {
  assert.equal(between("2026-11-23T13:07:00.000000001Z", "2026-11-23T13:07:01Z"), 999_999_999);
  assert.equal(between("2026-11-23T14:07:00+01:00", "2026-11-23T13:07:00.5Z"), 500_000_000);
  assert.equal(later("2026-11-23T13:07:00.999999999Z", 2), "2026-11-23T13:07:01.000000001Z");
  assert.equal(exact("2026-11-23T13:07:00.605123456Z"), "2026-11-23 13:07:00.605123456");
  assert.deepEqual(parse("2026-11-23T13:07:00.0001Z"), { ms: Date.UTC(2026, 10, 23, 13, 7), ns: 100_000 });
  const now = Date.UTC(2026, 10, 23);
  for (const [text, ms] of /** @type {[string, number | null][]} */ ([["now", now], ["-15m", now - 900_000], ["now-1h30m", now - 5_400_000], ["2026-11-25", Date.UTC(2026, 10, 25)], ["2026-11-25 10:15", Date.UTC(2026, 10, 25, 10, 15)], ["2026-11-25T10:15:02+01:00", Date.UTC(2026, 10, 25, 9, 15, 2)], ["soon", null], ["", null]])) {
    assert.equal(resolve(text, now), ms, text);
  }
});

test("numbers come with their unit", () => {
  assert.deepEqual([0, 999, 1_500, 626e6, 999.9e6, 1.2e9, 123e9, 3 * 3600e9 + 5 * 60e9, -2e6].map(duration), ["0 s", "999 ns", "1.50 µs", "626 ms", "1.00 s", "1.20 s", "2 m 03 s", "3 h 05 m", "−2.00 ms"]);
  assert.deepEqual([offset(605e6, 1e9), offset(1500, 5e6), offset(-1e6, 1e9), offset(7325e9, 9000e9)], ["+0.605", "+0.000002", "−0.001", "+2:02:05"]);
  assert.deepEqual([0, 1023, 1024, 5 * 2 ** 20].map(bytes), ["0 B", "1023 B", "1.00 KiB", "5.00 MiB"]);
});

test("characters that hide or turn text are shown, others are left alone", () => {
  const text = (/** @type {any} */ shown) => (typeof shown === "string" ? shown : shown.map((/** @type {any} */ part) => (typeof part === "string" ? part : `[${part.props.children}]`)).join(""));
  assert.equal(text(visible("plain ümlaut 漢字 🙂 e\u0301\n\ttab")), "plain ümlaut 漢字 🙂 e\u0301\n\ttab");
  assert.equal(text(visible("a\u001b[31mb\u0000c\u007f\u0085")), "a[ESC][31mb[NUL]c[DEL][U+0085]");
  assert.equal(text(visible("x\u202ey\u2066z\u200b\ufeff\u{e0041}")), "x[U+202E]y[U+2066]z[U+200B][U+FEFF][U+E0041]");
  assert.equal(text(visible("half \ud83d of a pair")), "half [U+D83D] of a pair");
  assert.equal(text(visible("say timeout\u0007 now", /timeout/g)), "say [timeout][BEL] now");
  assert.equal(mark("\r"), "CR");
  assert.equal(bounded("ab🙂", 3), "ab");
  assert.equal(inRow("a\r\nb\tc\n", 100), "a ⏎ b c ⏎ ");
});

test("in the graph of services no line runs through a service that it has nothing to do with", () => {
  const edge = (/** @type {string} */ from, /** @type {string} */ to, support = 10) => ({ from, to, evidence: "spans", support });
  const edges = [edge("cart", "mailer"), edge("checkout", "payments"), edge("payments", "mailer"), edge("inventory", "mailer"), edge("mailer", "cart", 1)];
  const { places, passes, width, height } = laidOut({ services: ["cart", "checkout", "gateway", "inventory", "mailer", "payments"], edges });
  assert.ok(["cart", "checkout", "payments", "mailer"].every((name, at, names) => at === 0 || name === "checkout" || (places.get(name)?.x ?? 0) > (places.get(names[at - 1])?.x ?? 0)));
  assert.deepEqual([edges[0], edges[3]].map((edge) => passes.get(edge)?.length), [1, 1]);
  const boxes = [...places.values()];
  for (const { x, y } of boxes) assert.ok(x >= 0 && y >= 0 && x + BOX.width <= width && y + BOX.height <= height);
  for (const { x, y } of [...passes.values()].flat()) assert.ok(!boxes.some((box) => box.x === x && y > box.y - 4 && y < box.y + BOX.height + 4));
  // Services that nobody calls stand side by side; none at all is no error.
  assert.equal(new Set([...laidOut({ services: ["a", "b"], edges: [] }).places.values()].map(({ x }) => x)).size, 2);
  assert.equal(laidOut({ services: [], edges: [] }).places.size, 0);
});
