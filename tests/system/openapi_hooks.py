"""What schemathesis cannot take from the document: a text of each `clew-` format as a client writes it, and which parameters go together."""

import schemathesis
from hypothesis import strategies as st

WORDS = st.sampled_from(["connection", "reset", "checkout", "timeout", "ÜBER", "0", "4bf92f3577b34da6a3ce929d0e0e4736", "a-b", "user_42"])
KEYS = st.sampled_from(["status", "http.status", "duration_ms", "user.id", "items.sku", ".level", "x-y"])
FIELDS = st.sampled_from(["service", "host", "file", "level", "txn", "source", "label.pod"]) | KEYS
NUMBERS = st.integers(-10, 10_000).map(str) | st.decimals(0, 1_000, places=2).map(str)


def terms():
    level = st.sampled_from(["trace", "info", "warn", "error", "fatal"])
    ranges = st.tuples(NUMBERS, NUMBERS).map(lambda ends: "[%s TO %s]" % ends)
    quoted = WORDS.map('"{}"'.format)
    values = st.one_of(WORDS, NUMBERS, quoted, ranges, NUMBERS.map(">={}".format), st.just("*"), WORDS.map("{}*".format))
    return st.one_of(
        WORDS,
        st.lists(WORDS, min_size=1, max_size=3).map(lambda words: '"%s"' % " ".join(words)),
        WORDS.map("{}*".format),
        WORDS.map("/{}[0-9]+/".format),
        level.map("level:>={}".format),
        st.tuples(KEYS, values).map(":".join),
        st.tuples(st.sampled_from(["service", "host", "file"]), WORDS).map(":".join),
    )


def selective_queries():
    def joined(parts):
        pairs = st.tuples(parts, st.sampled_from([" ", " AND ", " OR "]), parts)
        return st.one_of(parts.map("({})".format), parts.map("NOT {}".format), pairs.map("".join))

    return st.recursive(terms(), joined, max_leaves=6)


def spans(units, most=999):
    return st.tuples(st.integers(1, most), st.sampled_from(units)).map(lambda parts: "%d%s" % parts)


TIMES = st.one_of(
    st.just("now"),
    spans(["s", "m", "h", "d", "w"]).map("-{}".format),
    spans(["s", "m", "h"]).map("now-{}".format),
    st.datetimes().map(lambda time: time.isoformat(timespec="seconds") + "Z"),
    st.dates().map(str),
    st.integers(0, 9_000_000_000_000_000_000).map(str),
)

FORMATS = {
    "clew-query": st.one_of(st.just(""), st.just("*"), selective_queries()),
    "clew-selective-query": selective_queries(),
    "clew-time": TIMES,
    "clew-timeout": spans(["ms"]) | spans(["s"], most=300),
    "clew-interval": spans(["h", "d"]),
    "clew-duration": spans(["us", "ms", "s", "m"]),
    "clew-field": FIELDS,
    "clew-dimension": FIELDS | st.just(""),
    "clew-key": st.sampled_from(["status", "http.status", "duration_ms", ".level"]),
    "clew-fields": st.lists(FIELDS, max_size=4, unique=True).map(",".join),
    "clew-names": st.sampled_from(["shop", "checkout", "checkout,payments"]),
    "clew-cursor": st.just("ARiLTZPvQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "clew-list-cursor": st.just("AQFAAAAAAAAAAAAAAAAAAAAFAKPOkp0ODkc2S_kvNXezTaY"),
}
for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Values that are good each, and not together, are refused with 400; no schema says so. Wrong ones stay as they are."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for parameters in (case.query, case.body):
        if not isinstance(parameters, dict):
            continue
        # So many buckets do not fit into an answer.
        if "interval" in parameters:
            parameters["from"] = "-1h"
        for least, most in [("from", "to"), ("min_duration", "max_duration")]:
            if least in parameters:
                parameters.pop(most, None)
        # A cursor belongs to the order of its page.
        if parameters.get("sort", "newest") != "newest":
            parameters.pop("cursor", None)
        # A percentile that the groups are sorted by has to be asked for.
        if "percentiles" in parameters and str(parameters.get("sort", "")).startswith("p"):
            del parameters["percentiles"], parameters["sort"]
