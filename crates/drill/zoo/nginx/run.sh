#!/bin/sh
# nginx before files of its own. Its graceful stop is SIGQUIT, and closes the listener at once: the entrypoint waits first.
directory=$(mktemp -d "${TMPDIR:-/tmp}/drill-zoo-nginx-XXXXXX") || exit 1
chmod 755 "$directory" && mkdir "$directory/www" && cp "$(dirname "$0")/index.json" "$directory/www/"
# Slow by its size and its rate: 120 KiB at 100 KiB/s.
head -c 122880 /dev/zero | tr '\0' 'x' >"$directory/www/big.txt"
drain_timeout=4s
[ "$DEFECT" = cuts-in-flight ] && drain_timeout=100ms
hide_version=off
[ "$DEFECT" = server-version ] && hide_version=on
sed -e "s|@DIR@|$directory|g" -e "s|@PORT@|$PORT|g" -e "s|@DRAIN@|$drain_timeout|g" -e "s|@TOKENS@|$hide_version|g" \
    "$(dirname "$0")/nginx.conf" >"$directory/nginx.conf"
: >"$directory/www/ready"
nginx=${ZOO_NGINX:-nginx}
case "$DEFECT" in
plain) exec "$nginx" -p "$directory" -c nginx.conf -g 'daemon off;' ;;
esac
"$nginx" -p "$directory" -c nginx.conf -g 'daemon off;' &
server=$!
stop() {
    trap 'kill -TERM $server' TERM INT
    [ "$DEFECT" = ready-always ] || rm -f "$directory/www/ready"
    sleep 2.5 & wait $!
    kill -QUIT $server
}
trap stop TERM INT
wait $server
while kill -0 $server 2>/dev/null; do wait $server; done
rm -rf "$directory"
exit 0
