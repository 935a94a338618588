#!/bin/sh
# Makes certificates of people for the specs of S/MIME: smime.sh OUTDIR
#
# OUTDIR/ca.pem is the authority that readers trust. NAME.crt and NAME.key are
# a person's: "me" (RSA) and "me-ec" send as sender@example.com, "li" (RSA) and
# "wang" (EC) receive. "chained" is issued by inter.crt, not by ca.pem. The
# others are faulty in the way that their name tells.
set -eu

[ $# -eq 1 ] || { echo "usage: smime.sh OUTDIR" >&2; exit 2; }
# shellcheck source=spec/support/ca.sh
. "$(dirname "$0")/ca.sh"
cd "$1"

mail="extendedKeyUsage=emailProtection"
rsa="keyUsage=digitalSignature,keyEncipherment"
ec="keyUsage=digitalSignature,keyAgreement"

{
  conf_head
  section me "$end" "$mail" "$rsa" "subjectAltName=email:sender@example.com"
  section me-ec "$end" "$mail" "$ec" "subjectAltName=email:sender@example.com"
  section li "$end" "$mail" "$rsa" \
    "subjectAltName=email:rcpt@example.com,email:li@example.com"
  section wang "$end" "$mail" "$ec" "subjectAltName=email:wang@example.com"
  section server "$end" "extendedKeyUsage=serverAuth" "$ec"
  section signonly "$end" "$mail" "keyUsage=digitalSignature"
  section sealonly "$end" "$mail" "keyUsage=keyAgreement"
  section plain "$end"
} > conf
: > index
echo 1000 > serial

# key NAME KIND [option]: a fresh key and a request for it.
key() {
  name=$1 kind=$2
  shift 2
  ssl req -new -newkey "$kind" "$@" -nodes -config conf -subj /CN=request \
    -keyout "$name.key" -out "$name.csr"
}

# person NAME SECTION ISSUER [option...]: makes NAME.crt.
person() {
  name=$1 section=$2 issuer=$3
  shift 3
  issue "$name" "$issuer" "/CN=$name" "$section" "$@"
}

# like NAME SECTION [option...]: a further certificate for the key of me-ec.
like() {
  name=$1 section=$2
  shift 2
  cp me-ec.key "$name.key"
  cp me-ec.csr "$name.csr"
  person "$name" "$section" ca "$@"
}

curve="-pkeyopt ec_paramgen_curve:P-256"
# shellcheck disable=SC2086 # two words
key ca ec $curve
self_sign ca "/CN=qqmail test authority"
cp ca.crt ca.pem
key me rsa:2048
key li rsa:2048
# shellcheck disable=SC2086
key me-ec ec $curve
# shellcheck disable=SC2086
key wang ec $curve
# shellcheck disable=SC2086
key inter ec $curve
key ed ed25519
key short rsa:512
person me me ca
person me-ec me-ec ca
person li li ca
person wang wang ca
person inter root ca
person ed plain ca
person short me ca
cp me-ec.key chained.key
cp me-ec.csr chained.csr
person chained me-ec inter
like expired me-ec -startdate 20200101000000Z -enddate 20200201000000Z
like early me-ec -startdate 20400101000000Z -enddate 20410101000000Z
like server server
like signonly signonly
like sealonly sealonly
like nameless plain

cat me.crt me.key > me.pem
cat chained.crt inter.crt > chain.pem
ssl x509 -in li.crt -outform DER -out li.der
ssl pkcs8 -topk8 -in me.key -outform DER -nocrypt -out me.der
ssl pkcs8 -topk8 -in me.key -v2 aes-256-cbc -passout pass:correct-horse -out locked.key
echo "this is no certificate" > garbage.pem
