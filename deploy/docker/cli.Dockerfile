# The command line: docker run --rm --network NETWORK -e CLEW_SERVER=http://aggregator:7601 clew trace ID. `make images` builds it.
FROM debian:bookworm-slim
COPY clew /usr/bin/
USER 65534:65534
ENTRYPOINT ["clew"]
CMD ["--help"]
