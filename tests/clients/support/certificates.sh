#!/bin/sh
# Makes the certificates of the tests in a directory, by OpenSSL: of an authority, of servers, of a
# client, and of a stranger that nobody trusts.
#
#   certificates.sh DIRECTORY
set -eu
cd "$1"

# Each makes NAME.pem and NAME.key.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$1.key" \
    -out "$1.pem" -subj "/CN=$2" -addext keyUsage=critical,keyCertSign 2>/dev/null
}
issue() { # NAME AUTHORITY SERIAL SUBJECT [NAMES]
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$1.key" \
    -out "$1.pem" -CA "$2.pem" -CAkey "$2.key" -set_serial "$3" -subj "/CN=$4" \
    -addext basicConstraints=critical,CA:FALSE ${5:+-addext "subjectAltName=$5"} 2>/dev/null
}

authority ca 'test authority'
authority stranger 'a stranger'
for serial in 1 2; do
  issue "server$serial" ca "$serial" localhost DNS:localhost,IP:127.0.0.1,IP:::1
done
issue exact ca 3 exact DNS:chat.example.org
issue wildcard ca 4 wildcard 'DNS:*.example.org'
cat exact.key >>exact.pem
cat wildcard.key >>wildcard.pem
issue client ca 5 'a client'
issue foreign stranger 6 'a foreign client'
