#!/bin/sh
# gunicorn closes its listeners at SIGTERM: this entrypoint lets the balancers look away first.
cd "$(dirname "$0")" || exit 1
gunicorn=${ZOO_GUNICORN:-gunicorn}
case "$DEFECT" in
plain) exec "$gunicorn" --bind "127.0.0.1:$PORT" --workers 2 --worker-class gthread --threads 16 app:app ;;
sync) exec "$gunicorn" --bind "127.0.0.1:$PORT" --workers 1 app:app ;;
shell-swallows) "$gunicorn" --bind "127.0.0.1:$PORT" --workers 1 --threads 16 app:app; exit $? ;;
# The start is held up by something that takes no signals, as a migration may be.
deaf-start) trap '' TERM; sleep 0.4; trap - TERM; exec "$gunicorn" --bind "127.0.0.1:$PORT" --workers 1 --threads 16 app:app ;;
short-timeout) exec "$gunicorn" --bind "127.0.0.1:$PORT" --workers 1 --threads 16 --graceful-timeout 0 app:app ;;
esac
export ZOO_DRAINING="${TMPDIR:-/tmp}/drill-zoo-draining-$$"
"$gunicorn" --bind "127.0.0.1:$PORT" --workers 2 --worker-class gthread --threads 64 --keep-alive 75 --graceful-timeout 4 app:app &
server=$!
stop() {
    trap 'kill -QUIT $server' TERM INT
    : >"$ZOO_DRAINING"
    # In the background, so that a second signal is not held up until it has ended.
    sleep 2.5 & wait $!
    kill -TERM $server
}
trap stop TERM INT
wait $server
# A trap ends the wait: the server is waited for again until it is gone.
while kill -0 $server 2>/dev/null; do wait $server; done
wait $server
code=$?
rm -f "$ZOO_DRAINING"
exit $code
