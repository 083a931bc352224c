# Removed and not upgraded: stopped and not started again.
if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable clew-aggregator.service || :
    if [ -d /run/systemd/system ]; then systemctl stop clew-aggregator.service || :; fi
fi
