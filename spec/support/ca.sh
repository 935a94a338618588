# shellcheck shell=sh
# What the makers of certificates share: sourced by certs.sh and smime.sh.

# openssl, whose chatter is shown only when it fails.
ssl() {
  openssl "$@" 2>> log || { cat log >&2; exit 1; }
}

# section NAME LINE...: one section of extensions.
section() {
  printf '[%s]\n' "$1"
  shift
  printf '%s\n' "$@"
}

# shellcheck disable=SC2034 # for those who source this
end="basicConstraints=critical,CA:FALSE"

# conf_head: the front of a configuration, down to the section "root".
conf_head() {
  cat << CONF
[req]
distinguished_name = nothing
[nothing]
[ca]
default_ca = issue
[issue]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
default_startdate = 20240101000000Z
default_enddate = 20491231000000Z
policy = any
unique_subject = no
[any]
commonName = supplied
CONF
  section root "basicConstraints=critical,CA:TRUE" \
    "keyUsage=critical,keyCertSign,cRLSign" "subjectKeyIdentifier=hash"
}

# issue NAME ISSUER SUBJECT SECTION [option...]: makes NAME.crt of NAME.csr.
issue() {
  name=$1 issuer=$2 subject=$3 section=$4
  shift 4
  ssl ca -batch -notext -config conf -cert "$issuer.crt" \
    -keyfile "$issuer.key" -in "$name.csr" -subj "$subject" \
    -extensions "$section" -out "$name.crt" "$@"
}

# self_sign NAME SUBJECT: makes NAME.crt of NAME.csr, a root.
self_sign() {
  ssl ca -batch -notext -config conf -selfsign -keyfile "$1.key" \
    -in "$1.csr" -subj "$2" -extensions root -out "$1.crt"
}
