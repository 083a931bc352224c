# The aggregator. `make images` builds it; build.sh puts the files here.
FROM debian:bookworm-slim
RUN groupadd --gid 7600 clew \
 && useradd --uid 7600 --gid 7600 --home-dir /var/lib/clew --no-create-home --shell /usr/sbin/nologin clew \
 && install -d -o clew -g clew -m 0750 /var/lib/clew
COPY clew-aggregator healthy /usr/bin/
COPY aggregator.toml /etc/clew/aggregator.toml
USER 7600:7600
VOLUME /var/lib/clew
EXPOSE 7600 7601
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["healthy", "7601", "/readyz"]
# It is PID 1, and ends by SIGTERM: with a last commit, for which it takes up to 60 s.
ENTRYPOINT ["clew-aggregator"]
CMD ["run", "--config", "/etc/clew/aggregator.toml"]
