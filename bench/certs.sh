#!/bin/sh
# certs.sh DIR: a certificate for localhost in DIR/server.pem, its key in
# DIR/server.key, and the authority that signed it in DIR/ca.pem. For one run
# of the bench: nothing here is worth keeping.
set -eu

[ $# -eq 1 ] || { echo "usage: certs.sh DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

# key_and NAME OPTION...: a new EC key, and what `openssl req` makes with it.
key_and() {
  name=$1
  shift
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$name.key" "$@" 2>> log || { cat log >&2; exit 1; }
}

key_and ca -x509 -days 2 -subj "/CN=qqmail bench authority" -out ca.pem
key_and server -subj /CN=localhost -out server.csr
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > names
openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key \
  -set_serial 1 -extfile names -out server.pem 2>> log ||
  { cat log >&2; exit 1; }
rm -f ca.key server.csr names log
