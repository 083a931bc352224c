# The agent, beside a container or for a whole host. `make images` builds it; build.sh puts the files here.
FROM debian:bookworm-slim
# The group may write the state: `--user UID:7602` reads the files of another user, `--user 0:7602 --cap-drop ALL --cap-add
# DAC_READ_SEARCH` those of everybody.
RUN groupadd --gid 7602 clew-agent \
 && useradd --uid 7602 --gid 7602 --home-dir /var/lib/clew-agent --no-create-home --shell /usr/sbin/nologin clew-agent \
 && install -d -o clew-agent -g clew-agent -m 0770 /var/lib/clew-agent
COPY clew-agent healthy /usr/bin/
COPY agent.toml /etc/clew/agent.toml
USER 7602:7602
VOLUME /var/lib/clew-agent
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["healthy", "7602", "/livez"]
# It is PID 1, and ends by SIGTERM: reads to the end, ships, waits for the acknowledgements.
ENTRYPOINT ["clew-agent"]
CMD ["run", "--config", "/etc/clew/agent.toml"]
