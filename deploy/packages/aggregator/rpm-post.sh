# The user before the service that runs as it. A new installation is enabled as the system's presets say; it is started by hand.
systemd-sysusers /usr/lib/sysusers.d/clew-aggregator.conf
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if [ "$1" -eq 1 ]; then systemctl --no-reload preset clew-aggregator.service || :; fi
