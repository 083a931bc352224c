# Upgraded: the new version takes over if the old one ran. Configuration and state stay in any case.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ "$1" -ge 1 ]; then systemctl try-restart clew-agent.service || :; fi
fi
