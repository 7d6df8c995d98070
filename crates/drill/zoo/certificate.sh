#!/bin/sh
# A key, and a certificate for localhost that it has signed itself, in the directory $1. Made once: a rehearsal may be using it.
set -e
[ -s "$1/cert.pem" ] && exit 0
mkdir -p "$1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$1/key.pem" -out "$1/cert.pem"
