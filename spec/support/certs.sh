#!/bin/sh
# Makes the certificates of the specs: certs.sh OUTDIR
#
# OUTDIR/ca.pem is the authority the clients trust. Every other NAME has
# NAME.pem (the chain a server sends) and NAME.key. Nothing is made when
# OUTDIR is complete and of this very recipe; two runs at the same time are
# safe, since each works in a directory of its own and renames it at the end.
set -eu

[ $# -eq 1 ] || { echo "usage: certs.sh OUTDIR" >&2; exit 2; }
ca=$(dirname "$0")/ca.sh
recipe=$(cat "$0" "$ca" | cksum)
# shellcheck source=spec/support/ca.sh
. "$ca"
case $1 in
  /*) out=$1 ;;
  *) out=$(pwd)/$1 ;;
esac

is_done() {
  [ -f "$out/done" ] && [ "$(cat "$out/done")" = "$recipe" ]
}

is_done && exit 0
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# request NAME: a fresh EC key and a request for it; the subject comes later.
request() {
  ssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -config conf -subj /CN=request -keyout "$1.key" -out "$1.csr"
}

# authority NAME SUBJECT: a root certificate.
authority() {
  request "$1"
  self_sign "$1" "$2"
}

# leaf NAME SUBJECT SECTION [option...]: signed by the trusted authority. All
# leaves share one key: making keys would be most of the work.
leaf() {
  name=$1 subject=$2 section=$3
  shift 3
  cp leaf.csr "$name.csr"
  cp leaf.key "$name.key"
  issue "$name" ca "$subject" "$section" "$@"
  cp "$name.crt" "$name.pem"
}

good="DNS:localhost,DNS:mx.test,DNS:smtp.qq.test,IP:127.0.0.1,IP:::1"
plain="DNS:localhost,DNS:mx.test,IP:127.0.0.1"
real="DNS:smtp.qq.com,DNS:smtp.exmail.qq.com,DNS:smtp.163.com"
server="extendedKeyUsage=serverAuth"

{
  conf_head
  section inter "basicConstraints=critical,CA:TRUE" \
    "keyUsage=critical,keyCertSign"
  section good "$end" "$server" "subjectAltName=$good"
  section plain "$end" "$server" "subjectAltName=$plain"
  section real "$end" "$server" "subjectAltName=$real"
  section other "$end" "$server" "subjectAltName=DNS:other.example"
  section nosan "$end" "$server"
  section wildcard "$end" "$server" "subjectAltName=DNS:*.qq.test"
  section wildpart "$end" "$server" "subjectAltName=DNS:m*.qq.test"
  section clientonly "$end" "extendedKeyUsage=clientAuth" \
    "subjectAltName=$good"
  # SEQUENCE { [2] "localhost" NUL ".evil.example" }
  section nulsan "$end" "$server" "subjectAltName=DER:30:19:82:17:\
6C:6F:63:61:6C:68:6F:73:74:00:2E:65:76:69:6C:2E:65:78:61:6D:70:6C:65"
} > conf
: > index
echo 1000 > serial

authority ca "/CN=qqmail test authority"
authority rogue-ca "/CN=qqmail rogue authority"
request leaf

leaf good /CN=localhost good
leaf qq /CN=smtp.qq.com real
leaf wronghost /CN=other.example other
leaf nosan /CN=localhost nosan
leaf wildcard /CN=wildcard wildcard
leaf wildpart /CN=wildcard wildpart
leaf ipcn /CN=127.0.0.1 other
leaf nulsan /CN=nul nulsan
leaf clientonly /CN=localhost clientonly
leaf client "/CN=qqmail test client" clientonly
leaf expired /CN=localhost plain \
  -startdate 20200101000000Z -enddate 20200201000000Z
leaf notyet /CN=localhost plain \
  -startdate 20400101000000Z -enddate 20410101000000Z
leaf qqexpired /CN=smtp.qq.com real \
  -startdate 20200101000000Z -enddate 20200201000000Z
leaf qqnotyet /CN=smtp.qq.com real \
  -startdate 20400101000000Z -enddate 20410101000000Z

# Signed by an authority nobody trusts, which is sent along in "roguechain".
cp leaf.csr rogue.csr
cp leaf.key rogue.key
issue rogue rogue-ca /CN=localhost plain
cp rogue.crt rogue.pem
cat rogue.crt rogue-ca.crt > roguechain.pem
cp leaf.csr qqrogue.csr
cp leaf.key qqrogue.key
issue qqrogue rogue-ca /CN=smtp.qq.com real
cp qqrogue.crt qqrogue.pem
cp leaf.key roguechain.key

# selfsigned NAME SUBJECT SECTION: signed with its own key.
selfsigned() {
  cp leaf.csr "$1.csr"
  cp leaf.key "$1.key"
  ssl ca -batch -notext -config conf -selfsign -keyfile "$1.key" \
    -in "$1.csr" -subj "$2" -extensions "$3" -out "$1.crt"
  cp "$1.crt" "$1.pem"
}

selfsigned selfsigned /CN=localhost plain
selfsigned qqselfsigned /CN=smtp.qq.com real

# Signed by a certificate that may not sign.
cp leaf.csr notca.csr
cp leaf.key notca.key
issue notca good "/CN=issued by a leaf" plain
cat notca.crt good.crt > notca.pem

# A key and a digest of another age.
ssl req -new -newkey rsa:1024 -nodes -config conf -subj /CN=request \
  -keyout weak.key -out weak.csr
issue weak ca /CN=localhost plain -md sha1
cp weak.crt weak.pem
cp weak.csr qqweak.csr
cp weak.key qqweak.key
issue qqweak ca /CN=smtp.qq.com real -md sha1
cp qqweak.crt qqweak.pem

# Twelve intermediates, the last of which signs the leaf.
request inter
cp leaf.csr longchain.csr
cp leaf.key longchain.key
issuer=ca
: > chain
n=1
while [ $n -le 12 ]; do
  cp inter.csr "inter$n.csr"
  cp inter.key "inter$n.key"
  issue "inter$n" "$issuer" "/CN=intermediate $n" inter
  cat "inter$n.crt" chain > chain.new
  mv chain.new chain
  issuer=inter$n
  n=$((n + 1))
done
issue longchain "$issuer" /CN=localhost plain
cat longchain.crt chain > longchain.pem

# A key that asks for a passphrase, and no key at all.
ssl pkey -in leaf.key -aes128 -passout pass:secret -out encrypted.key
cp good.pem encrypted.pem
echo "this is no certificate" > garbage.pem

cp ca.crt ca.pem
# The authority in the form of /etc/ssl/certs.
mkdir trust
cp ca.crt trust/ca-certificates.crt
cp ca.crt "trust/$(openssl x509 -hash -noout -in ca.crt).0"
cp rogue-ca.crt rogue-ca.pem
rm -f conf index* serial* chain log ./*.csr ./*.crt ./inter* 1*.pem \
  leaf.key ca.key rogue-ca.key
echo "$recipe" > done

chmod 755 .
chmod 644 ./*.key # servers under test run as other users
cd ..
trap - EXIT
if [ -d "$out" ] && ! is_done; then
  mv "$out" "$work.old" 2> /dev/null && rm -rf "$work.old"
fi
# Who comes second fails, or moves into the directory of the first.
mv "$work" "$out" 2> /dev/null || true
rm -rf "$work" "$out/$(basename "$work")"
is_done
